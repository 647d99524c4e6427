/**
 * What happened in one Git repository: its commits, their changes and their files, read only. Git hands out objects and
 * nothing else; trees and parents are followed here, so that no configuration, graft, attribute or replacement takes part
 * and an unchanged folder costs nothing.
 */
import { HistoryFault, type PolicyHistory, UnfitTree } from '../policy/acceptance/acceptance.ts'
import type { PolicyFile } from '../policy/policy.ts'
import { recentValues } from '../recent-values.ts'
import { objectsOf, UnreadableObject } from './git-objects.ts'
import type { GitSettings } from './git-process.ts'
import { readTree, type TreeEntry } from './tree-entries.ts'

/** Folders count like files. */
const MOST_FILES = 20_000
/** Two trees of that size, and their folders again where they differ. */
const MOST_COMPARED = 100_000
const LARGEST_FILE = 1024 * 1024
const LARGEST_CONTENT = 64 * 1024 * 1024
const LARGEST_COMMIT = 256 * 1024
/** 20,000 entries with names of 255 bytes. */
const LARGEST_TREE = 6 * 1024 * 1024
const LONGEST_PATH = 500
const MOST_COMMITS = 50_000
/** What is asked for at once; answers beyond a limit that stops the asking are at most this many files. */
const MOST_AT_ONCE = 128
/** The same of folders, which count only once they are there, with up to 6 MiB each. */
const MOST_TREES_AT_ONCE = 32

/** In bytes of the objects; what is made of them takes several times as much. */
const REMEMBERED_COMMITS = 2 * 1024 * 1024
const REMEMBERED_TREES = 2 * 1024 * 1024
const REMEMBERED_FILES = 32 * 1024 * 1024

/**
 * `gitDir`: a bare repository, or the `.git` of a working tree. A file that did not change is the same Uint8Array each time,
 * so that what was made of it can be remembered under it.
 */
export function gitHistory(gitDir: string, settings: GitSettings): PolicyHistory {
  const read = objectsOf(gitDir, settings)
  const commits = recentValues<Commit>(REMEMBERED_COMMITS, ({ bytes }) => bytes.length + 500)
  const trees = recentValues<Tree>(REMEMBERED_TREES, ({ size }) => size + 100)
  const blobs = recentValues<Uint8Array>(REMEMBERED_FILES, ({ length }) => length + 100)

  async function objectOf(name: string, type: string, mostBytes: number): Promise<Uint8Array> {
    const object = await read(name, mostBytes)
    if (!object) throw new UnreadableObject(`the repository has no ${type} ${name}`)
    if (object.type !== type) throw new HistoryFault(`${name} is a ${object.type} and no ${type}`)
    if (object.bytes) return object.bytes
    throw new UnfitTree(
      `the ${type} ${name} has ${object.size} bytes; at most ${mostBytes} are read`,
    )
  }

  async function commitOf(name: string): Promise<Commit> {
    const known = commits.get(name)
    if (known) return known
    const bytes = await objectOf(named(name), 'commit', LARGEST_COMMIT)
    const commit = { ...headOf(bytes, name), bytes }
    commits.put(name, commit)
    return commit
  }

  async function treeOf(name: string): Promise<readonly TreeEntry[]> {
    const known = trees.get(name)
    if (known) return known.entries
    const bytes = await objectOf(name, 'tree', LARGEST_TREE)
    const entries = readTree(bytes, { tree: name, digestBytes: name.length === 40 ? 20 : 32 })
    trees.put(name, { entries, size: bytes.length })
    return entries
  }

  return {
    async firstParents(from, to) {
      const newestFirst: string[] = []
      for (let at: string | undefined = to; at !== from; ) {
        // Undefined: a first commit has no parent, and `from` was not on the way to it.
        if (at === undefined) return undefined
        if (newestFirst.length === MOST_COMMITS)
          throw new HistoryFault(
            `${to} has more than ${MOST_COMMITS} commits behind it without ${from ?? 'a first one'} among them`,
          )
        newestFirst.push(at)
        at = (await commitOf(at)).firstParent
      }
      return newestFirst.reverse()
    },

    commitObject: async (commit) => (await commitOf(commit)).bytes,

    async changedPaths(before, after) {
      const changed: string[] = []
      const older = before === undefined ? undefined : (await commitOf(before)).tree
      await compare(older, (await commitOf(after)).tree, {
        treeOf: limited(after, MOST_COMPARED),
        changed,
      })
      return changed
    },

    async filesOf(commit, under) {
      const top = (await commitOf(commit)).tree
      const found = await collect(top, { under, treeOf: limited(commit, MOST_FILES) })
      let size = 0
      const files: PolicyFile[] = []
      for (let at = 0; at < found.length; at += MOST_AT_ONCE) {
        const some = found.slice(at, at + MOST_AT_ONCE).map(async ({ path, object }) => {
          const bytes = blobs.get(object) ?? (await fileContent(path, object))
          size += bytes.length
          return { path, bytes }
        })
        files.push(...(await Promise.all(some)))
        if (size > LARGEST_CONTENT)
          throw new UnfitTree(`${commit} holds more than ${LARGEST_CONTENT} bytes of files`)
      }
      return files
    },
  }

  /** A few trees that name each other stand for as many files as anybody likes: entries are counted as often as they are met. */
  function limited(commit: string, most: number): TreeOf {
    let met = 0
    return async (name) => {
      const entries = await treeOf(name)
      met += entries.length + 1
      if (met > most)
        throw new UnfitTree(
          `${commit} has more than ${most} files and folders to look at, which no policy repository needs`,
        )
      return entries
    }
  }

  async function fileContent(path: string, name: string): Promise<Uint8Array> {
    const object = await read(name, LARGEST_FILE)
    if (!object) throw new UnreadableObject(`the repository has no content for ${path} (${name})`)
    if (object.type !== 'blob') throw new UnfitTree(`${path} is a ${object.type} and no file`)
    if (!object.bytes)
      throw new UnfitTree(
        `${path} has ${object.size} bytes; a policy repository holds files of at most ${LARGEST_FILE}`,
      )
    blobs.put(name, object.bytes)
    return object.bytes
  }
}

interface Tree {
  readonly entries: readonly TreeEntry[]
  readonly size: number
}

interface Commit {
  readonly bytes: Uint8Array
  readonly tree: string
  readonly firstParent: string | undefined
}

/** Names come from a database or from another commit; neither is believed to hold one. */
function named(commit: string): string {
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) return commit
  throw new HistoryFault(
    `"${commit.slice(0, 80)}" is not the name of a commit: 40 or 64 lower-case hex digits`,
  )
}

/** gitformat-commit: `tree`, then any number of `parent`, then `author`. */
function headOf(bytes: Uint8Array, name: string): Pick<Commit, 'tree' | 'firstParent'> {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 200))
  const [, tree, firstParent] =
    /^tree ([0-9a-f]{40,64})\n(?:parent ([0-9a-f]{40,64})\n|author )/.exec(
      head.toString('latin1'),
    ) ?? []
  if (tree?.length === name.length && (firstParent?.length ?? name.length) === name.length)
    return { tree, firstParent }
  throw new HistoryFault(`the commit ${name} is malformed: it does not begin with tree and parent`)
}

type TreeOf = (name: string) => Promise<readonly TreeEntry[]>

interface Comparison {
  readonly treeOf: TreeOf
  readonly changed: string[]
  /** Ends with a slash, or is empty. */
  readonly folder?: string
}

/**
 * Content and mode count, kinds too: a file in a folder's place is the end of all its files. What no policy may hold
 * counts as well, since only the candidate's own tree must be free of it.
 */
async function compare(
  before: string | undefined,
  after: string | undefined,
  { treeOf, changed, folder = '' }: Comparison,
): Promise<void> {
  if (before === after) return
  const older = await entriesByName(before, treeOf)
  const newer = await entriesByName(after, treeOf)
  for (const name of new Set([...older.keys(), ...newer.keys()])) {
    const [was, is] = [older.get(name), newer.get(name)]
    if (was?.object === is?.object && was?.mode === is?.mode) continue
    const path = pathOf(folder, name)
    if ((was && was.kind !== 'tree') || (is && is.kind !== 'tree')) changed.push(path)
    await compare(
      was?.kind === 'tree' ? was.object : undefined,
      is?.kind === 'tree' ? is.object : undefined,
      { treeOf, changed, folder: `${path}/` },
    )
  }
}

async function entriesByName(tree: string | undefined, treeOf: TreeOf) {
  const entries = tree === undefined ? [] : await treeOf(tree)
  return new Map(entries.map((entry) => [entry.name, entry]))
}

interface Found {
  readonly path: string
  readonly object: string
}

interface Folder {
  /** Ends with a slash, or is empty. */
  readonly path: string
  readonly tree: string
  /** In Git's order. */
  readonly inner: (Found | Folder)[]
}

interface Collection {
  readonly under: readonly string[] | undefined
  readonly treeOf: TreeOf
}

/** In Git's order. Read level by level: every approval has a folder of its own, and git answers about many almost as fast as about one. */
async function collect(tree: string, { under, treeOf }: Collection): Promise<readonly Found[]> {
  const top: Folder = { path: '', tree, inner: [] }
  for (let level: readonly Folder[] = [top]; level.length > 0; ) {
    const next: Folder[] = []
    for (let at = 0; at < level.length; at += MOST_TREES_AT_ONCE) {
      const some = level.slice(at, at + MOST_TREES_AT_ONCE)
      const listings = await Promise.all(some.map(async (folder) => await treeOf(folder.tree)))
      for (const [index, folder] of some.entries())
        next.push(...opened(folder, listings[index] ?? [], under))
    }
    level = next
  }
  return filesIn(top)
}

/** Fills the folder, and returns those in it. */
function opened(
  folder: Folder,
  entries: readonly TreeEntry[],
  under: readonly string[] | undefined,
): readonly Folder[] {
  const folders: Folder[] = []
  for (const { name, kind, mode, object, fault } of entries) {
    const path = pathOf(folder.path, name)
    const isTree = kind === 'tree'
    if (under && !touches(isTree ? `${path}/` : path, under)) continue
    if (fault !== undefined) throw new UnfitTree(`${JSON.stringify(path)} ${fault}`)
    if (!isTree && kind !== 'file')
      throw new UnfitTree(
        `${path} is ${kind === 'other' ? `an entry of mode ${mode}` : `a ${kind}`}: a policy repository holds plain files only`,
      )
    if (isTree) {
      const inner: Folder = { path: `${path}/`, tree: object, inner: [] }
      folders.push(inner)
      folder.inner.push(inner)
    } else folder.inner.push({ path, object })
  }
  return folders
}

function filesIn({ inner }: Folder): readonly Found[] {
  return inner.flatMap((one) => ('tree' in one ? filesIn(one) : [one]))
}

/** Below one of the wanted folders, or a folder on the way to something wanted. */
function touches(path: string, under: readonly string[]): boolean {
  return under.some(
    (wanted) =>
      path === wanted ||
      (wanted.endsWith('/') && path.startsWith(wanted)) ||
      (path.endsWith('/') && wanted.startsWith(path)),
  )
}

function pathOf(folder: string, name: string): string {
  const path = folder + name
  if (path.length <= LONGEST_PATH) return path
  throw new UnfitTree(
    `the path ${path.slice(0, 80)}... has ${path.length} characters; at most ${LONGEST_PATH} are read`,
  )
}
