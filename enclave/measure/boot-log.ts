/**
 * What was measured since this machine started, in which order? One file for each boot, of which every line has extended RTMR3
 * where there is such a register: replayed, the log gives the register’s value, or nobody believes either any more, until the
 * machine starts again. Hence the order of writing: intent, extend, append, clear, each on the disk before the next. Whoever
 * comes after a crash reads from the register how far it got.
 */
import { lstat, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { LONGEST_EVENT } from '../../src/rats/runtime-event.ts'
import { emptyCheckpoint, eventDigest, extended } from '../../src/rats/transcript.ts'
import type { MeasurementRegister } from '../attester/tsm-mr.ts'
import { becomeSingleWriter } from './single-writer.ts'

export interface BootLog {
  /** All of this boot. It only grows. */
  readonly events: readonly string[]
  readonly register: 'rtmr3' | undefined
  /** In this order. Rejects with BootLogFault, and then takes no more: what is known is what a new start reads. */
  readonly append: (events: readonly string[]) => Promise<void>
  readonly close: () => Promise<void>
}

/** `diverged`: log and register tell two histories. Only a restart of the machine mends that. `broken`: see the cause. */
export class BootLogFault extends Error {
  override readonly name = 'BootLogFault'
  readonly kind: 'diverged' | 'broken' | 'full'

  constructor(kind: BootLogFault['kind'], message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

export type BootLogStep = 'intended' | 'extended' | 'appended' | 'cleared'

export interface BootLogPlace {
  /** Belongs to the collector alone; its owner only may read it. */
  readonly folder: string
  readonly boot: string
  readonly register?: MeasurementRegister | undefined
  /** For tests: told after each step, and may not come back from it. `extended` comes once for each event. */
  readonly onStep?: (step: BootLogStep) => void
}

/** Events of one boot: an agent that writes a new program every second must not fill the disk. */
const MOST_MEASUREMENTS = 100_000
/** Written, extended and appended together: each such batch costs three waits for the disk. */
const BATCH = 256
const LARGEST_LOG = MOST_MEASUREMENTS * 1024

export async function openBootLog(place: BootLogPlace): Promise<BootLog> {
  await mkdir(place.folder, { recursive: true, mode: 0o700 })
  await assertOwn(place.folder)
  const giveBack = await becomeSingleWriter(place.folder, place.boot)
  try {
    const log = new KeptLog(place)
    await log.recover()
    let last: Promise<unknown> = Promise.resolve()
    return {
      events: log.events,
      register: place.register?.name,
      async append(events) {
        const turn = last.then(async () => await log.append(events))
        last = turn.catch(() => {})
        await turn
      },
      async close() {
        await last
        await giveBack()
      },
    }
  } catch (cause) {
    await giveBack()
    throw cause
  }
}

/** Whoever else may write there can take from the history what he did. */
async function assertOwn(folder: string): Promise<void> {
  const { uid, mode } = await lstat(folder)
  const own = process.geteuid?.() ?? 0
  if (uid !== own || (mode & 0o022) !== 0)
    throw new BootLogFault(
      'broken',
      `the folder ${folder} belongs to user ${uid} with mode ${(mode & 0o777).toString(8)}: it must be the collector’s (${own}) and written by nobody else`,
    )
}

const intentSchema = z.strictObject({
  boot: z.string(),
  /** Events in the log before these. */
  after: z.int().min(0),
  events: z.array(z.string().max(LONGEST_EVENT)).min(1).max(BATCH),
})
type Intent = z.output<typeof intentSchema>

class KeptLog {
  readonly events: string[] = []
  readonly #place: BootLogPlace
  readonly #log: string
  readonly #intent: string
  /** Hex: what the register must hold after `events`. */
  #value: string
  #fault: BootLogFault | undefined

  constructor(place: BootLogPlace) {
    this.#place = place
    this.#log = join(place.folder, 'measurements')
    this.#intent = join(place.folder, 'intent')
    this.#value = emptyCheckpoint({ session: '', boot: place.boot }).register
  }

  async recover(): Promise<void> {
    const lines = await this.#linesOfThisBoot()
    const intent = await this.#readIntent()
    // Without an intent nothing was under way, so every line is whole.
    const sure = intent ? lines.slice(0, intent.after) : lines
    if (intent && sure.length < intent.after)
      throw diverged(`the log has ${sure.length} events, and ${intent.after} were in it before`)
    this.#take(sure)
    const done = intent ? await this.#doneOf(intent.events) : 0
    const isWhole = await this.#holds(this.#value)
    if (!intent && !isWhole)
      throw diverged(
        `the log replays to ${this.#value}, which the register does not hold: somebody else extended it, or the log was altered`,
      )
    this.#take(intent?.events.slice(0, done) ?? [])
    await this.#rewrite()
    await this.#clear()
    // What was intended and never extended is nobody's loss: it is measured again.
  }

  async append(events: readonly string[]): Promise<void> {
    if (this.#fault) throw this.#fault
    if (events.some((event) => /[\r\n]/.test(event))) throw new TypeError('an event is one line')
    if (this.events.length + events.length > MOST_MEASUREMENTS)
      throw new BootLogFault('full', `more than ${MOST_MEASUREMENTS} measurements in one boot`)
    try {
      for (let from = 0; from < events.length; from += BATCH)
        await this.#appendBatch(events.slice(from, from + BATCH))
    } catch (cause) {
      this.#fault =
        cause instanceof BootLogFault
          ? cause
          : new BootLogFault('broken', `the measurement log: ${messageOf(cause)}`, cause)
      throw this.#fault
    }
  }

  async #appendBatch(events: readonly string[]): Promise<void> {
    const { register, boot, onStep } = this.#place
    const intent: Intent = { boot, after: this.events.length, events: [...events] }
    await writeDurably(this.#intent, JSON.stringify(intent), this.#place.folder)
    onStep?.('intended')
    if (register)
      for (const event of events) {
        await register.extend(Buffer.from(eventDigest(event), 'hex'))
        onStep?.('extended')
      }
    const value = replayed(this.#value, events)
    if (!(await this.#holds(value)))
      throw diverged(`the register does not hold ${value} after ${events.length} events`)
    await appendDurably(this.#log, events.map((event) => `${event}\n`).join(''))
    onStep?.('appended')
    this.#take(events)
    await this.#clear()
    onStep?.('cleared')
  }

  #take(events: readonly string[]): void {
    this.#value = replayed(this.#value, events)
    for (const event of events) this.events.push(event)
  }

  /** How many of these did extend the register. Without one, none is needed: what the log lacks is measured again. */
  async #doneOf(events: readonly string[]): Promise<number> {
    const { register } = this.#place
    if (!register) return 0
    const held = Buffer.from(await register.read()).toString('hex')
    let value = this.#value
    for (let done = 0; done <= events.length; done++) {
      if (value === held) return done
      value = replayed(value, events.slice(done, done + 1))
    }
    throw diverged(`the register holds ${held}, which no part of the intent explains`)
  }

  async #holds(value: string): Promise<boolean> {
    const { register } = this.#place
    return !register || Buffer.from(await register.read()).toString('hex') === value
  }

  /** Whole lines only: a last one without its end is an append that a crash cut off. */
  async #linesOfThisBoot(): Promise<readonly string[]> {
    const text = await readBounded(this.#log)
    const [first, ...lines] = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
    if (first !== this.#header()) return []
    lines.pop()
    return lines
  }

  /** Of another boot, or of a write that was cut off before it got its name: none. */
  async #readIntent(): Promise<Intent | undefined> {
    const text = await readBounded(this.#intent)
    if (text === '') return undefined
    const intent = intentOf(text)
    if (!intent) throw diverged('what was intended last cannot be read')
    return intent.boot === this.#place.boot ? intent : undefined
  }

  #header(): string {
    return JSON.stringify({ log: 'vouchsafe/measurements/v1', boot: this.#place.boot })
  }

  async #rewrite(): Promise<void> {
    const lines = [this.#header(), ...this.events].map((line) => `${line}\n`)
    await writeDurably(this.#log, lines.join(''), this.#place.folder)
  }

  async #clear(): Promise<void> {
    await rm(this.#intent, { force: true })
    await syncFolder(this.#place.folder)
  }
}

function intentOf(text: string): Intent | undefined {
  try {
    return intentSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function replayed(value: string, events: readonly string[]): string {
  const before = { ...emptyCheckpoint({ session: '', boot: '' }), register: value }
  return extended(before, { measurement: events, behaviour: [] }).register
}

async function readBounded(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > LARGEST_LOG) throw new BootLogFault('broken', `${path} has ${size} bytes`)
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return ''
    throw cause
  }
}

/** Whole or not at all, a power cut included. */
async function writeDurably(path: string, text: string, folder: string): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncFolder(folder)
}

async function appendDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'a', 0o600)
  try {
    await file.writeFile(text)
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const opened = await open(folder, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

function diverged(sentence: string): BootLogFault {
  return new BootLogFault('diverged', `${sentence}; only a restart of the machine mends that`)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
