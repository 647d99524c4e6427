/**
 * What is in this file, by inode, at the cost of one stat where nothing changed? Inode, size, mtime and ctime to the nanosecond
 * must be the same: mtime can be set back, ctime by nobody who has not the disk or the clock. Stores into a shared mapping show
 * in neither: only the first into a page that was written back does, and on tmpfs none. So a share of the known files is read
 * again in each look, which the verifier's nonce chooses. `forget` lets all be read whatever their stat says.
 */
import { createHash, type Hash } from 'node:crypto'
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import type { Budget } from './budget.ts'

export type Sha256 = `sha256:${string}`

/** `pending`: the time was over, or the file was written meanwhile; the next look goes on, or begins again. */
export type FileReading =
  | { readonly digest: Sha256 }
  | { readonly fault: string }
  | { readonly pending: true }

/** By `inodeOf`, and its ctime in nanoseconds, decimal. */
export interface ExpectedFile {
  readonly inode: string
  readonly changedAt: string
}

export const ANOTHER_FILE = 'another file, or none'

interface Kept {
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly reading: { readonly digest: Sha256 }
  /** Number of the look in which it was read. */
  readonly look: number
}

interface Begun {
  readonly stamp: string
  readonly hash: Hash
  offset: number
}

const CHUNK = 256 * 1024
const MOST_KEPT = 400_000
/** Files that were begun and not ended: models of many gigabytes. */
const MOST_BEGUN = 8
/** Of so many known files about one is read again in each look. */
const READ_AGAIN = 16
/** A link would lead elsewhere, a pipe would keep us waiting, a terminal would become ours. */
const CAREFULLY =
  constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

export class FileDigests {
  /** By device and inode: of tens of thousands of files in each look, whose text would be made anew each time. */
  readonly #kept = new Map<bigint, Map<bigint, Kept>>()
  #count = 0
  #look = 0
  #seed = 0
  readonly #begun = new Map<string, Begun>()
  readonly #chunk = Buffer.allocUnsafe(CHUNK)

  /** Another look begins. `nonce`: nobody knows before which files it will choose. */
  challenge(nonce: string): void {
    this.#look++
    this.#seed = createHash('sha256').update(nonce).digest().readUInt32LE()
  }

  /** By a stat that was just taken; undefined when it must be read. */
  known({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Kept['reading'] | undefined {
    const kept = this.#kept.get(dev)?.get(ino)
    if (kept?.size !== size || kept.mtimeNs !== mtimeNs || kept.ctimeNs !== ctimeNs)
      return undefined
    // Once in a look, however many have it open.
    return kept.look !== this.#look && this.#isChosen(ino) ? undefined : kept.reading
  }

  /** Without a challenge none is. Cheap, since each known file is asked about in each look: MurmurHash3's last steps. */
  #isChosen(ino: bigint): boolean {
    if (this.#look === 0) return false
    let mixed = Number(BigInt.asUintN(32, ino)) ^ this.#seed
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0 < 2 ** 32 / READ_AGAIN
  }

  /** Of this file, or of all: they are read again, whatever their stat says. */
  forget(stats?: BigIntStats): void {
    if (stats) this.#kept.get(stats.dev)?.delete(stats.ino)
    else this.#kept.clear()
    if (!stats) this.#count = 0
  }

  /** `expected`: the very file that was seen; another at its path is the fault ANOTHER_FILE, which absence is too. */
  read(path: string, budget: Budget, expected?: ExpectedFile): FileReading {
    let file: number
    try {
      file = openSync(path, CAREFULLY)
    } catch (cause) {
      return { fault: expected ? ANOTHER_FILE : codeOf(cause) }
    }
    try {
      if (expected) {
        const stats = fstatSync(file, { bigint: true })
        if (inodeOf(stats) !== expected.inode) return { fault: ANOTHER_FILE }
        if (String(stats.ctimeNs) !== expected.changedAt)
          return { fault: 'changed since it was opened' }
      }
      return this.readOpen(file, budget)
    } catch (cause) {
      return { fault: codeOf(cause) }
    } finally {
      closeSync(file)
    }
  }

  /** Of a descriptor, which stays open. */
  readOpen(file: number, budget: Budget): FileReading {
    const before = fstatSync(file, { bigint: true })
    if (!before.isFile()) return { fault: 'no plain file' }
    const known = this.known(before)
    if (known) return known
    const inode = inodeOf(before)
    const begun = this.#begin(inode, stampOf(before))
    const hasEnded = this.#readOn(file, begun, budget)
    if (stampOf(fstatSync(file, { bigint: true })) !== begun.stamp) {
      this.#begun.delete(inode)
      return { pending: true }
    }
    if (!hasEnded) return { pending: true }
    this.#begun.delete(inode)
    if (begun.offset !== Number(before.size)) return { fault: 'another size than it says' }
    const reading = { digest: `sha256:${begun.hash.digest('hex')}` } as const
    this.#keep(before, reading)
    return reading
  }

  #keep({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats, reading: Kept['reading']): void {
    if (this.#count++ >= MOST_KEPT) this.forget()
    const ofDevice = this.#kept.get(dev) ?? new Map<bigint, Kept>()
    this.#kept.set(dev, ofDevice)
    ofDevice.set(ino, { size, mtimeNs, ctimeNs, reading, look: this.#look })
  }

  #begin(inode: string, stamp: string): Begun {
    const begun = this.#begun.get(inode)
    if (begun?.stamp === stamp) return begun
    if (this.#begun.size >= MOST_BEGUN) this.#begun.clear()
    const anew = { stamp, hash: createHash('sha256'), offset: 0 }
    this.#begun.set(inode, anew)
    return anew
  }

  /** Whether its end was reached. */
  #readOn(file: number, begun: Begun, budget: Budget): boolean {
    for (;;) {
      const bytes = readSync(file, this.#chunk, 0, CHUNK, begun.offset)
      if (bytes === 0) return true
      begun.hash.update(this.#chunk.subarray(0, bytes))
      begun.offset += bytes
      // A short read is how most files end: no second one is needed to know.
      if (bytes === CHUNK && budget.isOver()) return false
    }
  }
}

/** Of a file, whatever it is called. */
export function inodeOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

function stampOf({ size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${size}:${mtimeNs}:${ctimeNs}`
}

export function codeOf(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return cause instanceof Error ? cause.name : 'unknown'
}
