/**
 * The YAML that people write in manifests, read many times as fast as by the library: block maps and lists, flow collections
 * and quoted text on one line, plain words, comments. Whatever is not surely of this kind is declined, and the library reads
 * it; where this reads a text, the library would read the same values in the same places, which a test holds against it on
 * thousands of texts. Mistakes are never found here. A thousand manifests take the library most of a second, and in that
 * time the service does nothing else.
 */
import {
  decline,
  isDeclined,
  isFinished,
  isNamed,
  type Line,
  type Members,
  type PlainNode,
  readInline,
  readName,
  skipBlanks,
} from './plain-yaml-inline.ts'
import type { Place, YamlDocument } from './yaml-document.ts'

/** Undefined: not for this reader to say, be it right or wrong. Linear in the text. */
export function readPlainYaml(text: string): YamlDocument | undefined {
  // Tabs, carriage returns and whatever is not ASCII have rules of their own.
  if (!/^[\x20-\x7e\n]*$/.test(text)) return undefined
  try {
    const source: Source = { lines: contentLines(text), next: 0 }
    const root = readBlock(source, 0, DEEPEST)
    if (source.next < source.lines.length) return undefined
    return { value: root.value, placeOf: (path, key) => placeOf(root, path, key) }
  } catch (cause) {
    if (isDeclined(cause)) return undefined
    throw cause
  }
}

function placeOf(
  root: PlainNode,
  path: readonly PropertyKey[],
  key: PropertyKey | undefined,
): Place {
  let node = root
  for (const step of path) {
    const child = node.inner?.get(step)
    if (!child) break
    node = child.node
  }
  const { line, column } = (key !== undefined && node.inner?.get(key)?.name) || node
  return { line, column }
}

/** Far below the depth at which nesting is a mistake. */
const DEEPEST = 8

interface Source {
  readonly lines: readonly Line[]
  /** Index of the line to be read. */
  next: number
}

/** Without blank lines and comments, which mean nothing between values such as are read here. */
function contentLines(text: string): readonly Line[] {
  return text.split('\n').flatMap((line, index) => {
    const at = line.search(/[^ ]/)
    return at === -1 || line[at] === '#' ? [] : [{ number: index + 1, text: line, at }]
  })
}

/** A map or list, whose lines all begin at column `at`. Any other column ends it, and is somebody else's or nobody's. */
function readBlock(source: Source, at: number, depth: number): PlainNode {
  const line = source.lines[source.next]
  if (line?.at !== at || depth === 0) return decline()
  return isItem(line) ? readList(source, line, depth) : readMap(source, line, depth)
}

function isItem({ text, at }: Line): boolean {
  return text[at] === '-' && (text[at + 1] === ' ' || at + 1 === text.length)
}

function readList(source: Source, first: Line, depth: number): PlainNode {
  const { at, number } = first
  const value: unknown[] = []
  const inner: Members = new Map()
  for (let line: Line | undefined = first; line?.at === at && isItem(line); ) {
    line.at++
    const node = readItem(source, line, depth - 1)
    inner.set(value.length, { node, name: undefined })
    value.push(node.value)
    line = source.lines[source.next]
  }
  return { value, inner, line: number, column: at + 1 }
}

function readItem(source: Source, line: Line, depth: number): PlainNode {
  const under = line.at
  if (isFinished(line)) return readBelow(source, depth, ({ at }) => at >= under)
  skipBlanks(line)
  // A map may begin on the line of its dash: its other lines stand below its first name.
  return isNamed(line) ? readMap(source, line, depth) : readLast(source, line, depth)
}

function readMap(source: Source, first: Line, depth: number): PlainNode {
  if (depth === 0) return decline()
  const { at, number } = first
  const value: Record<string, unknown> = {}
  const inner: Members = new Map()
  for (let line: Line | undefined = first; line?.at === at; ) {
    const name = readName(line, inner)
    const node = readMember(source, line, { at, depth: depth - 1 })
    inner.set(name, { node, name: { line: line.number, column: at + 1 } })
    value[name] = node.value
    line = source.lines[source.next]
  }
  return { value, inner, line: number, column: at + 1 }
}

function readMember(
  source: Source,
  line: Line,
  { at, depth }: { readonly at: number; readonly depth: number },
): PlainNode {
  // A list may stand right below its name.
  if (isFinished(line))
    return readBelow(source, depth, (next) => next.at > at || (next.at === at && isItem(next)))
  skipBlanks(line)
  return readLast(source, line, depth)
}

/** The block on the following lines; nothing at all would be null, which no document of ours holds. */
function readBelow(source: Source, depth: number, belongs: (line: Line) => boolean): PlainNode {
  source.next++
  const line = source.lines[source.next]
  return line && belongs(line) ? readBlock(source, line.at, depth) : decline()
}

/** The value that ends this line. If the next one goes on deeper, it is nobody's, and all is declined. */
function readLast(source: Source, line: Line, depth: number): PlainNode {
  const node = readInline(line, depth)
  if (!isFinished(line)) decline()
  source.next++
  return node
}
