/** What one look at the machine found, as it is gathered; and what all looks before found, so that each thing is told once. */
import type { Behaviour, Measurement, MeasurementKind } from '../../src/rats/runtime-event.ts'
import { type Budget, printable } from './budget.ts'
import type { FileReading, Sha256 } from './file-digest.ts'

/** Kinds, paths and digests that are remembered; beyond that the collector says that it is blind. */
const MOST_KNOWN = 400_000
const LONGEST_PATH = 1024
/** A large file, or one that is written all the time, may take so many looks until its digest is known. */
const MOST_PENDING_LOOKS = 6

export class Sightings {
  readonly #told = new Set<string>()
  /** What was seen there last, by kind and path. */
  readonly #last = new Map<MeasurementKind, Map<string, Sha256>>()
  readonly #pending = new Map<string, number>()
  #attempt = 1
  #measurements: Measurement[] = []
  #behaviours: Behaviour[] = []

  /** Another look. `countsAttempts`: whether one that could not read a file to its end is one of those that it may take. */
  begin({ countsAttempts }: { readonly countsAttempts: boolean }): void {
    this.#attempt = countsAttempts ? 1 : 0
  }

  /** `path` as the agent sees it. Whatever was not measured is a fault of this look. */
  file(kind: MeasurementKind, path: string, reading: FileReading, budget: Budget): void {
    if ('digest' in reading) {
      this.digest(kind, path, reading.digest, budget)
      return
    }
    const place = `${kind} ${path}`
    if ('pending' in reading) {
      const looks = (this.#pending.get(place) ?? 0) + this.#attempt
      this.#pending.set(place, looks)
      if (looks > MOST_PENDING_LOOKS)
        budget.fault(`${kind} ${path}: not read to its end in ${looks} looks`)
      return
    }
    this.#pending.delete(place)
    budget.fault(`${kind} ${path}: ${reading.fault}`)
  }

  digest(kind: MeasurementKind, path: string, digest: Sha256, budget: Budget): void {
    const ofKind = this.#last.get(kind) ?? new Map<string, Sha256>()
    const before = ofKind.get(path)
    if (this.#pending.size > 0) this.#pending.delete(`${kind} ${path}`)
    // The usual case: tens of thousands of files in each look.
    if (before === digest) return
    if (path.length > LONGEST_PATH || !path.isWellFormed() || path.includes('\ufffd')) {
      budget.fault(`${kind} ${path.slice(0, 128)}: a path that no event can name`)
      return
    }
    if (this.#told.size >= MOST_KNOWN) {
      budget.fault(`more than ${MOST_KNOWN} things were measured`)
      return
    }
    this.#last.set(kind, ofKind)
    ofKind.set(path, digest)
    // State is there to be changed: each digest is a measurement, and policy says which are approved.
    if (before !== undefined && kind !== 'state')
      this.behaviour({ kind: 'changed', path, from: before, to: digest })
    const name = `${kind} ${path} ${digest}`
    if (this.#told.has(name)) return
    this.#told.add(name)
    this.#measurements.push({ kind, path, digest })
  }

  behaviour(event: Behaviour): void {
    this.#behaviours.push(event)
  }

  isPending(): boolean {
    return this.#pending.size > 0
  }

  /** Of this look; the next begins empty. */
  take(): { readonly measurements: Measurement[]; readonly behaviours: Behaviour[] } {
    const taken = { measurements: this.#measurements, behaviours: this.#behaviours }
    this.#measurements = []
    this.#behaviours = []
    return taken
  }
}

/** Of a process, in events: at most 64 characters, none of them a control character. */
export function commOf(text: string): string {
  return printable(text).slice(0, 64)
}
