/** Under which keys do relying parties check tokens? A JWK Set for whoever speaks OpenID Connect, a bundle for SPIFFE. */
import { ENVELOPE_KEY_USE } from '../seal/release-envelope.ts'
import type { Issuer } from './issuer.ts'
import { type KeyForm, type PublishedKey, signingForms } from './token-key.ts'

/** How long anybody may go by what he fetched: revoked keys are believed for no longer by whoever heeds it. */
const KEYS_MAX_AGE_SECONDS = 300

/**
 * Never the keys of WIT-SVIDs: whoever finds a key here may take what it signed for a bearer token (SPIFFE WIT-SVID section
 * 7.1). Those of envelopes have a `use` of their own (RFC 7517 section 4.2), which whoever looks for a token's key passes over.
 */
const keyUse: Readonly<Record<KeyForm, string | undefined>> = {
  possession: 'sig',
  federation: 'sig',
  workload: undefined,
  release: ENVELOPE_KEY_USE,
}

/** RFC 7517 section 5. */
export function jwkSet({ published }: Pick<Issuer, 'published'>) {
  return {
    keys: published().flatMap(({ jwk, kid, form }) => {
      const use = keyUse[form]
      return use ? [{ ...jwk, kid, alg: signingForms[form].algorithm.alg, use }] : []
    }),
  }
}

/** Tokens of possession are no SVIDs, and envelopes no tokens. */
const svidUse: Readonly<Record<KeyForm, 'jwt-svid' | 'wit-svid' | undefined>> = {
  possession: undefined,
  federation: 'jwt-svid',
  workload: 'wit-svid',
  release: undefined,
}

/** SPIFFE Trust Domain and Bundle section 4. Members that it does not name SHOULD NOT be there: `alg` is one. */
export function spiffeBundle({ published, sequence }: Issuer) {
  return {
    keys: published().flatMap(svidKey),
    spiffe_sequence: sequence(),
    spiffe_refresh_hint: KEYS_MAX_AGE_SECONDS,
  }
}

function svidKey({ jwk, kid, form }: PublishedKey) {
  const use = svidUse[form]
  return use ? [{ ...jwk, kid, use }] : []
}
