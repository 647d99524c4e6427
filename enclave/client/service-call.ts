/**
 * One question to a service, and an answer of bounded size within bounded time. What comes may be written by the host, which
 * owns the network: nothing here is believed, and a redirect is refused, since a token belongs to one address.
 */
import { z } from 'zod'
import { ServiceRefusal, ServiceUnreachable } from './faults.ts'
import type { Surroundings } from './surroundings.ts'

export interface ServiceCall {
  readonly method: 'GET' | 'POST'
  readonly address: string
  /** JSON. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Ends the question early. */
  readonly signal?: AbortSignal | undefined
  /** Default: 30 s. */
  readonly timeoutMs?: number
}

export interface ServiceAnswer {
  readonly status: number
  readonly document: Readonly<Record<string, unknown>>
}

/** Appraisal of evidence takes a vendor's answer at worst. */
const TIMEOUT_MS = 30_000
/** A secret of 64 KiB has 120 KiB in its envelope; a refusal with all findings 60 KiB. */
const LARGEST_ANSWER = 1024 * 1024

const documentSchema = z.record(z.string(), z.unknown())

/** Resolves for 2xx. Throws ServiceRefusal for any other status, ServiceUnreachable for what is no answer of a service. */
export async function callService(
  { fetch }: Pick<Surroundings, 'fetch'>,
  { method, address, body, headers = {}, signal, timeoutMs = TIMEOUT_MS }: ServiceCall,
): Promise<ServiceAnswer> {
  const { pathname } = new URL(address)
  const limit = AbortSignal.timeout(timeoutMs)
  let status: number
  let retryAfter: string | null
  let text: string
  try {
    const response = await fetch(address, {
      method,
      redirect: 'error',
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    })
    status = response.status
    retryAfter = response.headers.get('retry-after')
    text = await boundedText(response)
  } catch (cause) {
    throw unreachable(pathname, reasonOf(cause, timeoutMs))
  }
  const isGood = status >= 200 && status < 300
  const document = documentOf(text)
  if (isGood && document) return { status, document }
  if (isGood) throw unreachable(pathname, 'its answer is no JSON object')
  // What stands in front of a service answers in its own way; the status says enough.
  throw new ServiceRefusal({
    status,
    document: document ?? {},
    retryAfterSeconds: secondsOf(retryAfter),
  })
}

function unreachable(path: string, reason: string): ServiceUnreachable {
  return new ServiceUnreachable(`the service did not answer ${path}: ${reason}`)
}

async function boundedText({ body }: Response): Promise<string> {
  if (!body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > LARGEST_ANSWER) throw new RangeError(`it has more than ${LARGEST_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function documentOf(text: string): ServiceAnswer['document'] | undefined {
  try {
    return documentSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** RFC 9110 section 10.2.3, in seconds; the service sends no dates, and a date would be judged by the host's clock. */
function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : undefined
}

/** undici hides what the system said one level down. */
function reasonOf(cause: unknown, timeoutMs: number): string {
  if (!(cause instanceof Error)) return 'it failed'
  if (cause.name === 'TimeoutError') return `nothing came within ${timeoutMs / 1000} s`
  const below = cause.cause instanceof Error ? cause.cause : cause
  return 'code' in below ? String(below.code) : below.message
}
