/** What have these processes used of the machine so far? From /proc, so on Linux, and only of processes that one may look at. */
import { readFileSync } from 'node:fs'

export interface ProcessUse {
  readonly cpuMs: number
  readonly residentBytes: number
  /** The most that it ever had. */
  readonly peakBytes: number
}

/** sysconf(_SC_CLK_TCK) is 100, and pages have 4 KiB, on every Linux that Node runs on. */
const MS_PER_TICK = 10
const PAGE_BYTES = 4096

/** Undefined: there is no such process, or no /proc. */
export function processUse(pid: number): ProcessUse | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc(5): what follows the name, which may hold anything, in parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
      residentBytes: pages * PAGE_BYTES,
      peakBytes: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024,
    }
  } catch {
    return undefined
  }
}
