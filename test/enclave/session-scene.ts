/** A watched agent before a running service: a network between them, one clock that both go by, and a collector of the test's. */
import { afterEach } from 'vitest'
import type { SessionNews } from '../../enclave/session/session-news.ts'
import {
  type WatchedSession,
  type WatchedSessionRequest,
  watchedSession,
} from '../../enclave/session/watched-session.ts'
import {
  attester,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { type AgentClock, agentClock } from './agent-scene.ts'
import { type FaultyNetwork, faultyNetwork } from './faulty-network.ts'
import { COLLECTOR, measurementOf, type ToldCollector, toldCollector } from './told-collector.ts'

export interface SessionScene {
  readonly session: WatchedSession
  readonly network: FaultyNetwork
  readonly clock: AgentClock
  readonly collector: ToldCollector
  readonly news: SessionNews[]
  /** On both sides. */
  readonly pass: (ms: number) => Promise<void>
  /** Of those asked since the last call, without challenges and keys, and without the session's id. */
  readonly said: () => readonly string[]
  readonly kinds: () => readonly string[]
}

/** A manifest whose agent is watched: what it may load is `approved`. */
export function watchedManifest(
  approved: readonly string[] = ['approved'],
  change: (text: string) => string = (text) => text,
): string {
  const lines = approved.map((name) => {
    const { path, digest } = JSON.parse(measurementOf(name)) as { path: string; digest: string }
    return `      - {kind: library, path: ${path}, digest: "${digest}"}\n`
  })
  return manifest((text) =>
    change(
      text.replace(
        '  release:\n',
        `  runtime:
    heartbeatEvery: 10s
    attestEvery: 100s
    collectors: ["${COLLECTOR}"]
    watch: [files]
    measurements:
${lines.join('')}    egress:
      - {host: kms.example, ports: [443]}
  release:
`,
      ),
    ),
  )
}

export async function watchingService(
  approved?: readonly string[],
  change?: (text: string) => string,
): Promise<RunningService> {
  return await runService({ policy: await policyOf(watchedManifest(approved, change)) })
}

/** The two clocks are never further apart. */
const LONGEST_STEP_MS = 5_000

const open = new Set<WatchedSession>()
afterEach(async () => {
  for (const session of open) await session.close()
  open.clear()
})

export interface Before {
  readonly service: RunningService
  readonly network: FaultyNetwork
  readonly clock: AgentClock
  readonly collector: ToldCollector
}

/** `before`: what the network or the collector does before the session is opened. */
export async function sessionAt(
  service: RunningService,
  change: Partial<WatchedSessionRequest> = {},
  before: (scene: Before) => void = () => {},
): Promise<SessionScene> {
  const network = faultyNetwork()
  const began = service.clock.at.getTime()
  const own = agentClock(network.idle, began)
  const collector = toldCollector(() => 1_000 + own.monotonicMs())
  const news: SessionNews[] = []
  before({ service, network, clock: own, collector })
  const opening = watchedSession({
    service: service.url,
    issuer: service.simulated,
    audience: 'kms.example',
    attester: attester(),
    claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
    fetch: network.fetch,
    surroundings: { ...own, wallMs: () => own.wallMs(), fraction: () => 0.5 },
    collector,
    told: (each) => news.push(each),
    ...change,
  })
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= LONGEST_STEP_MS) {
      const step = Math.min(left, LONGEST_STEP_MS)
      service.clock.at = new Date(service.clock.at.getTime() + step)
      await own.pass(step)
    }
  }
  const session = await passingUntil(opening, { network, clock: own, pass })
  open.add(session)
  let heard = 0
  return {
    ...{ session, network, clock: own, collector, news, pass },
    said() {
      const since = network.asked.slice(heard)
      heard = network.asked.length
      return since
        .filter((each) => each.includes('/v1/sessions'))
        .map((each) => each.replace(/^POST \/v1\/sessions\/?([^/]*\/)?/, ''))
    },
    kinds: () => news.map(({ kind }) => kind),
  }
}

/** Time passes for whoever waits before he asks again. */
async function passingUntil<T>(
  outcome: Promise<T>,
  { network, clock, pass }: Pick<SessionScene, 'network' | 'clock' | 'pass'>,
): Promise<T> {
  let isSettled = false
  const settled = () => {
    isSettled = true
  }
  outcome.then(settled, settled)
  while (!isSettled) {
    await network.idle()
    const ms = clock.nextMs()
    if (!isSettled && ms !== undefined) await pass(ms)
  }
  return await outcome
}
