/** Under which keys do relying parties check tokens? A JWK Set for whoever speaks OpenID Connect, a bundle for SPIFFE. */
import type { TokenForm } from '../rats/release.ts'
import type { Issuer } from './issuer.ts'
import { type PublishedKey, signingForms } from './token-key.ts'

/** How long anybody may go by what he fetched: revoked keys are believed for no longer by whoever heeds it. */
const KEYS_MAX_AGE_SECONDS = 300

/**
 * Never the keys of WIT-SVIDs: whoever finds a key here may take what it signed for a bearer token (SPIFFE WIT-SVID section
 * 7.1).
 */
const inJwkSet: Readonly<Record<TokenForm, boolean>> = {
  possession: true,
  federation: true,
  workload: false,
}

/** RFC 7517 section 5. */
export function jwkSet({ published }: Pick<Issuer, 'published'>, at: Date) {
  return {
    keys: published(at)
      .filter(({ form }) => inJwkSet[form])
      .map(({ jwk, kid, form }) => ({
        ...jwk,
        kid,
        alg: signingForms[form].algorithm.alg,
        use: 'sig',
      })),
  }
}

/** Tokens of possession are no SVIDs. */
const svidUse: Readonly<Record<TokenForm, 'jwt-svid' | 'wit-svid' | undefined>> = {
  possession: undefined,
  federation: 'jwt-svid',
  workload: 'wit-svid',
}

/** SPIFFE Trust Domain and Bundle section 4. Members that it does not name SHOULD NOT be there: `alg` is one. */
export function spiffeBundle({ published, sequence }: Issuer, at: Date) {
  return {
    keys: published(at).flatMap(svidKey),
    spiffe_sequence: sequence(at),
    spiffe_refresh_hint: KEYS_MAX_AGE_SECONDS,
  }
}

function svidKey({ jwk, kid, form }: PublishedKey) {
  const use = svidUse[form]
  return use ? [{ ...jwk, kid, use }] : []
}
