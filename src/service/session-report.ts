/** What operators are told about sessions, by the service and by the command line alike. Never a key, a nonce or a token. */
import { z } from 'zod'
import type { Policy } from '../policy/policy.ts'
import type { Finding } from '../rats/check.ts'
import { decodeMeasurement, type Measurement } from '../rats/runtime-event.ts'
import { quoteReasons, sessionStates } from '../rats/session-message.ts'
import { failingOfStored } from './judge-stored-session.ts'
import type { SessionDelta, SessionRecord, Standing } from './session-ports.ts'
import { leaseUntil, type Moment, stateOf } from './session-state.ts'

export const standings = [
  'open',
  'suspended',
  'quarantined',
  'revoked',
  'closed',
] as const satisfies readonly Standing[]

const instant = z.iso.datetime()

export const sessionLine = z.object({
  id: z.string(),
  tenant: z.string(),
  environment: z.string(),
  agent: z.string(),
  state: z.enum(sessionStates).meta({
    description: 'As of now: LATE, and SUSPENDED by silence, are read off the clock.',
  }),
  standing: z.enum(standings).meta({ description: 'What was decided about it.' }),
  reason: z.string().meta({ description: 'Of the standing; empty where it was never changed.' }),
  by: z.string(),
  changedAt: instant,
  openedAt: instant,
  heardAt: instant,
  leaseUntil: instant.meta({ description: 'After this it is LATE, unless it is heard.' }),
  quotedAt: instant,
  heartbeatSeconds: z.int(),
  attestEverySeconds: z.int(),
  demanded: z.enum(quoteReasons).nullable().meta({
    description: 'Why a full quote is asked for at once; null: it is not.',
  }),
  seq: z.int().meta({ description: 'Messages that were accepted, after the first.' }),
  measurements: z.int(),
  behaviours: z.int(),
  dropped: z.int().meta({ description: 'Events that its sensor says it lost.' }),
  modes: z.array(z.string()).meta({ description: 'What is watched.' }),
})
export type SessionLine = z.output<typeof sessionLine>

const finding = z.object({
  id: z.string(),
  detail: z.string(),
})

export const sessionDocument = sessionLine.extend({
  subject: z.string(),
  issuer: z.string(),
  jkt: z.string().meta({ description: 'RFC 7638 thumbprint of the attested signing key.' }),
  platforms: z.array(z.string()).meta({ description: 'Names of the machine, for bans.' }),
  boot: z.string(),
  collector: z.string(),
  appraisal: z.string().meta({ description: 'Of the last accepted quote: see `explain`.' }),
  statement: z.string().meta({ description: 'Digest of the last accepted statement.' }),
  heads: z.object({ measurement: z.string(), behaviour: z.string(), register: z.string() }),
  usage: z.record(z.string(), z.union([z.string(), z.number()])),
  policyDigest: z.string().meta({ description: 'By which its last message was judged.' }),
  measured: z.object({
    kinds: z.record(z.string(), z.int()),
    newest: z
      .array(z.object({ kind: z.string(), path: z.string(), digest: z.string() }))
      .meta({ description: 'The last that it told, at most 1,000.' }),
  }),
  findings: z.array(finding).meta({
    description:
      'What the policy of now does not approve of all that it measured. What it did is in `reason`: behaviour is judged when it is told.',
  }),
})
export type SessionDocument = z.output<typeof sessionDocument>

export const sessionsResponse = z.object({
  sessions: z.array(sessionLine),
  after: z
    .string()
    .nullable()
    .meta({ description: 'There are more: ask again with this as `after`. null: these are all.' }),
})
export type SessionsReport = z.output<typeof sessionsResponse>

const MOST_MEASUREMENTS_SHOWN = 1_000

export function sessionLineJson(session: SessionRecord, moment: Moment): SessionLine {
  const { id, tenant, environment, agent, standing, reason, by, seq, dropped, modes } = session
  const { heartbeatSeconds, attestEverySeconds, checkpoint } = session
  return {
    ...{ id, tenant, environment, agent },
    ...{ state: stateOf(session, moment), standing, reason, by },
    changedAt: session.changedAt.toISOString(),
    openedAt: session.openedAt.toISOString(),
    heardAt: session.heardAt.toISOString(),
    leaseUntil: leaseUntil(session).toISOString(),
    quotedAt: session.quotedAt.toISOString(),
    ...{ heartbeatSeconds, attestEverySeconds, demanded: session.demanded ?? null, seq },
    measurements: checkpoint.measurement.count,
    behaviours: checkpoint.behaviour.count,
    dropped,
    modes: modes.split(' ').filter((mode) => mode !== ''),
  }
}

export function sessionsJson(
  page: readonly SessionRecord[],
  { limit, moment }: { readonly limit: number; readonly moment: Moment },
): SessionsReport {
  return {
    sessions: page.map((session) => sessionLineJson(session, moment)),
    after: page.length < limit ? null : (page.at(-1)?.id ?? null),
  }
}

/** `policy` undefined: none is in force, and nothing is approved by it. */
export function sessionJson(
  session: SessionRecord,
  {
    deltas,
    policy,
    moment,
  }: {
    readonly deltas: readonly SessionDelta[]
    readonly policy: Policy | undefined
    readonly moment: Moment
  },
): SessionDocument {
  const { subject, issuer, jkt, platforms, boot, collector, appraisal, statement } = session
  const { checkpoint, usage, policyDigest } = session
  const measurements = measuredIn(deltas)
  return {
    ...sessionLineJson(session, moment),
    ...{ subject, issuer, jkt, platforms: [...platforms], boot, collector, appraisal, statement },
    heads: {
      measurement: checkpoint.measurement.head,
      behaviour: checkpoint.behaviour.head,
      register: checkpoint.register,
    },
    usage: { ...usage },
    policyDigest,
    measured: {
      kinds: Object.fromEntries(
        [...Map.groupBy(measurements, ({ kind }) => kind)].map(([kind, all]) => [kind, all.length]),
      ),
      newest: measurements.slice(-MOST_MEASUREMENTS_SHOWN),
    },
    findings: findingsJson(failingOfStored(session, deltas, policy)),
  }
}

/** What is no measurement of ours was refused when it came, and is told by the findings. */
function measuredIn(deltas: readonly SessionDelta[]): Measurement[] {
  return deltas.flatMap(({ measurement }) =>
    measurement.flatMap((event) => decodeMeasurement(event) ?? []),
  )
}

function findingsJson(failing: readonly Finding[] | string): SessionDocument['findings'] {
  return typeof failing === 'string'
    ? [{ id: 'runtime', detail: failing }]
    : failing.map(({ id, detail = '' }) => ({ id, detail }))
}
