/** One round of load on running replicas: as much as they answer, and what it cost the service, the database and the generator. */
import { childrenCalled, cpuMsOf, type Generator, residentBytes, type Served } from './processes.ts'
import type { Running, Scene } from './scene.ts'

export interface RoundPlan {
  readonly milliseconds: number
  /** Answered by each replica before anything is counted. */
  readonly warmUp: number
  readonly connections: number
  /** Requests that are made ahead for each round. */
  readonly requests: number
}

/** What was answered while as much as possible was asked, and what each answer cost. */
export interface Load {
  readonly perSecond: number
  /** Part of all requests that were answered 503. */
  readonly turnedAway: number
  readonly cpuMicros: number
  readonly serverMicros: number
  readonly databaseMicros: number
  readonly loadMicros: number
  readonly p99Ms: number
}

export interface Peak extends Load {
  readonly residentMiB: number
}

export async function peakRound(scene: Scene, plan: RoundPlan, running: Running): Promise<Peak> {
  await prepare(scene, plan, running)
  const load = await measuredLoad(scene.generators, running.served, plan)
  const resident = running.served.map(({ pid }) => residentBytes(pid))
  return { ...load, residentMiB: Math.max(...resident) / 2 ** 20 }
}

/** Throws where one is answered neither 200 nor 503, or none 200. */
export async function measuredLoad(
  generators: readonly Generator[],
  served: readonly Served[],
  { connections, milliseconds }: Pick<RoundPlan, 'connections' | 'milliseconds'>,
): Promise<Load> {
  const ports = served.map(({ port }) => port)
  const pids = served.map(({ pid }) => pid)
  const [serverBefore, databaseBefore] = [cpuMsOf(pids), cpuMsOf(childrenCalled('postgres'))]
  const fired = await Promise.all(
    generators.map(({ fire }) => fire({ ports, connections: connections / 2, milliseconds })),
  )
  const server = cpuMsOf(pids) - serverBefore
  const database = cpuMsOf(childrenCalled('postgres')) - databaseBefore
  const statuses = fired.map((each) => each.statuses)
  const count = (status: string) => statuses.reduce((sum, each) => sum + (each[status] ?? 0), 0)
  const [answered, turnedAway] = [count('200'), count('503')]
  const others = statuses
    .flatMap((each) => Object.keys(each))
    .filter((status) => status !== '200' && status !== '503')
  if (others.length > 0 || answered === 0)
    throw new Error(`requests were answered otherwise: ${JSON.stringify(statuses)}`)
  const micros = (ms: number) => (ms * 1000) / answered
  return {
    perSecond: (answered * 1000) / Math.max(...fired.map(({ wallMs }) => wallMs)),
    turnedAway: turnedAway / (answered + turnedAway),
    cpuMicros: micros(server + database),
    serverMicros: micros(server),
    databaseMicros: micros(database),
    loadMicros: micros(fired.reduce((sum, { cpuMs }) => sum + cpuMs, 0)),
    p99Ms: quantile(
      fired.flatMap(({ latencies }) => latencies),
      0.99,
    ),
  }
}

/**
 * The first of each machine are not what is measured, nor code that is not compiled yet: a service runs for days. V8 compiles
 * for good only what ran some thousand times: measured after 6,000 attestations, half of their time is spent in code that is yet
 * to be compiled so, and after 30,000 a twentieth.
 */
export async function warmUp(scene: Scene, plan: RoundPlan, running: Running): Promise<void> {
  await sendInPortions(scene, {
    ...{ served: running.served, connections: plan.connections },
    ...{ total: plan.warmUp * running.served.length, portion: plan.requests },
    prepare: async (requests) => await prepare(scene, { requests }, running),
  })
}

/** Portions, since what is made ahead is good for a while only. Resolves, when all are sent, to how many were answered 200. */
export async function sendInPortions(
  { generators }: Pick<Scene, 'generators'>,
  { served, connections, total, portion, prepare: make }: Portions,
): Promise<number> {
  const ports = served.map(({ port }) => port)
  const order = { ports, connections: connections / generators.length, milliseconds: LONGEST_MS }
  let answered = 0
  for (let left = total; left > 0; left -= portion) {
    await make(Math.min(left, portion))
    const fired = await Promise.all(generators.map(({ fire }) => fire(order)))
    answered += fired.reduce((sum, { statuses }) => sum + (statuses['200'] ?? 0), 0)
  }
  return answered
}

interface Portions {
  readonly served: readonly Served[]
  readonly connections: number
  readonly total: number
  readonly portion: number
  /** Has the generators make so many requests. */
  readonly prepare: (requests: number) => Promise<void>
}

/** What is not sent by then is not. */
const LONGEST_MS = 120_000

export async function prepare(
  { generators, issued, releases }: Scene,
  { requests }: Pick<RoundPlan, 'requests'>,
  { variant, served }: Running,
): Promise<void> {
  await Promise.all(
    generators.map(({ prepare: make }) =>
      make({
        tee: variant.tee,
        ports: served.map(({ port }) => port),
        requests: Math.ceil(requests / generators.length),
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
