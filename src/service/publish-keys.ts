/** What relying parties find: for each issuer its keys and its discovery document, by path below the public address. */
import { discoveryDocument, type Issuer, publishedKeys } from '../token/issuer.ts'
import type { Verifier } from './verifier.ts'

/** Paths begin with a slash; every tenant's issuers, hardware and simulated. */
export function publications({ tenants, publicUrl }: Verifier): ReadonlyMap<string, unknown> {
  const issuers = [...tenants.values()].flatMap(({ issuers: { hardware, simulated } }): Issuer[] =>
    simulated ? [hardware, simulated] : [hardware],
  )
  return new Map(
    issuers.flatMap((issuer) => {
      const below = issuer.url.slice(publicUrl.length)
      return [
        [`${below}/.well-known/jwks.json`, publishedKeys(issuer)],
        [`${below}/.well-known/openid-configuration`, discoveryDocument(issuer)],
      ] as const
    }),
  )
}

/** The tenant named `default` is at the public address itself, so that a service with one tenant needs no path. */
export function issuerUrls(
  publicUrl: string,
  tenant: string,
): { readonly hardware: string; readonly simulated: string } {
  const hardware = tenant === 'default' ? publicUrl : `${publicUrl}/t/${tenant}`
  return { hardware, simulated: `${hardware}/simulated` }
}
