/**
 * What does one look at the running agent show? Files and models by stat, mapped code by inode, executable memory against its
 * files, the environment, connections, and what is used. Blocks while it looks: look-worker.ts runs it in a thread of its own.
 */
import { lstatSync, readlinkSync, statSync } from 'node:fs'
import { isAbsolute, normalize } from 'node:path'
import type { Behaviour, Measurement } from '../../src/rats/runtime-event.ts'
import { seeAnonymousText } from './anonymous-text.ts'
import { Budget, type Limits } from './budget.ts'
import { connectionsOf } from './connections.ts'
import { type AgentGroups, groupsOf, membersOf, usageOf } from './control-groups.ts'
import { environmentDigest, readEnvironment, refuseUnfree } from './environment.ts'
import { codeOf, FileDigests, inodeOf } from './file-digest.ts'
import { seeMappedFiles } from './mapped-files.ts'
import { TextComparison } from './memory-text.ts'
import { readModel, type WatchedModel } from './models.ts'
import { type OpenedFile, OpenedFiles } from './opened-files.ts'
import { type ExecutableMapping, executableMappings } from './proc-maps.ts'
import { type AgentProcess, ProcessTree } from './processes.ts'
import { Sightings } from './sightings.ts'
import { seeTracer } from './tracer.ts'
import { filesOf, type TreeReading, type WatchedTree, waysOf, wholeDigest } from './tree.ts'

/** Part of the measured image, like the collector: whoever chooses it chooses what is seen. */
export interface WatchedAgent {
  readonly pid: number
  readonly trees: readonly WatchedTree[]
  readonly models: readonly WatchedModel[]
  /** Variables whose value and presence do not count. Absent: the environment is not measured. */
  readonly freeVariables?: readonly string[]
  /** Default `compared`. */
  readonly memoryText?: 'compared' | 'unwatched'
  /**
   * How the files that it maps are reached. Default `through-kernel`, by the link of each mapping, which takes privileges. `by-path`:
   * what lies at its path, if that has the mapping's inode number. For development: another file system mounted over it may have
   * a file of that number.
   */
  readonly mappedFiles?: 'through-kernel' | 'by-path'
}

export interface LookRequest {
  readonly nonce: string
  /** `full`: all text is compared and every file of the trees is read; models are read by their stat. */
  readonly extent: 'sample' | 'full'
  readonly limits: Limits
  /** By the sensor, since the last look. */
  readonly opened: readonly OpenedFile[]
  /** Whether a sensor reports opens and connections, so that they need not be looked for. */
  readonly source: 'kernel' | 'files'
  /** Paths whose stat is not believed. */
  readonly changed: readonly string[]
  /** Soon after another: what it could not read to its end is no more suspicious than before. */
  readonly isBetween?: boolean
}

export interface Look {
  /** Not told by looks of this thread before. */
  readonly measurements: readonly Measurement[]
  readonly behaviours: readonly Behaviour[]
  /** What could not be measured; undefined when all was. */
  readonly blindness: string | undefined
  /** Large files are still being read, or there was no time for all: the next look goes on. */
  readonly isPending: boolean
  readonly usage: LookUsage
}

export interface LookUsage {
  /** Since the agent started. */
  readonly cpuSeconds: number
  readonly memoryBytes: number
  readonly processes: number
}

/** Of 256 blocks of text. A block with a page that the process wrote is compared whether it is chosen or not. */
const TEXT_SHARE = 16
/** So many looks may end before all was seen; the next one that does is told. */
const MOST_LATE_LOOKS = 2
/** Told in one look; more is a fault. */
const MOST_BEHAVIOURS = 1024

/** Throws TypeError for an agent that cannot be watched so. */
export function looker(agent: WatchedAgent, clock: () => number): (request: LookRequest) => Look {
  assertWatchable(agent)
  const watching: Watching = {
    agent,
    digests: new FileDigests(),
    modelDigests: new FileDigests(),
    sightings: new Sightings(),
    tree: new ProcessTree(agent.pid),
    text: new TextComparison(),
    opened: new OpenedFiles(agent.trees),
    lateLooks: 0,
  }
  return (request) => lookOnce(watching, request, new Budget(request.limits, clock))
}

/** Throws TypeError. */
export function assertWatchable({ trees, models, freeVariables = [] }: WatchedAgent): void {
  refuseUnfree(freeVariables)
  // Paths are compared with what the kernel says, which has no other spelling.
  for (const path of [...trees, ...models].map((each) => each.path))
    if (!isAbsolute(path) || normalize(path) !== path || (path !== '/' && path.endsWith('/')))
      throw new TypeError(`${path} is no absolute path in its shortest form`)
}

interface Watching {
  readonly agent: WatchedAgent
  readonly digests: FileDigests
  /** Apart: reading a model again takes minutes. */
  readonly modelDigests: FileDigests
  readonly sightings: Sightings
  readonly tree: ProcessTree
  readonly text: TextComparison
  readonly opened: OpenedFiles
  /** One after the other, up to now. */
  lateLooks: number
}

function lookOnce(watching: Watching, request: LookRequest, budget: Budget): Look {
  const { agent, sightings, tree, digests } = watching
  digests.challenge(request.nonce)
  if (request.extent === 'full') digests.forget()
  sightings.begin({ countsAttempts: !request.isBetween })
  const groups = groupsOrNone(agent.pid)
  const { processes, isCut } = tree.read(membersOf(groups, budget))
  if (isCut) budget.fault('more processes than can be looked at')
  if (!processes.some(({ pid }) => pid === agent.pid))
    budget.fault(`the agent, process ${agent.pid}, is not there any more`)
  // First what runs; then what lies about: time may end.
  for (const process of processes) seeProcess(watching, { process, request, budget })
  seeFiles(watching, request, budget)
  seeEnvironment(watching, budget)
  if (request.source === 'files')
    for (const { process, address, port } of connectionsOf(processes, budget))
      sightings.behaviour({
        kind: 'connection',
        pid: process.pid,
        comm: process.comm,
        address,
        port,
        host: '',
        verdict: 'allowed',
      })
  if (budget.lateness === undefined) watching.lateLooks = 0
  else if (!request.isBetween) watching.lateLooks++
  if (budget.lateness !== undefined && watching.lateLooks > MOST_LATE_LOOKS)
    budget.fault(budget.lateness)
  const { measurements, behaviours } = sightings.take()
  if (behaviours.length > MOST_BEHAVIOURS)
    budget.fault(`${behaviours.length} observations in one look`)
  return {
    measurements,
    behaviours: behaviours.slice(0, MOST_BEHAVIOURS),
    blindness: budget.blindness(),
    isPending: sightings.isPending() || budget.lateness !== undefined,
    usage: usedBy(processes, groups),
  }
}

function seeProcess(
  { agent, sightings, digests, text }: Watching,
  {
    process,
    request,
    budget,
  }: { readonly process: AgentProcess; readonly request: LookRequest; readonly budget: Budget },
): void {
  if (budget.isOver()) {
    budget.late('no time was left to look at every process')
    return
  }
  let mappings: readonly ExecutableMapping[] | undefined
  try {
    mappings = executableMappings(process.pid)
  } catch (cause) {
    budget.fault(`maps of process ${process.pid}: ${codeOf(cause)}`)
  }
  if (!mappings) return
  const { mappedFiles = 'through-kernel' } = agent
  seeMappedFiles(sightings, { process, mappings, digests, budget, reached: mappedFiles })
  seeTracer(sightings, process)
  seeAnonymousText(sightings, { process, mappings, budget })
  if (agent.memoryText === 'unwatched') return
  const share = request.extent === 'full' ? 256 : TEXT_SHARE
  text.see(sightings, { process, mappings, challenge: { nonce: request.nonce, share }, budget })
}

function seeFiles(watching: Watching, request: LookRequest, budget: Budget): void {
  const { agent, sightings, digests, modelDigests, opened } = watching
  const reading: TreeReading = { digests, budget, root: rootOf(agent.pid, budget) }
  for (const path of request.changed) forgetPath(digests, `${reading.root}${path}`)
  for (const tree of agent.trees) {
    const as = waysOf(tree)
    if (as === 'opened' && request.source === 'kernel') continue
    const whole: { path: string; digest: `sha256:${string}` }[] = []
    let isWhole = true
    for (const { path, reading: file } of filesOf(tree, reading))
      if (as !== 'whole') sightings.file(tree.kind, path, file, budget)
      else if ('digest' in file)
        whole.push({ path: path.slice(tree.path.length + 1), digest: file.digest })
      else {
        isWhole = false
        sightings.file(tree.kind, path, file, budget)
      }
    if (as === 'whole' && isWhole)
      sightings.digest(tree.kind, tree.path, wholeDigest(whole), budget)
  }
  opened.see(sightings, { ...reading, opened: request.opened })
  for (const model of agent.models)
    sightings.file(
      'model',
      model.name,
      readModel(model, { ...reading, digests: modelDigests }),
      budget,
    )
}

function seeEnvironment({ agent, sightings }: Watching, budget: Budget): void {
  const { freeVariables, pid } = agent
  if (!freeVariables) return
  try {
    const digest = environmentDigest(readEnvironment(pid), freeVariables)
    sightings.digest('environment', 'environment', digest, budget)
  } catch (cause) {
    budget.fault(`environment of process ${pid}: ${codeOf(cause)}`)
  }
}

/** Empty where the agent has the collector’s own root; then no path goes through a link of /proc. */
function rootOf(pid: number, budget: Budget): string {
  try {
    const sameMounts =
      readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt') &&
      inodeOf(statSync(`/proc/${pid}/root/.`, { bigint: true })) ===
        inodeOf(lstatSync('/', { bigint: true }))
    return sameMounts ? '' : `/proc/${pid}/root`
  } catch (cause) {
    budget.fault(`root folder of process ${pid}: ${codeOf(cause)}`)
    return `/proc/${pid}/root`
  }
}

function forgetPath(digests: FileDigests, path: string): void {
  try {
    digests.forget(lstatSync(path, { bigint: true }))
  } catch {
    // Not there: then there is nothing to be remembered of it.
  }
}

function groupsOrNone(pid: number): AgentGroups {
  try {
    return groupsOf(pid)
  } catch {
    // The agent ended, which is said elsewhere; or a kernel without control groups.
    return { unified: undefined, controllers: new Map() }
  }
}

/** By its groups where it has its own, and else summed over its processes. */
function usedBy(processes: readonly AgentProcess[], groups: AgentGroups): LookUsage {
  const counted = usageOf(groups)
  const sum = (of: (process: AgentProcess) => number) =>
    processes.reduce((total, process) => total + of(process), 0)
  return {
    cpuSeconds: counted.cpuSeconds ?? sum(({ cpuSeconds }) => cpuSeconds),
    memoryBytes: counted.memoryBytes ?? sum(({ residentBytes }) => residentBytes),
    processes: counted.processes ?? processes.length,
  }
}
