/**
 * Did one of these OpenPGP keys sign these bytes? Asks the system's `gpgv`, for repositories whose forge signs with
 * OpenPGP. gpgv judges expiry by its own clock, now, and not by when a commit was first seen. Without it: a refusal.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { VerifyOpenPgp } from '../policy/signatures/signer.ts'

export interface GpgvSettings {
  /** Where `gpgv` is looked for: PATH. */
  readonly searchPath: string
  readonly timeoutMs: number
}

export function gpgv(settings: GpgvSettings): VerifyOpenPgp {
  return async ({ message, signature, keyring }) => {
    const folder = await mkdtemp(join(tmpdir(), 'vouchsafe-gpgv-'))
    try {
      await Promise.all([
        writeFile(join(folder, 'keyring.gpg'), keyring),
        writeFile(join(folder, 'signature.asc'), signature),
        writeFile(join(folder, 'message'), message),
      ])
      const answer = await ask(folder, settings)
      return 'refusal' in answer ? answer : judged(answer)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

interface Answer {
  readonly code: number | null
  readonly status: string
  readonly complaint: string
}

const MOST_BYTES = 64 * 1024

async function ask(
  folder: string,
  { searchPath, timeoutMs }: GpgvSettings,
): Promise<Answer | { readonly refusal: string }> {
  const child = spawn(
    'gpgv',
    [
      `--homedir=${folder}`,
      `--keyring=${join(folder, 'keyring.gpg')}`,
      '--status-fd=3',
      // MD5 is weak to it already.
      '--weak-digest=SHA1',
      '--',
      join(folder, 'signature.asc'),
      join(folder, 'message'),
    ],
    {
      // Complete: nobody's keyrings, settings or language.
      env: { PATH: searchPath, HOME: folder, GNUPGHOME: folder, LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    },
  )
  // Not spawn's own: its timer outlives a program that is absent, and keeps this one from ending.
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  let size = 0
  const collect = (stream: Readable) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MOST_BYTES) child.kill('SIGKILL')
      else chunks.push(chunk)
    })
    return () => Buffer.concat(chunks).toString('utf8')
  }
  const complaint = collect(child.stderr as Readable)
  // The fourth pipe of `stdio`: child_process types it as either direction.
  const status = collect(child.stdio[3] as Readable)
  return await new Promise((settle) => {
    child.on('error', ({ message }) => {
      clearTimeout(timer)
      settle({
        refusal: `it is signed with OpenPGP, and gpgv could not be started (${message}): install gpgv, or sign with an SSH key`,
      })
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      settle(
        signal === null
          ? { code, status: status(), complaint: complaint() }
          : {
              refusal:
                size > MOST_BYTES
                  ? `gpgv wrote more than ${MOST_BYTES} bytes`
                  : `gpgv did not answer within ${timeoutMs} ms`,
            },
      )
    })
  })
}

/** What else gpgv may say of a signature (doc/DETAILS), and what that means. */
const faults: Readonly<Record<string, string>> = {
  BADSIG: 'the OpenPGP signature does not belong to this commit',
  EXPSIG: 'the OpenPGP signature has expired',
  EXPKEYSIG: 'the OpenPGP key has expired',
  REVKEYSIG: 'the OpenPGP key was revoked by its owner',
  NO_PUBKEY: 'the OpenPGP key is not in trust/openpgp/',
  ERRSIG:
    'the OpenPGP signature cannot be checked: it is of a kind that gpgv refuses, such as one over SHA-1',
}

/** Binary document: what Git signs. */
const DETACHED = '00'

/** Exactly one signature, good and valid, and not one word of doubt: exit code 0 alone would admit several or expired ones. */
function judged({ code, status, complaint }: Answer): Awaited<ReturnType<VerifyOpenPgp>> {
  const lines = status
    .split('\n')
    .filter((line) => line.startsWith('[GNUPG:] '))
    .map((line) => line.slice(9).split(' '))
  const of = (keyword: string) => lines.filter(([word]) => word === keyword)
  for (const keyword of ['REVKEYSIG', 'EXPKEYSIG', 'EXPSIG', 'BADSIG', 'NO_PUBKEY', 'ERRSIG'])
    if (of(keyword).length > 0)
      return { refusal: `${faults[keyword]}: sign again with a key that is in trust/openpgp/` }
  const [valid, second] = of('VALIDSIG')
  const fingerprint = valid?.[10]
  if (
    code !== 0 ||
    second !== undefined ||
    of('NEWSIG').length !== 1 ||
    of('GOODSIG').length !== 1 ||
    valid?.[9] !== DETACHED ||
    fingerprint === undefined ||
    !/^[0-9A-F]{40}$/.test(fingerprint)
  )
    return {
      refusal: `gpgv found no single good OpenPGP signature: ${complaint.trim().split('\n').at(-1)?.slice(0, 200) || `exit ${code}`}`,
    }
  return { fingerprint }
}
