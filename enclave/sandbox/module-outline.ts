/**
 * What does this WebAssembly module ask for, before anything of it is compiled? Its sections are read by a bounded cursor:
 * whoever wrote the plugin wrote every byte. Instructions are not read; the engine validates them. What is read is what the
 * engine would not refuse: imports, memory and tables without an end, and declarations that cost far more than their bytes.
 *
 * WebAssembly Core Specification 2.0, chapter 5 (binary format), without what came later: tags, shared and 64-bit memory,
 * typed references. Those are refused by name.
 */
import { Malformed } from '../../src/bytes/malformed.ts'
import { type Reader, reader } from '../../src/bytes/reader.ts'
import { leb32, limitsOf, nameOf, type SizeRange, tableOf, valueType } from './wasm-fields.ts'

export interface ModuleOutline {
  readonly imports: readonly ModuleImport[]
  readonly exports: readonly ModuleExport[]
  /** In pages of 64 KiB. Undefined: it declares none. An imported one is among `imports`. */
  readonly memory: SizeRange | undefined
  /** In entries. */
  readonly tables: readonly SizeRange[]
  readonly functions: number
  /** Of all functions together. */
  readonly locals: number
  /** Runs on instantiation, before anybody has called anything. */
  readonly hasStart: boolean
}

export interface ModuleImport {
  readonly module: string
  readonly name: string
  readonly kind: ExternKind
  /** Of a function: `ii>i`, one letter per value (wasm-fields.ts). Empty for everything else. */
  readonly type: string
}

export interface ModuleExport {
  readonly name: string
  readonly kind: ExternKind
  readonly type: string
}

const externKinds = ['function', 'table', 'memory', 'global'] as const
export type ExternKind = (typeof externKinds)[number]

/** Far above what compilers make of one plugin. The engine allows a million of most, and 50,000 locals in each function. */
const most = {
  sections: 512,
  types: 10_000,
  imports: 256,
  functions: 50_000,
  tables: 16,
  exports: 5_000,
  globals: 10_000,
  segments: 50_000,
  locals: 1_000_000,
} as const

/** Section ids in the order that is demanded (5.5.2): 12, the count of data segments, comes before the code. */
const order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
const sectionNames = [
  'custom',
  'types',
  'imports',
  'functions',
  'tables',
  'memories',
  'globals',
  'exports',
  'start',
  'elements',
  'code',
  'data',
  'dataCount',
]

/** Throws Malformed. */
export function outlineOf(bytes: Uint8Array): ModuleOutline {
  const sections = sectionsOf(bytes)
  const types = entries(sections, 1, most.types, functionType)
  const imports = entries(sections, 2, most.imports, (from) => importOf(from, types))
  const functions = entries(sections, 3, most.functions, (from) => indexed(from, types, 'type'))
  const tables = entries(sections, 4, most.tables, tableOf)
  const [memory] = entries(sections, 5, 1, (from) => limitsOf(from, 'memory'))
  countOnly(sections, 6, most.globals)
  const callable = [
    ...imports.flatMap(({ kind, type }) => (kind === 'function' ? [type] : [])),
    ...functions,
  ]
  const exports = entries(sections, 7, most.exports, (from) => exportOf(from, callable))
  countOnly(sections, 9, most.segments)
  countOnly(sections, 11, most.segments)
  return {
    imports,
    exports,
    memory,
    tables,
    functions: functions.length,
    locals: localsOf(sections, functions.length),
    hasStart: sections.has(8),
  }
}

type Sections = ReadonlyMap<number, Uint8Array>

function sectionsOf(bytes: Uint8Array): Sections {
  const from = reader(bytes, 'module')
  expected(from, 'magic', from.u32('magic'), 0x6d73_6100)
  // A component has 0x0001000d here.
  expected(from, 'version', from.u32('version'), 1)
  const sections = new Map<number, Uint8Array>()
  let last = -1
  for (let count = 0; from.left > 0; count++) {
    const { offset } = from
    const id = from.u8('section')
    const name = sectionNames[id]
    if (name === undefined || count >= most.sections)
      throw new Malformed(
        { path: 'module.section', offset },
        name === undefined ? `section ${id}` : `more than ${most.sections} sections`,
        'at most those of WebAssembly 2.0 (no tags)',
      )
    const content = from.bytes(name, leb32(from, `${name}.size`))
    if (id === 0) {
      // Debugging names and the like. Nothing here believes them.
      nameOf(reader(content, 'module.custom'), 'name')
      continue
    }
    const rank = order.indexOf(id)
    if (rank <= last)
      throw new Malformed({ path: `module.${name}`, offset }, 'it here', 'each once, in order')
    last = rank
    sections.set(id, content)
  }
  return sections
}

/** Every entry of a section takes a byte at least, so a count beyond its bytes is refused before anything is made of it. */
function entries<T>(
  sections: Sections,
  id: number,
  limit: number,
  entry: (from: Reader) => T,
): readonly T[] {
  const content = sections.get(id)
  if (!content) return []
  const from = reader(content, `module.${sectionNames[id]}`)
  const count = countOf(from, limit)
  const found: T[] = []
  for (let i = 0; i < count; i++) found.push(entry(from))
  from.done()
  return found
}

function countOnly(sections: Sections, id: number, limit: number): void {
  const content = sections.get(id)
  if (content) countOf(reader(content, `module.${sectionNames[id]}`), limit)
}

function countOf(from: Reader, limit: number): number {
  const { offset } = from
  const count = leb32(from, 'count')
  if (count > limit || count > from.left)
    throw new Malformed(
      { path: 'count', offset },
      `${count} entries in ${from.left} bytes`,
      `at most ${limit}, and no more than bytes`,
    )
  return count
}

function functionType(from: Reader): string {
  expected(from, 'form', from.u8('form'), 0x60)
  return `${valueTypes(from)}>${valueTypes(from)}`
}

function valueTypes(from: Reader): string {
  const count = countOf(from, 1_000)
  let types = ''
  for (let i = 0; i < count; i++) types += valueType(from)
  return types
}

function importOf(from: Reader, types: readonly string[]): ModuleImport {
  const module = nameOf(from, 'module')
  const name = nameOf(from, 'name')
  const kind = externKind(from)
  if (kind === 'function') return { module, name, kind, type: indexed(from, types, 'type') }
  if (kind === 'table') tableOf(from)
  if (kind === 'memory') limitsOf(from, 'memory')
  if (kind === 'global') {
    valueType(from)
    from.u8('mutability')
  }
  return { module, name, kind, type: '' }
}

function exportOf(from: Reader, callable: readonly string[]): ModuleExport {
  const name = nameOf(from, 'name')
  const kind = externKind(from)
  if (kind === 'function') return { name, kind, type: indexed(from, callable, 'function') }
  leb32(from, 'index')
  return { name, kind, type: '' }
}

function externKind(from: Reader): ExternKind {
  const { offset } = from
  const byte = from.u8('kind')
  const kind = externKinds[byte]
  if (kind === undefined)
    throw new Malformed({ path: 'kind', offset }, `${byte}`, externKinds.join(', '))
  return kind
}

function indexed(from: Reader, all: readonly string[], what: string): string {
  const { offset } = from
  const index = leb32(from, what)
  const found = all[index]
  if (found === undefined)
    throw new Malformed({ path: what, offset }, `index ${index}`, `less than ${all.length}`)
  return found
}

/** Six bytes of a body can declare 50,000 locals, which the engine sets up again for every function that it validates. */
function localsOf(sections: Sections, functions: number): number {
  let locals = 0
  const bodies = entries(sections, 10, most.functions, (from) => {
    const body = reader(from.bytes('body', leb32(from, 'size')), 'module.code.body')
    for (let left = countOf(body, most.locals); left > 0; left--) {
      const { offset } = body
      locals += leb32(body, 'locals')
      valueType(body)
      if (locals > most.locals)
        throw new Malformed(
          { path: 'module.code.locals', offset },
          `${locals} locals`,
          `at most ${most.locals} in all functions`,
        )
    }
  })
  if (bodies.length !== functions)
    throw new Malformed(
      { path: 'module.code', offset: 0 },
      `${bodies.length} bodies`,
      `one for each of ${functions} functions`,
    )
  return locals
}

function expected(from: Reader, field: string, value: number, wanted: number): void {
  if (value !== wanted)
    throw new Malformed(
      { path: `module.${field}`, offset: from.offset },
      `0x${value.toString(16)}`,
      `0x${wanted.toString(16)}`,
    )
}
