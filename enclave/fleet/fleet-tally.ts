/** How was the fleet answered? Latencies of what was accepted, and how often what was refused, by kind of message. */
import type { Outcome } from './fleet-agent.ts'
import { type Latencies, type LatencySummary, latencies } from './fleet-latencies.ts'

/** `heartbeat session-behind`: how often. */
export type Codes = Readonly<Record<string, number>>

const kinds = ['open', 'heartbeat', 'quote', 'tokens', 'close'] as const

export function fleetTally() {
  const byKind = Object.fromEntries(kinds.map((kind) => [kind, latencies()])) as Record<
    Outcome['kind'],
    Latencies
  >
  const lateness = latencies()
  let errors: Record<string, number> = {}
  let overruns = 0
  return {
    /** `due`: waiting for a connection, or for this very program, is part of it. */
    async timed(asked: Promise<Outcome>, due: number): Promise<Outcome> {
      const outcome = await asked
      const name = `${outcome.kind} ${outcome.code}`
      if (outcome.code === 'ok') byKind[outcome.kind].add(performance.now() - due)
      else errors[name] = (errors[name] ?? 0) + 1
      return outcome
    },
    late: lateness.add,
    overrun() {
      overruns++
    },
    heartbeats: () => byKind.heartbeat.summary(),
    errorCount: () => Object.values(errors).reduce((sum, count) => sum + count, 0),
    /** What was since the last time, and begins anew. */
    taken() {
      const latency = Object.fromEntries(
        kinds.map((kind) => [kind, byKind[kind].summary()]),
      ) as Record<Outcome['kind'], LatencySummary>
      const was = { latency, errors, overrun: overruns, late: lateness.summary() }
      for (const kind of kinds) byKind[kind].clear()
      lateness.clear()
      errors = {}
      overruns = 0
      return was
    },
  }
}

export type Tally = ReturnType<typeof fleetTally>
