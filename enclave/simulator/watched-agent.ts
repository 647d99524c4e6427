/**
 * The agent that `vouchsafe dev` watches, and how much of it can be seen on this machine: learned by looks at a trial run, as an
 * operator learns what is to be approved.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, cpSync, existsSync, mkdirSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Measurement } from '../../src/rats/runtime-event.ts'
import type { WatchedAgent } from '../measure/look.ts'
import { lookThread } from '../measure/look-thread.ts'

export interface WatchedProgram {
  /** Emptied at every start. */
  readonly folder: string
  readonly command: readonly [string, ...string[]]
  /** Folder of its code, and the file in it that is changed while it runs. */
  readonly code: string
  readonly changed: string
  readonly sight: Sight
  /** What it loads. */
  readonly loads: readonly Measurement[]
  /** What is not watched, in words. */
  readonly unwatched: readonly string[]
}

type Sight = Required<Pick<WatchedAgent, 'memoryText' | 'mappedFiles'>>

/** A sentence: why nothing can be watched here. */
export interface NotWatched {
  readonly because: string
}

const SOURCE = fileURLToPath(new URL('../../examples/watched-agent/', import.meta.url))
/** Node's event loop sets one up for itself, whatever its program does. */
export const sensitiveCalls = ['io_uring_setup'] as const
/** By which the local endpoint asks who connected. */
const PERL = '/usr/bin/perl'
const LIMITS = { milliseconds: 20_000, files: 10_000 }
/** Until it has loaded everything. */
const TRIAL_MS = 15_000
const TRIAL_STEP_MS = 100

const noText =
  'whether the code in its memory is what its files say, which takes root on the machine itself'
/** The best first. */
const sights: readonly (Sight & Pick<WatchedProgram, 'unwatched'>)[] = [
  { mappedFiles: 'through-kernel', memoryText: 'compared', unwatched: [] },
  { mappedFiles: 'through-kernel', memoryText: 'unwatched', unwatched: [noText] },
  {
    ...{ mappedFiles: 'by-path', memoryText: 'unwatched' },
    unwatched: [
      noText,
      'the very files that it maps: what lies at their paths is read, and another could be mounted there',
    ],
  },
]

/** Copies it below `directory`, runs it for a moment, and ends it. Never rejects for what this machine lacks. */
export async function watchedAgent(directory: string): Promise<WatchedProgram | NotWatched> {
  const missing = whyNot()
  if (missing !== undefined) return { because: missing }
  const folder = realpathSync(emptied(join(directory, 'watched')))
  const code = join(folder, 'code')
  cpSync(SOURCE, code, { recursive: true })
  const command = [process.execPath, join(code, 'agent.mjs')] as const
  let because = ''
  for (const { unwatched, ...sight } of sights) {
    const learned = await learnedFrom({ command, code, sight })
    if ('loads' in learned) {
      const changed = join(code, 'tools.mjs')
      return { folder, command, code, changed, sight, unwatched, ...learned }
    }
    because = learned.because
  }
  return { because: `a running process cannot be watched on this machine (${because})` }
}

function whyNot(): string | undefined {
  if (process.platform !== 'linux') return `watching needs Linux, and this is ${process.platform}`
  if (!existsSync(SOURCE)) return `${SOURCE} is not there`
  try {
    accessSync(PERL, constants.X_OK)
    return undefined
  } catch {
    return `there is no ${PERL}, by which the sidecar asks the kernel who connected`
  }
}

function emptied(folder: string): string {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/** With the shell through which sidecars start programs: a look may come while it still is one. */
async function learnedFrom({
  command,
  code,
  sight,
}: Pick<WatchedProgram, 'command' | 'code' | 'sight'>): Promise<
  Pick<WatchedProgram, 'loads'> | NotWatched
> {
  const { pid } = spawn('/bin/sh', ['-c', '"$@" & wait', 'sh', ...command], {
    detached: true,
    env: {},
    stdio: 'ignore',
  }).on('error', () => {})
  if (pid === undefined) return { because: '/bin/sh cannot be started' }
  const trees = [{ path: code, kind: 'code', as: 'each' }] as const
  const thread = lookThread({ pid, trees, models: [], ...sight })
  try {
    const loads = new Map<string, Measurement>()
    const until = performance.now() + TRIAL_MS
    for (let quietLooks = 0; performance.now() < until; await sleep(TRIAL_STEP_MS)) {
      const asked = { nonce: 'trial', extent: 'sample', limits: LIMITS, source: 'files' } as const
      const look = await thread.look({ ...asked, opened: [], changed: [] })
      const fault = 'fault' in look ? look.fault : look.blindness
      if (fault !== undefined) return { because: fault }
      if ('fault' in look) continue
      const before = loads.size
      for (const seen of look.measurements) loads.set(JSON.stringify(seen), seen)
      // The shell and the program: both have loaded all that they do.
      const isQuiet = loads.size === before && look.usage.processes > 1 && !look.isPending
      quietLooks = isQuiet ? quietLooks + 1 : 0
      if (quietLooks === QUIET_LOOKS)
        return { loads: [...loads].toSorted().map(([, seen]) => seen) }
    }
    return { because: 'a trial run did not come to rest in time' }
  } finally {
    killGroup(pid)
    await thread.close()
  }
}

const QUIET_LOOKS = 2

/** Whatever it started too. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
