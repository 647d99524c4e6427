/** What does OpenID Connect Discovery say of an issuer where nobody logs in? What clouds need to find its keys. */
import type { Issuer } from './issuer.ts'
import { signingForms } from './token-key.ts'

/** Of the forms that relying parties check by discovery, in the order in which a token lists them. */
const claims = [
  'iss',
  'sub',
  'aud',
  'client_id',
  'iat',
  'nbf',
  'exp',
  'jti',
  'cnf',
  'tenant',
  'scope',
  'eat_profile',
  'eat_nonce',
  'ear_status',
  'ear_verifier_id',
  'submods',
  'dbgstat',
  'att_tee',
  'att_hw',
  'att_measurement',
  'att_assurance',
  'att_appraisal',
  'att_release',
  'att_policy',
  'att_log',
  'status',
  'enc_jkt',
  'att_status',
  'att_environment',
  'att_agent',
  'att_generation',
  'att_reference_value',
  'att_policy_commit',
  'https://aws.amazon.com/tags',
] as const

/**
 * OpenID Connect Discovery 1.0 section 3, the members that SPIRE's discovery provider serves, since clouds are known to take
 * those. `authorization_endpoint` is required there and leads nowhere here; SPIRE leaves it empty, which is no address and
 * which strict readers refuse.
 */
export function discoveryDocument({ url, forms }: Pick<Issuer, 'url' | 'forms'>) {
  const algorithms = forms
    .filter((form) => form !== 'workload')
    .map((form) => signingForms[form].algorithm.alg)
  return {
    issuer: url,
    jwks_uri: `${url}/.well-known/jwks.json`,
    authorization_endpoint: `${url}/authorize`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: algorithms,
    claims_supported: claims,
  }
}
