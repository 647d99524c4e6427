/**
 * Who presents a token of possession? The token must be ours and still hold, and the request must be proved by the key that
 * it is bound to (RFC 9449 section 7.1): whoever stole the token alone has nothing.
 */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { type CompactJws, decodeCompactJws, isSignedByEs256 } from '../token/compact-jws.ts'
import type { Issuer } from '../token/issuer.ts'
import { signingForms } from '../token/token-key.ts'
import { openDpopProof, type UnusedProof } from './dpop-proof.ts'
import type { TokenRecord } from './token-ports.ts'
import type { Call, Tenant, Verifier } from './verifier.ts'

export interface Possession {
  /** What stood after `DPoP ` in the Authorization header; undefined where nothing did. */
  readonly token: string | undefined
  /** The DPoP header; undefined where it is missing. Two of them, joined by a comma, are no proof. */
  readonly proof: string | undefined
  readonly method: string
  /** Of the request. Its host is not looked at: whoever sends the request chooses that. */
  readonly url: string
  /** base64url of SHA-256 over the body as received; absent where the request has none. */
  readonly bodySha256?: string
  /**
   * Which audiences the token may have. Default: the names of this service, its public address and the issuer's. `any`
   * is for what is the agent's own and nobody else's.
   */
  readonly audiences?: readonly string[] | 'any'
}

export interface PossessedToken {
  readonly tenant: Tenant
  readonly issuer: Issuer
  /** As it was kept when the token was issued. */
  readonly record: TokenRecord
  /** Thumbprint of the attested encryption key; undefined where the agent named none. */
  readonly encryptionJkt: string | undefined
}

/** Nobody else may be answered by the same proof: whoever goes on from here uses it up in the transaction of what it is for. */
export interface ProvenPossession extends PossessedToken {
  readonly proof: UnusedProof
}

/** Header members are exactly these: our own tokens have no others. */
const header = z.strictObject({
  alg: z.literal(signingForms.possession.algorithm.alg),
  kid: z.string(),
  typ: z.literal(signingForms.possession.typ),
})
const claims = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  exp: z.int(),
  jti: z.string(),
  cnf: z.strictObject({ jkt: z.string() }),
  enc_jkt: z.string().optional(),
  tenant: z.string(),
  scope: z.string().default(''),
  att_appraisal: z.string(),
  att_release: z.looseObject({ environment: z.string(), agent: z.string() }),
})
type Claims = z.output<typeof claims>

/** A token with everything in it has 6,000 characters. */
const LONGEST = 16 * 1024

type Proving = Pick<Verifier, 'tenants' | 'store' | 'publicUrl'>

/**
 * And uses the proof up, on every replica. Throws Problem: `possession-required`, `possession-token-refused`,
 * `possession-proof-refused`, `storage-unavailable`.
 */
export async function provePossession(
  verifier: Proving,
  possession: Possession,
  call: Pick<Call, 'at'>,
): Promise<PossessedToken> {
  const { proof, ...possessed } = await examinePossession(verifier, possession, call)
  // Last, so that only who holds a good token and its key can add a row.
  if (!(await verifier.store.useOnce('dpop', proof.id, proof.expiresAt))) throw proofUsed()
  return possessed
}

export function proofUsed(): Problem {
  return new Problem(
    'possession-proof-refused',
    'the DPoP header does not prove it: its jti was used before; make a new proof for each request',
  )
}

/** The same, and the proof is as good as before: for what uses it up together with something else, or not at all. */
export async function examinePossession(
  verifier: Proving,
  { token, proof, method, url, bodySha256, audiences }: Possession,
  { at }: Pick<Call, 'at'>,
): Promise<ProvenPossession> {
  if (token === undefined)
    throw new Problem('possession-required', 'there is no `Authorization: DPoP <token>` header')
  const opened = openToken(verifier, token, at)
  assertAudience(opened, audiences ?? [verifier.publicUrl, opened.issuer.url])
  if (proof === undefined)
    throw new Problem('possession-proof-refused', 'there is no DPoP header beside the token')
  const { jkt } = opened.claims.cnf
  const address = `${verifier.publicUrl}${new URL(url).pathname}`
  const unused = openDpopProof(proof, { method, address, token, jkt, bodySha256, at })
  const record = await recordOf(verifier, opened)
  const { tenant, issuer } = opened
  return { tenant, issuer, record, encryptionJkt: opened.claims.enc_jkt, proof: unused }
}

interface OpenedToken {
  readonly tenant: Tenant
  readonly issuer: Issuer
  readonly claims: Claims
}

function openToken({ tenants }: Pick<Verifier, 'tenants'>, token: string, at: Date): OpenedToken {
  const jws = token.length > LONGEST ? undefined : decodeCompactJws(token)
  if (!jws) throw refused('it is not a compact JWT; one that came encrypted must be opened first')
  const named = header.safeParse(jws.header)
  if (!named.success) throw refused('it is not a token of possession (ES256, typ at+jwt)')
  const parsed = claims.safeParse(jws.payload)
  if (!parsed.success) throw refused('it lacks what a token of possession says')
  const found = issuerNamed(tenants, parsed.data.iss)
  if (!found || !isSigned(jws, found.issuer, named.data.kid))
    throw refused('no key of this service that is still published signed it')
  if (at.getTime() >= parsed.data.exp * 1000)
    throw refused(
      `it ended at ${new Date(parsed.data.exp * 1000).toISOString()}, and it is ${at.toISOString()}`,
    )
  return { ...found, claims: parsed.data }
}

/** `iss` is not believed yet: it only says with whose keys to try. */
function issuerNamed(
  tenants: Verifier['tenants'],
  url: string,
): { readonly tenant: Tenant; readonly issuer: Issuer } | undefined {
  for (const tenant of tenants.values()) {
    const { hardware, simulated } = tenant.issuers
    for (const issuer of [hardware, simulated]) if (issuer?.url === url) return { tenant, issuer }
  }
  return undefined
}

/** By a key for this form and no other: what another form's key signed is no token of possession. */
function isSigned(jws: CompactJws, issuer: Issuer, kid: string): boolean {
  const key = issuer.published().find((each) => each.kid === kid && each.form === 'possession')
  return key !== undefined && isSignedByEs256(jws, key.publicKey)
}

function assertAudience(
  { claims: { aud } }: OpenedToken,
  audiences: readonly string[] | 'any',
): void {
  if (audiences === 'any' || audiences.includes(aud)) return
  throw refused(`it is for ${aud}, and here only for ${audiences.join(' or ')}`)
}

/** What is not known here (a database that was restored has forgotten it) is not believed either. */
async function recordOf(
  { store }: Pick<Verifier, 'store'>,
  opened: OpenedToken,
): Promise<TokenRecord> {
  const known = await store.findToken(opened.claims.jti)
  if (!known || !isRecordOf(known, opened)) throw refused('this service has no record of it')
  if (known.revocation)
    throw refused(
      `it was revoked at ${known.revocation.at.toISOString()} (${known.revocation.reason})`,
    )
  return known
}

/**
 * Whoever stole a key of ours can sign what was never issued: only what was written down counts. And whoever can write the
 * database can give his own token another agent's name, tenant, scopes or evidence: only what was signed counts.
 */
function isRecordOf(known: TokenRecord, { tenant, claims }: OpenedToken): boolean {
  const { iss, sub, aud, exp, cnf, scope, att_appraisal, att_release } = claims
  return (
    known.form === 'possession' &&
    known.issuer === iss &&
    known.audience === aud &&
    known.jkt === cnf.jkt &&
    known.expiresAt.getTime() === exp * 1000 &&
    known.tenant === tenant.name &&
    known.tenant === claims.tenant &&
    known.subject === sub &&
    known.environment === att_release.environment &&
    known.agent === att_release.agent &&
    known.appraisal === att_appraisal &&
    known.scopes.join(' ') === scope
  )
}

function refused(reason: string): Problem {
  return new Problem('possession-token-refused', `the token does not count here: ${reason}`)
}
