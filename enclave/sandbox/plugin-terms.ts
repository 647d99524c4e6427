/** May this module run under these grants and limits? All that speaks against it, each with what would mend it. */
import {
  type Capability,
  capabilities,
  type Grants,
  hostFunctions,
  WASI_MODULE,
} from './capabilities.ts'
import type { ModuleImport, ModuleOutline } from './module-outline.ts'
import type { SizeRange } from './wasm-fields.ts'

export interface PluginLimits {
  readonly moduleBytes: number
  /** What the module may declare as its most, in pages of 64 KiB. It bounds one call; nothing else bounds a module’s memory. */
  readonly memoryPages: number
  /** Of all tables together. */
  readonly tableEntries: number
  /** Of the JSON that goes in, and of the JSON that comes out. */
  readonly inputBytes: number
  readonly outputBytes: number
  /** What a WASI program writes to its standard error beyond this is dropped. */
  readonly errorBytes: number
  /** From when a thread takes the call. */
  readonly deadlineMs: number
  readonly mostAtOnce: number
  readonly mostWaiting: number
}

export const defaultLimits: PluginLimits = {
  moduleBytes: 16 * 1024 * 1024,
  memoryPages: 256,
  tableEntries: 20_000,
  inputBytes: 1024 * 1024,
  outputBytes: 1024 * 1024,
  errorBytes: 16 * 1024,
  deadlineMs: 1_000,
  mostAtOnce: 1,
  mostWaiting: 16,
}

/**
 * `command`: a WASI program; JSON on standard input, JSON on standard output.
 * `function`: exports `vouchsafe_alloc` and `vouchsafe_call`; no import is needed.
 */
export type PluginAbi = 'command' | 'function'

/** Stable, for programs. */
export type RefusalCode =
  | 'not-approved'
  | 'too-large'
  | 'malformed'
  | 'import'
  | 'capability'
  | 'memory'
  | 'table'
  | 'start'
  | 'abi'

export interface Refusal {
  readonly code: RefusalCode
  /** What was observed, what is expected, what to do. Names in it were chosen by whoever wrote the module, and are quoted. */
  readonly sentence: string
}

export function refusalsOf(
  outline: ModuleOutline,
  { grants, limits }: { readonly grants: Grants; readonly limits: PluginLimits },
): readonly Refusal[] {
  return [
    ...outline.imports.flatMap((each) => importRefusal(each, grants)),
    ...memoryRefusals(outline.memory, limits),
    ...tableRefusals(outline.tables, limits),
    ...startRefusals(outline),
    ...abiRefusals(outline),
  ]
}

/** The grants without which the module’s imports would be refused. */
export function neededBy(outline: ModuleOutline): readonly Capability[] {
  const needed = new Set(
    outline.imports.flatMap(({ module, name }) =>
      module === WASI_MODULE ? (hostFunctions.get(name)?.needs ?? []) : [],
    ),
  )
  return capabilities.filter((each) => needed.has(each))
}

/** Undefined: neither, or both. */
export function abiOf({ exports }: ModuleOutline): PluginAbi | undefined {
  const offers = (name: string, type: string) =>
    exports.some((each) => each.kind === 'function' && each.name === name && each.type === type)
  const isCommand = offers('_start', '>')
  const isFunction = offers('vouchsafe_alloc', 'i>i') && offers('vouchsafe_call', 'ii>I')
  if (isCommand === isFunction) return undefined
  return isCommand ? 'command' : 'function'
}

function importRefusal(
  { module, name, kind, type }: ModuleImport,
  grants: Grants,
): readonly Refusal[] {
  const what = `${JSON.stringify(module)} ${JSON.stringify(name)}`
  const host = module === WASI_MODULE && kind === 'function' ? hostFunctions.get(name) : undefined
  if (!host)
    return [
      {
        code: 'import',
        sentence: `imports the ${kind} ${what}; plugins are given functions of ${WASI_MODULE} and nothing else: build it for wasm32-wasip1, or without imports.`,
      },
    ]
  if (host.type !== type)
    return [
      {
        code: 'import',
        sentence: `imports ${what} as a function ${type}; it is ${host.type}: build it with another toolchain.`,
      },
    ]
  if (grants[host.needs] === undefined)
    return [
      {
        code: 'capability',
        sentence: `imports ${what}, which needs the capability "${host.needs}"; it was not granted: grant it with this digest, or build the plugin without it.`,
      },
    ]
  return []
}

function memoryRefusals(
  memory: SizeRange | undefined,
  { memoryPages }: PluginLimits,
): readonly Refusal[] {
  if (!memory)
    return [
      {
        code: 'memory',
        sentence: 'declares no memory of its own; answers are read from it: export one.',
      },
    ]
  if (memory.most === undefined)
    return [
      {
        code: 'memory',
        sentence: `declares a memory that has no maximum; at most ${memoryPages} pages of 64 KiB are let: link it with --max-memory=${memoryPages * 65_536}.`,
      },
    ]
  if (memory.most > memoryPages || memory.least > memoryPages)
    return [
      {
        code: 'memory',
        sentence: `declares a memory of up to ${Math.max(memory.most, memory.least)} pages of 64 KiB; at most ${memoryPages} are let: link it with --max-memory=${memoryPages * 65_536}, or raise memoryPages.`,
      },
    ]
  return []
}

function tableRefusals(
  tables: readonly SizeRange[],
  { tableEntries }: PluginLimits,
): readonly Refusal[] {
  let entries = 0
  for (const { least, most } of tables) {
    if (most === undefined)
      return [
        {
          code: 'table',
          sentence: `declares a table that has no maximum; at most ${tableEntries} entries are let: link it without --growable-table.`,
        },
      ]
    entries += Math.max(least, most)
  }
  if (entries <= tableEntries) return []
  return [
    {
      code: 'table',
      sentence: `declares tables of up to ${entries} entries; at most ${tableEntries} are let: raise tableEntries, or make the plugin smaller.`,
    },
  ]
}

/** The command’s `_start` and a reactor’s `_initialize` are exports and run under the deadline; this would run before. */
function startRefusals({ hasStart }: ModuleOutline): readonly Refusal[] {
  if (!hasStart) return []
  return [
    {
      code: 'start',
      sentence:
        'has a start section, which runs while it is instantiated; nothing may run then: export _start or _initialize in its place.',
    },
  ]
}

function abiRefusals(outline: ModuleOutline): readonly Refusal[] {
  const offersMemory = outline.exports.some(
    ({ name, kind }) => name === 'memory' && kind === 'memory',
  )
  if (offersMemory && abiOf(outline) !== undefined) return []
  return [
    {
      code: 'abi',
      sentence: `exports ${
        outline.exports.length > 0
          ? outline.exports
              .map(({ name, type }) => `${JSON.stringify(name)}${type}`)
              .slice(0, 16)
              .join(', ')
          : 'nothing'
      }; a plugin exports its memory as "memory" and either "_start">, or "vouchsafe_alloc"i>i with "vouchsafe_call"ii>I.`,
    },
  ]
}
