/**
 * What does one attestation cost the whole service, and how long does an agent wait for it? Real processes, real HTTP, a
 * policy of a thousand releases, durable storage, every challenge used once. CPU is read from /proc for the service, the
 * database and the load generator apart.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { usualTd15Body } from '../enclave/simulator/dcap-bodies.ts'
import { pemOf } from '../enclave/simulator/pem.ts'
import { openPostgresStore } from '../src/adapters/postgres-store.ts'
import { freePort } from '../test/free-port.ts'
import { startPostgres } from '../test/postgres.ts'
import { interleave, median, type Plan } from './harness.ts'
import { p384Limit } from './limits.ts'
import { type MeasuredRepository, measuredRepository } from './policy-repository.ts'
import { type MeasuredTee, measurementOf, PUBLIC_URL, platforms } from './service/agents.ts'
import {
  childrenCalled,
  cpuMsOf,
  type Generator,
  residentBytes,
  type Served,
  startGenerator,
  startServer,
} from './service/processes.ts'

export interface ServicePlan {
  readonly releases: number
  readonly rounds: number
  readonly milliseconds: number
  /** Of each round, at full load. */
  readonly warmUpMs: number
  readonly connections: number
  /** Requests that are made ahead for each round. */
  readonly requests: number
}

export const usualServicePlan: ServicePlan = {
  releases: 1000,
  rounds: 3,
  milliseconds: 4_000,
  warmUpMs: 3_000,
  connections: 32,
  requests: 10_000,
}
export const quickServicePlan: ServicePlan = {
  releases: 100,
  rounds: 1,
  milliseconds: 1_500,
  warmUpMs: 500,
  connections: 32,
  requests: 3_000,
}

const COLD = 64

export async function* serviceRows(
  plan: ServicePlan,
  limitPlan: Plan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openScene(plan)
  try {
    const limitMicros = interleave({ limit: p384Limit() }, limitPlan).limit.cpuMicros
    yield { name: 'service.limit', p384Micros: round(limitMicros) }
    const naive = await measuredPeak(scene, plan, { kind: 'naive', tee: 'sev-snp', replicas: 1 })
    yield { name: 'service.naive.snp', ...shown(naive, limitMicros) }
    for (const variant of variants) {
      const peak = await measuredPeak(scene, plan, variant)
      yield {
        name: `service.${variant.kind}.${variant.tee === 'tdx' ? 'tdx' : 'snp'}.x${variant.replicas}`,
        ...shown(peak, limitMicros),
        ...(variant.tee === 'sev-snp' && {
          timesNaive: round(peak.perSecond / naive.perSecond),
          timesNaiveCpu: round(naive.cpuMicros / peak.cpuMicros),
        }),
      }
      if (variant.isTimed) yield* latencyRows(scene, plan, { variant, peak })
    }
  } finally {
    await scene.close()
  }
}

interface Variant {
  readonly kind: 'postgres' | 'pglite' | 'naive'
  readonly tee: MeasuredTee
  readonly replicas: number
  readonly isTimed?: boolean
}

const variants: readonly Variant[] = [
  { kind: 'postgres', tee: 'sev-snp', replicas: 1, isTimed: true },
  { kind: 'postgres', tee: 'sev-snp', replicas: 2, isTimed: true },
  { kind: 'postgres', tee: 'sev-snp', replicas: 4 },
  { kind: 'postgres', tee: 'tdx', replicas: 2 },
  { kind: 'pglite', tee: 'sev-snp', replicas: 1, isTimed: true },
]

interface Scene {
  readonly repository: MeasuredRepository
  readonly roots: string
  readonly issued: Date
  readonly directory: string
  readonly postgres: Awaited<ReturnType<typeof startPostgres>>
  readonly generators: readonly Generator[]
  readonly close: () => Promise<void>
}

async function openScene({ releases }: ServicePlan): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'vouchsafe-service-bench-'))
  const issued = new Date(Date.now() - 60_000)
  const roots = join(directory, 'roots')
  mkdirSync(roots)
  for (const [tee, { anchors }] of Object.entries(platforms(issued)))
    writeFileSync(join(roots, `${tee}.pem`), pemOf(anchors.map(({ der }) => der)))
  const repository = await measuredRepository(releases, onBothMachines)
  const postgres = await startPostgres({ max_connections: '200', shared_buffers: '512MB' })
  const generators = [startGenerator(), startGenerator()]
  return {
    repository,
    roots,
    issued,
    directory,
    postgres,
    generators,
    async close() {
      await Promise.all(generators.map(({ stop }) => stop()))
      await postgres.stop()
      repository.remove()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const { rtmr0, rtmr1, rtmr2 } = usualTd15Body()
const registers = Object.entries({ rtmr0, rtmr1, rtmr2 })
  .map(([name, value]) => `      ${name}: sha384:${Buffer.from(value).toString('hex')}\n`)
  .join('')

/** Each agent runs on both kinds of machine; what the sample's configuration would bind is left out. */
function onBothMachines(manifest: string, agent: string): string {
  const measurement = Buffer.from(measurementOf(agent)).toString('hex')
  return manifest
    .replace(/^ *(# SHA-256 of the file|hostData:|runtimeConfig:).*\n/gm, '')
    .replace(/^ {2}(artifacts|models):\n( {4}.*\n)*/gm, '')
    .replace(
      '    - id: genoa\n',
      `    - id: tdx\n      tee: tdx\n      mrTd: sha384:${measurement}\n${registers}    - id: genoa\n`,
    )
}

interface Peak {
  readonly perSecond: number
  /** Part of all requests that were answered 503. */
  readonly turnedAway: number
  readonly cpuMicros: number
  readonly serverMicros: number
  readonly databaseMicros: number
  readonly loadMicros: number
  readonly p99Ms: number
  readonly residentMiB: number
}

async function measuredPeak(scene: Scene, plan: ServicePlan, variant: Variant): Promise<Peak> {
  const served = await startVariant(scene, plan, variant)
  try {
    const rounds: Peak[] = []
    for (let n = 0; n < plan.rounds; n++)
      rounds.push(await peakRound(scene, plan, { variant, served }))
    const of = (name: keyof Peak) => median(rounds.map((each) => each[name]))
    return {
      perSecond: of('perSecond'),
      turnedAway: of('turnedAway'),
      cpuMicros: of('cpuMicros'),
      serverMicros: of('serverMicros'),
      databaseMicros: of('databaseMicros'),
      loadMicros: of('loadMicros'),
      p99Ms: of('p99Ms'),
      residentMiB: of('residentMiB'),
    }
  } finally {
    await Promise.all(served.map(({ stop }) => stop()))
  }
}

interface Running {
  readonly variant: Variant
  readonly served: readonly Served[]
}

async function peakRound(scene: Scene, plan: ServicePlan, running: Running): Promise<Peak> {
  const { served } = running
  await warmUp(scene, plan, running)
  const ports = served.map(({ port }) => port)
  const pids = served.map(({ pid }) => pid)
  const [serverBefore, databaseBefore] = [cpuMsOf(pids), cpuMsOf(childrenCalled('postgres'))]
  const fired = await Promise.all(
    scene.generators.map(({ fire }) =>
      fire({ ports, connections: plan.connections / 2, milliseconds: plan.milliseconds }),
    ),
  )
  const server = cpuMsOf(pids) - serverBefore
  const database = cpuMsOf(childrenCalled('postgres')) - databaseBefore
  const answered = fired.reduce((sum, { statuses }) => sum + (statuses['200'] ?? 0), 0)
  const turnedAway = fired.reduce((sum, { statuses }) => sum + (statuses['503'] ?? 0), 0)
  const others = Object.assign({}, ...fired.map(({ statuses }) => statuses))
  if (Object.keys(others).some((status) => status !== '200' && status !== '503'))
    throw new Error(`attestations were answered otherwise: ${JSON.stringify(others)}`)
  const wallMs = Math.max(...fired.map((each) => each.wallMs))
  const micros = (ms: number) => (ms * 1000) / answered
  return {
    perSecond: (answered * 1000) / wallMs,
    turnedAway: turnedAway / (answered + turnedAway),
    cpuMicros: micros(server + database),
    serverMicros: micros(server),
    databaseMicros: micros(database),
    loadMicros: micros(fired.reduce((sum, { cpuMs }) => sum + cpuMs, 0)),
    p99Ms: quantile(
      fired.flatMap(({ latencies }) => latencies),
      0.99,
    ),
    residentMiB: Math.max(...pids.map(residentBytes)) / 2 ** 20,
  }
}

/** The first of each machine are not what is measured, nor code that is not compiled yet: a service runs for days. */
async function warmUp(scene: Scene, plan: ServicePlan, running: Running): Promise<void> {
  await prepare(scene, plan, running)
  const ports = running.served.map(({ port }) => port)
  await scene.generators[0]?.fire({ ports, connections: 16, milliseconds: plan.warmUpMs })
}

async function prepare(
  { generators, issued }: Scene,
  plan: ServicePlan,
  { variant, served }: Running,
) {
  const { requests, releases } = plan
  await Promise.all(
    generators.map(({ prepare: make }) =>
      make({
        tee: variant.tee,
        ports: served.map(({ port }) => port),
        requests: Math.ceil(requests / generators.length) + COLD,
        releases,
        issued: issued.getTime(),
      }),
    ),
  )
}

const loads = [0.5, 0.7, 2]

/** At a fixed rate, whatever the answers: what an agent waits for, and what is turned away. */
async function* latencyRows(
  scene: Scene,
  plan: ServicePlan,
  { variant, peak }: { readonly variant: Variant; readonly peak: Peak },
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const served = await startVariant(scene, plan, variant)
  const ports = served.map(({ port }) => port)
  try {
    await warmUp(scene, plan, { variant, served })
    for (const load of loads) {
      await prepare(scene, plan, { variant, served })
      const rate = (peak.perSecond * load) / scene.generators.length
      await scene.generators[0]?.fire({ ports, connections: 4, milliseconds: 300 })
      const fired = await Promise.all(
        scene.generators.map(({ fire }) =>
          fire({ ports, connections: 128, rate, milliseconds: plan.milliseconds }),
        ),
      )
      const latencies = fired.flatMap((each) => each.latencies)
      const shed = fired.flatMap((each) => each.shed)
      yield {
        name: `service.${variant.kind}.snp.x${variant.replicas}.at${load}`,
        offeredPerSecond: round(rate * scene.generators.length),
        answered: latencies.length,
        p50Ms: round(quantile(latencies, 0.5)),
        p99Ms: round(quantile(latencies, 0.99)),
        shed: shed.length,
        shedP99Ms: round(quantile(shed, 0.99)),
        statuses: JSON.stringify(fired.map(({ statuses }) => statuses)),
      }
    }
  } finally {
    await Promise.all(served.map(({ stop }) => stop()))
  }
}

async function startVariant(
  scene: Scene,
  plan: ServicePlan,
  { kind, replicas }: Variant,
): Promise<readonly Served[]> {
  const url = kind === 'pglite' ? undefined : await scene.postgres.database()
  if (url !== undefined && kind !== 'naive')
    await (await openPostgresStore(url, { migrations: 'apply' })).close()
  const served: Served[] = []
  for (let n = 0; n < replicas; n++) {
    const port = await freePort()
    const cwd = mkdtempSync(join(scene.directory, `${kind}-`))
    served.push(
      kind === 'naive'
        ? await startServer('bench/service/naive.ts', {
            args: [url ?? '', String(port), String(plan.releases), rootOf(scene)],
            env: {},
            cwd,
            ready: 'the naive one answers',
            port,
          })
        : await startServer('src/main.ts', {
            args: ['serve'],
            env: environmentOf(scene, port, url),
            cwd,
            ready: 'answers on',
            port,
          }),
    )
  }
  return served
}

function environmentOf({ repository, roots }: Scene, port: number, url: string | undefined) {
  return {
    VOUCHSAFE_PUBLIC_URL: PUBLIC_URL,
    VOUCHSAFE_PORT: String(port),
    VOUCHSAFE_POLICY: repository.path,
    VOUCHSAFE_POLICY_PIN: repository.pin.digest,
    VOUCHSAFE_SIMULATED_ROOTS: roots,
    VOUCHSAFE_KEY_ENCRYPTION_KEY: '0'.repeat(63).concat('1'),
    ...(url !== undefined && { DATABASE_URL: url }),
    ...unlimited,
  }
}

/** One address sends everything here. */
const unlimited: Readonly<Record<string, string>> = {
  VOUCHSAFE_RATE_LIMIT_CHALLENGES: 'off',
  VOUCHSAFE_RATE_LIMIT_ATTESTATIONS: 'off',
  VOUCHSAFE_RATE_LIMIT_TENANT: 'off',
}

function rootOf({ roots }: Scene): string {
  return readFileSync(join(roots, 'sev-snp.pem'), 'utf8')
}

function shown(peak: Peak, limitMicros: number): Readonly<Record<string, number>> {
  return {
    perSecond: round(peak.perSecond),
    ...(peak.turnedAway > 0 && { turnedAway: round(peak.turnedAway) }),
    cpuMicros: round(peak.cpuMicros),
    serverMicros: round(peak.serverMicros),
    databaseMicros: round(peak.databaseMicros),
    loadMicros: round(peak.loadMicros),
    // Of what both cores could verify if they did nothing else.
    limitRatio: round(peak.perSecond / (2e6 / limitMicros)),
    limitRatioCpu: round(limitMicros / peak.cpuMicros),
    p99Ms: round(peak.p99Ms),
    residentMiB: round(peak.residentMiB),
  }
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
