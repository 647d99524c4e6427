/** How far is a model? A bar with its speed at a terminal, and a line for each tenth elsewhere. */
import type { Output } from './answering.ts'
import type { ModelDeps, ModelStep } from './model-deps.ts'
import { printable } from './text.ts'

/** Of a model, or of anything else that takes as long. */
type Step = Omit<ModelStep, 'doing'> & { readonly doing: string }

export interface ModelProgressBar {
  readonly told: (step: Step) => void
  /** Leaves the terminal as it was; may be called more than once. */
  readonly end: () => void
}

const WIDTH = 24
const LINE = 100
const ERASE = '\r\u001b[K'
/** Nobody reads faster. */
const SHOWN_EVERY_MS = 100

export function modelProgress({
  err: write,
  terminal,
}: Pick<Output, 'err'> & Pick<ModelDeps, 'terminal'>): ModelProgressBar {
  let doing = ''
  let begunAt = 0
  let shownAt = Number.NEGATIVE_INFINITY
  let tenths = 0
  let shown = false

  function bar({ doing, path, done, total }: Step, now: number): void {
    if (now - shownAt < SHOWN_EVERY_MS && done < total) return
    shownAt = now
    shown = true
    const share = total === 0 ? 1 : done / total
    const filled = Math.round(WIDTH * share)
    const bar = `[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}]`
    const speed = now > begunAt ? ` ${size((done * 1000) / (now - begunAt))}/s` : ''
    const text = `${bar} ${Math.floor(share * 100)} % of ${size(total)}${speed} ${doing} ${printable(path)}`
    write(`${ERASE}${text.slice(0, LINE)}`)
  }

  function line({ doing, done, total }: Step): void {
    const reached = total === 0 ? 10 : Math.floor((done * 10) / total)
    if (reached <= tenths) return
    tenths = reached
    write(`${doing}: ${reached * 10} % of ${size(total)}\n`)
  }

  return {
    told(step) {
      const now = performance.now()
      if (step.doing !== doing) {
        doing = step.doing
        begunAt = now
        tenths = 0
      }
      if (terminal) bar(step, now)
      else line(step)
    },
    end() {
      if (shown) write(ERASE)
      shown = false
    },
  }
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1.5 GiB` */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`
}
