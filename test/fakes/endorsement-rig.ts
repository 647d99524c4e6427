/** The real adapters, wired as in production, but for a clock that stands still and a server on loopback. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { amdKds } from '../../src/adapters/amd-kds.ts'
import {
  type EndorsementCache,
  type EndorsementCacheSettings,
  openEndorsementCache,
} from '../../src/adapters/endorsement-cache.ts'
import {
  type FetchBudgetSettings,
  fetchBudget,
  usualFetchBudget,
} from '../../src/adapters/fetch-budget.ts'
import { intelPcs } from '../../src/adapters/intel-pcs.ts'
import { vendorFetch } from '../../src/adapters/vendor-fetch.ts'
import type { Fetch } from '../../src/service/endorsement-source.ts'
import type { Clock, Random } from '../../src/service/ports.ts'
import { addresses } from './vendor-server.ts'

export interface MovableClock extends Clock {
  readonly advance: (seconds: number) => void
}

export function movableClock(start: Date): MovableClock {
  let now = start.getTime()
  return {
    now: () => new Date(now),
    advance(seconds) {
      now += seconds * 1000
    },
  }
}

/** Jitter always in the middle. */
export const middling: Random = {
  bytes(size) {
    const half = new Uint8Array(size)
    half[0] = 0x80
    return half
  },
}

export interface Rig {
  readonly cache: EndorsementCache
  readonly reports: readonly string[]
  readonly directory: string
}

export interface RigRequest {
  readonly base: string
  /** Where the root's list is: Intel has it on another host, which may fail while the first one answers. Default: `base`. */
  readonly rootBase?: string
  readonly clock: Clock
  /** A folder that another rig used: a restart, or a second process. */
  readonly directory?: string
  readonly fetch?: Fetch
  readonly budget?: Partial<FetchBudgetSettings>
  readonly cache?: Partial<EndorsementCacheSettings>
}

const folders: string[] = []

export async function rig({
  base,
  rootBase = base,
  clock,
  fetch = vendorFetch,
  ...request
}: RigRequest): Promise<Rig> {
  const directory = request.directory ?? (await temporaryFolder())
  const reports: string[] = []
  const cache = await openEndorsementCache(
    {
      kds: amdKds({ base }),
      pcs: intelPcs({ base, rootCrl: `${rootBase}${addresses.rootCrl}`, update: 'standard' }),
      budget: fetchBudget(
        { fetch, clock, random: middling },
        { ...usualFetchBudget, ...request.budget },
      ),
      clock,
      random: middling,
      report: (sentence) => reports.push(sentence),
    },
    { directory, mostBytes: 64 * 1024 * 1024, whenDiskFails: 'report', ...request.cache },
  )
  return { cache, reports, directory }
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vouchsafe-'))
  folders.push(folder)
  return folder
}

/** For `afterAll`. */
export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
}
