/**
 * How many agents can one verifier watch? A service on PostgreSQL with durable commits, and the fleet of enclave/fleet/: every
 * session has its own key and chains, every heartbeat a signature and an event. CPU is read from /proc for the service and the
 * database; the generator is this process, and told apart.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FleetReport, runFleet } from '../enclave/fleet/run-fleet.ts'
import { measurementOf, PUBLIC_URL, platforms } from './service/agents.ts'
import { childrenCalled, cpuMsOf, type Served } from './service/processes.ts'
import { round } from './service/rounds.ts'
import { openScene, type Scene, startVariant, unconfigured } from './service/scene.ts'

export interface SessionsPlan {
  readonly releases: number
  readonly opensPerSecond: number
  readonly durationSeconds: number
  readonly fleets: readonly {
    readonly agents: number
    /** 0: tokens come with quotes only. An agent that keeps its tokens of 120 s asks every 60 s. */
    readonly renewTokensSeconds: number
  }[]
}

export const usualSessionsPlan: SessionsPlan = {
  releases: 1000,
  opensPerSecond: 150,
  durationSeconds: 60,
  fleets: [
    { agents: 1_000, renewTokensSeconds: 0 },
    { agents: 3_000, renewTokensSeconds: 0 },
    { agents: 10_000, renewTokensSeconds: 0 },
    { agents: 10_000, renewTokensSeconds: 60 },
  ],
}
export const quickSessionsPlan: SessionsPlan = {
  releases: 100,
  opensPerSecond: 50,
  durationSeconds: 20,
  fleets: [{ agents: 300, renewTokensSeconds: 0 }],
}

const SERVED = { kind: 'postgres', tee: 'sev-snp', replicas: 1 } as const
const HEARTBEAT_SECONDS = 10
/** A policy that was just accepted has every session judged again, three times in a minute: src/service/session-watch.ts. */
const SETTLE_MS = 65_000
const CONNECTIONS = 256
/** What each agent loaded when it opens: approved one by one. */
const MEASUREMENTS = 32

export async function* sessionRows(
  plan: SessionsPlan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openScene(plan.releases, watched)
  try {
    for (const fleet of plan.fleets) {
      // Another database each: sessions of the fleet before would be counted, judged and pruned too.
      const running = await startVariant(scene, SERVED)
      const [served] = running.served
      if (!served) throw new Error('there is no service')
      try {
        await sleep(SETTLE_MS)
        yield await fleetRow(scene, { plan, fleet, served })
      } finally {
        await running.stop()
      }
    }
  } finally {
    await scene.close()
  }
}

interface Run {
  readonly plan: SessionsPlan
  readonly fleet: SessionsPlan['fleets'][number]
  readonly served: Served
}

async function fleetRow(
  { issued }: Scene,
  { plan, fleet, served }: Run,
): Promise<Readonly<Record<string, unknown>>> {
  const platform = platforms(issued)['sev-snp']
  let before = { server: 0, database: 0 }
  const used = () => ({
    server: cpuMsOf([served.pid]),
    database: cpuMsOf(childrenCalled('postgres')),
  })
  const report = await runFleet(
    {
      ...fleet,
      target: { host: '127.0.0.1', port: served.port, isTls: false, name: 'measured' },
      agentOf: (n) => {
        const release = n % plan.releases
        const measurement = measurementOf(`agent-${release}`)
        return {
          identity: {
            tenant: 'default',
            // As policy-repository.ts writes them.
            environment: release % 10 === 0 ? 'prod' : 'dev',
            agent: `agent-${release}`,
            verifier: `${PUBLIC_URL}/simulated`,
          },
          attester: {
            attest: (reportData) => platform.attest({ reportData, measurement }),
            endorsements: platform.endorsements,
          },
          service: PUBLIC_URL,
          audiences: [],
          collector: COLLECTOR,
          modes: 'files kernel-events',
          measurements: events,
          now: Date.now,
        }
      },
      opensPerSecond: plan.opensPerSecond,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      durationSeconds: plan.durationSeconds,
      connections: CONNECTIONS,
      closes: false,
      pids: [served.pid],
      onMeasuring: () => {
        before = used()
      },
    },
    () => {},
    new AbortController().signal,
  )
  const after = used()
  return shown(report, {
    name: `sessions.postgres.x1.${fleet.agents}${fleet.renewTokensSeconds > 0 ? '.tokens' : ''}`,
    server: after.server - before.server,
    database: after.database - before.database,
  })
}

function shown(
  { open, opening, measured, states, generator, service: [service] }: FleetReport,
  { name, server, database }: { readonly name: string; server: number; database: number },
): Readonly<Record<string, unknown>> {
  const micros = (ms: number) => round((ms * 1000) / measured.heartbeats.count)
  return {
    name,
    open,
    openedPerSecond: round(open / opening.seconds),
    openP99Ms: opening.latency.p99,
    openErrors: JSON.stringify(opening.errors),
    heartbeatsPerSecond: measured.heartbeatsPerSecond,
    p50Ms: measured.heartbeats.p50,
    p95Ms: measured.heartbeats.p95,
    p99Ms: measured.heartbeats.p99,
    worstMs: measured.heartbeats.max,
    quotes: measured.quotes.count,
    tokens: measured.tokens.count,
    tokensP99Ms: measured.tokens.p99,
    overrun: measured.overrun,
    errors: JSON.stringify(measured.errors),
    states: JSON.stringify(states),
    // Of all that was asked in that time, quotes and tokens included.
    serverMicros: micros(server),
    databaseMicros: micros(database),
    generatorCpuPercent: generator.cpuPercent,
    generatorLateP99Ms: generator.lateP99Ms,
    residentMiB: service?.residentMiB,
    peakMiB: service?.peakMiB,
  }
}

const COLLECTOR = `sha256:${'c0'.repeat(32)}`
const loaded = Array.from({ length: MEASUREMENTS }, (_, n) => ({
  kind: 'code',
  path: `/app/node_modules/some-package/dist/part-${n}.js`,
  digest: `sha256:${createHash('sha256').update(`part ${n}`).digest('hex')}`,
}))
const events = loaded.map((each) => JSON.stringify(each))

/** Every release may be watched. */
function watched(manifest: string): string {
  return `${unconfigured(manifest)}  runtime:
    attestEvery: 5m
    heartbeatEvery: ${HEARTBEAT_SECONDS}s
    collectors: ["${COLLECTOR}"]
    watch: [files, kernel-events]
    measurements:
${loaded.map(({ kind, path, digest }) => `      - {kind: ${kind}, path: ${path}, digest: "${digest}"}\n`).join('')}`
}
