/**
 * Which pages of a process are there, and which are its own? /proc/PID/pagemap, by Documentation/admin-guide/mm/pagemap.rst: 64 bits
 * for each page. Where pages are (the lower bits) is told to nobody without CAP_SYS_ADMIN, and is not needed.
 */
import { closeSync, openSync, readSync } from 'node:fs'

export const PAGE = 4096
/** In the upper half of an entry. */
const PRESENT = 1 << 31
const SWAPPED = 1 << 30
/** A page of the file, or shared: not one that the process made its own by writing to it. */
const OF_FILE = 1 << 29
/** Entries read at once: of 32 MiB. */
const ENTRIES = 8192

export class PageMap {
  readonly #file: number
  readonly #entries = Buffer.alloc(ENTRIES * 8)
  readonly #upper = new Int32Array(ENTRIES)

  /** Throws the kernel's error. */
  constructor(pid: number) {
    this.#file = openSync(`/proc/${pid}/pagemap`, 'r')
  }

  /**
   * `own`: the process wrote to a page of these, or that cannot be told. `untouched`: none was ever there, so that each will come
   * from the file. At most 32 MiB.
   */
  stateOf(start: bigint, bytes: number): 'own' | 'of-file' | 'untouched' {
    const flags = this.#flags(start, bytes)
    if (!flags) return 'own'
    let state: 'of-file' | 'untouched' = 'untouched'
    for (const each of flags) {
      if ((each & SWAPPED) !== 0) return 'own'
      if ((each & PRESENT) === 0) continue
      if ((each & OF_FILE) === 0) return 'own'
      state = 'of-file'
    }
    return state
  }

  /** Bytes of pages that were ever touched: what is only reserved has none. Undefined when that cannot be told. */
  touchedBytes(start: bigint, end: bigint): number | undefined {
    let pages = 0
    const step = BigInt(ENTRIES * PAGE)
    for (let at = start; at < end; at += step) {
      const flags = this.#flags(at, Number(end - at < step ? end - at : step))
      if (!flags) return undefined
      for (const each of flags) if ((each & (PRESENT | SWAPPED)) !== 0) pages++
    }
    return pages * PAGE
  }

  close(): void {
    closeSync(this.#file)
  }

  /** Upper halves. Undefined when the kernel gave fewer than were asked for. */
  #flags(start: bigint, bytes: number): Int32Array | undefined {
    const count = Math.ceil(bytes / PAGE)
    const at = (start / BigInt(PAGE)) * 8n
    if (count > ENTRIES || readSync(this.#file, this.#entries, 0, count * 8, at) !== count * 8)
      return undefined
    const halves = new Int32Array(this.#entries.buffer, this.#entries.byteOffset, count * 2)
    // Little-endian, as every platform with a confidential VM: the upper half is the second.
    for (let page = 0; page < count; page++) this.#upper[page] = halves[page * 2 + 1] ?? 0
    return this.#upper.subarray(0, count)
  }
}
