/**
 * `POST /v1/introspections` (RFC 7662): is this token of ours good now? For operators' services that cannot follow the status
 * list. Whatever is wrong with it has one answer, so that nobody learns which part of a made-up token was right.
 */
import { decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { thumbprintOf } from '../rats/public-key.ts'
import { BROKER_TOKEN_TYPE } from '../token/broker-token.ts'
import type { Issuer } from '../token/issuer.ts'
import { type KeyForm, type PublishedKey, signingForms } from '../token/token-key.ts'
import { statusListUrl } from './status-lists.ts'
import type { KnownToken, RecordedForm } from './token-ports.ts'
import { issuersOf, type Verifier } from './verifier.ts'

export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true
      /** RFC 7662 section 2.2 calls it so: how it is presented. */
      readonly tokenType: 'DPoP' | 'Bearer' | 'WIT'
      readonly claims: Readonly<Record<string, unknown>>
      readonly token: KnownToken
    }

const inactive: Introspection = { active: false }

/** Clouds take 20,000 characters at most. Only a broker's token can be longer, where its runtime data was. */
export const LONGEST_TOKEN = 20_000

const tokenTypes = {
  possession: 'DPoP',
  federation: 'Bearer',
  workload: 'WIT',
  broker: 'Bearer',
} as const

/** Throws Problem('storage-unavailable'), and never for what the token is. */
export async function introspect(
  verifier: Verifier,
  token: string,
  at: Date,
): Promise<Introspection> {
  const signer = token.length <= LONGEST_TOKEN ? signerOf(verifier, token) : undefined
  if (!signer) return inactive
  const claims = await authenticClaims(token, signer, at)
  // A token of ours that the database does not know was made by somebody who has the key.
  const known = claims?.jti === undefined ? undefined : await verifier.store.findToken(claims.jti)
  if (!claims || !known || !agrees(known, signer, claims)) return inactive
  if (known.revocation || known.expiresAt <= at) return inactive
  return { active: true, tokenType: tokenTypes[known.form], claims, token: known }
}

interface Signer {
  readonly issuer: Issuer
  readonly key: PublishedKey
  /** Of the token. */
  readonly form: RecordedForm
}

/** By key id, since a WIT names no issuer; a key that was revoked is published no more. */
function signerOf(verifier: Verifier, token: string): Signer | undefined {
  try {
    const { kid, typ } = decodeProtectedHeader(token)
    const { iss } = decodeJwt(token)
    for (const issuer of issuersOf(verifier)) {
      const key = issuer.published().find((each) => each.kid === kid)
      const form = key && formOf(key.form, typ)
      if (key && form && isNamed(form, iss, issuer)) return { issuer, key, form }
    }
  } catch {
    // No JWS in compact form: a JWE, which only its recipient can open, or nothing at all.
  }
  return undefined
}

/** One key signs tokens of possession and a broker's, which nothing but `typ` tells apart: the record must be of the same form. */
function formOf(signed: KeyForm, typ: string | undefined): RecordedForm | undefined {
  if (signed === 'release') return undefined
  if (typ === signingForms[signed].typ) return signed
  return signed === 'possession' && typ === BROKER_TOKEN_TYPE ? 'broker' : undefined
}

/** A WIT-SVID names none or one of its own; every other form names exactly the issuer that signed. */
function isNamed(form: RecordedForm, iss: string | undefined, { url }: Issuer): boolean {
  return form === 'workload' || iss === url
}

async function authenticClaims(
  token: string,
  { key }: Signer,
  at: Date,
): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: [signingForms[key.form].algorithm.alg],
      currentDate: at,
      requiredClaims: ['exp', 'iat', 'jti'],
    })
    return payload
  } catch {
    return undefined
  }
}

const boundKey = z.union([
  z.strictObject({ jkt: z.string() }),
  z.strictObject({
    jwk: z.strictObject({
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      x: z.string(),
      y: z.string(),
      alg: z.literal('ES256'),
    }),
  }),
])

/**
 * Whoever stole a key of ours can sign what was never issued, under the jti of a token that was: whatever was written down of
 * it must be what the claims say. What was not, above all what they say of the evidence, is the signature's word alone.
 */
function agrees(known: KnownToken, { issuer, form }: Signer, claims: JWTPayload): boolean {
  const { status } = known
  const said = {
    sub: known.subject,
    tenant: known.tenant,
    iat: Math.floor(known.issuedAt.getTime() / 1000),
    exp: known.expiresAt.getTime() / 1000,
    aud: form === 'workload' || form === 'broker' ? undefined : known.audience,
    scope: known.scopes.length > 0 ? known.scopes.join(' ') : undefined,
    client_id: form === 'possession' ? known.subject : undefined,
    att_appraisal: known.appraisal,
  }
  const place = { idx: status.index, uri: statusListUrl(known.issuer, status.list) }
  return (
    known.issuer === issuer.url &&
    form === known.form &&
    Object.entries(said).every(([name, value]) => claims[name] === value) &&
    (form === 'broker' ? claims.cnf === undefined : thumbprintIn(claims.cnf) === known.jkt) &&
    z.strictObject({ status_list: literal(place) }).safeParse(claims.status).success
  )
}

function thumbprintIn(cnf: unknown): string | undefined {
  const { data } = boundKey.safeParse(cnf)
  if (!data) return undefined
  return 'jkt' in data ? data.jkt : thumbprintOf(data.jwk)
}

function literal({ idx, uri }: { readonly idx: number; readonly uri: string }) {
  return z.strictObject({ idx: z.literal(idx), uri: z.literal(uri) })
}
