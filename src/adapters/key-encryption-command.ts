/**
 * A key-encryption key that never leaves where it is held: an HSM, a cloud's key service, a TPM. A program that the operator
 * trusts wraps and unwraps data keys with it, as C_WrapKey and C_UnwrapKey of PKCS #11 do. It is run as
 * `PROGRAM --wrap HANDLE` or `PROGRAM --unwrap HANDLE`, reads the bytes from standard input, writes bytes to standard output
 * and exits 0. Neither the data key nor anything else that is secret is among its arguments.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { Problem } from '../problems.ts'
import { KEY_ENCRYPTION_ID_SIZE, type KeyEncryption } from '../service/key-encryption.ts'

export interface KeyCommand {
  /** Absolute. */
  readonly program: string
  /** What it knows the key by: `pkcs11:object=vouchsafe-kek`, a label, an address. */
  readonly handle: string
  /** PATH and HOME for it, and whatever tells it where its device is; none of it is logged. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Default 10 s. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
const LARGEST_ANSWER = 4096
const RETRY_SECONDS = 5
const LARGEST_COMPLAINT = 512

/** Keys of two handles are different keys; the program may change. */
export function keyEncryptionByCommand(command: KeyCommand): KeyEncryption {
  const { handle } = command
  const id = createHash('sha256').update(`vouchsafe/key-encryption-handle/v1\0${handle}`).digest()
  return {
    name: `command:${handle}`,
    id: new Uint8Array(id.subarray(0, KEY_ENCRYPTION_ID_SIZE)),
    wrap: async (dataKey) => await run(command, '--wrap', dataKey),
    unwrap: async (wrapped) => await run(command, '--unwrap', wrapped),
  }
}

/**
 * Rejects with Problem('key-encryption-unavailable') where it gave no answer, or wraps nothing; and with an Error where it refuses
 * to unwrap, since nothing tells whether that is because of these bytes.
 */
async function run(
  { program, handle, env, timeoutMs = TIMEOUT_MS }: KeyCommand,
  verb: '--wrap' | '--unwrap',
  input: Uint8Array,
): Promise<Uint8Array> {
  const child = spawn(program, [verb, handle], { env, stdio: 'pipe' })
  // It may end without reading: then its exit says why.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const chunks: Buffer[] = []
  const complaint = firstBytes(child.stderr)
  const { promise: ended, resolve: end } = Promise.withResolvers<Fault | undefined>()
  let read = 0
  child.stdout.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read <= LARGEST_ANSWER) chunks.push(chunk)
    else end({ why: `answered more than ${LARGEST_ANSWER} bytes` })
  })
  child.on('error', (cause) => end({ why: `cannot be run${codeOf(cause)}` }))
  child.on('close', (code, signal) =>
    end(
      code === 0
        ? undefined
        : signal
          ? { why: `was ended by ${signal}` }
          : { why: `exited ${code}${complaint()}`, isRefusal: true },
    ),
  )
  // Nobody waits for one that does not let itself be ended, nor for what it started and what has its output open.
  const overdue = { why: `did not end within ${timeoutMs / 1000} s` }
  const timer = setTimeout(() => end(overdue), timeoutMs)
  const fault = await ended
  clearTimeout(timer)
  if (!fault) return new Uint8Array(Buffer.concat(chunks))
  child.kill('SIGKILL')
  child.stdin.destroy()
  child.stdout.destroy()
  child.stderr.destroy()
  const told = new Error(`${program} ${verb} ${handle} ${fault.why}`)
  if (fault.isRefusal && verb === '--unwrap') throw told
  // Agents read the detail, so that neither program nor handle is named there. None of theirs wraps.
  const detail = `the program that holds the key-encryption key ${fault.why}`
  throw new Problem('key-encryption-unavailable', detail, {
    cause: told,
    retryAfterSeconds: RETRY_SECONDS,
  })
}

interface Fault {
  /** Ends a sentence about the program. */
  readonly why: string
  readonly isRefusal?: boolean
}

function codeOf(cause: Error): string {
  return 'code' in cause ? ` (${String(cause.code)})` : ''
}

/** What it says to operators: its standard error never carries keys, by contract. */
function firstBytes(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    if (text.length < LARGEST_COMPLAINT) text += chunk.toString('utf8')
  })
  return () => {
    const line = text.slice(0, LARGEST_COMPLAINT).trim().replaceAll(/\s+/g, ' ')
    return line === '' ? '' : `: ${line}`
  }
}
