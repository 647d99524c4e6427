/**
 * Which events does the verifier not have yet? Measurements are the boot’s log from some position; behaviour waits in a queue that
 * has an end: what finds no room is counted as lost, which the statement says.
 */
import { type Behaviour, decodeBehaviour, LONGEST_EVENT } from '../../src/rats/runtime-event.ts'
import { LONGEST_DELTA, MOST_EVENTS } from '../../src/rats/session-message.ts'
import type { EventCounts } from './collector.ts'

/** Behaviour that waits: hours of silence from the verifier, or an agent that makes as many events as it can. */
const MOST_WAITING = 8192
const MOST_WAITING_CHARACTERS = 2 * 1024 * 1024
/** Of a message, before measurements had their room. */
const SHARE_OF_BEHAVIOUR = LONGEST_DELTA / 4

export interface UntoldEvents {
  readonly measurement: readonly string[]
  readonly behaviour: readonly string[]
  readonly isComplete: boolean
}

export class Untold {
  /** Of this boot; the log’s own array, which grows. */
  readonly #measurements: readonly string[]
  #told = 0
  #behaviours: string[] = []
  #characters = 0
  #last: EventCounts = { measurement: 0, behaviour: 0 }
  lost = 0

  constructor(measurements: readonly string[]) {
    this.#measurements = measurements
  }

  get waiting(): number {
    return this.#behaviours.length
  }

  /** Throws TypeError for what is no event, which would be refused with everything around it. */
  add(event: Behaviour): void {
    const text = JSON.stringify(event)
    if (text.length > LONGEST_EVENT || !decodeBehaviour(text))
      throw new TypeError(`no behaviour event: ${event.kind}`)
    if (
      this.#behaviours.length >= MOST_WAITING ||
      this.#characters + text.length > MOST_WAITING_CHARACTERS
    ) {
      this.lost++
      return
    }
    this.#behaviours.push(text)
    this.#characters += text.length
  }

  /** As much as one message may hold. */
  next(): UntoldEvents {
    const early = fitting(this.#behaviours, 0, SHARE_OF_BEHAVIOUR)
    const measurement = fitting(this.#measurements, this.#told, LONGEST_DELTA - charactersOf(early))
    const room = LONGEST_DELTA - charactersOf(measurement)
    const behaviour = fitting(this.#behaviours, 0, room)
    // Each list begins with what was handed out before, and may be shorter where the other one grew.
    this.#last = {
      measurement: Math.max(this.#last.measurement, measurement.length),
      behaviour: Math.max(this.#last.behaviour, behaviour.length),
    }
    const isComplete =
      this.#told + measurement.length === this.#measurements.length &&
      behaviour.length === this.#behaviours.length
    return { measurement, behaviour, isComplete }
  }

  /** Throws RangeError for more than was handed out. */
  confirm({ measurement, behaviour }: EventCounts): void {
    const { measurement: mostMeasured, behaviour: mostBehaved } = this.#last
    if (measurement > mostMeasured || behaviour > mostBehaved || measurement < 0 || behaviour < 0)
      throw new RangeError('more was confirmed than was handed out')
    this.#told += measurement
    const confirmed = this.#behaviours.splice(0, behaviour)
    this.#characters -= charactersOf(confirmed)
    this.#last = { measurement: mostMeasured - measurement, behaviour: mostBehaved - behaviour }
  }

  restart(): void {
    this.#told = 0
    this.#last = { measurement: 0, behaviour: 0 }
  }
}

function fitting(events: readonly string[], from: number, characters: number): string[] {
  const fit: string[] = []
  let left = characters
  for (let index = from; index < events.length && fit.length < MOST_EVENTS; index++) {
    const event = events[index] ?? ''
    left -= event.length
    if (left < 0) break
    fit.push(event)
  }
  return fit
}

function charactersOf(events: readonly string[]): number {
  return events.reduce((sum, { length }) => sum + length, 0)
}
