/** The service as a running whole: a verifier behind HTTP, policies read again and again, and what is over swept away. */
import { createServer } from 'node:net'
import { openVerifier, type VerifierParts } from '../service/open-verifier.ts'
import { readinessOf, type SelfTest } from '../service/readiness.ts'
import { app } from './app.ts'
import { startServer } from './server.ts'

export interface ServiceParts extends Omit<VerifierParts, 'publicUrl'> {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Where the service is reached, for the port that it got. */
  readonly publicUrl: (port: number) => string
  readonly explainRefusals: boolean
  readonly selfTest: SelfTest
  /** Once a minute, besides what the service does itself. */
  readonly housekeeping: () => Promise<void>
}

export interface RunningService {
  /** Where it listens, which is not where it is reached behind a proxy. */
  readonly address: string
  readonly publicUrl: string
  /** Takes no more requests, finishes those that run, and closes the store. */
  readonly close: () => Promise<void>
}

const POLICY_POLL_MS = 10_000
const HOUSEKEEPING_MS = 60_000
/** Used challenges are kept this much longer than needed, for replicas whose clocks disagree. */
const CHALLENGE_GRACE_MS = 3600_000

/** Owns the store from here on: it is closed when the service is, and when it cannot start. */
export async function runService(parts: ServiceParts): Promise<RunningService> {
  const { host, store, journal, clock } = parts
  try {
    await refreshPolicies(parts)
    const server = await startServer({ ...parts, app: (port) => openApp(parts, port) })
    journal.record({
      event: 'service.started',
      at: clock.now(),
      fields: { host, port: server.port },
    })
    const timers = [
      every(POLICY_POLL_MS, parts, () => refreshPolicies(parts)),
      every(HOUSEKEEPING_MS, parts, async () => {
        await store.pruneChallenges(new Date(clock.now().getTime() - CHALLENGE_GRACE_MS))
        await parts.housekeeping()
      }),
    ]
    return {
      address: `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`,
      publicUrl: parts.publicUrl(server.port),
      async close() {
        for (const timer of timers) clearInterval(timer)
        await server.close()
        await store.close()
        journal.record({ event: 'service.stopped', at: clock.now() })
      },
    }
  } catch (cause) {
    await store.close()
    throw cause
  }
}

/** `preferred` if it is free at this moment, else 0. */
export async function freePort(host: string, preferred: number): Promise<number> {
  return await new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(0))
    probe.listen(preferred, host, () => probe.close(() => resolve(preferred)))
  })
}

async function openApp(parts: ServiceParts, port: number) {
  const verifier = await openVerifier({ ...parts, publicUrl: parts.publicUrl(port) })
  const { explainRefusals, selfTest } = parts
  return app({ verifier, explainRefusals, ready: readinessOf(verifier, selfTest) })
}

async function refreshPolicies({ tenants }: ServiceParts): Promise<void> {
  await Promise.all(tenants.map(({ policy }) => policy.refresh()))
}

/** Keeps no program alive, never runs twice at once, and survives its own failures. */
function every(
  ms: number,
  { journal, clock }: ServiceParts,
  work: () => Promise<void>,
): NodeJS.Timeout {
  let isRunning = false
  const run = async () => {
    if (isRunning) return
    isRunning = true
    try {
      await work()
    } catch (cause) {
      journal.record({ event: 'request.failed', at: clock.now(), cause })
    } finally {
      isRunning = false
    }
  }
  return setInterval(() => void run(), ms).unref()
}
