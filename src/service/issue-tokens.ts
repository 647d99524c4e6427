/**
 * The tokens of one attestation: planned first, so that the record and the leaf of the log can name them, then signed over
 * that leaf, and encrypted to the attested key. Whoever calls this has decided that the agent may have them.
 */
import type { PublicKey } from '../rats/public-key.ts'
import type { TokenForm } from '../rats/release.ts'
import { type Recipient, sealTo } from '../seal/jwe.ts'
import { type AttestedAgent, type PlannedToken, tokenClaims } from '../token/claims.ts'
import type { EarNames } from '../token/ear.ts'
import { type Issuer, signToken } from '../token/issuer.ts'
import { lifetimeSeconds } from '../token/lifetime.ts'
import { type SigningForm, signingForms } from '../token/token-key.ts'
import type { Decision, Grant, Matter } from './decision.ts'
import { statusListUrl } from './status-lists.ts'
import type { TokenRecord } from './token-ports.ts'
import { uuid, type Verifier } from './verifier.ts'

/** For a rule of the release, in the form that it names. */
export interface RuledToken extends TokenRecord {
  readonly form: TokenForm
}

export interface IssuedToken {
  readonly form: TokenForm
  /** Of the rule; a workload token has none. */
  readonly audience: string
  /** A JWS, or the JWE of one when the claims name an encryption key. */
  readonly token: string
  readonly encoding: 'jwt' | 'jwe'
  /** `typ` of the JWS. */
  readonly type: SigningForm['typ']
  readonly issuer: string
  readonly subject: string
  readonly expiresAt: Date
  readonly jti: string
  readonly status: { readonly uri: string; readonly index: number }
}

/**
 * One for each rule. A slot of a status list that is taken here is lost if the challenge turns out to be used: that costs
 * the caller a whole appraisal, and the list one bit. Throws Problem('storage-unavailable').
 */
export async function planTokens(
  { statusSlots, random }: Pick<Verifier, 'statusSlots' | 'random'>,
  { id, matter, grant }: { readonly id: string; readonly matter: Matter; readonly grant: Grant },
): Promise<readonly RuledToken[]> {
  const { tenant, release, claims, conditions } = matter
  const issuedAt = conditions.at
  const planned: RuledToken[] = []
  for (const { audience, form, scopes, tokenTtlSeconds } of grant.rules) {
    const { session } = claims
    const seconds = lifetimeSeconds(form, { ruleSeconds: tokenTtlSeconds, session })
    planned.push({
      jti: uuid(random),
      appraisal: id,
      tenant: tenant.name,
      environment: release.environment,
      agent: release.agent,
      form,
      issuer: grant.issuer.url,
      audience,
      scopes,
      jkt: claims.sig_jkt,
      subject: grant.subject,
      issuedAt,
      expiresAt: new Date((Math.floor(issuedAt.getTime() / 1000) + seconds) * 1000),
      status: await statusSlots.take(grant.issuer.url),
      session: session === '' ? undefined : session,
    })
  }
  return planned
}

export interface Issuance {
  readonly id: string
  readonly issuer: Issuer
  readonly matter: Matter
  readonly decision: Decision
  readonly grant: Grant
  readonly jwk: PublicKey
  readonly recipient: Recipient | undefined
  readonly relyingPartyNonce: string | undefined
  readonly earNames: EarNames
  /** Hex. */
  readonly leaf: string
  readonly tokens: readonly RuledToken[]
}

export async function signTokens(
  { build, random }: Pick<Verifier, 'build' | 'random'>,
  issuance: Issuance,
): Promise<readonly IssuedToken[]> {
  const { id, issuer, matter, decision, grant, recipient, tokens } = issuance
  const { status, trustVector, layers } = decision
  const { assurance, identity, referenceValue } = grant
  const agent: AttestedAgent = {
    appraisal: id,
    issuer: issuer.url,
    build,
    tenant: matter.tenant.name,
    release: matter.release,
    referenceValue,
    layers,
    policy: matter.policy,
    claims: matter.claims,
    jwk: issuance.jwk,
    relyingPartyNonce: issuance.relyingPartyNonce,
    result: { status, trustVector, assurance },
    hardware: identity.hardware,
    measurement: identity.launch,
    leaf: issuance.leaf,
    session: matter.session,
  }
  return await Promise.all(
    tokens.map(async ({ status: slot, ...record }) => {
      const token: PlannedToken = {
        ...record,
        status: { uri: statusListUrl(issuer.url, slot.list), index: slot.index },
      }
      assertBearable(token.form, decision, grant)
      const claims = tokenClaims(agent, token, issuance.earNames)
      const jwt = await signToken(issuer, { form: token.form, claims, at: token.issuedAt })
      return issuedToken(token, issuer, {
        // Whoever relayed the evidence cannot read what it bought.
        token: recipient
          ? sealTo(recipient, { text: jwt, contentType: 'JWT', iv: random.bytes(12) })
          : jwt,
        encoding: recipient ? 'jwe' : 'jwt',
      })
    }),
  )
}

function issuedToken(
  { form, audience, subject, expiresAt, jti, status }: PlannedToken,
  issuer: Issuer,
  encoded: Pick<IssuedToken, 'token' | 'encoding'>,
): IssuedToken {
  const type = signingForms[form].typ
  return { form, audience, ...encoded, type, issuer: issuer.url, subject, expiresAt, jti, status }
}

/** `release.federation` refused it before. If that check is ever lost, this is our own fault and no token. */
function assertBearable(form: TokenForm, { status }: Decision, { assurance }: Grant): void {
  if (form !== 'federation') return
  if (assurance === 'hardware' && (status === 'affirming' || status === 'warning')) return
  throw new Error(`a federation token was granted for ${assurance} evidence that is ${status}`)
}
