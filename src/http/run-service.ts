/** The service as a running whole: a verifier behind HTTP, policies read again and again, and what is over swept away. */
import { setTimeout as pause } from 'node:timers/promises'
import { type GuardConfig, guardDefaults } from '../config/guard-settings.ts'
import { forgetUnlessStepped } from '../service/forget-unless-stepped.ts'
import { openVerifier, type TenantParts, type VerifierParts } from '../service/open-verifier.ts'
import type { HashedToken, IdentityProvider } from '../service/operators.ts'
import { readinessOf, type SelfTest } from '../service/readiness.ts'
import type { SelfAttesting } from '../service/self-attestation.ts'
import type { Spans } from '../service/span-ports.ts'
import { statusLists } from '../service/status-lists.ts'
import { steadyClock } from '../service/steady-clock.ts'
import type { Verifier } from '../service/verifier.ts'
import { app } from './app.ts'
import { type RunningChores, startChores } from './chores.ts'
import { eventStreams } from './event-streams.ts'
import { openGuard } from './guard/guard.ts'
import type { Gauges } from './measure.ts'
import { metricsApp } from './metrics-app.ts'
import { type Poller, startPoller } from './policy-poller.ts'
import type { PolicyArchive } from './policy-routes.ts'
import { countReleases } from './release-counts.ts'
import { requestCounts } from './request-counts.ts'
import type { Served } from './routes.ts'
import { type RunningServer, startServer } from './server.ts'
import { sessionCounts } from './session-counts.ts'
import { countTokens } from './token-counts.ts'
import { traces } from './trace-context.ts'
import { countVerdicts } from './verdict-counts.ts'
import type { PolicyWebhook } from './webhook-routes.ts'

export interface ServiceParts
  extends Omit<VerifierParts, 'publicUrl' | 'pause' | 'mayForget' | 'tenants'> {
  readonly tenants: readonly ServiceTenant[]
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Whether any other port will do where somebody else listens on that one. */
  readonly orAnyPort?: boolean
  /** Lets go of the port for it, where somebody holds it until then. */
  readonly beforeListening?: () => Promise<void>
  /** Where GET /metrics is answered; undefined: nowhere. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined
  /** Where the service is reached, for the port that it got. */
  readonly publicUrl: (port: number) => string
  readonly explainRefusals: boolean
  readonly operators: readonly HashedToken[]
  /** Undefined: the operators' file is all there is. */
  readonly identityProvider?: IdentityProvider | undefined
  /** Default: those of the settings. */
  readonly guard?: GuardConfig
  /** Figures that only whoever made the parts can read. */
  readonly figures?: Pick<Gauges, 'collateral' | 'process'>
  /** Where spans go; undefined: nowhere. Closed with the service. */
  readonly spans?: Spans | undefined
  /** Where the service itself runs, as far as that can be shown, and where its key-encryption key is held. */
  readonly self?: SelfAttesting
  readonly archive: PolicyArchive
  readonly selfTest: SelfTest
  /** Default 10 s: how long the port stays closed for policies that do not come. */
  readonly firstLookMs?: number
  /** Once a minute, besides what the service does itself. */
  readonly housekeeping: () => Promise<void>
  /** Ends what the parts hold beside the store, once nothing uses it any more. */
  readonly release: () => Promise<void>
}

export interface ServiceTenant extends TenantParts {
  readonly pollSeconds: number
  /** Undefined: the tenant has no webhook. */
  readonly webhookSecret: string | undefined
}

export interface RunningService {
  /** Where it listens, which is not where it is reached behind a proxy. */
  readonly address: string
  /** Of GET /metrics. */
  readonly metricsAddress: string | undefined
  readonly publicUrl: string
  /**
   * Says that it is not ready, goes on for `drainMs`, takes no more requests, finishes what runs, and closes the store.
   * Default: at once.
   */
  readonly close: (options?: { readonly drainMs?: number }) => Promise<void>
}

const HOUSEKEEPING_MS = 60_000
/**
 * A service that starts is mostly asked at once, so it waits for its policies, but not for ever: a forge that does not answer
 * must not keep the port closed, behind which /readyz says that it is still fetching.
 */
const FIRST_LOOK_MS = 10_000

/** Owns the store and what `release` ends from here on: they are closed when the service is, and when it cannot start. */
export async function runService(parts: ServiceParts): Promise<RunningService> {
  const { journal, clock } = parts
  const traced = traces(journal, parts.spans)
  const { journal: counting, counts } = countVerdicts(
    traced.journal,
    parts.tenants.map(({ name }) => name),
  )
  const pollers = new Map(parts.tenants.map((tenant) => [tenant.name, pollerOf(parts, tenant)]))
  let server: RunningServer | undefined
  let metrics: RunningServer | undefined
  let timer: NodeJS.Timeout | undefined
  let chores: RunningChores | undefined
  const { guard: guardConfig = guardDefaults } = parts
  const requests = requestCounts()
  const tokens = countTokens(parts.store)
  const releases = countReleases(tokens.store)
  const messages = sessionCounts()
  let isEnding = false
  const guard = openGuard(guardConfig, requests.turnedAway)

  const streams = eventStreams()

  async function close(): Promise<void> {
    clearInterval(timer)
    // The server waits for them, and they end by themselves never.
    streams.end()
    await Promise.all([server?.close(), metrics?.close()])
    await Promise.all([...pollers.values()].map((poller) => poller.close()))
    await parts.drift?.stop()
    await chores?.stop()
    guard.close()
    await parts.spans?.close()
    await parts.release()
    await parts.store.close()
  }

  try {
    // Before anything is written by a clock that may be wrong.
    const newest = (await parts.store.logHead())?.at
    const steady = steadyClock({ elapsedMs: () => performance.now(), at: clock.now(), newest })
    await firstLooks(pollers, parts.firstLookMs)
    const opened: { verifier?: Verifier } = {}
    server = await startServer({
      ...parts,
      mostConnections: guardConfig.mostConnections,
      connections: guard.connections,
      app: async (port) => {
        opened.verifier = await openService(
          { ...parts, journal: counting, store: releases.store, mayForget: steady.mayForget },
          port,
        )
        return applicationOf(parts, opened.verifier, {
          pollers,
          guard,
          streams,
          counts: requests,
          sessionCounts: messages,
          traces: traced,
          isEnding: () => isEnding,
        })
      },
    })
    const { verifier } = opened
    chores = verifier && startChores(verifier)
    if (parts.metrics && verifier)
      metrics = await startServer({
        ...parts.metrics,
        app: async () =>
          metricsApp({
            verifier,
            gauges: {
              ...parts.figures,
              verdicts: counts,
              requests: requests.figures,
              admission: guard.admission.figures,
              tokens: tokens.figures,
              releases: releases.figures,
              messages: messages.figures,
            },
          }),
      })
    journal.record({
      event: 'service.started',
      at: clock.now(),
      fields: { host: parts.host, port: server.port },
    })
    timer = every(HOUSEKEEPING_MS, parts, async () => {
      await forgetUnlessStepped({ ...parts, steady })
      await parts.housekeeping()
    })
    return {
      address: addressOf(parts.host, server),
      metricsAddress: metrics && parts.metrics && addressOf(parts.metrics.host, metrics),
      publicUrl: parts.publicUrl(server.port),
      async close({ drainMs = 0 } = {}) {
        isEnding = true
        server?.retire()
        if (drainMs > 0) await pause(drainMs)
        await close()
        journal.record({ event: 'service.stopped', at: clock.now() })
      },
    }
  } catch (cause) {
    await close()
    throw cause
  }
}

function pollerOf({ random }: ServiceParts, { policy, pollSeconds }: ServiceTenant): Poller {
  return startPoller({ look: () => policy.refresh(), pollSeconds, random })
}

async function firstLooks(
  pollers: ReadonlyMap<string, Poller>,
  mostMs = FIRST_LOOK_MS,
): Promise<void> {
  const waiting = new AbortController()
  await Promise.race([
    Promise.all([...pollers.values()].map(({ firstLook }) => firstLook)),
    pause(mostMs, undefined, { signal: waiting.signal }).catch(() => {}),
  ])
  waiting.abort()
}

async function openService(
  parts: ServiceParts & Pick<VerifierParts, 'mayForget'>,
  port: number,
): Promise<Verifier> {
  return await openVerifier({
    ...parts,
    publicUrl: parts.publicUrl(port),
    pause: () => new Promise((resume) => setImmediate(resume)),
  })
}

function applicationOf(
  { explainRefusals, operators, identityProvider, archive, selfTest, tenants, self }: ServiceParts,
  verifier: Verifier,
  {
    pollers,
    isEnding,
    ...doors
  }: {
    readonly pollers: ReadonlyMap<string, Poller>
    readonly isEnding: () => boolean
  } & Pick<Served, 'guard' | 'counts' | 'sessionCounts' | 'streams' | 'traces'>,
) {
  const webhooks = new Map(
    tenants.flatMap(({ name, webhookSecret: secret }): [string, PolicyWebhook][] => {
      const nudge = pollers.get(name)?.nudge
      return secret === undefined || !nudge ? [] : [[name, { secret, nudge }]]
    }),
  )
  const ready = readinessOf(verifier, selfTest, isEnding)
  return app({
    ...doors,
    verifier,
    statusLists: statusLists(verifier),
    explainRefusals,
    operators: { tokens: operators, provider: identityProvider },
    archive,
    ready,
    webhooks,
    self,
  })
}

function addressOf(host: string, { port }: RunningServer): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
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
