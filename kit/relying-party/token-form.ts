/** Which forms of token are there, and what is fixed in each? One row says how it is signed and how long it may live. */
import type { Json } from './base64url.ts'
import type { Algorithm } from './compact-jws.ts'

/**
 * `possession`: with a proof of the attested key, for whatever gives something away. `federation`: a bearer token.
 * `workload`: a WIT-SVID, with a proof.
 */
export type TokenForm = 'possession' | 'federation' | 'workload'

export interface FormRules {
  readonly typ: string
  readonly alg: Algorithm
  /** Whatever its `exp` says. */
  readonly longestSeconds: number
  /** Whether it is worth something to whoever has it: the others need a proof. */
  readonly presented: 'with proof' | 'alone'
  /** What in the JSON Web Key Set or the SPIFFE bundle its keys are for. */
  readonly keyUse: 'sig' | 'wit-svid'
}

/** docs/tokens.md. Keys of one form sign no other, and neither `alg` nor `typ` is taken from the token. */
export const tokenForms: Readonly<Record<TokenForm, FormRules>> = {
  possession: {
    typ: 'at+jwt',
    alg: 'ES256',
    longestSeconds: 900,
    presented: 'with proof',
    keyUse: 'sig',
  },
  federation: { typ: 'JWT', alg: 'RS256', longestSeconds: 300, presented: 'alone', keyUse: 'sig' },
  workload: {
    typ: 'wit+jwt',
    alg: 'ES256',
    longestSeconds: 900,
    presented: 'with proof',
    keyUse: 'wit-svid',
  },
}

export const formNames: readonly TokenForm[] = ['possession', 'federation', 'workload']

/** By a header of exactly alg, kid and typ: `crit` (RFC 7515 section 4.1.11), `jku`, `jwk` and `x5c` have no place in our tokens. */
export function formOf(
  header: Json,
): { readonly form: TokenForm; readonly kid: string } | undefined {
  const { alg, kid, typ, ...others } = header
  if (Object.keys(others).length > 0 || typeof kid !== 'string') return undefined
  const form = formNames.find(
    (name) => tokenForms[name].typ === typ && tokenForms[name].alg === alg,
  )
  return form && { form, kid }
}
