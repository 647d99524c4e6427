/**
 * What is done on the spot? The agent's cgroup is frozen or killed as a whole, before anything is asked over a network. A frozen
 * agent keeps its memory for whoever examines it, and its sockets; it runs nothing. Denying connections is the kernel's
 * (`allow` of sensor.ts), and so is the killing of a caller (`kill`).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Behaviour } from '../../src/rats/runtime-event.ts'
import { type Freezer, pidsOf } from './agent-cgroup.ts'

export type ReactionEvent = Extract<Behaviour, { kind: 'reaction' }>

export interface Reactor {
  /** Synchronous, so that nothing of this process comes in between: call it from `onEvent`. `reason`: at most 256 characters. */
  readonly freeze: (reason: string) => ReactionEvent
  readonly kill: (reason: string) => ReactionEvent
  readonly signal: (to: { pid: number; signal: NodeJS.Signals; reason: string }) => ReactionEvent
  readonly thaw: () => void
  readonly isFrozen: () => boolean
}

/**
 * From the write on, no task returns to its own code; one that waits for a disk, or for a turn on a busy CPU, is called frozen
 * only when it gets there. So long is waited for all of them, and their absence said.
 */
const MOST_FREEZING_MS = 2
const MOST_ROUNDS = 1000

export function reactor(freezer: Freezer): Reactor {
  const verbs = freezer.version === 2 ? unified(freezer.folder) : older(freezer.folder)
  const isFrozen = () => verbs.state() === 'frozen'
  return {
    freeze: (reason) =>
      reaction('freeze', reason, () => {
        verbs.freeze()
        const until = performance.now() + MOST_FREEZING_MS
        while (!isFrozen()) if (performance.now() > until) return 'not all of it is frozen yet'
        return undefined
      }),
    kill: (reason) =>
      reaction('kill', reason, () => {
        verbs.kill()
        return undefined
      }),
    signal: ({ pid, signal, reason }) =>
      reaction('signal', reason, () => {
        process.kill(pid, signal)
        return undefined
      }),
    thaw: verbs.thaw,
    isFrozen,
  }
}

interface Verbs {
  readonly freeze: () => void
  readonly thaw: () => void
  readonly kill: () => void
  readonly state: () => 'frozen' | 'running'
}

/** cgroup v2: docs.kernel.org/admin-guide/cgroup-v2.html, "Core Interface Files". */
function unified(folder: string): Verbs {
  const write = (file: string, value: string) => writeFileSync(join(folder, file), value)
  return {
    freeze: () => write('cgroup.freeze', '1'),
    thaw: () => write('cgroup.freeze', '0'),
    kill: () => write('cgroup.kill', '1'),
    state: () =>
      readFileSync(join(folder, 'cgroup.events'), 'utf8').includes('frozen 1')
        ? 'frozen'
        : 'running',
  }
}

/** cgroup v1: docs.kernel.org/admin-guide/cgroup-v1/freezer-subsystem.html. It cannot kill: each is killed, while none runs. */
function older(folder: string): Verbs {
  const write = (value: string) => writeFileSync(join(folder, 'freezer.state'), value)
  return {
    freeze: () => write('FROZEN'),
    thaw: () => write('THAWED'),
    kill() {
      write('FROZEN')
      for (let round = 0; round < MOST_ROUNDS && pidsOf(folder).length > 0; round++) {
        for (const pid of pidsOf(folder)) signalIfThere(pid)
        // They die when they run again; what one of them forked before it was frozen is in the next round.
        write('THAWED')
      }
    },
    state: () =>
      readFileSync(join(folder, 'freezer.state'), 'utf8').trim() === 'FROZEN'
        ? 'frozen'
        : 'running',
  }
}

function signalIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

/** `act`: what it answers is what went wrong, and joins the reason. */
function reaction(
  action: ReactionEvent['action'],
  reason: string,
  act: () => string | undefined,
): ReactionEvent {
  const start = performance.now()
  const fault = act()
  const microseconds = Math.round((performance.now() - start) * 1000)
  const whole = fault === undefined ? reason : `${fault}: ${reason}`
  return { kind: 'reaction', action, reason: whole.slice(0, 256), microseconds }
}
