/** What operators are told about policies, as it stands on the wire, and how it is made from the service's reports. */
import { z } from 'zod'
import type { DriftReport } from '../service/policy-ports.ts'
import type { EnforcedReport, PolicyReport } from '../service/policy-report.ts'

const instant = z.iso.datetime()
const verdict = z.enum(['issued', 'refused'])
const policyName = { commit: z.string(), digest: z.string() }

const driftCounts = {
  from: z.strictObject(policyName),
  to: z.strictObject(policyName),
  at: instant,
  examined: z.int(),
  unexaminable: z.int().meta({
    description: 'Evidence that could not be appraised again: what its vendor said is not kept.',
  }),
  changed: z.int().meta({ description: 'Agents’ evidence whose verdict is another.' }),
}

const driftEntry = z.strictObject({
  appraisal: z.string(),
  environment: z.string(),
  agent: z.string(),
  before: verdict,
  after: verdict,
  nowFailing: z.array(z.string()),
  noLongerFailing: z.array(z.string()),
})

export const driftResponse = z.strictObject({
  ...driftCounts,
  entries: z.array(driftEntry).meta({ description: 'At most 1,000 of them.' }),
})

const enforced = z.strictObject({
  ...policyName,
  repository: z.string().meta({ description: 'Its name in the trust root.' }),
  releases: z.int(),
  rules: z.int(),
  heartbeat: z
    .strictObject({ notAfter: instant, graceSeconds: z.number() })
    .nullable()
    .meta({ description: 'null where the trust root asks for none.' }),
})

const summary = {
  tenant: z.string(),
  conditions: z
    .array(
      z.strictObject({
        name: z.string(),
        message: z.string(),
        since: instant,
        commit: z.string().nullable(),
      }),
    )
    .meta({ description: 'The gravest first, never empty. Synced stands alone.' }),
  accepted: z
    .strictObject({
      ...policyName,
      since: instant,
      sequence: z.int().meta({ description: 'Counts this tenant’s acceptances from 1.' }),
    })
    .nullable()
    .meta({ description: 'What the database says is accepted.' }),
  enforced: enforced
    .nullable()
    .meta({ description: 'What this replica goes by, which may be one look behind.' }),
  enforcementPoints: z.array(
    z.strictObject({
      name: z.string(),
      kind: z.string(),
      ...policyName,
      reportedAt: instant,
      lagging: z.boolean(),
      reason: z.string().nullable(),
    }),
  ),
}

export const policiesResponse = z.strictObject({
  policies: z.array(z.strictObject({ ...summary, drift: z.strictObject(driftCounts).nullable() })),
})

export const policyResponse = z.strictObject({ ...summary, drift: driftResponse.nullable() })

export function policiesJson(reports: readonly PolicyReport[]) {
  return {
    policies: reports.map((report) => ({
      ...summaryJson(report),
      drift: report.drift ? countsJson(report.drift) : null,
    })),
  } satisfies z.input<typeof policiesResponse>
}

export function policyJson(report: PolicyReport) {
  return {
    ...summaryJson(report),
    drift: report.drift ? driftJson(report.drift) : null,
  } satisfies z.input<typeof policyResponse>
}

export function driftJson(report: DriftReport) {
  return {
    ...countsJson(report),
    entries: report.entries.map((entry) => ({
      ...entry,
      nowFailing: [...entry.nowFailing],
      noLongerFailing: [...entry.noLongerFailing],
    })),
  } satisfies z.input<typeof driftResponse>
}

function summaryJson({ tenant, conditions, accepted, enforced, enforcementPoints }: PolicyReport) {
  return {
    tenant,
    conditions: conditions.map(({ name, message, since, commit }) => ({
      name,
      message,
      since: since.toISOString(),
      commit: commit ?? null,
    })),
    accepted: accepted ? { ...accepted, since: accepted.since.toISOString() } : null,
    enforced: enforced ? enforcedJson(enforced) : null,
    enforcementPoints: enforcementPoints.map(
      ({ name, kind, commit, digest, reportedAt, lagging, reason }) => ({
        name,
        kind,
        commit,
        digest,
        reportedAt: reportedAt.toISOString(),
        lagging,
        reason: reason ?? null,
      }),
    ),
  }
}

function enforcedJson({ heartbeat, ...rest }: EnforcedReport) {
  return {
    ...rest,
    heartbeat: heartbeat
      ? { notAfter: heartbeat.notAfter.toISOString(), graceSeconds: heartbeat.graceSeconds }
      : null,
  }
}

function countsJson({ from, to, at, examined, unexaminable, changed }: DriftReport) {
  return { from, to, at: at.toISOString(), examined, unexaminable, changed }
}
