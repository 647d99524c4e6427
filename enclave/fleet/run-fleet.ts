/**
 * What does a fleet of agents ask of a service, and how is it answered? Sessions are opened at a steady rate, then each agent sends
 * its heartbeat at its own instant of every period, whatever the service does: waiting counts as latency.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type AgentMade, type FleetAgent, fleetAgent, type Outcome } from './fleet-agent.ts'
import { fleetPool, type Target } from './fleet-connection.ts'
import type { LatencySummary } from './fleet-latencies.ts'
import { type Codes, fleetTally, type Tally } from './fleet-tally.ts'
import { fleetWheel } from './fleet-wheel.ts'
import { processUse } from './process-use.ts'

export interface FleetPlan {
  readonly target: Target
  readonly agents: number
  readonly agentOf: (n: number) => Omit<AgentMade, 'post'>
  readonly opensPerSecond: number
  /** Undefined: as the service says it. */
  readonly heartbeatSeconds: number | undefined
  /** Of the measured part, after all are open. */
  readonly durationSeconds: number
  /** Between the last opening and the measured part. Default: one heartbeat. */
  readonly settleSeconds?: number
  readonly connections: number
  /** 0: no agent asks for tokens but when it sends a quote. */
  readonly renewTokensSeconds: number
  /** Sessions are closed at the end; otherwise they fall silent. */
  readonly closes: boolean
  /** Of the service: its memory and CPU are told. */
  readonly pids: readonly number[]
  /** The measured part begins; it ends when the report is there, unless sessions are closed. */
  readonly onMeasuring?: () => void
}

export type FleetPhase = 'opening' | 'settling' | 'measuring' | 'closing'

export interface FleetProgress {
  readonly phase: FleetPhase
  readonly seconds: number
  readonly open: number
  readonly heartbeatsPerSecond: number
  readonly heartbeats: LatencySummary
  readonly errors: number
}

export interface FleetReport {
  readonly agents: number
  readonly open: number
  readonly heartbeatSeconds: number
  readonly opening: {
    readonly seconds: number
    readonly latency: LatencySummary
    readonly errors: Codes
  }
  readonly measured: {
    readonly seconds: number
    readonly heartbeatsPerSecond: number
    readonly heartbeats: LatencySummary
    readonly quotes: LatencySummary
    readonly tokens: LatencySummary
    readonly errors: Codes
    /** Heartbeats that were due while the one before was not answered yet. */
    readonly overrun: number
  }
  /** As the last answers had it, at the end of the measured part. */
  readonly states: Codes
  readonly generator: {
    readonly cpuPercent: number
    readonly residentMiB: number
    /** How late its own clock ticked: what is above some milliseconds is not the service’s latency. */
    readonly lateP99Ms: number
    readonly connections: number
  }
  readonly service: readonly {
    readonly pid: number
    readonly cpuPercent: number
    readonly residentMiB: number
    readonly peakMiB: number
  }[]
}

/** The first agent was refused: so would all others. */
export class FleetRefused extends Error {
  override readonly name = 'FleetRefused'
  readonly outcome: Outcome

  constructor(outcome: Outcome) {
    super(`${outcome.code}: ${outcome.detail}`)
    this.outcome = outcome
  }
}

const TICK_MS = 4
const MOST_OPENING = 64
const MOST_ATTEMPTS = 5
const PROGRESS_MS = 1_000

interface Member {
  readonly agent: FleetAgent
  isBusy: boolean
  tokensDue: number
}

/** `stopped`: ends it early, with the report of what was. Throws FleetRefused. */
export async function runFleet(
  plan: FleetPlan,
  told: (progress: FleetProgress) => void,
  stopped: AbortSignal,
): Promise<FleetReport> {
  const pool = fleetPool(plan.target, plan.connections)
  const tally = fleetTally()
  const members: Member[] = []
  const makeAgent = (n: number) => fleetAgent({ ...plan.agentOf(n), post: pool.post })
  try {
    const first = makeAgent(0)
    const outcome = await tally.timed(first.open(), performance.now())
    if (outcome.code !== 'ok') throw new FleetRefused(outcome)
    const heartbeatSeconds = plan.heartbeatSeconds ?? first.session()?.heartbeatSeconds ?? 10
    const begun = performance.now()
    const wheel = fleetWheel<Member>(heartbeatSeconds * 1000, begun)
    const joined = (agent: FleetAgent) => {
      const renewals = plan.renewTokensSeconds * 1000
      const tokensDue = renewals === 0 ? Infinity : performance.now() + renewals * Math.random()
      const member = { agent, isBusy: false, tokensDue }
      members.push(member)
      wheel.add(member)
    }
    joined(first)

    let phase: FleetPhase = 'opening'
    let made = 1
    let opening = 0
    const openOne = async (n: number) => {
      opening++
      const agent = makeAgent(n)
      for (let attempt = 0; attempt < MOST_ATTEMPTS && !stopped.aborted; attempt++) {
        const { code } = await tally.timed(agent.open(), performance.now())
        if (code === 'ok') {
          joined(agent)
          break
        }
        await sleep(1_000 * (attempt + 1))
      }
      opening--
    }
    const due = (member: Member, at: number) => {
      if (member.isBusy) tally.overrun()
      else void served(member, at)
    }
    const served = async (member: Member, at: number) => {
      member.isBusy = true
      await tally.timed(member.agent.beat(), at)
      if (member.tokensDue <= at) {
        member.tokensDue += plan.renewTokensSeconds * 1000
        await tally.timed(member.agent.renewTokens(), performance.now())
      }
      member.isBusy = false
    }
    const show = progressOf(tally, told)
    let lastTick = begun
    const turnUntil = async (isOver: (now: number) => boolean) => {
      while (!stopped.aborted) {
        const now = performance.now()
        if (isOver(now)) return
        tally.late(Math.max(0, now - lastTick - TICK_MS))
        lastTick = now
        wheel.turn(now, due)
        const wanted = Math.min(plan.agents, 1 + ((now - begun) * plan.opensPerSecond) / 1000)
        while (made < wanted && opening < MOST_OPENING) void openOne(made++)
        show({ phase, seconds: (now - begun) / 1000, open: members.length })
        await sleep(TICK_MS)
      }
    }

    await turnUntil(() => made >= plan.agents && opening === 0)
    const opened = tally.taken()
    const openingSeconds = (performance.now() - begun) / 1000
    phase = 'settling'
    const settledAt = performance.now() + (plan.settleSeconds ?? heartbeatSeconds) * 1000
    await turnUntil((now) => now >= settledAt)

    phase = 'measuring'
    tally.taken()
    plan.onMeasuring?.()
    const used = usage(plan.pids)
    const measuredFrom = performance.now()
    await turnUntil((now) => now - measuredFrom >= plan.durationSeconds * 1000)
    const seconds = (performance.now() - measuredFrom) / 1000
    const { generator, service } = used(seconds)
    const measured = tally.taken()
    const states = countedStates(members)
    phase = 'closing'
    if (plan.closes) await closeAll(members, tally)
    return {
      agents: plan.agents,
      open: members.length,
      heartbeatSeconds,
      opening: {
        seconds: tenth(openingSeconds),
        latency: opened.latency.open,
        errors: opened.errors,
      },
      measured: {
        seconds: tenth(seconds),
        heartbeatsPerSecond: tenth(measured.latency.heartbeat.count / seconds),
        heartbeats: measured.latency.heartbeat,
        quotes: measured.latency.quote,
        tokens: measured.latency.tokens,
        errors: measured.errors,
        overrun: measured.overrun,
      },
      states,
      generator: { ...generator, lateP99Ms: measured.late.p99, connections: plan.connections },
      service,
    }
  } finally {
    pool.close()
  }
}

function progressOf(tally: Tally, told: (progress: FleetProgress) => void) {
  let last = performance.now()
  let before = 0
  return (at: Pick<FleetProgress, 'phase' | 'seconds' | 'open'>) => {
    const now = performance.now()
    if (now - last < PROGRESS_MS) return
    const heartbeats = tally.heartbeats()
    // Less than before: the counts began anew meanwhile.
    const since = heartbeats.count >= before ? heartbeats.count - before : heartbeats.count
    const heartbeatsPerSecond = tenth((since * 1000) / (now - last))
    told({ ...at, heartbeatsPerSecond, heartbeats, errors: tally.errorCount() })
    last = now
    before = heartbeats.count
  }
}

function countedStates(members: readonly Member[]): Codes {
  const states: Record<string, number> = {}
  for (const { agent } of members) {
    const state = agent.session()?.state ?? 'none'
    states[state] = (states[state] ?? 0) + 1
  }
  return states
}

async function closeAll(members: readonly Member[], tally: Tally): Promise<void> {
  const left = [...members]
  const closing = async () => {
    for (let member = left.pop(); member; member = left.pop())
      await tally.timed(member.agent.close(), performance.now())
  }
  await Promise.all(Array.from({ length: 16 }, closing))
}

function usage(pids: readonly number[]) {
  const own = process.cpuUsage()
  const before = new Map(pids.map((pid) => [pid, processUse(pid)]))
  return (seconds: number) => {
    const { user, system } = process.cpuUsage(own)
    return {
      generator: {
        cpuPercent: tenth((user + system) / 1e4 / seconds),
        residentMiB: Math.round(process.memoryUsage().rss / 2 ** 20),
      },
      service: pids.flatMap((pid) => {
        const [was, is] = [before.get(pid), processUse(pid)]
        if (!was || !is) return []
        return [
          {
            pid,
            cpuPercent: tenth((is.cpuMs - was.cpuMs) / 10 / seconds),
            residentMiB: Math.round(is.residentBytes / 2 ** 20),
            peakMiB: Math.round(is.peakBytes / 2 ** 20),
          },
        ]
      }),
    }
  }
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}
