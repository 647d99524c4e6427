/** How far is a backup or a restoration? A bar at a terminal, which stays on its line, and a line for each table elsewhere. */
import type { Output } from './answering.ts'

export interface RowProgress {
  readonly table: string
  /** Of this table. */
  readonly rows: number
  /** Of all tables together. */
  readonly done: number
  readonly total: number
}

export interface MaintenanceTerminal {
  /** Whether stderr leads to one. */
  readonly terminal: boolean
}

export interface ProgressBar {
  readonly told: (progress: RowProgress) => void
  /** Leaves the terminal as it was; may be called more than once. */
  readonly end: () => void
}

const WIDTH = 24
const ERASE = '\r\u001b[K'
/** Nobody reads faster. */
const SHOWN_EVERY_MS = 100

export function progressBar({
  err: write,
  terminal,
}: Pick<Output, 'err'> & MaintenanceTerminal): ProgressBar {
  let last: RowProgress | undefined
  let shownAt = Number.NEGATIVE_INFINITY

  function bar({ table, done, total }: RowProgress): void {
    const now = performance.now()
    if (now - shownAt < SHOWN_EVERY_MS && done < total) return
    shownAt = now
    const share = total === 0 ? 1 : done / total
    const filled = Math.round(WIDTH * share)
    write(
      `${ERASE}[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${Math.floor(share * 100)} % ${table}`,
    )
  }

  function line({ table, rows, done, total }: RowProgress): void {
    write(`${table}: ${rows} rows (${done} of ${total})\n`)
  }

  return {
    told(progress) {
      if (terminal) bar(progress)
      // Of each table the last, which is known when the next begins.
      else if (last && last.table !== progress.table) line(last)
      last = progress
    },
    end() {
      if (last && terminal) write(ERASE)
      else if (last) line(last)
      last = undefined
    },
  }
}
