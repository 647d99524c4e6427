/** How far is a re-appraisal? A bar that stays on its line at a terminal, and a JSON line a second everywhere else. */
import type { ReappraisalLine } from './reappraise-lines.ts'
import { printable } from './text.ts'

export interface ShareBar {
  readonly show: (line: Extract<ReappraisalLine, { type: 'progress' }>) => void
  /** Makes room for something that stays. */
  readonly clear: () => void
  /** Leaves the terminal as it was. */
  readonly end: () => void
}

const WIDTH = 24
const LINE = 100
const ERASE = '\r\u001b[K'
const LEAST_BETWEEN_MS = 1_000

export function shareBar({
  write,
  isTerminal,
}: {
  readonly write: (text: string) => void
  readonly isTerminal: boolean
}): ShareBar {
  let saidAt = Number.NEGATIVE_INFINITY

  function sayJson(line: object): void {
    const now = performance.now()
    if (now - saidAt < LEAST_BETWEEN_MS) return
    saidAt = now
    write(`${JSON.stringify(line)}\n`)
  }

  const erase = () => {
    if (isTerminal) write(ERASE)
  }
  return {
    show(line) {
      if (!isTerminal) return sayJson(line)
      const { tenant, share, examined, unexaminable, fallen } = line
      const counted = `${printable(tenant)}: ${examined + unexaminable} looked at, ${fallen} fell`
      write(`${ERASE}${`${barOf(share)}${counted}`.slice(0, LINE)}`)
    },
    clear: erase,
    end: erase,
  }
}

/** None where nobody knows how much there is. */
function barOf(share: number | null): string {
  if (share === null) return ''
  const filled = Math.round(WIDTH * share)
  return `[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] `
}
