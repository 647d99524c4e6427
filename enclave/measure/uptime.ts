/** How long has this machine been up? */
import { readFileSync } from 'node:fs'

/** By the kernel's clock that nobody sets: proc_uptime(5), hundredths of seconds since boot, sleep included. */
export function uptimeMs(): number {
  const [seconds = ''] = readFileSync('/proc/uptime', 'latin1').split(' ')
  return Math.round(Number(seconds) * 1000)
}
