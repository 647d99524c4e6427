/**
 * One question to the transit engine of HashiCorp Vault or OpenBao, over HTTP: bounded in time and size, never redirected,
 * and what comes back as an error told in our words. What a server or proxy says is not quoted: it may repeat the request,
 * which holds a token and a data key.
 */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, request } from 'node:https'
import { Problem } from '../problems.ts'

export interface TransitPlace {
  /** https, or http to this machine. */
  readonly url: string
  readonly namespace: string | undefined
  /** PEM roots for its certificate, in place of the machine's. */
  readonly authorities: string | undefined
  /** Read for every question: agents that renew tokens write a new one. Throws where it cannot be. */
  readonly token: () => string
  /** Default 5 s, from the question to the last byte of the answer. */
  readonly timeoutMs?: number
}

export type AskTransit = (
  path: string,
  body: Readonly<Record<string, string>>,
) => Promise<TransitAnswer>

export type TransitAnswer =
  /** `data` of the answer. */
  | { readonly data: unknown }
  /** 400: it is there, and will not do this. */
  | { readonly refused: string }

const TIMEOUT_MS = 5_000
/** Bytes: a wrapped data key has about a hundred, and warnings may come with it. */
const LARGEST_ANSWER = 64 * 1024
const RETRY_SECONDS = 5
const MOST_SOCKETS = 16

/** Asks `POST <url>/v1/<path>`. Rejects with Problem('key-encryption-unavailable') for whatever is no answer. */
export function transitAt({
  url,
  namespace,
  authorities,
  token,
  timeoutMs = TIMEOUT_MS,
}: TransitPlace): AskTransit {
  const base = url.replace(/\/$/, '')
  const pool = { keepAlive: true, maxSockets: MOST_SOCKETS }
  const isPlain = new URL(url).protocol === 'http:'
  const send = isPlain ? plainRequest : request
  const agent = isPlain
    ? new PlainAgent(pool)
    : new Agent({ ...pool, ...(authorities !== undefined && { ca: authorities }) })
  return async (path, body) => {
    const text = JSON.stringify(body)
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      'accept-encoding': 'identity',
      'user-agent': 'vouchsafe',
      'x-vault-token': tokenFrom(token),
      // What a Vault Agent in between may ask for, against requests that a browser was made to send.
      'x-vault-request': 'true',
      ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
    }
    const signal = AbortSignal.timeout(timeoutMs)
    const { status, answer } = await new Promise<Heard>((resolve, reject) => {
      const asked = send(`${base}/v1/${path}`, { method: 'POST', headers, agent, signal })
      asked.on('response', (response) => heard(response).then(resolve, reject))
      asked.on('error', reject)
      asked.end(text)
    }).catch((cause: unknown) => {
      throw unavailable(reasonOf(cause, signal.aborted ? timeoutMs : undefined))
    })
    return judged(status, answer)
  }
}

interface Heard {
  readonly status: number
  readonly answer: string
}

/** A Content-Length is only a claim. */
async function heard(response: IncomingMessage): Promise<Heard> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    // Leaving the loop by a throw destroys the stream.
    if (size > LARGEST_ANSWER) throw new RangeError(`answered more than ${LARGEST_ANSWER} bytes`)
    chunks.push(bytes)
  }
  return { status: response.statusCode ?? 0, answer: Buffer.concat(chunks).toString('utf8') }
}

function judged(status: number, answer: string): TransitAnswer {
  const document = parsed(answer)
  if (status === 200) {
    if (isObject(document) && 'data' in document) return { data: document.data }
    throw unavailable('answered 200 with something that is no answer of Vault or OpenBao')
  }
  const why = toldBy(document)
  if (status === 400) return { refused: why ?? 'without a reason that is known here' }
  throw unavailable(
    `answered ${status}: ${why ?? sentences.get(status) ?? 'for a reason that is not known here'}`,
  )
}

/** To encrypt under a key that there is not would be to make one: that is answered with 403 too, where the token may not. */
const FORBIDDEN = 'the token may not do this, or is over, or there is no key of this name'

/** Vault API documentation, "HTTP status codes". */
const sentences: ReadonlyMap<number, string> = new Map([
  [307, 'it is a standby that names another address, which is not followed; name the active one'],
  [403, FORBIDDEN],
  [404, 'there is no such engine; check mount and namespace'],
  [412, 'this replica is behind'],
  [429, 'too many questions'],
  [472, 'it is a disaster-recovery secondary'],
  [473, 'it is a performance standby'],
  [501, 'it is not initialised'],
  [503, 'it is sealed, or down for maintenance'],
])

/** What Vault and OpenBao say, by what it begins with or holds; the sentence is ours. */
const known: readonly (readonly [RegExp, string])[] = [
  [/\bis sealed\b/, 'it is sealed'],
  [/permission denied/, FORBIDDEN],
  [/encryption key not found/, 'it has no key of this name'],
  [/soft-deleted key/, 'the key is marked as deleted there'],
  [/no handler for route|unsupported path/, 'there is no such engine; check mount and namespace'],
  [/authentication failed|invalid ciphertext/, 'this is not what the key wrapped'],
  [/version is (disallowed|too old)|min_decryption_version/i, 'that version of the key is retired'],
  [/associated_data' provided for non-AEAD/, 'the key is of a type without associated data'],
  [/missing 'context'|derivation/, 'the key derives keys from a context, which is not given'],
  [/does not support (encryption|decryption)|unsupported key type/, 'the key does not encrypt'],
]

function toldBy(document: unknown): string | undefined {
  if (!isObject(document) || !Array.isArray(document.errors)) return undefined
  const text = document.errors.filter((each) => typeof each === 'string').join(' ')
  return known.find(([pattern]) => pattern.test(text))?.[1]
}

/** `detail` ends the sentence "the transit engine ..."; never an address, a token or what was asked. */
export function unavailable(detail: string): Problem {
  return new Problem('key-encryption-unavailable', `the transit engine ${detail}`, {
    retryAfterSeconds: RETRY_SECONDS,
  })
}

function tokenFrom(read: () => string): string {
  let token = ''
  try {
    token = read().trim()
  } catch {
    throw unavailable('cannot be asked: the file with its token cannot be read')
  }
  // Whatever else is no header, and Node would quote it.
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token
  throw unavailable('cannot be asked: the file with its token does not hold one')
}

function reasonOf(cause: unknown, timeoutMs: number | undefined): string {
  if (timeoutMs !== undefined) return `did not answer within ${timeoutMs / 1000} s`
  if (cause instanceof RangeError) return cause.message
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  return `cannot be reached${code}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
