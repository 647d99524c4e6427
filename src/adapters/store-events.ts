/** What each change tells the other replicas and whoever follows the stream of events: names, and nothing that is secret. */
import type { PolicyRecord } from '../service/policy-ports.ts'
import type { Ban, SessionRecord } from '../service/session-ports.ts'
import type { Revocation, SealedKey, ServiceEvent, TokenRecord } from '../service/token-ports.ts'

type Published = Omit<ServiceEvent, 'sequence'>

export function keyEvent(
  { purpose, kid }: Pick<SealedKey, 'purpose' | 'kid'>,
  at: Date,
): Published {
  return { kind: 'keys.changed', at, tenant: undefined, fields: { purpose, kid } }
}

export function policyEvent({
  tenant,
  acceptedAt,
  commit,
  digest,
  sequence,
}: PolicyRecord): Published {
  return {
    kind: 'policy.accepted',
    at: acceptedAt,
    tenant,
    fields: { commit, digest, sequence },
  }
}

/** Who revoked it and the operator's sentence stay with the token: relying parties follow these events too. */
export function revocationEvent(token: TokenRecord, { at, reason }: Revocation): Published {
  const { tenant, jti, appraisal, environment, agent, form, issuer, subject, jkt, status } = token
  return {
    kind: 'token.revoked',
    at,
    tenant,
    fields: {
      jti,
      appraisal,
      environment,
      agent,
      form,
      issuer,
      subject,
      jkt,
      list: status.list,
      index: status.index,
      expiresAt: token.expiresAt.toISOString(),
      reason,
    },
  }
}

/** Why is with the session: relying parties follow these events too. */
export function sessionEvent(
  { id, tenant, environment, agent, subject, jkt, standing, changedAt }: SessionRecord,
  by: string,
): Published {
  return {
    kind: 'session.changed',
    at: changedAt,
    tenant,
    fields: { session: id, environment, agent, subject, jkt, standing, by },
  }
}

export function banEvent(
  {
    tenant,
    platform,
    environment,
    agent,
    at,
  }: Pick<Ban, 'tenant' | 'platform' | 'environment' | 'agent' | 'at'>,
  change: 'banned' | 'lifted',
): Published {
  return {
    kind: 'ban.changed',
    at,
    tenant,
    fields: { platform, environment: environment ?? null, agent: agent ?? null, change },
  }
}
