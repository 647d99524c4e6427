/** Who enforces which policy, and who lags behind the accepted one? */
import { z } from 'zod'
import { Problem } from '../problems.ts'
import type { Operator } from './operators.ts'
import type { EnforcementPoint, PolicyName, PolicyRecord } from './policy-ports.ts'
import type { Store } from './ports.ts'
import { type Tenant, tenantNamed, type Verifier } from './verifier.ts'

export interface EnforcementReport extends PolicyName {
  readonly tenant: string
  /** A replica of the verifier says so itself, and nobody may say it for one. */
  readonly kind: Exclude<EnforcementPoint['kind'], 'verifier'>
  /** Tells several of one operator apart; empty where there is one. */
  readonly instance: string
}

/** Form of what an enforcer reports, for whoever receives it. */
export const enforcementReportSchema = z.strictObject({
  kind: z.enum(['sensor', 'sandbox', 'gateway']),
  instance: z
    .string()
    .regex(/^[A-Za-z0-9._-]{0,64}$/, 'must be at most 64 of A-Z a-z 0-9 . _ -')
    .default(''),
  commit: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full commit name'),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be a policy digest'),
})

/** One operator's points; an enforcer that makes up names fills its own share only. */
const MOST_INSTANCES = 256

/** Under the operator's own name: none can speak for another. Throws Problem. */
export async function reportEnforcement(
  verifier: Pick<Verifier, 'store' | 'tenants'>,
  { tenant: named, kind, instance, commit, digest }: EnforcementReport,
  { operator, at }: { readonly operator: Operator; readonly at: Date },
): Promise<void> {
  const { name: tenant } = tenantNamed(verifier, named, 'tenant')
  const name = instance === '' ? operator.name : `${operator.name}/${instance}`
  const known = await verifier.store.enforcementPoints(tenant)
  const own = known.filter((point) => point.name.split('/')[0] === operator.name)
  const isKnown = own.some((point) => point.name === name && point.kind === kind)
  if (!isKnown && own.length >= MOST_INSTANCES)
    throw new Problem(
      'too-many-requests',
      `${operator.name} has reported ${own.length} enforcement points, which is the most`,
      { retryAfterSeconds: 3600 },
    )
  await verifier.store.reportEnforcement({ tenant, kind, name, commit, digest, reportedAt: at })
}

export interface EnforcementState extends EnforcementPoint {
  readonly lagging: boolean
  /** A sentence where it lags. */
  readonly reason: string | undefined
}

const LAG_MS = 30_000
const SILENCE_MS = 90_000

/** `accepted` undefined: nobody can lag behind nothing, but may be silent. */
export function enforcementState(
  point: EnforcementPoint,
  accepted: PolicyRecord | undefined,
  at: Date,
): EnforcementState {
  const reason = laggingBecause(point, accepted, at)
  return { ...point, lagging: reason !== undefined, reason }
}

function laggingBecause(
  { digest, commit, reportedAt }: EnforcementPoint,
  accepted: PolicyRecord | undefined,
  at: Date,
): string | undefined {
  const silentMs = at.getTime() - reportedAt.getTime()
  if (silentMs > SILENCE_MS) return `silent for ${Math.round(silentMs / 1000)} s`
  if (!accepted || digest === accepted.digest) return undefined
  const overdueMs = at.getTime() - accepted.acceptedAt.getTime()
  if (overdueMs <= LAG_MS) return undefined
  return `enforces commit ${commit}, and ${accepted.commit} was accepted ${Math.round(overdueMs / 1000)} s ago`
}

export async function enforcementOf(
  store: Pick<Store, 'enforcementPoints'>,
  { name }: Pick<Tenant, 'name'>,
  { accepted, at }: { readonly accepted: PolicyRecord | undefined; readonly at: Date },
): Promise<readonly EnforcementState[]> {
  const points = await store.enforcementPoints(name)
  return points.map((point) => enforcementState(point, accepted, at))
}
