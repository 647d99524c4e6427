/**
 * The kernel's side of a TSM report, as drivers/virt/coco/tsm.c has it: what each attribute says after what was written.
 * Played by fuse-process.ts in a process of its own, and in memory where there is no /dev/fuse.
 */
import { createHash } from 'node:crypto'

/** What this kernel does otherwise than it should, or slowly. Counts are used up one by one, over all reports. */
export interface Scenario {
  readonly provider?: string
  /** `table`: some bytes; `empty`; `missing`: no such attribute. */
  readonly auxblob?: 'table' | 'empty' | 'missing'
  readonly largeOutblob?: boolean
  readonly emptyOutblob?: boolean
  /** Reading outblob fails so often with this error. */
  readonly failing?: { readonly code: keyof typeof errors; readonly times: number }
  /** Somebody else writes inblob, so often, just before outblob is read. */
  readonly intruding?: number
  /** Writes to privlevel that are heard by nobody. */
  readonly deaf?: number
  readonly floor?: number
  readonly noDriver?: boolean
  readonly generation?: string
  /** Before outblob is answered. */
  readonly delayMs?: number
  /** Removing fails so often. */
  readonly sticking?: number
  /** Folders with a file `rtmr3:sha384` each, as a TDX guest has one: Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest. */
  readonly registers?: readonly string[]
}

export const errors = {
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOSYS: 38,
} as const

export type Reply = { readonly error: number } | { readonly bytes: Buffer }

type Fault = 'failing' | 'intruding' | 'deaf' | 'sticking'

interface Report {
  inblob: Buffer
  privlevel: string
  generation: number
}

const attributes = [
  'inblob',
  'outblob',
  'auxblob',
  'provider',
  'generation',
  'privlevel',
  'privlevel_floor',
]

const RTMR3 = 'rtmr3:sha384'

export class TsmKernel {
  readonly #scenario: Scenario
  /** By folder. */
  readonly #registers = new Map<string, Buffer>()
  readonly #reports = new Map<string, Report>()
  readonly #used: Record<Fault, number> = { failing: 0, intruding: 0, deaf: 0, sticking: 0 }
  /** How many folders were ever made. */
  made = 0

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    for (const folder of scenario.registers ?? []) this.#registers.set(folder, Buffer.alloc(48))
  }

  get folders(): readonly string[] {
    return [...this.#reports.keys()]
  }

  get delayMs(): number {
    return this.#scenario.delayMs ?? 0
  }

  /** 0, or the number of an error. */
  make(folder: string): number {
    if (this.#scenario.noDriver) return errors.ENXIO
    if (this.#reports.has(folder)) return errors.EEXIST
    this.made++
    this.#reports.set(folder, { inblob: Buffer.alloc(0), privlevel: '0', generation: 0 })
    return 0
  }

  remove(folder: string): number {
    if (this.#next('sticking', this.#scenario.sticking)) return errors.EBUSY
    return this.#reports.delete(folder) ? 0 : errors.ENOENT
  }

  isFolder(name: string): boolean {
    return this.#reports.has(name) || this.#registers.has(name)
  }

  /** 0, the number of an error, or undefined where what is written is taken when the file is closed. */
  writeNow(
    folder: string,
    attribute: string,
    { offset, bytes }: { readonly offset: number; readonly bytes: Buffer },
  ): number | undefined {
    const register = this.#registers.get(folder)
    if (!register || attribute !== RTMR3) return undefined
    if (offset !== 0 || bytes.length !== 48) return errors.EINVAL
    const extended = createHash('sha384').update(register).update(bytes).digest()
    this.#registers.set(folder, extended)
    return 0
  }

  has(folder: string, attribute: string): boolean {
    if (this.#registers.has(folder)) return attribute === RTMR3
    if (!this.#reports.has(folder) || !attributes.includes(attribute)) return false
    return attribute !== 'auxblob' || this.#scenario.auxblob !== 'missing'
  }

  /** Nothing is said about a write that did not take: neither does configfs, which learns of it when the file is closed. */
  write(folder: string, attribute: string, bytes: Buffer): void {
    const report = this.#reports.get(folder)
    if (!report) return
    if (attribute === 'privlevel' && this.#next('deaf', this.#scenario.deaf)) return
    if (attribute === 'inblob' && bytes.length <= 64) report.inblob = bytes
    else if (attribute === 'privlevel') report.privlevel = bytes.toString('latin1')
    else return
    report.generation++
  }

  read(folder: string, attribute: string): Reply {
    const register = this.#registers.get(folder)
    if (register) return { bytes: register }
    const report = this.#reports.get(folder)
    if (!report) return { error: errors.ENOENT }
    const { provider = 'sev_guest', floor = 0, generation, auxblob = 'table' } = this.#scenario
    switch (attribute) {
      case 'provider':
        return text(provider)
      case 'generation':
        return text(generation ?? `${report.generation}`)
      case 'privlevel_floor':
        return text(`${floor}`)
      case 'auxblob':
        return { bytes: Buffer.from(auxblob === 'table' ? 'certificate table' : '') }
      case 'outblob':
        return this.#outblob(report)
      default:
        return { error: errors.EACCES }
    }
  }

  #outblob(report: Report): Reply {
    const { failing, intruding, largeOutblob, emptyOutblob } = this.#scenario
    if (failing && this.#next('failing', failing.times)) return { error: errors[failing.code] }
    if (this.#next('intruding', intruding)) {
      report.inblob = Buffer.alloc(64, 0xee)
      report.generation++
    }
    if (report.inblob.length === 0) return { error: errors.EINVAL }
    if (emptyOutblob) return { bytes: Buffer.alloc(0) }
    const head = Buffer.from(`report at ${report.privlevel}: `)
    return { bytes: Buffer.concat([head, report.inblob, Buffer.alloc(largeOutblob ? 70_000 : 0)]) }
  }

  /** Whether a fault that happens `times` times happens now. */
  #next(fault: Fault, times = 0): boolean {
    if (this.#used[fault] >= times) return false
    this.#used[fault]++
    return true
  }
}

function text(line: string): Reply {
  return { bytes: Buffer.from(`${line}\n`) }
}
