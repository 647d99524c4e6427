/**
 * When a policy is accepted, what falls and what rises? Stored evidence is appraised again in the background, one run at a
 * time for each tenant; a newer policy ends the run of an older one and takes over from where that one began, so that no
 * change is left out.
 */
import type { Policy } from '../policy/policy.ts'
import { decideAlike } from './policy-comparison.ts'
import type { DriftReport } from './policy-ports.ts'
import type { PolicyChange } from './policy-reconciler.ts'
import { reappraise } from './reappraise.ts'
import type { Verifier } from './verifier.ts'

export interface DriftWatch {
  /** What a policy reconciler calls after an acceptance. Never throws. */
  readonly accepted: (change: PolicyChange) => void
  /** From now on changes are looked into, those that came before included. */
  readonly begin: (verifier: Verifier) => void
  /** Resolves when no run is under way. */
  readonly idle: () => Promise<void>
  /** Ends what runs, and nothing starts any more. */
  readonly stop: () => Promise<void>
}

/** What is older belongs to agents that have attested again since, or are gone. */
const LOOK_BACK_MS = 7 * 24 * 3600_000
/** The newest so many: a minute's work at most. */
const MOST_ROWS = 20_000

interface KnownChange extends PolicyChange {
  readonly from: Policy
}

interface Run {
  readonly change: KnownChange
  readonly stop: AbortController
  readonly done: Promise<void>
}

export function driftWatch(): DriftWatch {
  const runs = new Map<string, Run>()
  const waiting = new Map<string, KnownChange>()
  let verifier: Verifier | undefined
  let isStopped = false

  function accepted(change: PolicyChange): void {
    if (isStopped) return
    const { tenant, to } = change
    const running = runs.get(tenant)
    const from = running?.change.from ?? waiting.get(tenant)?.from ?? change.from
    // The first policy of all changes nothing that was ever decided.
    if (!from) return
    running?.stop.abort()
    waiting.set(tenant, { tenant, from, to })
    if (!running) next(tenant)
  }

  function next(tenant: string): void {
    const change = waiting.get(tenant)
    if (!verifier || !change || isStopped) return
    waiting.delete(tenant)
    const stop = new AbortController()
    const done = look(verifier, change, stop.signal).finally(() => {
      runs.delete(tenant)
      next(tenant)
    })
    runs.set(tenant, { change, stop, done })
  }

  return {
    accepted,
    begin(ready) {
      verifier = ready
      for (const tenant of waiting.keys()) next(tenant)
    },
    async idle() {
      for (let run = first(runs); run; run = first(runs)) await run.done
    },
    async stop() {
      isStopped = true
      for (const { stop } of runs.values()) stop.abort()
      await Promise.all([...runs.values()].map(({ done }) => done))
    },
  }
}

function first(runs: ReadonlyMap<string, Run>): Run | undefined {
  return [...runs.values()][0]
}

/** Never rejects: nobody waits for it. */
async function look(
  verifier: Verifier,
  { tenant: name, from, to }: KnownChange,
  signal: AbortSignal,
): Promise<void> {
  const { clock, journal, store } = verifier
  const tenant = verifier.tenants.get(name)
  // An hourly heartbeat must not push aside what the last change that mattered did.
  if (!tenant || decideAlike(from, to)) return
  const at = clock.now()
  const since = new Date(at.getTime() - LOOK_BACK_MS)
  try {
    const most = MOST_ROWS
    const report = await reappraise({ verifier, tenant, from, to, since, at, most, signal })
    await store.keepDrift(report)
    journal.record({ event: 'policy.drift', at: clock.now(), fields: fieldsOf(report) })
  } catch (cause) {
    if (!signal.aborted) journal.record({ event: 'request.failed', at: clock.now(), cause })
  }
}

function fieldsOf({ tenant, from, to, examined, unexaminable, changed }: DriftReport) {
  return { tenant, from: from.commit, to: to.commit, examined, unexaminable, changed }
}
