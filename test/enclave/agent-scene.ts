/** An agent with its client, a service on a loopback port, a network between them, and a clock of the agent's own. */
import { afterEach } from 'vitest'
import {
  type AttestedClient,
  type AttestedClientRequest,
  attestedClient,
} from '../../enclave/client/attested-client.ts'
import type { Surroundings } from '../../enclave/client/surroundings.ts'
import { AT, attester, type RunningService } from '../http/running-service.ts'
import { type FaultyNetwork, faultyNetwork } from './faulty-network.ts'

/** Time passes only when the test says so, or when something waits and nobody holds it. */
export interface AgentClock extends Pick<Surroundings, 'monotonicMs' | 'wallMs' | 'wait'> {
  /** Waits, in order of asking, in milliseconds. */
  readonly waited: number[]
  /** Lets so much time pass, and wakes whoever waited for it, in order. */
  readonly pass: (ms: number) => Promise<void>
  /** Until something that waits for it goes on; undefined while nothing does. */
  readonly nextMs: () => number | undefined
  /** How far the wall clock is from the truth. */
  skewMs: number
}

export interface AgentScene {
  readonly client: AttestedClient
  readonly network: FaultyNetwork
  readonly clock: AgentClock
}

const open = new Set<AttestedClient>()
afterEach(() => {
  for (const client of open) client.close()
  open.clear()
})

export async function agentAt(
  service: Pick<RunningService, 'url' | 'simulated'>,
  change: Partial<AttestedClientRequest> = {},
): Promise<AgentScene> {
  const network = faultyNetwork()
  const clock = agentClock(network.idle)
  const client = await attestedClient({
    service: service.url,
    issuer: service.simulated,
    audience: 'kms.example',
    attester: attester(),
    claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
    fetch: network.fetch,
    surroundings: { ...clock, wallMs: () => clock.wallMs(), fraction: () => 0.5 },
    ...change,
  })
  open.add(client)
  return { client, network, clock }
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

/** `settled` waits for what is answered meanwhile: the requests are real. */
export function agentClock(settled: () => Promise<void>, began = AT.getTime()): AgentClock {
  let now = 0
  const sleepers = new Set<Sleeper>()
  const clock: AgentClock = {
    waited: [],
    skewMs: 0,
    monotonicMs: () => now,
    wallMs: () => began + now + clock.skewMs,
    async wait(ms, signal) {
      clock.waited.push(ms)
      signal?.throwIfAborted()
      // Back-off of a client that is asked something now; what runs in the background waits with a signal.
      if (!signal) {
        now += ms
        return
      }
      await new Promise<void>((resolve, reject) => {
        const sleeper = { until: now + ms, wake: resolve }
        sleepers.add(sleeper)
        signal.addEventListener('abort', () => {
          sleepers.delete(sleeper)
          reject(signal.reason)
        })
      })
    },
    nextMs() {
      const first = Math.min(...[...sleepers].map(({ until }) => until))
      return Number.isFinite(first) ? first - now : undefined
    },
    async pass(ms) {
      const end = now + ms
      for (;;) {
        const [first] = [...sleepers].sort((a, b) => a.until - b.until)
        if (!first || first.until > end) break
        sleepers.delete(first)
        now = Math.max(now, first.until)
        first.wake()
        await settled()
      }
      now = end
      await settled()
    },
  }
  return clock
}
