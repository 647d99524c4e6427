/**
 * How long may a look at the machine take, and what did it not get to see? The agent decides how much there is to look at:
 * millions of files, files that never end. What was left out is said, and never passed over.
 */

export interface Limits {
  readonly milliseconds: number
  readonly files: number
}

export class Budget {
  readonly #deadline: number
  readonly #clock: () => number
  #files: number
  readonly #faults = new Map<string, number>()
  #hidden = 0
  #lateness: string | undefined

  /** `clock`: milliseconds, by a clock that nobody sets. */
  constructor({ milliseconds, files }: Limits, clock: () => number) {
    this.#clock = clock
    this.#deadline = clock() + milliseconds
    this.#files = files
  }

  isOver(): boolean {
    return this.#clock() > this.#deadline
  }

  /** False: no more files may be looked at. */
  takeFile(): boolean {
    return this.#files-- > 0
  }

  /** What there was no time for. A busy machine is no attack: it is told when one look after the other ends so. */
  late(reason: string): void {
    this.#lateness ??= reason
  }

  get lateness(): string | undefined {
    return this.#lateness
  }

  /** Something that could not be measured. Reasons hold paths: whoever made those chose their words. */
  fault(reason: string): void {
    if (this.#faults.size < MOST_FAULTS || this.#faults.has(reason))
      this.#faults.set(reason, (this.#faults.get(reason) ?? 0) + 1)
    else this.#hidden++
  }

  /** One sentence, at most 256 characters; undefined when all was seen. */
  blindness(): string | undefined {
    const [first] = this.#faults.keys()
    if (first === undefined) return undefined
    const more = this.#faults.size - 1 + this.#hidden
    const rest = more === 0 ? '' : ` (and ${more} more)`
    return printable(first).slice(0, LONGEST_REASON - rest.length) + rest
  }
}

/** Told apart in one look; the rest is counted. */
const MOST_FAULTS = 1000
const LONGEST_REASON = 256

/** For people to read in a journal: no control characters of an attacker’s. Lone surrogates become the replacement character. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?').toWellFormed()
}
