/**
 * Which files did the kernel see the agent open, start and map? Each belongs to the watched tree that its path lies in, and is read
 * by its inode: what was opened and is not there any more, or has changed since, cannot be measured, and that is said. Those that
 * were measured are looked at again with every look.
 */
import { existsSync, lstatSync } from 'node:fs'
import type { MeasurementKind } from '../../src/rats/runtime-event.ts'
import { ANOTHER_FILE, type FileReading } from './file-digest.ts'
import type { Sightings } from './sightings.ts'
import { type TreeReading, type WatchedTree, waysOf } from './tree.ts'

/** As the sensor tells it: sensor-event.ts. */
export interface OpenedFile {
  readonly pid: number
  readonly path: string
  /** `<st_dev>:<st_ino>` */
  readonly inode: string
  /** st_ctime at that moment: nanoseconds, decimal. */
  readonly changedAt: string
  /** Its path is no whole one. */
  readonly isTruncated: boolean
  /** A memfd, or a file that was deleted: no path leads to it. */
  readonly isAnonymous: boolean
  readonly use: 'open' | 'exec' | 'map'
}

/** Watched again with every look. */
const MOST = 200_000

export class OpenedFiles {
  /** Longest path first: the innermost decides. */
  readonly #trees: readonly WatchedTree[]
  readonly #watched = new Map<string, MeasurementKind>()

  constructor(trees: readonly WatchedTree[]) {
    this.#trees = trees.toSorted((a, b) => b.path.length - a.path.length)
  }

  see(
    sightings: Sightings,
    { opened, ...reading }: TreeReading & { readonly opened: readonly OpenedFile[] },
  ): void {
    const { budget } = reading
    for (const file of opened) {
      const kind = this.#kindOf(file)
      if (!kind) continue
      // Executable memory of a process that lives is found in its maps, under a name that says that the file has none.
      const isMapped = file.use !== 'open'
      if (file.isAnonymous && isMapped && existsSync(`/proc/${file.pid}/maps`)) continue
      // Whoever lists a folder opens it. What lies in it is another open.
      if (file.use === 'open' && isFolder(file, reading)) continue
      sightings.file(kind, file.path.slice(0, 1024), readOpened(file, reading), budget)
      // Programs and libraries are looked at where they are mapped.
      if (file.use !== 'open') continue
      if (this.#watched.size >= MOST) budget.fault(`more than ${MOST} files were opened`)
      else this.#watched.set(file.path, kind)
    }
    for (const [path, kind] of this.#watched) {
      if (budget.isOver()) {
        budget.late('no time was left to look at every file that was opened')
        return
      }
      const again = readAgain(path, reading)
      if (again) sightings.file(kind, path, again, budget)
      else this.#watched.delete(path)
    }
  }

  /** Undefined: it is in no watched tree, or its tree is measured otherwise. */
  #kindOf({ path, use }: OpenedFile): MeasurementKind | undefined {
    if (use === 'exec') return 'executable'
    if (use === 'map') return 'library'
    const tree = this.#trees.find((each) => isWithin(path, each.path))
    if (!tree || waysOf(tree) !== 'opened') return undefined
    const isExcepted = tree.except?.some((each) => isWithin(path, each))
    return isExcepted ? undefined : tree.kind
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)
}

/** By its inode: a folder that stands where a file was opened is no reason to leave the file out. */
function isFolder({ pid, path, inode }: OpenedFile, { root }: TreeReading): boolean {
  return placesOf(pid, root).some((place) => {
    try {
      const { dev, ino, mode } = lstatSync(`${place}${path}`, { bigint: true })
      return inode === `${dev}:${ino}` && (mode & TYPE) === FOLDER
    } catch {
      return false
    }
  })
}

/** inode(7): S_IFMT, S_IFDIR. */
const TYPE = 0o170_000n
const FOLDER = 0o040_000n

/** The root of the process that opened it, which may have ended; the agent’s; and ours, for one that changed its root. */
function placesOf(pid: number, root: string): readonly string[] {
  return [`/proc/${pid}/root`, root, '']
}

function readOpened(file: OpenedFile, { digests, budget, root }: TreeReading): FileReading {
  if (file.isTruncated) return { fault: 'its path was longer than the sensor can tell' }
  if (file.isAnonymous) return { fault: 'it has no name by which it could be read' }
  for (const place of placesOf(file.pid, root)) {
    const reading = digests.read(`${place}${file.path}`, budget, file)
    if (!('fault' in reading && reading.fault === ANOTHER_FILE)) return reading
  }
  return { fault: 'not there any more where it was opened' }
}

/** Undefined: it is gone, and can be loaded by nobody. */
function readAgain(path: string, { digests, budget, root }: TreeReading): FileReading | undefined {
  try {
    const stats = lstatSync(`${root}${path}`, { bigint: true })
    return digests.known(stats) ?? digests.read(`${root}${path}`, budget)
  } catch {
    return undefined
  }
}
