/**
 * What does an issuer answer at its own addresses? Its evidence for a nonce of ours, and what it publishes to everybody. Read
 * and bounded, and not believed: whoever answers may be anybody, TLS or not.
 */
import { Problem, type ProblemCode } from '../problems.ts'
import { readVerifierAnswer, type VerifierAnswer } from '../rats/verifier-answer.ts'
import type { PublishedByVerifier } from '../rats/verifier-checks.ts'
import type { Fetch } from '../service/endorsement-source.ts'
import { Mistake } from './arguments.ts'
import { printable, shortened } from './text.ts'

export interface IssuerDocuments {
  readonly answer: VerifierAnswer
  readonly published: PublishedByVerifier
}

const KIB = 1024
/** Evidence with collateral has about 80 KiB. */
const LARGEST_ANSWER = 4 * KIB * KIB
const LARGEST_DOCUMENT = 256 * KIB
/** Hardware makes one report at a time, and a service lets a few wait. */
const TIMEOUT_MS = 20_000

/** Without a slash at the end. Throws Mistake. */
export function issuerUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(url?.hostname ?? '')
  const isPlain = url && [url.username, url.password, url.search, url.hash].every((at) => at === '')
  if (!isPlain || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)))
    throw new Mistake(
      `--issuer ${text} is not the URL of an issuer.`,
      'Give it as tokens have it in `iss`: an https address (http only to this machine) without credentials or query.',
    )
  return text.replace(/\/$/, '')
}

/** The evidence first: what is published afterwards can then only be newer. Throws Problem. */
export async function issuerDocuments(
  fetch: Fetch,
  issuer: string,
  nonce: string,
): Promise<IssuerDocuments> {
  const get = getter(fetch)
  const answer = readVerifierAnswer(
    jsonOf(await get(`${issuer}/.well-known/attestation?nonce=${nonce}`, LARGEST_ANSWER)),
  )
  if (!answer) throw unusable('its attestation is not of the documented form')
  const discovery = jsonOf(await get(`${issuer}/.well-known/openid-configuration`))
  const { issuer: discoveryIssuer, jwks_uri: jwksUri } = membersOf(discovery)
  if (typeof discoveryIssuer !== 'string' || typeof jwksUri !== 'string')
    throw unusable('its discovery document has no issuer or no jwks_uri')
  // Never fetched from where it leads: a document of a stranger's must not choose whom this machine asks.
  if (!URL.canParse(jwksUri) || new URL(jwksUri).origin !== new URL(issuer).origin)
    throw unusable(`its jwks_uri ${jwksUri} is not at ${new URL(issuer).origin}`)
  const [jwks, spiffeBundle, logKey] = await Promise.all([
    get(jwksUri),
    get(`${issuer}/.well-known/spiffe-bundle`),
    optional(get, `${new URL(issuer).origin}/v1/log/key`),
  ])
  return { answer, published: { discoveryIssuer, jwks, spiffeBundle, logKey } }
}

type Get = (url: string, most?: number) => Promise<Uint8Array>

/** What is refused with a problem document says why, and what its operator may do: told on. */
function getter(fetch: Fetch): Get {
  return async (url, maxBytes = LARGEST_DOCUMENT) => {
    const { status, bytes } = await fetch({ url, maxBytes, timeoutMs: TIMEOUT_MS }).catch(
      (cause: unknown) => {
        throw unusable(`${url}: ${reasonOf(cause)}`, cause)
      },
    )
    if (status === 200) return bytes
    throw new Answered(status, `${url}: it answered ${status}${toldBy(bytes)}`)
  }
}

/** An answer other than 200. */
class Answered extends Problem {
  readonly status: number

  constructor(status: number, detail: string) {
    super('issuer-unusable' satisfies ProblemCode, detail)
    this.status = status
  }
}

async function optional(get: Get, url: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await get(url)).trim()
  } catch (error) {
    if (error instanceof Answered && error.status === 404) return undefined
    throw error
  }
}

function toldBy(bytes: Uint8Array): string {
  try {
    const { code, detail, next } = membersOf(JSON.parse(new TextDecoder().decode(bytes)))
    return typeof code === 'string'
      ? ` (${shortened(printable([code, detail, next].filter((each) => each).join('; ')), 600)})`
      : ''
  } catch {
    // No problem document, so there is nothing to tell.
    return ''
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function unusable(detail: string, cause?: unknown): Problem {
  return new Problem('issuer-unusable', detail, { cause })
}

/** `fetch` wraps what went wrong on the way around the error that says what it was. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  if (cause.name === 'TimeoutError') return 'no whole answer came in time'
  return cause.cause instanceof Error ? cause.cause.message || cause.message : cause.message
}
