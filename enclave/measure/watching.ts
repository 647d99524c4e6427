/**
 * The collector that watches a running agent from outside: looks in a thread of its own, what the sensor says, one log of
 * measurements for the boot, and sums of what was used. Whatever could not be seen is an event too (`blind`), and never silence.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Behaviour, Measurement } from '../../src/rats/runtime-event.ts'
import type { Watch } from '../../src/rats/transcript.ts'
import type { MeasurementRegister } from '../attester/tsm-mr.ts'
import type { Sensor } from '../sensor/sensor.ts'
import { type BootLog, openBootLog } from './boot-log.ts'
import type { Limits } from './budget.ts'
import type { Collector, MeasureChallenge, Measured } from './collector.ts'
import { collectorDigest } from './collector-digest.ts'
import type { Sha256 } from './file-digest.ts'
import { KernelView } from './kernel-view.ts'
import {
  assertWatchable,
  type Look,
  type LookRequest,
  type LookUsage,
  type WatchedAgent,
} from './look.ts'
import { type LookThread, lookThread } from './look-thread.ts'
import { MeasurementRecord } from './measurement-record.ts'
import type { OpenedFile } from './opened-files.ts'
import { RunningInterval } from './running-interval.ts'
import { Untold } from './untold.ts'
import { uptimeMs } from './uptime.ts'

export interface WatchRequest {
  readonly agent: WatchedAgent
  /** Folder of the collector alone, which outlives its process: the measurement log of this boot. */
  readonly folder: string
  /** See runtimeRegister in attester/tsm-mr.ts. Undefined on a machine without one. */
  readonly register?: MeasurementRegister | undefined
  /** Scoped to the agent, and started before it. Closed with the collector. */
  readonly sensor?: Pick<Sensor, 'read' | 'dropped' | 'interval' | 'blindness' | 'close'>
  /** The agent’s plugins run in enclave/sandbox. */
  readonly plugins?: 'sandboxed' | 'unwatched'
  /** The allowed name that an address was resolved from; empty where there is none. */
  readonly hostOf?: (address: string) => string
  /** What a look has shown, and what was reported, at once; the sensor tells its own (`onEvent`). Must not throw. */
  readonly onSeen?: (seen: Behaviour | Measurement) => void
  /** For tests. */
  readonly boot?: string
  readonly collector?: Sha256
  readonly limits?: Limits
}

/** Of a look while the agent runs. */
const LIMITS: Limits = { milliseconds: 5_000, files: 200_000 }
/** Of the first, in which everything is read. */
const FIRST_LIMITS: Limits = { milliseconds: 60_000, files: 200_000 }
/** Large models are read through in so many looks before the collector is there at all. */
const MOST_FIRST_LOOKS = 20
/** Intervals that nobody confirmed: then the running one just grows. */
const MOST_WAITING = 256
/** Opens that a sensor told between two looks; more is said as blindness. */
const MOST_OPENED = 100_000
const SENSOR_PATIENCE_MS = 5_000
const NO_USAGE: LookUsage = { cpuSeconds: 0, memoryBytes: 0, processes: 0 }

export interface AgentCollector extends Collector {
  /**
   * What the agent is about to load by other ways than files that are looked at: a plugin in the sandbox. Resolves when it is in
   * the log of this boot, and in the register; only then may it be used. Waits while a message is under way. Throws TypeError
   * for what is no event; rejects with BootLogFault.
   */
  readonly record: (measurement: Measurement) => Promise<void>
  /** Between two messages: what it shows is told with the next one, and to `onSeen` now. Never rejects. */
  readonly look: () => Promise<void>
}

/**
 * Resolves after the first look, whose files were all read: minutes for large models. Throws BootLogFault, AnotherWriter, and
 * TypeError for what cannot be watched so.
 */
export async function watchAgent(request: WatchRequest): Promise<AgentCollector> {
  assertWatchable(request.agent)
  const boot = request.boot ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const { folder, register } = request
  const log = await openBootLog({ folder, boot, register })
  const watching = new Watching(request, { boot, log, thread: lookThread(request.agent) })
  for (let looks = 0; looks < MOST_FIRST_LOOKS; looks++)
    if (!(await watching.lookAgain({ nonce: boot }, FIRST_LIMITS))) break
  return watching
}

class Watching implements AgentCollector {
  readonly boot: string
  readonly collector: string
  readonly #request: WatchRequest
  readonly #log: BootLog
  readonly #thread: LookThread
  readonly #untold: Untold
  readonly #kernel: KernelView
  readonly #interval = new RunningInterval(uptimeMs())
  readonly #record: MeasurementRecord
  /** What lasts is told once in a session, and again when there is more of it. */
  readonly #lasting = new Map<string, number>()
  #opened: OpenedFile[] = []
  #changed: string[] = []
  #usage = NO_USAGE
  #look: Promise<unknown> | undefined
  #ownLook: Promise<unknown> | undefined
  #isClosed = false

  constructor(
    request: WatchRequest,
    {
      boot,
      log,
      thread,
    }: { readonly boot: string; readonly log: BootLog; readonly thread: LookThread },
  ) {
    this.boot = boot
    this.collector = request.collector ?? collectorDigest()
    this.#request = request
    this.#log = log
    this.#thread = thread
    this.#untold = new Untold(log.events)
    this.#kernel = new KernelView({ hostOf: request.hostOf ?? (() => '') })
    this.#record = new MeasurementRecord(log, uptimeMs)
  }

  get modes(): readonly Watch[] {
    const { agent, sensor, plugins } = this.#request
    const modes: Watch[] = ['files']
    if (sensor && sensor.blindness() === undefined) modes.push('kernel-events')
    if (agent.memoryText !== 'unwatched') modes.push('memory-text')
    if (this.#log.register && !this.#record.fault) modes.push('rtmr3')
    if (plugins === 'sandboxed') modes.push('sandbox')
    return modes
  }

  async measure(challenge: MeasureChallenge = { nonce: this.boot }): Promise<Measured> {
    if (this.#isClosed) throw new Error('the collector is closed')
    // Whatever happened since another one began would be missing in this message.
    await this.#ownLook
    this.#look ??= this.lookAgain(challenge, this.#request.limits ?? LIMITS).finally(() => {
      this.#look = undefined
    })
    await this.#look
    await this.#record.settle()
    this.#record.hold()
    if (this.#untold.waiting < MOST_WAITING) this.#tell(this.#interval.end(uptimeMs(), this.#usage))
    const dropped = (this.#request.sensor?.dropped() ?? 0) + this.#untold.lost
    return { ...this.#untold.next(), dropped, uptimeMs: uptimeMs() }
  }

  confirm(...[accepted]: Parameters<Collector['confirm']>): void {
    this.#untold.confirm(accepted)
    this.#record.release()
  }

  async record(measurement: Measurement): Promise<void> {
    if (this.#isClosed) throw new Error('the collector is closed')
    await this.#record.record(measurement)
  }

  async look(): Promise<void> {
    if (this.#isClosed) return
    if (this.#look || this.#ownLook) return await this.#ended()
    // Nobody may know which blocks of memory it compares.
    const nonce = randomUUID()
    const look = this.lookAgain({ nonce, isBetween: true }, this.#request.limits ?? LIMITS).catch(
      (fault) => this.#blind(`a look failed: ${fault instanceof Error ? fault.message : fault}`),
    )
    this.#ownLook = look.finally(() => {
      this.#ownLook = undefined
    })
    await this.#ownLook
  }

  restart(): void {
    this.#untold.restart()
    this.#lasting.clear()
  }

  spent(...[usage]: Parameters<Collector['spent']>): void {
    this.#interval.spent(usage)
  }

  report(event: Behaviour): void {
    this.#untold.add(event)
    this.#request.onSeen?.(event)
  }

  changedState(path: string): void {
    if (this.#changed.length < MOST_OPENED) this.#changed.push(path)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#ended()
    await this.#record.settle()
    await this.#thread.close()
    await this.#request.sensor?.close()
    await this.#log.close()
  }

  async #ended(): Promise<void> {
    await Promise.allSettled([this.#look, this.#ownLook])
  }

  /** Whether files are still being read. */
  async lookAgain(
    challenge: MeasureChallenge & Pick<LookRequest, 'isBetween'>,
    limits: Limits,
  ): Promise<boolean> {
    const source = await this.#readSensor()
    const opened = this.#opened.splice(0)
    const changed = this.#changed.splice(0)
    const { extent = 'sample', ...asked } = challenge
    const look = await this.#thread.look({ ...asked, extent, limits, opened, changed, source })
    if ('fault' in look) {
      this.#blind(look.fault)
      // Nobody has looked at these.
      this.#opened.unshift(...opened)
      this.#changed.unshift(...changed)
      return false
    }
    await this.#take(look, asked)
    return look.isPending
  }

  async #readSensor(): Promise<'kernel' | 'files'> {
    const { sensor } = this.#request
    if (!sensor) return 'files'
    if (sensor.blindness() === undefined && !(await withinPatience(sensor.interval())))
      this.#blind(`sensor: it did not answer within ${SENSOR_PATIENCE_MS} ms`)
    const { opened, behaviours, sums } = this.#kernel.read(sensor.read())
    for (const file of opened)
      if (this.#opened.length < MOST_OPENED) this.#opened.push(file)
      else this.#blind(`more than ${MOST_OPENED} files were opened between two looks`)
    for (const behaviour of behaviours) this.#tell(behaviour)
    this.#interval.kernel(sums)
    const blindness = sensor.blindness()
    if (blindness !== undefined) this.#blind(`sensor: ${blindness}`)
    return blindness === undefined ? 'kernel' : 'files'
  }

  async #take(
    { measurements, behaviours, blindness, usage }: Look,
    { isBetween }: Pick<LookRequest, 'isBetween'>,
  ): Promise<void> {
    this.#usage = usage
    for (const seen of [...behaviours, ...measurements]) this.#request.onSeen?.(seen)
    const { hostOf = () => '' } = this.#request
    for (const seen of behaviours) {
      const behaviour =
        seen.kind === 'connection' ? { ...seen, host: hostOf(seen.address).slice(0, 253) } : seen
      if (this.#isNews(behaviour)) this.#tell(behaviour)
    }
    if (blindness !== undefined) this.#blind(blindness)
    // A quote that is being made is about the register as it was.
    if (isBetween) await this.#record.appendBetween(measurements)
    else await this.#record.append(measurements)
    const { fault } = this.#record
    if (fault) this.#blind(`measurement log: ${fault.message}`)
  }

  #isNews(behaviour: Behaviour): boolean {
    if (!['connection', 'anonymous-text', 'exec'].includes(behaviour.kind)) return true
    const { bytes, ...same } = { bytes: 0, ...behaviour }
    const name = JSON.stringify(same)
    if ((this.#lasting.get(name) ?? -1) >= bytes) return false
    if (this.#lasting.size >= MOST_OPENED) this.#lasting.clear()
    this.#lasting.set(name, bytes)
    return true
  }

  /** Names in it were written by whoever is watched: one that makes no event is no reason to say nothing. */
  #tell(behaviour: Behaviour): void {
    try {
      this.#untold.add(behaviour)
    } catch {
      this.#blind(`something was seen that no event can tell: ${behaviour.kind}`)
    }
  }

  #blind(reason: string): void {
    this.#untold.add({ kind: 'blind', reason: reason.slice(0, 256) })
  }
}

async function withinPatience(work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), SENSOR_PATIENCE_MS)
  })
  try {
    // One that ended says so by itself.
    return await Promise.race([work.then(() => true).catch(() => true), over])
  } finally {
    clearTimeout(timer)
  }
}
