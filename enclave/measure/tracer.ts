/** Is somebody a debugger of this process? One from outside is not among those that the sensor follows; what it traces says so. */
import { readFileSync } from 'node:fs'
import type { AgentProcess } from './processes.ts'
import type { Sightings } from './sightings.ts'

/** proc_pid_status(5). A process that has ended is traced by nobody. */
export function seeTracer(sightings: Sightings, { pid, comm }: AgentProcess): void {
  const tracer = tracerOf(pid)
  if (tracer === '0') return
  const detail = `traced by process ${tracer}`
  sightings.behaviour({ kind: 'sensitive', pid, comm, call: 'ptrace', detail })
}

function tracerOf(pid: number): string {
  try {
    return /^TracerPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0'
  } catch {
    return '0'
  }
}
