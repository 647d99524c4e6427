/**
 * How many agents can one verifier watch? A service on PostgreSQL with durable commits, and the fleet of enclave/fleet/: every
 * session has its own key and chains, every heartbeat a signature and an event. CPU is read from /proc for the service and the
 * database; the generator is this process, and told apart.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FleetReport, runFleet } from '../enclave/fleet/run-fleet.ts'
import { pemOf } from '../enclave/simulator/pem.ts'
import { openPostgresStore } from '../src/adapters/postgres-store.ts'
import { freePort } from '../test/free-port.ts'
import { startPostgres } from '../test/postgres.ts'
import { type MeasuredRepository, measuredRepository } from './policy-repository.ts'
import { measurementOf, PUBLIC_URL, platforms } from './service/agents.ts'
import { childrenCalled, cpuMsOf, type Served, startServer } from './service/processes.ts'
import { environmentOf } from './service/scene.ts'

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

const HEARTBEAT_SECONDS = 10
/** A policy that was just accepted has every session judged again, three times in a minute: src/service/session-watch.ts. */
const SETTLE_MS = 65_000
const CONNECTIONS = 256
/** What each agent loaded when it opens: approved one by one. */
const MEASUREMENTS = 32

export async function* sessionRows(
  plan: SessionsPlan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openScene(plan)
  try {
    for (const fleet of plan.fleets) {
      // Another database each: sessions of the fleet before would be counted, judged and pruned too.
      const served = await startService(scene)
      try {
        await sleep(SETTLE_MS)
        yield await fleetRow(scene, { plan, fleet, served })
      } finally {
        await served.stop()
      }
    }
  } finally {
    await scene.close()
  }
}

interface Scene {
  readonly repository: MeasuredRepository
  readonly roots: string
  readonly directory: string
  readonly issued: Date
  readonly postgres: Awaited<ReturnType<typeof startPostgres>>
  readonly close: () => Promise<void>
}

async function openScene({ releases }: SessionsPlan): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'vouchsafe-sessions-bench-'))
  const issued = new Date(Date.now() - 60_000)
  const roots = join(directory, 'roots')
  mkdirSync(roots)
  const { anchors } = platforms(issued)['sev-snp']
  writeFileSync(join(roots, 'sev-snp.pem'), pemOf(anchors.map(({ der }) => der)))
  const repository = await measuredRepository(releases, watched)
  const postgres = await startPostgres({ max_connections: '200', shared_buffers: '512MB' })
  return {
    ...{ repository, roots, directory, issued, postgres },
    async close() {
      await postgres.stop()
      repository.remove()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function startService({ repository, roots, directory, postgres }: Scene): Promise<Served> {
  const url = await postgres.database()
  await (await openPostgresStore(url, { migrations: 'apply' })).close()
  const port = await freePort()
  return await startServer('src/main.ts', {
    args: ['serve'],
    env: environmentOf({ repository, roots }, port, url),
    cwd: mkdtempSync(join(directory, 'serve-')),
    ready: 'answers on',
    port,
  })
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

/** Every release may be watched; what the sample's configuration would bind is left out. */
function watched(manifest: string): string {
  const plain = manifest
    .replace(/^ *(# SHA-256 of the file|hostData:|runtimeConfig:).*\n/gm, '')
    .replace(/^ {2}(artifacts|models):\n( {4}.*\n)*/gm, '')
  return `${plain}  runtime:
    attestEvery: 5m
    heartbeatEvery: ${HEARTBEAT_SECONDS}s
    collectors: ["${COLLECTOR}"]
    watch: [files, kernel-events]
    measurements:
${loaded.map(({ kind, path, digest }) => `      - {kind: ${kind}, path: ${path}, digest: "${digest}"}\n`).join('')}`
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
