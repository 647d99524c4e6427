/**
 * `POST /v1/reappraisals` and `vouchsafe reappraise`: does what was let pass still pass? Tenant after tenant, told line by line
 * as it is found out, for it may take minutes.
 */
import { Problem } from '../problems.ts'
import type { DecidingTenant } from './decision.ts'
import { type LiveProgress, type LiveStep, reappraiseLive } from './reappraise-live.ts'
import type { Revoking } from './revoke.ts'
import type { Tenant, Verifier } from './verifier.ts'

export interface TenantsReappraisal {
  readonly verifier: Revoking & Pick<Verifier, 'proofs' | 'pause'>
  /** At least one. */
  readonly tenants: readonly ReappraisedTenant[]
  /** `live`: only what live tokens rest on. A date: everything that was let pass since then. */
  readonly scope: 'live' | Date
  readonly isDryRun: boolean
  readonly by: string
  readonly at: Date
}

/** No key is needed to judge. */
export interface ReappraisedTenant extends DecidingTenant {
  readonly collect: Tenant['collect']
  readonly policy: Pick<Tenant['policy'], 'accepted'>
}

type Counts = Omit<LiveProgress, 'share'>

/** One line of the answer, as JSON has it. */
export type ReappraisalLine =
  | { readonly type: 'tenant'; readonly tenant: string; readonly commit: string }
  | ({ readonly type: 'progress'; readonly tenant: string; readonly share: number | null } & Counts)
  | ({ readonly type: 'fallen'; readonly tenant: string } & Omit<
      Extract<LiveStep, { readonly kind: 'fallen' }>,
      'kind'
    >)
  /** Without an accepted policy there is nothing to judge by. */
  | { readonly type: 'skipped'; readonly tenant: string; readonly why: string }
  /** The last line; without it the answer is not whole. */
  | ({ readonly type: 'report'; readonly dryRun: boolean; readonly skipped: number } & Counts)

const nothing: Counts = { examined: 0, unexaminable: 0, fallen: 0, revoked: 0 }

/** Throws Problem('storage-unavailable') in the middle; what was revoked until then stays revoked. */
export async function* reappraiseTenants(
  request: TenantsReappraisal,
): AsyncGenerator<ReappraisalLine> {
  let total = nothing
  let skipped = 0
  for (const tenant of request.tenants) {
    const { name } = tenant
    const policy = tenant.policy.accepted()
    if (!policy) {
      skipped++
      yield { type: 'skipped', tenant: name, why: 'no policy was ever accepted' }
      continue
    }
    yield { type: 'tenant', tenant: name, commit: policy.commit }
    let own = nothing
    const asked = { ...request, tenant, policy, aspects: ['policy', 'collateral'] } as const
    for await (const step of reappraiseLive(asked)) {
      if (tenant.policy.accepted() !== policy) throw overtaken(name)
      if (step.kind === 'progress') {
        const { kind: _, share, ...counts } = step
        own = counts
        yield { type: 'progress', tenant: name, share: share ?? null, ...counts }
      } else {
        const { kind: _, ...fallen } = step
        yield { type: 'fallen', tenant: name, ...fallen }
      }
    }
    total = sum(total, own)
  }
  yield { type: 'report', dryRun: request.isDryRun, skipped, ...total }
}

function overtaken(tenant: string): Problem {
  return new Problem(
    'policy-changed',
    `the policy of ${tenant} was replaced while evidence was judged by it`,
  )
}

function sum(a: Counts, b: Counts): Counts {
  return {
    examined: a.examined + b.examined,
    unexaminable: a.unexaminable + b.unexaminable,
    fallen: a.fallen + b.fallen,
    revoked: a.revoked + b.revoked,
  }
}
