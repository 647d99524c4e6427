/** What relying parties find: for each issuer its keys and its discovery document, by path below the public address. */
import { discoveryDocument } from '../token/discovery.ts'
import type { Issuer } from '../token/issuer.ts'
import { jwkSet, spiffeBundle } from '../token/jwk-set.ts'
import { issuersOf, type Verifier } from './verifier.ts'

/** JSON text. Asked anew for every answer: keys come and go while the service runs. */
export type Publication = () => string

/** Paths begin with a slash; every tenant's issuers, hardware and simulated. */
export function publications(
  verifier: Pick<Verifier, 'tenants' | 'publicUrl'>,
): ReadonlyMap<string, Publication> {
  return new Map(
    issuersOf(verifier).flatMap((issuer): [string, Publication][] => {
      const below = `${issuer.url.slice(verifier.publicUrl.length)}/.well-known`
      const discovery = JSON.stringify(discoveryDocument(issuer))
      return [
        [`${below}/jwks.json`, () => jwksText(issuer)],
        [`${below}/openid-configuration`, () => discovery],
        // Where an https_web bundle endpoint is, is the operator's choice (SPIFFE Federation section 5.2.1.1).
        [`${below}/spiffe-bundle`, () => JSON.stringify(spiffeBundle(issuer))],
      ]
    }),
  )
}

/** Exactly what `jwks.json` answers, for whoever vouches for it. */
export function jwksText(issuer: Issuer): string {
  return JSON.stringify(jwkSet(issuer))
}
