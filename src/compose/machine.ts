/** What every running service takes from this machine and this installation. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { systemClock, systemRandom } from '../adapters/system.ts'
import { vendorAnchors } from '../adapters/vendor-anchors.ts'
import type { Config, Secrets } from '../config.ts'
import type { RunningService, ServiceParts } from '../http/run-service.ts'
import { type Anchor, type AnchorSet, anchorSet } from '../pki/anchor.ts'
import { Problem } from '../problems.ts'
import { proofCache } from '../rats/proof-cache.ts'
import { decodeVector } from '../rats/vector.ts'
import type { Store } from '../service/ports.ts'
import { selfTestOf } from '../service/readiness.ts'

/** Where the program runs: what only src/main.ts reads of it. */
export interface Surroundings {
  /** PATH. */
  readonly searchPath: string
  /** For programs that are run on the operator's behalf. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Chains and collateral of this many platforms are held as proofs. */
export const MOST_PROOFS = 10_000

export const certs = new URL('../../certs/', import.meta.url)
const selfTestVector = new URL('../../fixtures/sev-snp/milan-v3-good.vector', import.meta.url)

type Machine = Pick<
  ServiceParts,
  'clock' | 'elapsedMs' | 'random' | 'build' | 'proofs' | 'selfTest'
>

/** Imported late: the database and the web framework double the time that `verify` takes to start. */
export async function startService(
  parts: Omit<ServiceParts, keyof Machine>,
): Promise<RunningService> {
  const { runService } = await import('../http/run-service.ts')
  const machine: Machine = {
    clock: systemClock,
    elapsedMs: () => performance.now(),
    random: systemRandom,
    build: `vouchsafe/${version()}`,
    proofs: proofCache(MOST_PROOFS),
    selfTest: selfTestOf(decodeVector(readFileSync(selfTestVector, 'utf8'))),
  }
  return await runService({ ...parts, ...machine })
}

/** Two services on one machine have two ports. Where a container has a new name at each start, the old one is soon forgotten. */
export function replicaName(port: number): string {
  return `${hostname()}:${port}`
}

export async function anchorsWith(simulated: readonly Anchor[]): Promise<AnchorSet> {
  const { anchors, intermediates } = await vendorAnchors(certs)
  return anchorSet([...anchors, ...simulated], intermediates)
}

/**
 * PostgreSQL where its address is given, and otherwise PGlite in the data directory, which is always brought up to date.
 * `migrations`: what of a PostgreSQL; the default leaves it to `vouchsafe migrate`. Throws Problem.
 */
export async function openStore(
  { dataDirectory }: Pick<Config, 'dataDirectory'>,
  { databaseUrl }: Pick<Secrets, 'databaseUrl'>,
  migrations: 'apply' | 'refuse' = 'refuse',
): Promise<Store> {
  if (databaseUrl !== undefined) {
    const { openPostgresStore } = await import('../adapters/postgres-store.ts')
    return await openPostgresStore(databaseUrl, { migrations })
  }
  const { openPgliteStore } = await import('../adapters/pglite-store.ts')
  return await openPgliteStore(dataDirectory)
}

/** Undefined while a running service holds it, which only PGlite knows. */
export async function openStoreUnlessHeld(
  config: Pick<Config, 'dataDirectory'>,
  secrets: Pick<Secrets, 'databaseUrl'>,
): Promise<Store | undefined> {
  try {
    return await openStore(config, secrets)
  } catch (error) {
    if (error instanceof Problem && error.detail.startsWith('the data directory is in use'))
      return undefined
    throw error
  }
}

export function version(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}
