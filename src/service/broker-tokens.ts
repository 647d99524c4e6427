/**
 * The token that evidence by the Key Broker protocol buys, of a handshake or of the Attestation Service: planned first, so that
 * the record and the leaf of the log can name it, then signed over that leaf. It has a place in a status list as every token.
 */
import { createHash } from 'node:crypto'
import type { StringTree } from '../rats/broker-binding.ts'
import type { ReleaseRule } from '../rats/release.ts'
import type { Claims } from '../rats/tee.ts'
import { signBrokerToken } from '../token/broker-token.ts'
import type { Decision, Grant, Matter } from './decision.ts'
import { statusListUrl } from './status-lists.ts'
import type { TokenRecord } from './token-ports.ts'
import { issuerOf, type Tenant, type Verifier } from './verifier.ts'

export interface BrokerGrant {
  /** Of the appraisal. */
  readonly id: string
  readonly matter: Matter
  readonly grant: Grant
  readonly jti: string
  /** RFC 7638 thumbprint of the client's key; empty where it names none. */
  readonly keyThumbprint: string
}

/** A resource is asked for at once: whoever needs it later attests again. */
const LONGEST_SECONDS = 300

/** Throws Problem('storage-unavailable'). The slot is lost where the record cannot be kept: one bit of a list. */
export async function planBrokerToken(
  { statusSlots }: Pick<Verifier, 'statusSlots'>,
  { id, matter, grant, jti, keyThumbprint }: BrokerGrant,
): Promise<TokenRecord> {
  const { tenant, release, conditions } = matter
  return {
    jti,
    appraisal: id,
    tenant: tenant.name,
    environment: release.environment,
    agent: release.agent,
    form: 'broker',
    issuer: grant.issuer.url,
    audience: '',
    scopes: [],
    jkt: keyThumbprint,
    subject: grant.subject,
    issuedAt: conditions.at,
    expiresAt: endOf(grant.rules, conditions.at),
    status: await statusSlots.take(grant.issuer.url),
    session: undefined,
  }
}

/** As long as every rule allows. In whole seconds, as the token says it. */
function endOf(rules: readonly Pick<ReleaseRule, 'tokenTtlSeconds'>[], at: Date): Date {
  const seconds = Math.min(LONGEST_SECONDS, ...rules.map((rule) => rule.tokenTtlSeconds))
  return new Date((Math.floor(at.getTime() / 1000) + seconds) * 1000)
}

export interface BrokerIssuance {
  readonly tenant: Tenant
  readonly granted: {
    readonly matter: Matter
    readonly decision: Decision
    readonly grant: Grant
    readonly token: TokenRecord
    /** Hex. */
    readonly logLeaf: string
  }
  /** As the protocol spells the TEE. */
  readonly tee: string
  readonly nonce: string
  readonly runtimeData: StringTree
  /** Id of the handshake whose resources it opens. Undefined: none. */
  readonly handshake: string | undefined
  readonly claims: Claims | undefined
}

export async function signPlanned(
  { build }: Pick<Verifier, 'build'>,
  { tenant, granted, ...about }: BrokerIssuance,
): Promise<string> {
  const { grant, matter, decision, token } = granted
  const issuer = issuerOf(tenant, grant.assurance)
  if (!issuer) throw new Error(`no issuer for ${grant.assurance} evidence, and yet it was granted`)
  return await signBrokerToken(issuer, {
    ...about,
    jti: token.jti,
    subject: token.subject,
    issuedAt: token.issuedAt,
    expiresAt: token.expiresAt,
    status: { uri: statusListUrl(token.issuer, token.status.list), index: token.status.index },
    build,
    tenant: token.tenant,
    appraisal: token.appraisal,
    release: matter.release,
    referenceValue: grant.referenceValue.id,
    layers: decision.layers,
    policy: matter.policy,
    result: {
      status: decision.status,
      trustVector: decision.trustVector,
      assurance: grant.assurance,
    },
    leaf: granted.logLeaf,
  })
}

/**
 * The jti of a handshake's token. Not its id, which is the cookie: records, the log and events name tokens to people who shall
 * not thereby have the handshake.
 */
export function tokenIdOf(handshake: string): string {
  return createHash('sha256')
    .update(`vouchsafe/handshake-token/v1 ${handshake}`)
    .digest('hex')
    .slice(0, 32)
}
