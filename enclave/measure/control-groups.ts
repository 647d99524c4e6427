/**
 * In which control groups does the agent run, and what have they used? Version 2 has one tree for all, version 1 one for each
 * controller, and machines mix them. A group that the collector is in too is not the agent’s own, and says nothing of it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import type { Budget } from './budget.ts'

export interface AgentGroups {
  /** Folder of its group in version 2; undefined where it has none of its own. */
  readonly unified: string | undefined
  /** Folder for each controller of version 1 in which it has a group of its own. */
  readonly controllers: ReadonlyMap<string, string>
}

export interface GroupUsage {
  /** Each undefined where no group of the agent’s own counts it. */
  readonly cpuSeconds: number | undefined
  readonly memoryBytes: number | undefined
  readonly processes: number | undefined
}

export type ReadText = (path: string) => string

/** Groups below the agent’s own that are looked into. */
const MOST_GROUPS = 256

const read: ReadText = (path) => readFileSync(path, 'latin1')

export function groupsOf(pid: number, readText: ReadText = read): AgentGroups {
  const collector = membershipIn(readText('/proc/self/cgroup'))
  const trees = mountedTrees(readText('/proc/self/mountinfo'))
  let unified: string | undefined
  const controllers = new Map<string, string>()
  for (const [name, path] of membershipIn(readText(`/proc/${pid}/cgroup`))) {
    const ours = collector.get(name)
    if (ours === undefined || isWithin(ours, path)) continue
    const folder = folderOf(trees.get(name), path)
    if (folder === undefined) continue
    if (name === UNIFIED) unified = folder
    else controllers.set(name, folder)
  }
  return { unified, controllers }
}

export function usageOf({ unified, controllers }: AgentGroups, readText = read): GroupUsage {
  const number = (folder: string | undefined, name: string, pattern = /^(\d+)$/m) => {
    if (folder === undefined) return undefined
    try {
      const [, digits] = pattern.exec(readText(join(folder, name))) ?? []
      return digits === undefined ? undefined : Number(digits)
    } catch {
      // A controller that is not enabled here has no such file.
      return undefined
    }
  }
  const nanoseconds = number(controllers.get('cpuacct'), 'cpuacct.usage')
  const microseconds = number(unified, 'cpu.stat', /^usage_usec (\d+)$/m)
  return {
    cpuSeconds:
      nanoseconds !== undefined
        ? nanoseconds / 1e9
        : microseconds !== undefined
          ? microseconds / 1e6
          : undefined,
    memoryBytes:
      number(unified, 'memory.current') ??
      number(controllers.get('memory'), 'memory.usage_in_bytes'),
    processes: number(unified, 'pids.current') ?? number(controllers.get('pids'), 'pids.current'),
  }
}

/** Whoever is in these groups or below them. Pids that ended since may be among them. More groups than are looked into are a fault. */
export function membersOf(
  { unified, controllers }: AgentGroups,
  budget: Pick<Budget, 'fault'>,
): readonly number[] {
  const [anyController] = controllers.values()
  const top = unified ?? anyController
  const pids: number[] = []
  const waiting = top === undefined ? [] : [top]
  let looked = 0
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (looked++ >= MOST_GROUPS) {
      budget.fault('more control groups than can be looked at')
      break
    }
    try {
      // 0: of another process namespace.
      for (const pid of read(join(folder, 'cgroup.procs')).split('\n'))
        if (pid !== '' && pid !== '0') pids.push(Number(pid))
      for (const entry of readdirSync(folder, { withFileTypes: true }))
        if (entry.isDirectory()) waiting.push(join(folder, entry.name))
    } catch {
      // It was removed, so nobody is in it.
    }
  }
  return pids
}

const UNIFIED = ''

/** By name of controller; of version 2 without a name. cgroups(7): hierarchy-ID:controller-list:path, which may hold colons. */
function membershipIn(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, id, names = '', path = ''] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
    if (id !== undefined && (id === '0') === (names === ''))
      for (const name of names.split(',')) paths.set(name, path)
  }
  return paths
}

interface Tree {
  /** What of the hierarchy is mounted: in a container, a part. */
  readonly root: string
  readonly mountPoint: string
}

function mountedTrees(mounts: string): ReadonlyMap<string, Tree> {
  const trees = new Map<string, Tree>()
  for (const line of mounts.split('\n')) {
    // proc_pid_mountinfo(5): ... root mount-point options [optional fields] - type source super-options
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, mountPoint] = before.split(' ')
    const [type, , options = ''] = after.split(' ')
    if (root === undefined || mountPoint === undefined) continue
    const tree = { root: unescaped(root), mountPoint: unescaped(mountPoint) }
    const names = type === 'cgroup2' ? [UNIFIED] : type === 'cgroup' ? options.split(',') : []
    for (const name of names) if (!trees.has(name)) trees.set(name, tree)
  }
  return trees
}

/** Undefined where the group lies outside of what is mounted. */
function folderOf(tree: Tree | undefined, path: string): string | undefined {
  return tree && isWithin(path, tree.root)
    ? join(tree.mountPoint, posix.relative(tree.root, path))
    : undefined
}

function isWithin(path: string, folder: string): boolean {
  const below = posix.relative(folder, path)
  return below === '' || !(below === '..' || below.startsWith('../'))
}

/** Space, tab, line feed and backslash, in octal. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
