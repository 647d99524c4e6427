/** One round of load on running replicas: as much as they answer, and what it cost the service, the database and the generator. */
import { childrenCalled, cpuMsOf, residentBytes } from './processes.ts'
import type { Running, Scene } from './scene.ts'

export interface RoundPlan {
  readonly milliseconds: number
  /** Of each round, at full load. */
  readonly warmUpMs: number
  readonly connections: number
  /** Requests that are made ahead for each round. */
  readonly requests: number
}

export interface Peak {
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

export async function peakRound(scene: Scene, plan: RoundPlan, running: Running): Promise<Peak> {
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

/** Answered before anything is counted. */
const COLD = 64

/** The first of each machine are not what is measured, nor code that is not compiled yet: a service runs for days. */
export async function warmUp(scene: Scene, plan: RoundPlan, running: Running): Promise<void> {
  await prepare(scene, plan, running)
  const ports = running.served.map(({ port }) => port)
  await scene.generators[0]?.fire({ ports, connections: 16, milliseconds: plan.warmUpMs })
}

export async function prepare(
  { generators, issued, releases }: Scene,
  { requests }: RoundPlan,
  { variant, served }: Running,
): Promise<void> {
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

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export function round(value: number): number {
  return Number(value.toPrecision(4))
}
