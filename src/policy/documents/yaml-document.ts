/**
 * From YAML text to plain JSON values whose places are known, with YAML's traps refused instead of interpreted: duplicate
 * keys, aliases (and so alias bombs), tags, directives, several documents, keys that are no strings, and numbers in any
 * spelling but decimal integers.
 */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml'
import { visible } from '../visible-text.ts'
import { readPlainYaml } from './plain-yaml.ts'

export interface Place {
  /** Both from 1. */
  readonly line: number
  readonly column: number
}

export interface Mistake extends Place {
  readonly message: string
}

export interface YamlDocument {
  readonly value: unknown
  /** Where a value stands, or its nearest ancestor that exists. `key` asks for the name and not for what it holds. */
  readonly placeOf: (path: readonly PropertyKey[], key?: PropertyKey) => Place
}

type Reading = { readonly document: YamlDocument } | { readonly mistakes: readonly Mistake[] }

const LARGEST = 64 * 1024
const DEEPEST = 16
/** Whoever mends so many reads the file again anyway. */
const MOST_FAULTS = 20

/** `bytes` are a committed file, written by anyone who may commit. */
export function readYaml(bytes: Uint8Array): Reading {
  const start = { line: 1, column: 1 }
  if (bytes.length > LARGEST)
    return failed(start, `the file is ${bytes.length} bytes long; at most ${LARGEST} are read`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return failed(start, 'the file is not UTF-8')
  }
  const plain = readPlainYaml(text)
  if (plain) return { document: plain }
  try {
    return readAnyYaml(text)
  } catch (cause) {
    // The library composes recursively, and so does the walk below.
    if (!(cause instanceof RangeError)) throw cause
    return failed(start, 'the file is nested too deeply')
  }
}

/** By the library, which knows all of YAML, and with it every trap. Throws RangeError for what is nested too deeply. */
export function readAnyYaml(text: string): Reading {
  const lines = new LineCounter()
  // Uniqueness is judged below: the library's own test takes quadratic time.
  const parsed = parseDocument(text, {
    lineCounter: lines,
    schema: 'core',
    uniqueKeys: false,
    // An excerpt for each of 65,000 faults would take seconds.
    prettyErrors: false,
    logLevel: 'error',
  })
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const faults = [...parsed.errors, ...parsed.warnings]
    .slice(0, MOST_FAULTS)
    .map(({ pos: [offset], message }) => ({
      ...place(offset),
      message: visible(message.split('\n')[0] ?? message),
    }))
  if (faults.length > 0) return { mistakes: faults }
  if (parsed.directives?.yaml.explicit)
    return failed(place(0), 'directives are not allowed: the file is YAML 1.2')

  const mistakes = [...trapsIn(parsed.contents, 0)].map(({ offset, message }) => ({
    ...place(offset),
    message,
  }))
  if (mistakes.length > 0) return { mistakes }
  return {
    document: {
      value: parsed.toJS({ maxAliasCount: 0 }),
      placeOf: (path, key) => place(offsetOf(parsed, path, key)),
    },
  }
}

interface Trap {
  readonly offset: number
  readonly message: string
}

function* trapsIn(node: unknown, depth: number): Generator<Trap> {
  if (!isNode(node)) return
  const offset = node.range?.[0] ?? 0
  if (depth > DEEPEST) {
    yield { offset, message: `values are nested more than ${DEEPEST} deep` }
    return
  }
  if (isAlias(node)) {
    yield { offset, message: 'aliases are not allowed: write the value out' }
    return
  }
  if (node.anchor) yield { offset, message: 'anchors are not allowed: write the value out' }
  if (node.tag) yield { offset, message: `tags such as ${visible(node.tag)} are not allowed` }
  if (isScalar(node)) yield* numberTrap(node.value, node.source, offset)
  if (isMap(node)) yield* keyTraps(node.items)
  if (isCollection(node))
    for (const item of node.items) {
      if (isNode(item)) yield* trapsIn(item, depth + 1)
      else if (isPair(item)) yield* trapsIn(item.value, depth + 1)
    }
}

/** `0x1f`, `1e5` and thirty digits are numbers to YAML, and seldom what the author of a digest meant. */
function* numberTrap(value: unknown, source: string | undefined, offset: number): Generator<Trap> {
  if (typeof value !== 'number' && typeof value !== 'bigint') return
  if (Number.isSafeInteger(value) && /^-?(0|[1-9]\d*)$/.test(source ?? '')) return
  yield {
    offset,
    message: `${source} would be read as the number ${value}: put it in quotes if it is text, or write a plain decimal integer`,
  }
}

function* keyTraps(items: readonly { readonly key: unknown }[]): Generator<Trap> {
  const seen = new Set<string>()
  for (const { key } of items) {
    const offset = (isNode(key) && key.range?.[0]) || 0
    const name = isScalar(key) ? key.value : undefined
    if (typeof name !== 'string') yield { offset, message: 'a key must be plain text' }
    else if (isScalar(key) && (key.anchor || key.tag))
      yield {
        offset,
        message: `the key ${visible(name)} has an anchor or a tag, which are not allowed`,
      }
    else if (seen.has(name)) yield { offset, message: `the key ${visible(name)} appears twice` }
    else seen.add(name)
  }
}

function isPair(item: unknown): item is { readonly key: unknown; readonly value: unknown } {
  return typeof item === 'object' && item !== null && 'key' in item && 'value' in item
}

function offsetOf(
  document: Document,
  path: readonly PropertyKey[],
  key: PropertyKey | undefined,
): number {
  let node: Node | null = document.contents as Node | null
  for (const step of path) {
    const child: unknown = isCollection(node) ? node.get(step, true) : undefined
    if (!isNode(child)) break
    node = child
  }
  if (key !== undefined && isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key)
    if (isNode(pair?.key)) return pair.key.range?.[0] ?? 0
  }
  return node?.range?.[0] ?? 0
}

function failed(place: Place, message: string): { readonly mistakes: readonly Mistake[] } {
  return { mistakes: [{ ...place, message }] }
}
