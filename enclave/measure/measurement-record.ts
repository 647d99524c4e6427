/**
 * When does a measurement join the log of this boot, and with it the register? Never while a message is under way: the quote that
 * it may carry is about the register as it was when the message was written, and one event more would belie it.
 */
import { decodeMeasurement, LONGEST_EVENT, type Measurement } from '../../src/rats/runtime-event.ts'
import { type BootLog, BootLogFault } from './boot-log.ts'

/** A message that was not confirmed by then will be written anew, if ever: quotes take tens of seconds at worst. */
const LONGEST_MESSAGE_MS = 60_000

interface Recorded {
  readonly event: string
  readonly resolve: () => void
  readonly reject: (fault: unknown) => void
}

export class MeasurementRecord {
  readonly #log: BootLog
  readonly #clock: () => number
  readonly #logged: Set<string>
  #waiting: Recorded[] = []
  #last: Promise<void> = Promise.resolve()
  /** By the clock. */
  #underWayUntil = 0
  #fault: BootLogFault | undefined

  /** `clock`: milliseconds, by a clock that nobody sets. */
  constructor(log: BootLog, clock: () => number) {
    this.#log = log
    this.#clock = clock
    this.#logged = new Set(log.events)
  }

  /** Once there is one, the log takes no more. */
  get fault(): BootLogFault | undefined {
    return this.#fault
  }

  /** Those that are not in the log of this boot yet: another process may have measured the same. */
  async append(measurements: readonly Measurement[]): Promise<void> {
    const turn = this.#last.then(async () => {
      const events = measurements.map((each) => JSON.stringify(each))
      await this.#appendEvents(events)
    })
    this.#last = turn
    await turn
  }

  /** Resolves when it is in the log. Throws TypeError for what is no event; rejects with BootLogFault. */
  async record(measurement: Measurement): Promise<void> {
    const event = JSON.stringify(measurement)
    if (event.length > LONGEST_EVENT || !decodeMeasurement(event))
      throw new TypeError(`no measurement: ${measurement.kind}`)
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ event, resolve, reject })
      if (this.#clock() >= this.#underWayUntil) void this.settle()
    })
  }

  /** As `append`, but not while a message is under way: then it joins the log with what waits. */
  async appendBetween(measurements: readonly Measurement[]): Promise<void> {
    if (this.#clock() >= this.#underWayUntil) return await this.append(measurements)
    // Whether it gets there, `fault` says.
    const nobody = () => {}
    for (const each of measurements)
      this.#waiting.push({ event: JSON.stringify(each), resolve: nobody, reject: nobody })
  }

  /** What waited is in the log when this resolves. */
  async settle(): Promise<void> {
    const turn = this.#last.then(async () => {
      const waiting = this.#waiting.splice(0)
      await this.#appendEvents(waiting.map(({ event }) => event))
      for (const { resolve, reject } of waiting)
        if (this.#fault) reject(this.#fault)
        else resolve()
    })
    this.#last = turn
    await turn
  }

  /** A message is being written over the log as it is. */
  hold(): void {
    this.#underWayUntil = this.#clock() + LONGEST_MESSAGE_MS
  }

  /** It was answered. */
  release(): void {
    this.#underWayUntil = 0
    void this.settle()
  }

  async #appendEvents(events: readonly string[]): Promise<void> {
    const fresh = [...new Set(events)].filter((event) => !this.#logged.has(event))
    if (fresh.length === 0 || this.#fault) return
    for (const event of fresh) this.#logged.add(event)
    try {
      await this.#log.append(fresh)
    } catch (cause) {
      this.#fault =
        cause instanceof BootLogFault ? cause : new BootLogFault('broken', String(cause), cause)
    }
  }
}
