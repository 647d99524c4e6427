/**
 * By what can the agent of `vouchsafe dev` be stopped on this machine? Its cgroup is frozen where one can be made, and else its
 * processes get SIGSTOP, one group of them, which a process that left the group does not get.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type AgentCgroup, createAgentCgroup } from '../sensor/agent-cgroup.ts'
import { type ReactionEvent, reactor } from '../sensor/reaction.ts'
import { type Sensor, startSensor } from '../sensor/sensor.ts'
import type { SensorEvent } from '../sensor/sensor-event.ts'
import { killGroup } from './watched-agent.ts'

export interface Stopping {
  readonly by: 'cgroup' | 'SIGSTOP'
  readonly sensor: Sensor | undefined
  /** Before it runs. */
  readonly place: (pid: number) => void
  readonly freeze: (reason: string) => ReactionEvent
  readonly kill: (reason: string) => void
  /** Everything that is left is killed. Never rejects. */
  readonly close: () => Promise<void>
}

/** `program`: the compiled sensor; undefined, and where it does not start: without. Never rejects. */
export async function stopping(
  program: string | undefined,
  onEvent: (event: SensorEvent) => void,
): Promise<Stopping> {
  const cgroup = cgroupOrNone()
  if (!cgroup) return bySignal()
  if (!takesProcesses(cgroup)) {
    await cgroup.remove().catch(() => {})
    return bySignal()
  }
  const { kill, freeze } = reactor(cgroup.freezer)
  const sensor = program === undefined ? undefined : await sensorOrNone(program, cgroup, onEvent)
  return {
    ...{ by: 'cgroup', sensor, freeze },
    place: cgroup.place,
    kill: (reason) => void kill(reason.slice(0, 256)),
    async close() {
      await sensor?.close()
      await cgroup.remove().catch(() => {})
    },
  }
}

function bySignal(): Stopping {
  const pids: number[] = []
  return {
    ...{ by: 'SIGSTOP', sensor: undefined },
    place: (pid) => void pids.push(pid),
    freeze(reason) {
      const start = performance.now()
      for (const pid of pids) process.kill(-pid, 'SIGSTOP')
      const microseconds = Math.round((performance.now() - start) * 1000)
      return { kind: 'reaction', action: 'signal', reason, microseconds }
    },
    kill: () => pids.forEach(killGroup),
    close: async () => pids.forEach(killGroup),
  }
}

/** Not root, no cgroups, or none that may be written to. */
function cgroupOrNone(): AgentCgroup | undefined {
  try {
    return createAgentCgroup(`vouchsafe-dev-${randomBytes(6).toString('hex')}`)
  } catch {
    return undefined
  }
}

/** A container may be let make one, and not be let move anybody there. */
function takesProcesses({ place }: AgentCgroup): boolean {
  const child = spawn('/bin/sh', ['-c', 'read -r _'], { stdio: ['pipe', 'ignore', 'ignore'] })
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  try {
    if (child.pid === undefined) return false
    place(child.pid)
    return true
  } catch {
    return false
  } finally {
    child.kill('SIGKILL')
  }
}

async function sensorOrNone(
  program: string,
  { unified }: AgentCgroup,
  onEvent: (event: SensorEvent) => void,
): Promise<Sensor | undefined> {
  if (unified === undefined) return undefined
  try {
    return await startSensor({ scope: { cgroup: unified }, program, onEvent })
  } catch {
    return undefined
  }
}
