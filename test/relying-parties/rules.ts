/**
 * One relying party's demands as data: what it says, where that is written, how to see it in a token, and a token that lacks
 * it. A rule that its own counterexample satisfies would show nothing, and fails.
 */
import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Issuing, issuing, oneOf } from './issuing.ts'

export interface Presented {
  readonly token: string
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: JWTPayload & Readonly<Record<string, unknown>>
  readonly discovery: Readonly<Record<string, unknown>>
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  /** SPIFFE trust bundle. */
  readonly bundle: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
}

export type Rule = readonly [
  says: string,
  source: string,
  holds: (presented: Presented) => boolean,
  without: (presented: Presented) => Partial<Presented>,
]

/** `audience`: of the rule in the manifest, which decides the form. */
export function demands(
  party: string,
  { audience, rules }: { readonly audience: string; readonly rules: readonly Rule[] },
): void {
  describe(party, () => {
    let from: Issuing
    let presented: Presented
    beforeAll(async () => {
      from = await issuing()
      presented = await present(from, audience)
    }, 30_000)
    afterAll(() => from.close())

    test.each(rules.map(([says, source, holds, without]) => ({ says, source, holds, without })))(
      '$says ($source)',
      ({ holds, without }) => {
        expect(holds(presented)).toBe(true)
        expect(holds({ ...presented, ...without(presented) })).toBe(false)
      },
    )
  })
}

async function present(from: Issuing, audience: string): Promise<Presented> {
  const read = await oneOf(from, audience)
  const at = async (path: string) => await from.json(`https://attest.example.com${path}`)
  return {
    ...read,
    discovery: (await at('/.well-known/openid-configuration')) as Presented['discovery'],
    jwks: (await at('/.well-known/jwks.json')) as Presented['jwks'],
    bundle: (await at('/.well-known/spiffe-bundle')) as Presented['bundle'],
  }
}

/** The presented token with other claims, for counterexamples. */
export const claiming =
  (claims: Readonly<Record<string, unknown>>) =>
  (presented: Presented): Partial<Presented> => ({ claims: { ...presented.claims, ...claims } })

export const headed =
  (header: Readonly<Record<string, unknown>>) =>
  (presented: Presented): Partial<Presented> => ({ header: { ...presented.header, ...header } })

export const discovering =
  (discovery: Readonly<Record<string, unknown>>) =>
  (presented: Presented): Partial<Presented> => ({
    discovery: { ...presented.discovery, ...discovery },
  })

/** The key in this set that the token's `kid` names. */
export function keyFor(
  { header: { kid } }: Presented,
  { keys }: Presented['jwks'],
): Readonly<Record<string, unknown>> | undefined {
  return keys.find((key) => key.kid === kid)
}

export function characters(value: unknown): number {
  return typeof value === 'string' ? value.length : Number.NaN
}

export function utf8Bytes(value: unknown): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : Number.NaN
}

/** https, a host, perhaps a path, and nothing else. */
export function isPlainHttps(value: unknown): boolean {
  const url = typeof value === 'string' ? URL.parse(value) : null
  return (
    url?.protocol === 'https:' &&
    url.port === '' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    !String(value).endsWith('/')
  )
}
