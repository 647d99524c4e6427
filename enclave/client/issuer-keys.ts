/**
 * With which keys does the pinned issuer sign? Fetched from the issuer's own address, which is configuration, and never from one
 * that an answer names. Over plain HTTP the host could answer in the issuer's place, so only a loopback address may do without
 * TLS.
 */
import { decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import { AnswerDistrusted } from './faults.ts'
import { retrying } from './retrying.ts'
import { callService } from './service-call.ts'
import { type Stopwatch, type Surroundings, stopwatch } from './surroundings.ts'

export type IssuerKey = Readonly<Record<string, unknown>>

export interface IssuerKeys {
  /** All that are published, fetched anew where none of those at hand has this id. */
  readonly withKid: (kid: string) => Promise<readonly IssuerKey[]>
  /** The same, by the `kid` of a JWS, which is believed in nothing else. */
  readonly signing: (jws: string) => Promise<readonly IssuerKey[]>
}

/** As long as the service says that its keys may be kept. */
const KEPT_MS = 300_000
/** A key id that is new makes us ask at once; whoever makes up one after the other, no more often than this. */
const AT_LEAST_BETWEEN_MS = 10_000

const jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())).max(64) })

/** `issuer`: checked by `assertProtected`. */
export function issuerKeys(issuer: string, surroundings: Surroundings): IssuerKeys {
  let held: { readonly keys: readonly IssuerKey[]; readonly age: Stopwatch } | undefined
  let lastUnknown: Stopwatch | undefined
  let asking: Promise<readonly IssuerKey[]> | undefined

  const ask = async (): Promise<readonly IssuerKey[]> => {
    const address = `${issuer}/.well-known/jwks.json`
    const age = stopwatch(surroundings)
    const { document } = await retrying(
      async () => await callService(surroundings, { method: 'GET', address }),
      surroundings,
    )
    const parsed = jwks.safeParse(document)
    if (!parsed.success) throw new AnswerDistrusted('the issuer’s key set is none (RFC 7517)')
    held = { keys: parsed.data.keys, age }
    return held.keys
  }
  const withKid = async (kid: string): Promise<readonly IssuerKey[]> => {
    if (held && held.age() < KEPT_MS) {
      if (held.keys.some((key) => key.kid === kid)) return held.keys
      if (lastUnknown && lastUnknown() < AT_LEAST_BETWEEN_MS) return held.keys
      lastUnknown = stopwatch(surroundings)
    }
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return await asking
  }
  return { withKid, signing: async (jws) => await withKid(kidOf(jws)) }
}

function kidOf(jws: string): string {
  try {
    return decodeProtectedHeader(jws).kid ?? ''
  } catch {
    return ''
  }
}

/** Throws TypeError, which is the configuration's fault. `role`: what the address is of. */
export function assertProtected(address: string, role: string): void {
  const url = URL.parse(address)
  if (!url) throw new TypeError(`the ${role} ${address} is no address`)
  if (url.search !== '' || url.hash !== '' || address.endsWith('/'))
    throw new TypeError(`the ${role} ${address} must have no query and no slash at the end`)
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw new TypeError(`the ${role} ${address} must be https: the host owns the network`)
}
