/**
 * How many sessions are there, in which state, and what does watching them cost? Each heartbeat is a signature and a row, each
 * quote an appraisal: how often an agent has to show itself is its manifest's choice, by the risk that it is.
 */
import { z } from 'zod'
import { type SessionState, sessionStates } from '../rats/session-message.ts'
import type { Store } from './ports.ts'
import { sessionPages } from './session-pages.ts'
import type { SessionRecord } from './session-ports.ts'
import { standings } from './session-report.ts'
import { type Moment, stateOf } from './session-state.ts'

const perMinute = z.number().meta({ description: 'As long as every open session is heard.' })

const cost = z.object({
  environment: z.string(),
  agent: z.string(),
  sessions: z.int().meta({ description: 'Open ones.' }),
  heartbeatSeconds: z.int(),
  attestEverySeconds: z.int(),
  heartbeatsPerMinute: perMinute,
  quotesPerMinute: perMinute,
})

export const sessionSummary = z.object({
  tenant: z.string(),
  sessions: z.int(),
  states: z.record(z.enum(sessionStates), z.int()),
  heartbeatsPerMinute: perMinute,
  quotesPerMinute: perMinute,
  agents: z.array(cost).meta({ description: 'By agent and by how often it has to show itself.' }),
})
export type SessionSummary = z.output<typeof sessionSummary>

/** Reads every session of the tenant. Throws Problem('storage-unavailable'). */
export async function summariseSessions(
  store: Pick<Store, 'sessionsOf'>,
  tenant: string,
  moment: Moment,
): Promise<SessionSummary> {
  const states = Object.fromEntries(sessionStates.map((state) => [state, 0])) as Record<
    SessionState,
    number
  >
  const classes = new Map<string, { readonly of: SessionRecord; count: number }>()
  let sessions = 0
  for (const standing of standings)
    for await (const page of sessionPages(store, tenant, { standing }))
      for (const session of page) {
        sessions++
        states[stateOf(session, moment)]++
        if (standing !== 'open') continue
        const { environment, agent, heartbeatSeconds, attestEverySeconds } = session
        const key = [environment, agent, heartbeatSeconds, attestEverySeconds].join('\0')
        const known = classes.get(key)
        if (known) known.count++
        else classes.set(key, { of: session, count: 1 })
      }
  const agents = [...classes.values()].map(({ of, count }) => ({
    environment: of.environment,
    agent: of.agent,
    sessions: count,
    heartbeatSeconds: of.heartbeatSeconds,
    attestEverySeconds: of.attestEverySeconds,
    heartbeatsPerMinute: perMinuteOf(count, of.heartbeatSeconds),
    quotesPerMinute: perMinuteOf(count, of.attestEverySeconds),
  }))
  const sum = (name: 'heartbeatsPerMinute' | 'quotesPerMinute') =>
    rounded(agents.reduce((all, each) => all + each[name], 0))
  return {
    tenant,
    sessions,
    states,
    heartbeatsPerMinute: sum('heartbeatsPerMinute'),
    quotesPerMinute: sum('quotesPerMinute'),
    agents: agents.toSorted((a, b) => b.heartbeatsPerMinute - a.heartbeatsPerMinute),
  }
}

function perMinuteOf(count: number, everySeconds: number): number {
  return everySeconds > 0 ? rounded((count * 60) / everySeconds) : 0
}

function rounded(number: number): number {
  return Math.round(number * 100) / 100
}
