/** What is there to say about a tenant's policy? Everything that /v1/policies, the metrics and `policy status` show. */
import type { Heartbeat } from '../policy/documents/heartbeat.ts'
import { type EnforcementState, enforcementOf } from './enforcement.ts'
import type { DriftReport, PolicyCondition, PolicyName } from './policy-ports.ts'
import { type Tenant, tenantNamed, type Verifier } from './verifier.ts'

export interface PolicyReport {
  readonly tenant: string
  /** The gravest first, never empty. */
  readonly conditions: readonly PolicyCondition[]
  /** What the database says is accepted; undefined while nothing is. */
  readonly accepted: AcceptedReport | undefined
  /** What this replica enforces, which may be one look behind. */
  readonly enforced: EnforcedReport | undefined
  readonly enforcementPoints: readonly EnforcementState[]
  /** What the last change of policy did to stored evidence. */
  readonly drift: DriftReport | undefined
}

export interface AcceptedReport extends PolicyName {
  readonly since: Date
  /** Counts this tenant's acceptances from 1. */
  readonly sequence: number
}

export interface EnforcedReport extends PolicyName {
  /** As its trust root names it. */
  readonly repository: string
  readonly releases: number
  readonly rules: number
  /** Undefined where the trust root asks for none. */
  readonly heartbeat: Heartbeat | undefined
}

/** Throws Problem: `request-malformed` for an unknown tenant, `storage-unavailable`. */
export async function policyReport(
  verifier: Pick<Verifier, 'store' | 'tenants'>,
  name: string,
  at: Date,
): Promise<PolicyReport> {
  const { store } = verifier
  const tenant = tenantNamed(verifier, name, 'tenant')
  const [accepted, drift] = await Promise.all([store.policyOf(name), store.latestDrift(name)])
  return {
    tenant: name,
    conditions: tenant.policy.conditions(at),
    accepted: accepted && {
      commit: accepted.commit,
      digest: accepted.digest,
      since: accepted.acceptedAt,
      sequence: accepted.sequence,
    },
    enforced: enforcedBy(tenant),
    enforcementPoints: await enforcementOf(store, tenant, { accepted, at }),
    drift,
  }
}

function enforcedBy({ policy: source }: Tenant): EnforcedReport | undefined {
  const policy = source.accepted()
  return (
    policy && {
      commit: policy.commit,
      digest: policy.digest,
      repository: policy.trust.repository,
      releases: policy.releases.length,
      rules: policy.rules.rules.length,
      heartbeat: policy.heartbeat,
    }
  )
}
