/**
 * What is held: an entry per name, its parts in memory once somebody asked for them, all of it on disk, and a bound on the
 * whole. To a service a disk that fails costs a report and, after a restart, a fetch; it stops no attestation.
 */
import type { HeldEndorsement } from '../service/endorsement-source.ts'
import { subjectOf } from '../service/endorsement-subject.ts'
import type { DiskEntry, EndorsementDisk } from './endorsement-cache-disk.ts'
import { decodeParts, encodeParts } from './endorsement-cache-encoding.ts'

export interface Shelf {
  /** Undefined also for what was held and turns out to be spoilt. */
  readonly find: (name: string) => Promise<HeldEndorsement | undefined>
  /** As `find`, for what is in memory. */
  readonly atHand: (name: string) => HeldEndorsement | undefined
  readonly put: (name: string, held: HeldEndorsement, refreshAt: Date | undefined) => Promise<void>
  /** Takes up entries on disk that are new or newer there: another process fetched or imported them. */
  readonly takeUp: () => Promise<void>
  readonly entries: () => readonly DiskEntry[]
  /** How often an entry took the place of one that said something else. */
  readonly renewals: () => number
}

export interface ShelfSettings {
  /** The least recently used go first. */
  readonly mostBytes: number
  /** Told when the disk fails. What it throws, the caller gets. */
  readonly failed: (sentence: string) => void
}

interface Slot {
  readonly entry: DiskEntry
  /** Undefined until somebody asks. */
  readonly held: HeldEndorsement | undefined
}

export function shelf(disk: EndorsementDisk, { mostBytes, failed }: ShelfSettings): Shelf {
  /** In the order of use, the least recent first. */
  const slots = new Map<string, Slot>()
  let renewals = 0

  return {
    atHand,

    async find(name) {
      const held = atHand(name)
      if (held) return held
      return await reporting(() => fromDisk(name))
    },

    async put(name, held, refreshAt) {
      const bytes = encodeParts(held.parts)
      const { issuedAt, fetchedAt, notAfter, digest: sha256 } = held
      const entry = { name, sha256, size: bytes.length, issuedAt, fetchedAt, notAfter, refreshAt }
      const before = slots.get(name)?.entry
      place(name, { entry, held })
      await reporting(async () => {
        await disk.write(entry, bytes)
        if (before) await dropUnnamed(before.sha256)
        await evict()
      })
    },

    async takeUp() {
      await reporting(async () => {
        const found = await disk.load()
        const byAge = found.toSorted((a, b) => a.fetchedAt.getTime() - b.fetchedAt.getTime())
        for (const entry of byAge) {
          const known = slots.get(entry.name)?.entry
          // A name that this version does not know was written by another.
          if (subjectOf(entry.name) && (!known || known.fetchedAt < entry.fetchedAt))
            place(entry.name, { entry, held: undefined })
        }
        await evict()
      })
    },

    entries: () => [...slots.values()].map(({ entry }) => entry),

    renewals: () => renewals,
  }

  function atHand(name: string): HeldEndorsement | undefined {
    const slot = slots.get(name)
    if (!slot?.held) return undefined
    place(name, slot)
    return slot.held
  }

  async function fromDisk(name: string): Promise<HeldEndorsement | undefined> {
    const known = slots.get(name)?.entry
    // What is not where it was may have been replaced by another process since.
    const held = known && (await heldOf(name, known))
    if (held) return held
    const entry = await disk.entryOf(name)
    return entry && (await heldOf(name, entry))
  }

  async function heldOf(name: string, entry: DiskEntry): Promise<HeldEndorsement | undefined> {
    const bytes = await disk.read(entry)
    if (!bytes) {
      slots.delete(name)
      return undefined
    }
    const { sha256: digest, issuedAt, fetchedAt, notAfter } = entry
    const held = { parts: decodeParts(bytes), digest, issuedAt, fetchedAt, notAfter }
    place(name, { entry, held })
    return held
  }

  function place(name: string, slot: Slot): void {
    const before = slots.get(name)?.entry.sha256
    if (before !== undefined && before !== slot.entry.sha256) renewals++
    slots.delete(name)
    slots.set(name, slot)
  }

  async function evict(): Promise<void> {
    let bytes = 0
    for (const { entry } of slots.values()) bytes += entry.size
    for (const [name, { entry }] of slots) {
      // What came last stays, however large: its size is bounded where it was fetched.
      if (bytes <= mostBytes || slots.size === 1) return
      slots.delete(name)
      bytes -= entry.size
      await disk.removeEntry(name)
      await dropUnnamed(entry.sha256)
    }
  }

  /** AMD's VCEK and VLEK lists are one document under two names, and share an object. */
  async function dropUnnamed(sha256: string): Promise<void> {
    for (const { entry } of slots.values()) if (entry.sha256 === sha256) return
    await disk.removeObject(sha256)
  }

  async function reporting<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (cause) {
      failed(`held endorsements: ${cause instanceof Error ? cause.message : String(cause)}`)
      return undefined
    }
  }
}
