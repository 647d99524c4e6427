/** Everything that GET /metrics shows, read at the moment it is asked for. What needs a database that is gone is left out. */
import { Problem } from '../problems.ts'
import { policyReport } from '../service/policy-report.ts'
import type { Verifier } from '../service/verifier.ts'
import type { Measured } from './metric-families.ts'
import type { CollateralHolding, DatabaseFigures, ProcessFigures } from './metric-machine.ts'
import type { AdmissionFigures } from './metric-requests.ts'
import { HEARD_MS } from './metric-standings.ts'
import type { ReleaseFigures } from './release-counts.ts'
import type { RequestFigures } from './request-counts.ts'
import type { MessageCount } from './session-counts.ts'
import type { TokenFigures } from './token-counts.ts'
import type { VerdictCount } from './verdict-counts.ts'

/** Whoever counts, and whatever else can be looked at without the database. */
export interface Gauges {
  readonly verdicts: () => readonly VerdictCount[]
  readonly requests?: () => RequestFigures
  readonly admission?: () => AdmissionFigures
  readonly tokens?: () => TokenFigures
  readonly releases?: () => ReleaseFigures
  readonly messages?: () => readonly MessageCount[]
  readonly collateral?: () => readonly CollateralHolding[]
  readonly process?: () => ProcessFigures
}

/** A scrape is given up after ten seconds, as Prometheus has it by default. */
const LONGEST_MS = 5_000

/** Rejects for a fault of ours, and never because the database is gone. */
export async function measure(
  verifier: Verifier,
  gauges: Gauges,
  mostMs = LONGEST_MS,
): Promise<Measured> {
  const at = verifier.clock.now()
  const database = await databaseFigures(verifier, mostMs)
  const stored = database.isUp
    ? await unlessGone(inTime(storedFigures(verifier, at), mostMs))
    : undefined
  return {
    build: verifier.build,
    at,
    policies: stored?.policies ?? [],
    keys: stored?.keys ?? [],
    log: stored?.log,
    verdicts: gauges.verdicts(),
    requests: gauges.requests?.(),
    admission: gauges.admission?.(),
    tokens: gauges.tokens?.(),
    releases: gauges.releases?.(),
    messages: gauges.messages?.() ?? [],
    sessions: stored?.sessions ?? [],
    webhooks: verifier.webhooks(),
    collateral: gauges.collateral?.() ?? [],
    process: gauges.process?.(),
    database: stored ? database : { isUp: false, latencySeconds: undefined },
  }
}

async function storedFigures(verifier: Verifier, at: Date) {
  const { store, tenants } = verifier
  const since = new Date(at.getTime() - HEARD_MS)
  const [policies, keys, head, waiting, sessions] = await Promise.all([
    Promise.all([...tenants.keys()].map((name) => policyReport(verifier, name, at))),
    store.allKeys(),
    store.logHead(),
    store.countWaitingLeaves(),
    Promise.all(
      [...tenants.keys()].map(async (tenant) => ({
        tenant,
        ...(await store.countSessions(tenant, since)),
      })),
    ),
  ])
  return { policies, keys, log: { head, waiting }, sessions }
}

async function databaseFigures({ store }: Verifier, mostMs: number): Promise<DatabaseFigures> {
  const began = performance.now()
  try {
    await inTime(store.ping(), mostMs)
    return { isUp: true, latencySeconds: (performance.now() - began) / 1000 }
  } catch {
    return { isUp: false, latencySeconds: undefined }
  }
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Problem && error.code === 'storage-unavailable') return undefined
    throw error
  }
}

/** A database that keeps silent is as good as gone. */
async function inTime<T>(work: Promise<T>, mostMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Problem('storage-unavailable', `no answer within ${mostMs} ms`)),
      mostMs,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
