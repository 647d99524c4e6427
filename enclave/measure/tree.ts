/**
 * Which files are in a folder, and what is in them? The agent may have written there: depth, number and kind of what is found
 * are its choice. Links are measured as links: by where they say that they lead.
 */
import { createHash } from 'node:crypto'
import { type BigIntStats, lstatSync, opendirSync, readdirSync, readlinkSync } from 'node:fs'
import type { MeasurementKind } from '../../src/rats/runtime-event.ts'
import type { Budget } from './budget.ts'
import { codeOf, type FileDigests, type FileReading, type Sha256 } from './file-digest.ts'

export interface WatchedTree {
  /** As the agent sees it: a folder or a file. */
  readonly path: string
  readonly kind: MeasurementKind
  /**
   * `opened` (default): what the kernel saw the agent open; without a sensor, and for `state`, as `each`. `each`: a measurement for each file.
   * `whole`: one for all, by `wholeDigest`, under the path of the tree.
   */
  readonly as?: 'opened' | 'each' | 'whole'
  /** Paths below that are not measured, for what the agent may write as it likes. */
  readonly except?: readonly string[]
}

export function waysOf({ kind, as }: WatchedTree): 'opened' | 'each' | 'whole' {
  // What the agent writes is measured because it was written, and not because it was read.
  return as ?? (kind === 'state' ? 'each' : 'opened')
}

export interface FoundFile {
  /** As the agent sees it. */
  readonly path: string
  readonly reading: FileReading
}

const DEEPEST = 64
/** Names that are read at once from a folder whose list of names is larger than so many bytes. */
const NAMES_AT_ONCE = 128
const LARGEST_AT_ONCE = 1024n * 1024n

export interface TreeReading {
  readonly digests: FileDigests
  readonly budget: Budget
  /** Before every path: `/proc/PID/root` of an agent that has another root than we have. */
  readonly root: string
}

/** Each file as it is found. What cannot be seen is a fault in the budget. */
export function* filesOf(tree: WatchedTree, reading: TreeReading): Generator<FoundFile> {
  const { budget, root } = reading
  const link = root === '' ? undefined : linkAbove(tree.path, root)
  if (link !== undefined) {
    budget.fault(`${tree.kind} ${tree.path}: ${link} is a link`)
    return
  }
  const except = new Set(tree.except)
  const waiting: { readonly path: string; readonly depth: number }[] = [
    { path: tree.path, depth: 0 },
  ]
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { path, depth } = next
    if (except.has(path)) continue
    if (budget.isOver()) {
      budget.late(`${tree.kind} ${tree.path}: no time was left for all files`)
      return
    }
    if (!budget.takeFile()) {
      budget.fault(`${tree.kind} ${tree.path}: too many files to measure in one look`)
      return
    }
    const stats = statOf(`${root}${path}`)
    if (typeof stats === 'string') {
      // Gone since its folder was read. A whole tree that is not there is another matter, unless the agent is to make it.
      if (stats !== 'ENOENT' || (depth === 0 && tree.kind !== 'state'))
        yield { path, reading: { fault: stats } }
    } else if (!stats.isDirectory()) yield { path, reading: readingOf(path, stats, reading) }
    else if (depth === DEEPEST) budget.fault(`${tree.kind} ${path}: too deep`)
    // What is not UTF-8 was read as this character: under that name there is no file, and its own cannot be said.
    else
      for (const name of namesIn(path, stats, reading))
        if (name.includes('\ufffd')) budget.fault(`${tree.kind} ${path}: a name that is not UTF-8`)
        else waiting.push({ path: path === '/' ? `/${name}` : `${path}/${name}`, depth: depth + 1 })
  }
}

/** As `find -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` in the folder has it: of lines `<hex>  <relative path>`. */
export function wholeDigest(
  files: readonly { readonly path: string; readonly digest: Sha256 }[],
): Sha256 {
  const lines = files
    .map(({ path, digest }) => ({ path: Buffer.from(path), hex: digest.slice('sha256:'.length) }))
    .toSorted((a, b) => Buffer.compare(a.path, b.path))
  const hash = createHash('sha256')
  for (const { path, hex } of lines)
    if (path.some((byte) => ESCAPED.includes(byte)))
      hash.update(`\\${hex}  ${path.toString().replaceAll(/[\\\n\r]/g, escaped)}\n`)
    else hash.update(`${hex}  `).update(path).update('\n')
  return `sha256:${hash.digest('hex')}`
}

/** As sha256sum does: a name with a line feed in it would be two lines otherwise, and stand for two files. */
const ESCAPED = [...Buffer.from('\\\n\r')]
const escaped = (character: string) =>
  character === '\n' ? '\\n' : character === '\r' ? '\\r' : '\\\\'

/** Of a symbolic link: it has no content but this. */
export function linkDigest(target: string): Sha256 {
  return `sha256:${createHash('sha256').update(`symlink\0${target}`).digest('hex')}`
}

/** Followed from here it would lead into our own root, where other files lie than the agent has. */
function linkAbove(path: string, root: string): string | undefined {
  const names = path.split('/').slice(1, -1)
  return names
    .map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
    .find((above) => {
      const stats = statOf(`${root}${above}`)
      return typeof stats !== 'string' && stats.isSymbolicLink()
    })
}

function readingOf(path: string, stats: BigIntStats, from: TreeReading): FileReading {
  const { digests, budget, root } = from
  if (stats.isSymbolicLink())
    try {
      return { digest: linkDigest(readlinkSync(`${root}${path}`)) }
    } catch (cause) {
      return { fault: codeOf(cause) }
    }
  if (!stats.isFile()) return { fault: 'no plain file' }
  return digests.known(stats) ?? digests.read(`${root}${path}`, budget)
}

function statOf(path: string): BigIntStats | string {
  try {
    return lstatSync(path, { bigint: true })
  } catch (cause) {
    return codeOf(cause)
  }
}

function* namesIn(
  path: string,
  stats: BigIntStats,
  { budget, root }: TreeReading,
): Iterable<string> {
  try {
    if (stats.size <= LARGEST_AT_ONCE) yield* readdirSync(`${root}${path}`)
    else yield* namesInParts(path, { budget, root })
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') budget.fault(`folder ${path}: ${codeOf(cause)}`)
  }
}

/** So that a folder with millions of names costs no more than the budget has. */
function* namesInParts(
  path: string,
  { budget, root }: Pick<TreeReading, 'budget' | 'root'>,
): Generator<string> {
  const folder = opendirSync(`${root}${path}`, { bufferSize: NAMES_AT_ONCE })
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      if (budget.isOver()) {
        budget.late(`folder ${path}: no time was left for all names`)
        return
      }
      yield entry.name
    }
  } finally {
    folder.closeSync()
  }
}
