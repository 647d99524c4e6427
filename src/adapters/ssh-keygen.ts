/**
 * Signs with the user's own `ssh-keygen`, which alone reaches keys under a passphrase, in an agent or in a security key. It
 * keeps the user's environment and terminal, where it asks for a passphrase or a touch.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SigningRequest {
  /** Path of a private key, or of a public one whose private key an agent or security key holds. */
  readonly key: string
  readonly namespace: string
  readonly message: Uint8Array
  /** What ssh-keygen says meanwhile: "Confirm user presence for key ...". */
  readonly tell: (text: string) => void
}

/** An armored SSHSIG. Rejects with a sentence that says why there is none. */
export async function signWithSshKeygen({
  key,
  namespace,
  message,
  tell,
}: SigningRequest): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'vouchsafe-sign-'))
  try {
    const file = join(folder, 'statement')
    await writeFile(file, message)
    await runSshKeygen(['-q', '-Y', 'sign', '-f', key, '-n', namespace, file], tell)
    return new Uint8Array(await readFile(`${file}.sig`))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function runSshKeygen(args: readonly string[], tell: (text: string) => void): Promise<void> {
  // A file and not a pipe is signed: with a pipe as its input, it would not ask for a passphrase at the terminal.
  const child = spawn('ssh-keygen', args, { stdio: ['inherit', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-1000)
    // The rest is told as the reason, when there is one.
    if (/user presence/.test(text)) tell(text)
  })
  const code = await new Promise<number | null>((settle, refuse) => {
    child.on('error', (cause: NodeJS.ErrnoException) =>
      refuse(
        new Error(
          cause.code === 'ENOENT'
            ? 'there is no ssh-keygen on this machine: install OpenSSH 8.1 or newer'
            : `ssh-keygen could not be started: ${cause.message}`,
        ),
      ),
    )
    child.on('close', settle)
  })
  if (code !== 0)
    throw new Error(
      `ssh-keygen did not sign: ${complaint.trim().split('\n').at(-1) || `exit ${code}`}`,
    )
}
