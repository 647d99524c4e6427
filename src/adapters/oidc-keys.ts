/** Which keys does an OpenID Connect provider sign with? Found by its discovery document, kept for a while, never guessed. */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'

/** The provider did not answer, or not with what it must answer with: nothing can be said about any of its tokens. */
export class ProviderFault extends Error {
  override readonly name = 'ProviderFault'
}

const TIMEOUT_MS = 5_000
/** Strangers can make up key ids: one look at the provider in this time is all that they cause. */
const COOLDOWN_MS = 30_000
const KEYS_FRESH_MS = 10 * 60_000
/** A provider that was silent is left alone this long. */
const SILENCE_MS = 5_000
const LARGEST_DOCUMENT = 256 * 1024

/** `issuer` as the tokens write it. */
export function oidcKeys(issuer: string): JWTVerifyGetKey {
  let found: Promise<JWTVerifyGetKey> | undefined
  let silentUntil = 0

  /** Keys that are held are good while the provider is silent: only asking it again has to wait. */
  async function ask(address: string, init: RequestInit): Promise<Response> {
    if (performance.now() < silentUntil) throw new Error(`${issuer} was silent just now`)
    try {
      return await boundedFetch(address, init)
    } catch (cause) {
      silentUntil = performance.now() + SILENCE_MS
      throw cause
    }
  }

  async function keys(): Promise<JWTVerifyGetKey> {
    found ??= discovered(issuer, ask)
    try {
      return await found
    } catch (cause) {
      found = undefined
      throw cause
    }
  }

  return async (header, token) => {
    try {
      return await (await keys())(header, token)
    } catch (cause) {
      if (isAboutToken(cause)) throw cause
      throw new ProviderFault(`${issuer} gave no keys`, { cause })
    }
  }
}

/** What the key set does not have, or has twice, is the token's fault; everything else is the provider's. */
function isAboutToken(cause: unknown): boolean {
  return (
    cause instanceof errors.JWKSNoMatchingKey ||
    cause instanceof errors.JWKSMultipleMatchingKeys ||
    cause instanceof errors.JOSENotSupported
  )
}

type Ask = (address: string, init: RequestInit) => Promise<Response>

/** OpenID Connect Discovery 1.0 section 4: the document must be that of this very issuer. */
async function discovered(issuer: string, ask: Ask): Promise<JWTVerifyGetKey> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  const response = await ask(address, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/json' },
  })
  const document: unknown = await response.json()
  if (typeof document !== 'object' || document === null) throw new Error(`${address} is no object`)
  const { issuer: named, jwks_uri: keys } = document as Readonly<Record<string, unknown>>
  if (named !== issuer) throw new Error(`${address} is about another issuer`)
  if (typeof keys !== 'string' || !isSafe(keys))
    throw new Error(`${address} names no safe jwks_uri`)
  return createRemoteJWKSet(new URL(keys), {
    timeoutDuration: TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: KEYS_FRESH_MS,
    [customFetch]: ask,
  })
}

/** Whoever can change keys on the way can make himself an operator. */
function isSafe(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, hostname, username, password } = new URL(address)
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  return (
    (protocol === 'https:' || (protocol === 'http:' && isHere)) &&
    username === '' &&
    password === ''
  )
}

/** Redirects are not followed: where keys are is what the provider's own document says. */
async function boundedFetch(address: string, init: RequestInit): Promise<Response> {
  const response = await fetch(address, { ...init, redirect: 'manual' })
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > LARGEST_DOCUMENT) throw new Error(`${address} has above ${LARGEST_DOCUMENT} bytes`)
    chunks.push(chunk)
  }
  if (response.status !== 200) throw new Error(`${address} answered ${response.status}`)
  return new Response(Buffer.concat(chunks))
}
