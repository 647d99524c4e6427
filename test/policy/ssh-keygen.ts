/** The system's ssh-keygen, in a folder of its own. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export const sshKeygenProbe = ['ssh-keygen', '-?'] as const

export interface KeygenKey {
  /** Of the private key; the public one has `.pub` behind it. */
  readonly path: string
  /** `type base64 comment` */
  readonly line: string
  readonly blob: Uint8Array
}

export interface SshKeygen {
  readonly folder: string
  readonly key: (type: string, ...options: readonly string[]) => KeygenKey
  readonly sign: (
    key: KeygenKey,
    message: Uint8Array,
    namespace: string,
    ...options: readonly string[]
  ) => Uint8Array
  /** What `ssh-keygen -Y verify` answers for a principal `signer`; `time` as its verify-time option. */
  readonly verifies: (
    signed: {
      readonly line: string
      readonly armored: string | Uint8Array
      readonly message: Uint8Array
      readonly namespace: string
    },
    ...options: readonly string[]
  ) => boolean
}

export function sshKeygen(): SshKeygen {
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-ssh-keygen-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  let count = 0
  const env = { PATH: process.env.PATH, HOME: folder, TZ: 'UTC' }
  const run = (args: readonly string[], input?: Uint8Array) =>
    execFileSync('ssh-keygen', args, { env, input, stdio: 'pipe' })
  return {
    folder,
    key(type, ...options) {
      const path = join(folder, `key-${++count}`)
      run(['-q', '-t', type, ...options, '-N', '', '-C', 'a comment', '-f', path])
      const line = readFileSync(`${path}.pub`, 'utf8').trim()
      return { path, line, blob: new Uint8Array(Buffer.from(line.split(' ')[1] ?? '', 'base64')) }
    },
    sign: ({ path }, message, namespace, ...options) =>
      new Uint8Array(run(['-Y', 'sign', '-q', '-n', namespace, '-f', path, ...options], message)),
    verifies({ line, armored, message, namespace }, ...options) {
      const [allowed, signature] = [join(folder, 'allowed'), join(folder, 'signature')]
      writeFileSync(allowed, `${line}\n`)
      writeFileSync(signature, armored)
      const { status } = spawnSync(
        'ssh-keygen',
        [
          '-Y',
          'verify',
          '-f',
          allowed,
          '-I',
          'signer',
          '-n',
          namespace,
          '-s',
          signature,
          ...options,
        ],
        { env, input: message },
      )
      return status === 0
    },
  }
}
