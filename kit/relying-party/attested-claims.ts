/** What does a token say of the agent? Its claims (docs/tokens.md), read once into types that cannot be wrong. */

import { type AttestationResult, readResult } from './attestation-result.ts'
import { type Json, objectOf, sha256 } from './base64url.ts'
import { publicMembers } from './compact-jws.ts'
import type { TokenForm } from './token-form.ts'

export interface AttestedClaims extends AttestationResult {
  readonly form: TokenForm
  /** Issuer URL, as the relying party has it pinned. */
  readonly issuer: string
  /** SPIFFE ID of the release that matched; `simulated:spiffe://…` for simulated evidence. */
  readonly subject: string
  /** Undefined in the form `workload`, which has none. */
  readonly audience: string | undefined
  readonly jti: string
  /** Seconds since 1970. */
  readonly issuedAt: number
  readonly notBefore: number
  readonly expiresAt: number
  readonly tenant: string
  readonly scopes: readonly string[]
  /** RFC 7638 thumbprint of the attested signing key: whoever proves to have that key is the agent. */
  readonly keyThumbprint: string
  /** Of the attested encryption key: what only the agent may read is sealed to it. Undefined where there is none. */
  readonly encryptionKeyThumbprint: string | undefined
  /** What the relying party wanted to see again. */
  readonly nonce: string | undefined
  /** Id of the decision: GET /v1/appraisals/{id} explains it to operators of the verifier. */
  readonly appraisal: string
  /** Hex: leaf of the transparency log that answers for the decision. */
  readonly logLeaf: string
  readonly status: { readonly uri: string; readonly index: number }
  /** Every claim as it was signed. */
  readonly all: Json
}

/** `said`: signed, and of this form. Resolves to a sentence that says what is missing. */
export async function readClaims(
  said: Json,
  { form, issuer }: { readonly form: TokenForm; readonly issuer: string },
): Promise<AttestedClaims | string> {
  const result = readResult(said)
  if (typeof result === 'string') return result
  const { sub, jti, iat, nbf, exp, tenant, aud } = said
  if (!isText(sub) || !isText(jti) || !isText(tenant)) return 'sub, jti or tenant is missing'
  if (!isTime(iat) || !isTime(nbf) || !isTime(exp)) return 'iat, nbf or exp is no whole number'
  // RFC 7519 section 4.1.3 allows a list; our tokens have one audience, since each more is one more who may pass it on.
  if (form === 'workload' ? aud !== undefined : !isText(aud)) return 'aud is not one text'
  const keyThumbprint = await confirmedKey(said.cnf, form)
  if (keyThumbprint === undefined) return 'cnf does not confirm one key'
  const status = statusEntry(said.status)
  if (!status) return 'status names no entry of a status list'
  const [leaf, scope] = [objectOf(said.att_log)?.leaf, said.scope ?? '']
  if (!isText(said.att_appraisal) || !isText(leaf) || typeof scope !== 'string')
    return 'att_appraisal, att_log or scope is missing'
  if (!isOptionalText(said.eat_nonce) || !isOptionalText(said.enc_jkt))
    return 'eat_nonce or enc_jkt is no text'
  return {
    ...result,
    form,
    issuer,
    subject: sub,
    audience: isText(aud) ? aud : undefined,
    jti,
    issuedAt: iat,
    notBefore: nbf,
    expiresAt: exp,
    tenant,
    scopes: scope.split(' ').filter((name) => name !== ''),
    keyThumbprint,
    encryptionKeyThumbprint: said.enc_jkt,
    nonce: said.eat_nonce,
    appraisal: said.att_appraisal,
    logLeaf: leaf,
    status,
    all: said,
  }
}

/** RFC 7800 section 3: one member, so that nobody has to choose. `jkt` is RFC 9449's, and `jwk` the key itself. */
async function confirmedKey(cnf: unknown, form: TokenForm): Promise<string | undefined> {
  const { jkt, jwk, ...others } = objectOf(cnf) ?? {}
  if (Object.keys(others).length > 0) return undefined
  if (form === 'possession') return jwk === undefined && isThumbprint(jkt) ? jkt : undefined
  return jkt === undefined ? await thumbprintOf(objectOf(jwk)) : undefined
}

/** RFC 7638 of a P-256 key, the only kind that agents have; undefined for any other. */
export async function thumbprintOf(jwk: Json | undefined): Promise<string | undefined> {
  const members = jwk && publicMembers(jwk)
  // Its members are in the order of section 3.
  return members?.kty === 'EC' ? await sha256(JSON.stringify(members)) : undefined
}

function statusEntry(status: unknown): AttestedClaims['status'] | undefined {
  const { idx, uri } = objectOf(objectOf(status)?.status_list) ?? {}
  return isText(uri) && Number.isSafeInteger(idx) && Number(idx) >= 0
    ? { uri, index: Number(idx) }
    : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || isText(value)
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isThumbprint(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)
}
