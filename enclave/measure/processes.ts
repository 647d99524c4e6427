/**
 * Which processes belong to the agent? Its own, their children, whatever is in its control group, and those that belonged to it
 * before and were given another parent since.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { codeOf } from './file-digest.ts'
import { commOf } from './sightings.ts'

export interface AgentProcess {
  /** Under which /proc has its memory: of a thread that lives, where the first one has ended and others go on. */
  readonly pid: number
  readonly comm: string
  /** Ticks since boot: with the pid, a name that no other process gets. */
  readonly start: string
  /** Seconds of CPU, by itself and by children that ended. */
  readonly cpuSeconds: number
  readonly residentBytes: number
}

/** proc(5): USER_HZ, which user space always sees as 100, and the page size of every platform with a confidential VM. */
const TICKS_PER_SECOND = 100
const PAGE = 4096
/** More than an agent has; a fork bomb must not keep the collector busy. */
const MOST = 1024
/** Threads, and processes that ended and were not collected: whoever is behind so many is not looked for, and that is said. */
const MOST_ASKED = 16_384

export interface AgentProcesses {
  readonly processes: readonly AgentProcess[]
  /** There were more than are looked at. */
  readonly isCut: boolean
}

export class ProcessTree {
  readonly #pid: number
  /** Of the agent itself, once it was seen: another process may come to its number. */
  #start: string | undefined
  /** Pid and start of those that were seen. */
  #seen = new Map<number, string>()

  constructor(pid: number) {
    this.#pid = pid
  }

  /** `members`: of the agent’s own control group. */
  read(members: readonly number[]): AgentProcesses {
    const walk: Walk = { found: new Map(), visited: new Set(), asked: 0, isCut: false }
    const agent = readProcess(this.#pid)
    this.#start ??= agent?.start
    if (agent?.start === this.#start) walkFrom(walk, [this.#pid])
    walkFrom(walk, members)
    // Another process may have come to a number; then it belongs to the agent only if something else says so, which was before.
    for (const [pid, start] of this.#seen)
      if (!walk.visited.has(pid) && readProcess(pid)?.start === start) walkFrom(walk, [pid])
    const processes = [...walk.found.values()]
    this.#seen = new Map([...walk.found].map(([pid, { start }]) => [pid, start]))
    return { processes, isCut: walk.isCut }
  }
}

interface Walk {
  readonly found: Map<number, AgentProcess>
  readonly visited: Set<number>
  asked: number
  isCut: boolean
}

/** Those, and all that they have started. */
function walkFrom(walk: Walk, pids: readonly number[]): void {
  const candidates = [...pids]
  for (let pid = candidates.pop(); pid !== undefined && !walk.isCut; pid = candidates.pop()) {
    if (walk.visited.has(pid)) continue
    walk.visited.add(pid)
    if (++walk.asked > MOST_ASKED) walk.isCut = true
    const process = readProcess(pid)
    if (!process) continue
    if (walk.found.size >= MOST) {
      walk.isCut = true
      return
    }
    walk.found.set(pid, process)
    for (const thread of threadsOf(pid)) {
      if (++walk.asked > MOST_ASKED) {
        walk.isCut = true
        return
      }
      // One by one: a list of arguments has an end.
      for (const child of pidsIn(`/proc/${pid}/task/${thread}/children`)) candidates.push(child)
    }
  }
}

/** Undefined: it ended. Fields of proc(5), counted after the command's name, which may hold anything. */
function readProcess(pid: number): AgentProcess | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  // Ended, and only not yet collected by its parent; or only its first thread did.
  const living = hasEnded(text) ? livingThreadOf(pid) : pid
  if (living === undefined) return undefined
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
  return {
    pid: living,
    comm: commOf(text.slice(open + 1, close)),
    start: fields[19] ?? '',
    cpuSeconds: ticks / TICKS_PER_SECOND,
    residentBytes: Number(fields[21]) * PAGE,
  }
}

function hasEnded(stat: string): boolean {
  return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

function livingThreadOf(pid: number): number | undefined {
  const living = threadsOf(pid).find((thread) => {
    try {
      return !hasEnded(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'))
    } catch {
      return false
    }
  })
  return living === undefined ? undefined : Number(living)
}

/** Each may have forked. */
function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** None where there is no such file: whoever was in it has ended. */
function pidsIn(path: string): readonly number[] {
  try {
    return readFileSync(path, 'latin1')
      .split(/\s+/)
      .filter((pid) => pid !== '' && pid !== '0')
      .map(Number)
  } catch (cause) {
    if (['ENOENT', 'ESRCH', 'ENODEV', 'EACCES'].includes(codeOf(cause))) return []
    throw cause
  }
}
