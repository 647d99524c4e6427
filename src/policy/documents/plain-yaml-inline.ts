/** What stands on the rest of a line of plain YAML: words, quoted text, and flow collections that end on that line. */
import type { Place } from './yaml-document.ts'

export interface PlainNode extends Place {
  readonly value: unknown
  /** Of a map or list, by name or number. */
  readonly inner: ReadonlyMap<PropertyKey, Member> | undefined
}

export type Members = Map<PropertyKey, Member>

interface Member {
  readonly node: PlainNode
  /** Where its name stands; undefined in lists. */
  readonly name: Place | undefined
}

export interface Line {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** Column from 0 up to which it has been read. */
  at: number
}

/** One object for all, because a stack trace costs more than reading a manifest. */
const DECLINED = new Error('this is not plain YAML')

export function decline(): never {
  throw DECLINED
}

export function isDeclined(cause: unknown): boolean {
  return cause === DECLINED
}

/** Sticky: each matches where the line has been read up to, or not at all. */
const NAME = /[A-Za-z][A-Za-z0-9_.-]{0,63}:(?= |$)/y
const BLANKS = / */y
const FINISH = /(?: +#.*| *)$/y
const QUOTED = /"[^"\\]*"|'[^']*'/y
/** One blank between words. A colon is part of a word only where another character of it follows. */
const WORDS =
  /(?:[A-Za-z0-9_/.+]|-(?=[A-Za-z0-9]))(?:[A-Za-z0-9_/.@+=-]|:(?=[A-Za-z0-9_/.@+=-]))*(?: [A-Za-z0-9_/.@+=-](?:[A-Za-z0-9_/.@+=-]|:(?=[A-Za-z0-9_/.@+=-]))*)*/y

function taken(form: RegExp, line: Line): string | undefined {
  form.lastIndex = line.at
  const text = form.exec(line.text)?.[0]
  if (text !== undefined) line.at += text.length
  return text
}

export function skipBlanks(line: Line): void {
  taken(BLANKS, line)
}

/** Whether nothing but blanks and a comment is left. */
export function isFinished(line: Line): boolean {
  return taken(FINISH, line) !== undefined
}

/** Whether a name with its colon comes next. */
export function isNamed({ text, at }: Line): boolean {
  NAME.lastIndex = at
  return NAME.test(text)
}

/** Reads a name and its colon. Two members of one name are a mistake, and `true` or `null` is no text. */
export function readName(line: Line, others: ReadonlyMap<PropertyKey, Member>): string {
  const name = taken(NAME, line)?.slice(0, -1)
  return name === undefined || others.has(name) || scalarOf(name) !== name ? decline() : name
}

/** `depth`: how many collections deep it may go. */
export function readInline(line: Line, depth: number): PlainNode {
  const place = { line: line.number, column: line.at + 1 }
  switch (line.text[line.at]) {
    case '[':
      return { ...place, ...readFlowList(line, depth) }
    case '{':
      return { ...place, ...readFlowMap(line, depth) }
    case '"':
    case "'": {
      const value = (taken(QUOTED, line) ?? decline()).slice(1, -1)
      return { ...place, value, inner: undefined }
    }
    default:
      return { ...place, value: scalarOf(taken(WORDS, line) ?? decline()), inner: undefined }
  }
}

type Collection = Pick<PlainNode, 'value' | 'inner'>

function readFlowList(line: Line, depth: number): Collection {
  const value: unknown[] = []
  const inner: Members = new Map()
  readFlow(line, ']', depth, () => {
    const node = readInline(line, depth - 1)
    inner.set(value.length, { node, name: undefined })
    value.push(node.value)
  })
  return { value, inner }
}

function readFlowMap(line: Line, depth: number): Collection {
  const value: Record<string, unknown> = {}
  const inner: Members = new Map()
  readFlow(line, '}', depth, () => {
    const name = { line: line.number, column: line.at + 1 }
    const key = readName(line, inner)
    skipBlanks(line)
    const node = readInline(line, depth - 1)
    inner.set(key, { node, name })
    value[key] = node.value
  })
  return { value, inner }
}

/** From the opening bracket past the closing one. A comma before the latter is declined. */
function readFlow(line: Line, end: string, depth: number, readMember: () => void): void {
  if (depth === 0) decline()
  line.at++
  skipBlanks(line)
  if (line.text[line.at] === end) {
    line.at++
    return
  }
  for (;;) {
    readMember()
    skipBlanks(line)
    const next = line.text[line.at++]
    if (next === end) return
    if (next !== ',') decline()
    skipBlanks(line)
  }
}

/** YAML 1.2.2, 10.3.2: the core schema's tags of plain text. */
const NULL = /^(?:null|Null|NULL)$/
const TRUE = /^(?:true|True|TRUE)$/
const FALSE = /^(?:false|False|FALSE)$/
const NUMBER =
  /^(?:0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

/** Numbers in any spelling but short decimal integers are a mistake, which is not found here. */
function scalarOf(text: string): unknown {
  if (NULL.test(text)) return null
  if (TRUE.test(text)) return true
  if (FALSE.test(text)) return false
  if (!/^[-+.0-9]/.test(text) || !NUMBER.test(text)) return text
  return /^(?:0|-?[1-9][0-9]{0,14})$/.test(text) ? Number(text) : decline()
}
