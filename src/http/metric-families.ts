/** Which figures does the service show? Those about policies and verdicts here, the others in files of their own. */

import type { PolicyConditionName } from '../service/policy-ports.ts'
import type { PolicyReport } from '../service/policy-report.ts'
import { type MachineMeasured, machineFamilies } from './metric-machine.ts'
import { releaseFamilies } from './metric-releases.ts'
import { type AdmissionFigures, requestFamilies } from './metric-requests.ts'
import { messageFamilies } from './metric-sessions.ts'
import { type StandingsMeasured, standingFamilies } from './metric-standings.ts'
import { type TokensMeasured, tokenFamilies } from './metric-tokens.ts'
import type { MetricFamily, MetricSample } from './metrics-text.ts'
import type { ReleaseFigures } from './release-counts.ts'
import type { RequestFigures } from './request-counts.ts'
import type { MessageCount } from './session-counts.ts'
import type { VerdictCount } from './verdict-counts.ts'

/** Undefined and empty: not known, and so not shown. */
export interface Measured extends TokensMeasured, StandingsMeasured, MachineMeasured {
  /** `vouchsafe/1.2.3` */
  readonly build: string
  readonly at: Date
  readonly policies: readonly PolicyReport[]
  readonly verdicts: readonly VerdictCount[]
  readonly releases: ReleaseFigures | undefined
  readonly messages: readonly MessageCount[]
  readonly requests: RequestFigures | undefined
  readonly admission: AdmissionFigures | undefined
}

/** Every name is shown for every tenant, so that an alert on one has something to look at before it happens. */
const conditionNames: Readonly<Record<PolicyConditionName, true>> = {
  Synced: true,
  Fetching: true,
  RollbackOrRewrite: true,
  UnknownSigner: true,
  SchemaInvalid: true,
  RuleCaseFailed: true,
  ApprovalMissing: true,
  Stale: true,
  FetchFailed: true,
}

/** Every family that there is, with the samples that are known. */
export function metricFamilies(measured: Measured): readonly MetricFamily[] {
  return [
    ...policyFamilies(measured),
    ...requestFamilies(measured.requests, measured.admission),
    ...tokenFamilies(measured),
    ...releaseFamilies(measured.releases),
    ...messageFamilies(measured.messages),
    ...standingFamilies(measured),
    ...machineFamilies(measured),
  ]
}

function policyFamilies({ build, at, policies, verdicts }: Measured): readonly MetricFamily[] {
  const each = (samples: (report: PolicyReport) => readonly MetricSample[]) =>
    policies.flatMap(samples)
  return [
    {
      name: 'vouchsafe_build_info',
      help: 'The version that runs; always 1.',
      type: 'gauge',
      samples: [{ labels: { version: build.replace(/^vouchsafe\//, '') }, value: 1 }],
    },
    {
      name: 'vouchsafe_policy_condition',
      help: 'Whether this condition holds about the policy of a tenant: 1 or 0.',
      type: 'gauge',
      samples: each(conditions),
    },
    {
      name: 'vouchsafe_policy_accepted_sequence',
      help: 'How many policies of a tenant were accepted so far.',
      type: 'gauge',
      samples: each(({ tenant, accepted }) => known(tenant, accepted?.sequence)),
    },
    {
      name: 'vouchsafe_policy_accepted_timestamp_seconds',
      help: 'When the policy of a tenant was accepted, in seconds since 1970.',
      type: 'gauge',
      samples: each(({ tenant, accepted }) => known(tenant, seconds(accepted?.since))),
    },
    {
      name: 'vouchsafe_policy_heartbeat_remaining_seconds',
      help: 'How long the heartbeat of a tenant still holds; negative once it ended. Absent where none is asked for.',
      type: 'gauge',
      samples: each(({ tenant, enforced }) =>
        known(tenant, secondsBetween(at, enforced?.heartbeat?.notAfter)),
      ),
    },
    {
      name: 'vouchsafe_policy_enforcement_lagging',
      help: 'Whether an enforcement point goes by another policy than the accepted one, or fell silent: 1 or 0.',
      type: 'gauge',
      samples: each(({ tenant, enforcementPoints }) =>
        enforcementPoints.map(({ kind, name, lagging }) => ({
          labels: { tenant, kind, name },
          value: lagging ? 1 : 0,
        })),
      ),
    },
    {
      name: 'vouchsafe_policy_enforcement_lag_seconds',
      help: 'For how long an enforcement point has gone by another policy than the accepted one; 0 while it goes by that.',
      type: 'gauge',
      samples: each((report) => lags(report, at)),
    },
    {
      name: 'vouchsafe_policy_drift_changed',
      help: 'How many pieces of stored evidence the last change of policy gave another verdict.',
      type: 'gauge',
      samples: each(({ tenant, drift }) => known(tenant, drift?.changed)),
    },
    {
      name: 'vouchsafe_policy_drift_examined',
      help: 'How many pieces of stored evidence were appraised again after the last change of policy.',
      type: 'gauge',
      samples: each(({ tenant, drift }) => known(tenant, drift?.examined)),
    },
    {
      name: 'vouchsafe_attestations_total',
      help: 'Attestations by verdict since this process began.',
      type: 'counter',
      samples: verdicts.map(({ tenant, verdict, count }) => ({
        labels: { tenant, verdict },
        value: count,
      })),
    },
  ]
}

function conditions({ tenant, conditions: holding }: PolicyReport): readonly MetricSample[] {
  return Object.keys(conditionNames).map((condition) => ({
    labels: { tenant, condition },
    value: holding.some(({ name }) => name === condition) ? 1 : 0,
  }))
}

/** From the acceptance on: when the point itself heard of it, nobody says. */
function lags(
  { tenant, accepted, enforcementPoints }: PolicyReport,
  at: Date,
): readonly MetricSample[] {
  return enforcementPoints.map(({ kind, name, digest }) => ({
    labels: { tenant, kind, name },
    value:
      !accepted || digest === accepted.digest
        ? 0
        : Math.max(0, secondsBetween(accepted.since, at) ?? 0),
  }))
}

/** What is not known has no sample: 0 would be a figure. */
function known(tenant: string, value: number | undefined): readonly MetricSample[] {
  return value === undefined ? [] : [{ labels: { tenant }, value }]
}

function seconds(at: Date | undefined): number | undefined {
  return at && at.getTime() / 1000
}

function secondsBetween(from: Date, to: Date | undefined): number | undefined {
  return to && (to.getTime() - from.getTime()) / 1000
}
