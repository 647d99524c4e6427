/** Where does the agent run, so that it can be watched, denied and stopped as one? A cgroup of its own, made and removed here. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface AgentCgroup {
  /** Folder in cgroup v2: the scope of the sensor. Undefined on a machine that has only v1. */
  readonly unified: string | undefined
  /** What freezes it: the same folder, or one in the freezer hierarchy of v1. */
  readonly freezer: Freezer
  /** Moves the process there, with all its threads. What it starts from now on is there too; what it had started is not. */
  readonly place: (pid: number) => void
  readonly pids: () => readonly number[]
  /** Kills what is left there and removes it. Throws Error when something does not die. */
  readonly remove: () => Promise<void>
}

export interface Freezer {
  readonly version: 1 | 2
  readonly folder: string
}

export interface CgroupMounts {
  /** Where cgroup v2 is mounted. */
  readonly unified?: string
  /** Where the freezer of cgroup v1 is mounted. */
  readonly freezer?: string
}

/** A task that waits for a disk dies when the disk has answered. */
const MOST_DYING_MS = 5_000

/**
 * `name`: one folder name, of letters, digits, `-`, `_`, `.`. Throws Error where the machine has no cgroups that freeze, or the
 * name is taken: a cgroup that somebody else made may hold anybody.
 */
export function createAgentCgroup(
  name: string,
  mounts: CgroupMounts = mountedCgroups(readFileSync('/proc/self/mountinfo', 'utf8')),
): AgentCgroup {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name))
    throw new Error(`${JSON.stringify(name)} is no name for a cgroup`)
  const unified = mounts.unified === undefined ? undefined : join(mounts.unified, name)
  const older = mounts.freezer === undefined ? undefined : join(mounts.freezer, name)
  const folder = unified ?? older
  if (folder === undefined)
    throw new Error('neither cgroup v2 nor the freezer of cgroup v1 is mounted on this machine')
  mkdirSync(folder)
  const freezer: Freezer = { version: unified === undefined ? 1 : 2, folder }
  return {
    unified,
    freezer,
    place: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)),
    pids: () => pidsOf(folder),
    remove: async () => await removed(freezer),
  }
}

/** `text`: /proc/self/mountinfo (proc_pid_mountinfo(5)): the mount point is the fifth field, the type follows ` - `. */
export function mountedCgroups(text: string): CgroupMounts {
  let mounts: CgroupMounts = {}
  for (const line of text.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const point = before.split(' ')[4]
    const [type, , options = ''] = after.split(' ')
    if (point === undefined) continue
    if (type === 'cgroup2') mounts = { unified: point, ...mounts }
    if (type === 'cgroup' && options.split(',').includes('freezer'))
      mounts = { freezer: point, ...mounts }
  }
  return mounts
}

export function pidsOf(folder: string): readonly number[] {
  return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
}

async function removed({ version, folder }: Freezer): Promise<void> {
  const until = performance.now() + MOST_DYING_MS
  for (;;) {
    killAll({ version, folder })
    try {
      for (const inner of foldersIn(folder)) rmdirSync(inner)
      rmdirSync(folder)
      return
    } catch (error) {
      if (performance.now() > until)
        throw new Error(
          `${folder} cannot be removed: ${pidsOf(folder).length} processes are left`,
          {
            cause: error,
          },
        )
    }
    await sleep(5)
  }
}

function killAll({ version, folder }: Freezer): void {
  if (version === 2) {
    writeFileSync(join(folder, 'cgroup.kill'), '1')
    return
  }
  // Who is frozen in v1 does not die.
  writeFileSync(join(folder, 'freezer.state'), 'THAWED')
  for (const inner of [...foldersIn(folder), folder])
    for (const pid of pidsOf(inner)) killIfThere(pid)
}

/** Those that the agent made there, the innermost first. */
function foldersIn(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [...foldersIn(join(folder, name)), join(folder, name)])
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
