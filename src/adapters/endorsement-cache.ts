/**
 * Vendors' endorsements, held in memory and on disk. A document is fetched once, however many callers wait for it, is
 * renewed ahead of its end by `refresh`, and is handed out even past it when the vendor cannot be reached: staleness is
 * for the checks to judge, never hidden and never made worse here.
 */
import { createHash } from 'node:crypto'
import { Malformed } from '../bytes/malformed.ts'
import { Problem } from '../problems.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { EndorsementSource, HeldEndorsement } from '../service/endorsement-source.ts'
import {
  type EndorsementSubject,
  isAmd,
  isNamedByEvidence,
  nameOf,
  subjectOf,
  titleOf,
} from '../service/endorsement-subject.ts'
import type { Clock, Random } from '../service/ports.ts'
import type { AmdKds } from './amd-kds.ts'
import { openDisk } from './endorsement-cache-disk.ts'
import { encodeParts } from './endorsement-cache-encoding.ts'
import { examine, type Lifetime } from './endorsement-cache-examine.ts'
import { refreshInstant } from './endorsement-cache-schedule.ts'
import { type Shelf, shelf } from './endorsement-cache-shelf.ts'
import type { FetchBudget } from './fetch-budget.ts'
import { jitter } from './fetch-budget-jitter.ts'
import type { IntelPcs } from './intel-pcs.ts'

export interface EndorsementCachePorts {
  readonly kds: AmdKds
  readonly pcs: IntelPcs
  readonly budget: FetchBudget
  readonly clock: Clock
  /** For jitter only. */
  readonly random: Random
  /** What an operator may want to know and no caller can help: a disk that is full, an answer older than the last. */
  readonly report: (sentence: string) => void
}

export interface EndorsementCacheSettings {
  readonly directory: string
  /** On disk and, once asked for, in memory. The least recently used go first. */
  readonly mostBytes: number
  /**
   * `report`: a full disk must not stop attestation, so the service goes on in memory. `throw`: what an operator fetches or
   * imports is on disk when the command says so, or Problem('configuration-invalid') is thrown.
   */
  readonly whenDiskFails: 'report' | 'throw'
}

export interface EndorsementCache extends EndorsementSource {
  /** From the vendor, whatever is held, and not from the budget: for operators. Throws Problem('collateral-unavailable'). */
  readonly fetch: (subject: EndorsementSubject) => Promise<HeldEndorsement>
  /** Renews what is due and takes up what another process put on disk. Never rejects; cheap when nothing is due. */
  readonly refresh: () => Promise<Refreshment>
  /** What is held, without its parts: cheap, and for figures. Documents that are not renewed with time are left out. */
  readonly holdings: () => readonly Holding[]
  /** Everything, in the order of names. */
  readonly all: () => Promise<readonly NamedEndorsement[]>
  /** Takes the place of what is held under the same name. */
  readonly put: (named: NamedEndorsement) => Promise<void>
}

export interface NamedEndorsement {
  readonly subject: EndorsementSubject
  readonly held: HeldEndorsement
}

export interface Holding {
  readonly document: EndorsementSubject['document']
  readonly fetchedAt: Date
  readonly notAfter: Date
}

interface Refreshment {
  readonly renewed: readonly string[]
  readonly failed: readonly { readonly name: string; readonly detail: string }[]
}

/** Our clock or the vendor's may be a little off. A document from later than this would keep its successors out. */
const CLOCK_TOLERANCE_MS = 3600_000

/** Throws Problem('configuration-invalid') when the folder cannot be used. */
export async function openEndorsementCache(
  ports: EndorsementCachePorts,
  settings: EndorsementCacheSettings,
): Promise<EndorsementCache> {
  const shelves = await openShelf(ports, settings)
  const underWay = new Map<string, Promise<HeldEndorsement>>()
  let refreshing: Promise<Refreshment> | undefined

  return {
    async get(subject) {
      const name = nameOf(subject)
      const known = shelves.atHand(name) ?? (await shelves.find(name))
      if (known && known.notAfter >= ports.clock.now()) return known
      try {
        return await fetchOnce(subject, isNamedByEvidence(subject))
      } catch (cause) {
        if (known && cause instanceof Problem) return known
        throw cause
      }
    },

    renewals: shelves.renewals,

    fetch: (subject) => fetchOnce(subject, false),

    refresh() {
      refreshing ??= refreshDue().finally(() => {
        refreshing = undefined
      })
      return refreshing
    },

    holdings: () =>
      shelves.entries().flatMap(({ name, fetchedAt, notAfter, refreshAt }): readonly Holding[] => {
        const subject = refreshAt && subjectOf(name)
        return subject ? [{ document: subject.document, fetchedAt, notAfter }] : []
      }),

    async all() {
      await shelves.takeUp()
      const named: NamedEndorsement[] = []
      for (const { name } of shelves.entries().toSorted(byName)) {
        const subject = subjectOf(name)
        const held = await shelves.find(name)
        if (subject && held) named.push({ subject, held })
      }
      return named
    },

    put: ({ subject, held }) => keep(subject, held),
  }

  /** Whoever comes while a fetch of the same document is under way gets its result. */
  function fetchOnce(
    subject: EndorsementSubject,
    drawsOnBudget: boolean,
  ): Promise<HeldEndorsement> {
    const name = nameOf(subject)
    const known = underWay.get(name)
    if (known) return known
    const fetching = fetchNew(subject, drawsOnBudget).finally(() => underWay.delete(name))
    underWay.set(name, fetching)
    return fetching
  }

  async function fetchNew(
    subject: EndorsementSubject,
    drawsOnBudget: boolean,
  ): Promise<HeldEndorsement> {
    const route = isAmd(subject) ? ports.kds(subject) : ports.pcs(subject)
    const fetched = await ports.budget.run({
      ...route,
      name: nameOf(subject),
      title: titleOf(subject),
      mayBeAbsent: isNamedByEvidence(subject),
      drawsOnBudget,
      read(response) {
        const parts = route.read(response)
        return heldOf(parts, examineNow(subject, parts), ports.clock.now())
      },
    })
    const held = newer(fetched, await shelves.find(nameOf(subject)))
    await keep(subject, held)
    return held
  }

  function examineNow(subject: EndorsementSubject, parts: EndorsementParts): Lifetime {
    const found = examine(subject, parts)
    const latest = new Date(ports.clock.now().getTime() + CLOCK_TOLERANCE_MS)
    if (found.issuedAt > latest)
      throw new Malformed(
        { path: titleOf(subject), offset: 0 },
        `issued at ${found.issuedAt.toISOString()}`,
        `no later than ${latest.toISOString()} by this machine's clock`,
      )
    return found
  }

  /**
   * Caches in front of a vendor may lag, and somebody on the way may replay an old list to hide a revocation: an older
   * document never takes a newer one's place while that one is current.
   */
  function newer(fetched: HeldEndorsement, known: HeldEndorsement | undefined): HeldEndorsement {
    const { fetchedAt, issuedAt } = fetched
    if (!known || issuedAt >= known.issuedAt || known.notAfter < fetchedAt) return fetched
    ports.report(
      `an answer was issued at ${issuedAt.toISOString()}, before the one of ${known.issuedAt.toISOString()} that is held, which stays`,
    )
    return { ...known, fetchedAt }
  }

  function keep(subject: EndorsementSubject, held: HeldEndorsement): Promise<void> {
    return shelves.put(nameOf(subject), held, refreshInstant(subject, held, jitter(ports.random)))
  }

  async function refreshDue(): Promise<Refreshment> {
    await shelves.takeUp()
    const at = ports.clock.now()
    const renewed: string[] = []
    const failed: { name: string; detail: string }[] = []
    for (const { name, refreshAt } of shelves.entries()) {
      const subject = subjectOf(name)
      if (!subject || !refreshAt || refreshAt > at) continue
      try {
        await fetchOnce(subject, false)
        renewed.push(name)
      } catch (cause) {
        failed.push({ name, detail: cause instanceof Error ? cause.message : String(cause) })
      }
    }
    return { renewed, failed }
  }
}

/** What was obtained, as it is held. */
export function heldOf(
  parts: EndorsementParts,
  { issuedAt, notAfter }: Lifetime,
  fetchedAt: Date,
): HeldEndorsement {
  const digest = createHash('sha256').update(encodeParts(parts)).digest('hex')
  return { parts, digest, issuedAt, fetchedAt, notAfter }
}

async function openShelf(
  { clock, report }: EndorsementCachePorts,
  { directory, mostBytes, whenDiskFails }: EndorsementCacheSettings,
): Promise<Shelf> {
  const failed = whenDiskFails === 'report' ? report : refuse
  try {
    const opened = shelf(await openDisk(directory, clock), { mostBytes, failed })
    await opened.takeUp()
    return opened
  } catch (cause) {
    throw new Problem(
      'configuration-invalid',
      `the folder for endorsements, ${directory}, cannot be used: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    )
  }
}

function refuse(sentence: string): never {
  throw new Problem('configuration-invalid', sentence)
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1
}
