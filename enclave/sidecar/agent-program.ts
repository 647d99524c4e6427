/**
 * The agent’s program as a child of the sidecar: started where it can be watched from its first instruction, and stopped as a
 * whole. Its standard input and output are ours.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

export interface AgentProgramRequest {
  /** A program and its arguments. Never empty. */
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid?: number
  readonly gid?: number
  /** Before the program runs: puts the process where it is watched. */
  readonly place?: (pid: number) => void
}

export interface AgentProgram {
  readonly pid: number
  /** Never rejects. */
  readonly ended: Promise<AgentProgramEnd>
  /** SIGTERM to all of its process group, and SIGKILL to what is left after a while. Resolves when it ended. */
  readonly stop: () => Promise<void>
  /** At once: what must not run on is not asked to end. */
  readonly kill: () => void
}

export interface AgentProgramEnd {
  /** As a shell has it: 128 and the number of the signal; 127 where it was not found. */
  readonly code: number
}

const STOPPING_MS = 10_000
const SIGNAL_CODES: Readonly<Record<string, number>> = { SIGKILL: 137, SIGTERM: 143, SIGINT: 130 }
/** Waits for a line before it becomes the program: what it starts in a cgroup stays there, what it had started would not. */
const GATE = 'read -r _ <&3 && exec 3<&- && exec "$@"'

/** Throws Error where it cannot be started or placed. */
export async function startAgentProgram({
  command,
  env,
  uid,
  gid,
  place,
}: AgentProgramRequest): Promise<AgentProgram> {
  const child = spawn('/bin/sh', ['-c', GATE, 'sh', ...command], {
    // A group of its own, so that all of it can be stopped.
    detached: true,
    env: { ...env },
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  })
  const ended = endOf(child)
  const pid = await startedPid(child)
  const kill = () => signal(pid, 'SIGKILL')
  try {
    place?.(pid)
    const gate = child.stdio[3] as Writable
    gate.on('error', () => {})
    gate.end('\n')
  } catch (fault) {
    kill()
    throw fault
  }
  return {
    pid,
    ended,
    kill,
    async stop() {
      signal(pid, 'SIGTERM')
      const timer = setTimeout(kill, STOPPING_MS)
      await ended
      clearTimeout(timer)
      // Children that outlive the program are the agent as well.
      kill()
    },
  }
}

async function startedPid(child: ChildProcess): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  if (child.pid === undefined) throw new Error('the program was not started')
  return child.pid
}

async function endOf(child: ChildProcess): Promise<AgentProgramEnd> {
  return await new Promise((resolve) => {
    child.once('exit', (code, name) => resolve({ code: code ?? SIGNAL_CODES[name ?? ''] ?? 128 }))
    child.once('error', () => resolve({ code: 127 }))
  })
}

/** The whole group. Nobody is left, or it is another user's: then it is not ours to end. */
function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, name)
  } catch {
    // It has ended.
  }
}
