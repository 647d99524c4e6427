/** Where `vouchsafe dev` keeps what it makes: below the working folder, or in a folder of its own when that will not do. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Problem } from '../problems.ts'
import type { Store } from '../service/ports.ts'
import { openPgliteStore } from './pglite-store.ts'
import { whyNotKept } from './sample-policy-repository.ts'

export interface KeptToken {
  /** Holds the token. */
  readonly file: string
  readonly sha256: Uint8Array
}

export interface DevDirectory {
  readonly directory: string
  readonly store: Store
  readonly keyEncryptionKey: Uint8Array
  /** Each made anew at every start. */
  readonly operator: KeptToken
  readonly secretAdmin: KeptToken
}

/**
 * `name`: below `.vouchsafe`. A second `dev`, a folder that cannot be written to or one that was outlived gets a temporary one;
 * `say` tells so.
 */
export async function openDevDirectory(
  say: (sentence: string) => void,
  { name, at }: { readonly name: string; readonly at: Date },
): Promise<DevDirectory> {
  const directory = resolve('.vouchsafe', name)
  try {
    const reason = whyNotKept(directory, at)
    if (reason !== undefined) throw new Problem('configuration-invalid', reason)
    return await open(directory)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const instead = mkdtempSync(join(tmpdir(), 'vouchsafe-dev-'))
    say(`${error.detail}\nUsing ${instead} instead.`)
    return await open(instead)
  }
}

async function open(directory: string): Promise<DevDirectory> {
  const store = await openPgliteStore(directory)
  return {
    directory,
    store,
    keyEncryptionKey: keyIn(directory),
    operator: tokenIn(directory, 'operator-token'),
    secretAdmin: tokenIn(directory, 'secret-admin-token'),
  }
}

/** Kept beside the database whose keys it opens: for development only. */
function keyIn(directory: string): Uint8Array {
  const file = join(directory, 'key-encryption-key')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32), { mode: 0o600 })
  return new Uint8Array(readFileSync(file))
}

function tokenIn(directory: string, name: string): KeptToken {
  const file = join(directory, name)
  const token = randomBytes(32).toString('hex')
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  return { file, sha256: new Uint8Array(createHash('sha256').update(token).digest()) }
}
