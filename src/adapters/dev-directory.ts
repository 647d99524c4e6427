/** Where `vouchsafe dev` keeps what it makes: below the working folder, or in a folder of its own when that will not do. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Problem } from '../problems.ts'
import type { Store } from '../service/ports.ts'
import { openPgliteStore } from './pglite-store.ts'
import { whyNotKept } from './sample-policy-repository.ts'

export interface DevDirectory {
  readonly directory: string
  readonly store: Store
  readonly keyEncryptionKey: Uint8Array
  /** Holds the token of the one operator, made anew at every start. */
  readonly operatorTokenFile: string
  /** SHA-256 of that token. */
  readonly operatorTokenSha256: Uint8Array
}

/** A second `dev`, a folder that cannot be written to or one that was outlived gets a temporary one; `say` tells so. */
export async function openDevDirectory(
  say: (sentence: string) => void,
  at: Date,
): Promise<DevDirectory> {
  const directory = resolve('.vouchsafe/dev')
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
  return { directory, store, keyEncryptionKey: keyIn(directory), ...operatorTokenIn(directory) }
}

/** Kept beside the database whose keys it opens: for development only. */
function keyIn(directory: string): Uint8Array {
  const file = join(directory, 'key-encryption-key')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32), { mode: 0o600 })
  return new Uint8Array(readFileSync(file))
}

function operatorTokenIn(directory: string) {
  const operatorTokenFile = join(directory, 'operator-token')
  const token = randomBytes(32).toString('hex')
  writeFileSync(operatorTokenFile, `${token}\n`, { mode: 0o600 })
  const sha256 = createHash('sha256').update(token).digest()
  return { operatorTokenFile, operatorTokenSha256: new Uint8Array(sha256) }
}
