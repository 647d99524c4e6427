/** How far is long work? A bar that stays on its line at a terminal, and a line for each step everywhere else. */
import { printable } from './text.ts'

export interface Progress {
  /** The step that begins now; `title` says what it is about. */
  readonly step: (title: string) => void
  /** Something about the step that is under way. */
  readonly note: (text: string) => void
  /** Leaves the terminal as it was. */
  readonly end: () => void
}

const WIDTH = 24
const LINE = 100
const ERASE = '\r\u001b[K'

/** `write` takes text as a stream's does; `isTerminal` says whether it leads to one. */
export function progress(
  steps: number,
  { write, isTerminal }: { readonly write: (text: string) => void; readonly isTerminal: boolean },
): Progress {
  let begun = 0
  let current = ''

  function show(text: string): void {
    if (!isTerminal) write(`${text}\n`)
    else {
      const filled = Math.round((WIDTH * Math.max(0, begun - 1)) / Math.max(1, steps))
      const bar = `[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${text}`
      write(`${ERASE}${bar.slice(0, LINE)}`)
    }
  }

  return {
    step(title) {
      begun += 1
      current = `${begun}/${steps} ${printable(title)}`
      show(current)
    },
    note: (text) => show(`${current}: ${printable(text)}`),
    end() {
      if (isTerminal) write(ERASE)
    },
  }
}
