/** Who signs tokens: one issuer URL, its keys, and the act of issuing. Simulated evidence has an issuer of its own. */
import { CompactEncrypt, type CryptoKey, SignJWT } from 'jose'
import type { Assurance } from '../rats/trust-vector.ts'
import type { EarClaims } from './ear.ts'
import type { PublishedKey, TokenKey } from './token-key.ts'

export interface Issuer {
  readonly url: string
  /** Only evidence of this assurance is answered under this URL and these keys. */
  readonly assurance: Assurance
  /** Newest first; the first signs, all are published. */
  readonly keys: readonly [TokenKey, ...TokenKey[]]
}

/** Issues `claims` as an access token (RFC 9068). The caller has decided that they are true. */
export async function signToken({ keys }: Issuer, claims: EarClaims): Promise<string> {
  const [{ kid, privateKey }] = keys
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt' })
    .sign(privateKey)
}

/** To the key that was attested, so that whoever relayed the evidence cannot read what it bought. */
export async function encryptToken(
  token: string,
  recipient: { readonly key: CryptoKey; readonly jkt: string },
): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(token))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: recipient.jkt, cty: 'JWT' })
    .encrypt(recipient.key)
}

export function publishedKeys({ keys }: Issuer): { readonly keys: readonly PublishedKey[] } {
  return { keys: keys.map(({ publicJwk }) => publicJwk) }
}

/** OpenID Connect Discovery 1.0 section 3, for relying parties that find keys so; nobody can log in here. */
export function discoveryDocument({ url }: Issuer): Readonly<Record<string, unknown>> {
  return {
    issuer: url,
    jwks_uri: `${url}/.well-known/jwks.json`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
    claims_supported: [
      'iss',
      'sub',
      'aud',
      'iat',
      'exp',
      'jti',
      'cnf',
      'tenant',
      'eat_profile',
      'ear_status',
      'ear_verifier_id',
      'submods',
      'att_tee',
      'att_assurance',
      'att_release',
      'att_policy',
    ],
  }
}
