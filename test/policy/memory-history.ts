/**
 * A policy repository in memory, with commits and signatures as Git would have them, so that a hundred histories can be
 * judged in a second. Trees are only lists of files: what Git itself refuses is not refused here.
 */
import { createHash } from 'node:crypto'
import { HistoryFault, type PolicyHistory } from '#src/policy/acceptance/policy-history.ts'
import { type ObjectFormat, withSignature } from '#src/policy/signatures/commit-object.ts'
import { signSsh } from '#src/policy/signatures/ssh-signature.ts'
import { alice, defaultFiles, type Person } from '../git/policy-repository.ts'

export interface MemoryChange {
  /** To the first parent's tree; null deletes. */
  readonly files?: Readonly<Record<string, string | Uint8Array | null>>
  /** Alice unless said. */
  readonly by?: Person | 'nobody'
  /** Main's commit unless said; `[]` begins anew, two make a merge. Main moves wherever it was. */
  readonly parents?: readonly string[]
  /** Claimed as time of author and committer. */
  readonly at?: Date
  /** Signs instead, in any armor. */
  readonly sign?: (payload: Uint8Array) => string
}

export interface MemoryRepository {
  readonly history: PolicyHistory
  /** What was asked of the history since the last `forget`, as `method` to count. */
  readonly asked: ReadonlyMap<string, number>
  readonly forget: () => void
  readonly commit: (change?: MemoryChange) => string
  readonly head: () => string
  /** The history hands out the second commit's content under the first one's name, as refs/replace would. */
  readonly replace: (commit: string, by: string) => void
  readonly filesAt: (commit: string) => ReadonlyMap<string, Uint8Array>
}

interface Stored {
  readonly raw: Uint8Array
  readonly parents: readonly string[]
  readonly files: ReadonlyMap<string, Uint8Array>
}

export function memoryRepository({
  files = defaultFiles,
  objectFormat = 'sha1',
}: {
  readonly files?: MemoryChange['files']
  readonly objectFormat?: ObjectFormat
} = {}): MemoryRepository {
  const stored = new Map<string, Stored>()
  const replaced = new Map<string, string>()
  const asked = new Map<string, number>()
  let main: string | undefined

  function get(commit: string): Stored {
    const found = stored.get(commit)
    if (!found) throw new HistoryFault(`the repository has no commit ${commit}`)
    return found
  }

  function commit({ files: changes = {}, by = alice, at, sign, ...rest }: MemoryChange = {}) {
    const parents = rest.parents ?? (main === undefined ? [] : [main])
    const [first] = parents
    const tree = new Map(first === undefined ? [] : get(first).files)
    for (const [path, content] of Object.entries(changes))
      if (content === null) {
        if (!tree.delete(path)) throw new Error(`${path} is not there to be deleted`)
      } else tree.set(path, new Uint8Array(Buffer.from(content)))
    const sorted = new Map([...tree].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    const seconds = at ? at.getTime() / 1000 : 1_780_000_000 + stored.size
    const who = by === 'nobody' ? 'Nobody <nobody@localhost>' : `${by.principal} <${by.email}>`
    const payload = Buffer.from(
      [
        `tree ${nameOf('tree', Buffer.from(JSON.stringify([...sorted])))}`,
        ...parents.map((parent) => `parent ${parent}`),
        `author ${who} ${seconds} +0000`,
        `committer ${who} ${seconds} +0000`,
        '',
        `change ${stored.size}\n`,
      ].join('\n'),
    )
    const armored =
      sign?.(payload) ?? (by === 'nobody' ? undefined : signSsh(by.privateKey, payload, 'git'))
    const raw = armored === undefined ? payload : withSignature(payload, armored, objectFormat)
    main = nameOf('commit', raw)
    stored.set(main, { raw: new Uint8Array(raw), parents, files: sorted })
    return main
  }

  function nameOf(type: string, bytes: Uint8Array): string {
    return createHash(objectFormat).update(`${type} ${bytes.length}\0`).update(bytes).digest('hex')
  }

  function count(method: string): void {
    asked.set(method, (asked.get(method) ?? 0) + 1)
  }

  const history: PolicyHistory = {
    async firstParents(from, to) {
      count('firstParents')
      const chain: string[] = []
      for (let at: string | undefined = to; at !== from; at = get(at).parents[0]) {
        if (at === undefined) return undefined
        chain.unshift(at)
      }
      return chain
    },
    async commitObject(name) {
      count('commitObject')
      return get(replaced.get(name) ?? name).raw
    },
    async changedPaths(before, after) {
      count('changedPaths')
      const [old, now] = [before === undefined ? new Map() : get(before).files, get(after).files]
      return [...new Set([...old.keys(), ...now.keys()])]
        .filter((path) => old.get(path)?.toString() !== now.get(path)?.toString())
        .toSorted()
    },
    async filesOf(name, under) {
      count(under === undefined ? 'filesOf everything' : 'filesOf some')
      return [...get(name).files]
        .filter(
          ([path]) =>
            under === undefined ||
            under.some((one) => path === one || path.startsWith(one.replace(/\/?$/, '/'))),
        )
        .map(([path, bytes]) => ({ path, bytes }))
    },
  }

  if (Object.keys(files).length > 0) commit({ files })
  return {
    history,
    asked,
    forget: () => asked.clear(),
    commit,
    head: () => main ?? '',
    replace: (name, by) => replaced.set(name, by),
    filesAt: (name) => get(name).files,
  }
}
