/**
 * What does a Git tree object list? Whoever may push writes the names, so each is told apart from what another file system,
 * a terminal or a careless reader would make of it.
 */
import { UnfitTree } from '../policy/acceptance/acceptance.ts'

export interface TreeEntry {
  /** One step of a path: never empty, and without a slash. */
  readonly name: string
  readonly kind: EntryKind
  /** As Git spells it: `100644`, `40000` */
  readonly mode: string
  readonly object: string
  /** Why no policy may hold an entry of this name: the end of a sentence that begins with the path. */
  readonly fault: string | undefined
}

export type EntryKind = 'file' | 'tree' | 'symbolic link' | 'submodule' | 'other'

const kinds: Readonly<Record<string, EntryKind>> = {
  '100644': 'file',
  '100755': 'file',
  '40000': 'tree',
  '120000': 'symbolic link',
  '160000': 'submodule',
}

/**
 * `<mode in octal> SP <name> NUL <object name in binary>`, once per entry (gitformat-pack has no word on it; git's
 * tree-walk.c does). Throws UnfitTree for what is no tree, for names that are not UTF-8 and for one that appears twice.
 */
export function readTree(
  bytes: Uint8Array,
  { tree, digestBytes }: { readonly tree: string; readonly digestBytes: 20 | 32 },
): readonly TreeEntry[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: TreeEntry[] = []
  const names = new Set<string>()
  for (let at = 0; at < buffer.length; ) {
    const space = buffer.indexOf(0x20, at)
    const nul = buffer.indexOf(0, space)
    const end = nul + 1 + digestBytes
    if (space < 0 || nul < 0 || space - at > 6 || end > buffer.length)
      throw new UnfitTree(`the tree ${tree} is malformed at byte ${at}`)
    if (nul - space - 1 > LONGEST_NAME)
      throw new UnfitTree(
        `the tree ${tree} lists a name of ${nul - space - 1} bytes; at most ${LONGEST_NAME} are read`,
      )
    const mode = buffer.toString('latin1', at, space)
    const name = nameOf(buffer.subarray(space + 1, nul), tree)
    if (names.has(name)) throw new UnfitTree(`the tree ${tree} lists "${name}" twice`)
    names.add(name)
    const object = buffer.toString('hex', nul + 1, end)
    entries.push({ name, kind: kinds[mode] ?? 'other', mode, object, fault: faultOf(name) })
    at = end
  }
  return withCollisions(entries)
}

/** A BOM is part of the name. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function nameOf(bytes: Buffer, tree: string): string {
  let name: string
  try {
    name = utf8.decode(bytes)
  } catch {
    throw new UnfitTree(
      `the tree ${tree} lists a name that is not UTF-8: hex ${bytes.toString('hex').slice(0, 200)}`,
    )
  }
  if (name === '' || name.includes('/'))
    throw new UnfitTree(`the tree ${tree} lists ${JSON.stringify(name)}, which is no name`)
  return name
}

/** No file system takes more, and whatever is asked of a name below is asked of names that are short. */
const LONGEST_NAME = 255

const unsafe = 'is not a plain path: choose another name'

/** Git itself refuses most of these when it receives them, and none when they are there already. */
function faultOf(name: string): string | undefined {
  if (/^[\w+@=,-][\w+@=,.-]*$/.test(name) && !name.endsWith('.') && !/^git~/i.test(name))
    return undefined
  // NTFS ends a name before trailing dots and spaces, and knows .git as GIT~1 too.
  const bare = name.replace(/[. ]+$/, '').toLowerCase()
  if (bare === '' || bare === '.git' || /^git~\d+$/.test(bare)) return unsafe
  return /[\p{C}\p{Zl}\p{Zp}\\]/u.test(name) ? unsafe : undefined
}

/**
 * Two names that a file system without regard for case or Unicode forms takes for one: what is reviewed on such a machine
 * is not what is in force.
 */
function withCollisions(entries: readonly TreeEntry[]): readonly TreeEntry[] {
  const folded = new Map<string, number>()
  const collisions = new Map<number, string>()
  for (const [at, { name }] of entries.entries()) {
    const key = fold(name)
    const other = folded.get(key)
    if (other === undefined) folded.set(key, at)
    else {
      collisions.set(at, entries[other]?.name ?? '')
      collisions.set(other, name)
    }
  }
  if (collisions.size === 0) return entries
  return entries.map((entry, at) => {
    const other = collisions.get(at)
    if (other === undefined) return entry
    return {
      ...entry,
      fault: `differs from ${JSON.stringify(other)} beside it only in case or Unicode form: rename one`,
    }
  })
}

function fold(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is meant.
  if (/^[\x00-\x7f]*$/.test(name)) return name.toLowerCase()
  // Upper case first: ß and ſ are SS and S to some.
  return name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
}
