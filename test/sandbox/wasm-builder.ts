/** WebAssembly modules by hand: a few sections, and instructions as bytes. No assembler is needed to test a host of them. */

type Bytes = readonly number[]

export interface Parts {
  /** [parameters, results], as `['ii', 'i']`. */
  readonly types?: readonly (readonly [string, string])[]
  /** [module, name, descriptor after the names]. */
  readonly imports?: readonly (readonly [string, string, Bytes])[]
  /** Type of each function, locals as [count, type byte], and its body without the final `end`. */
  readonly functions?: readonly {
    type: number
    locals?: readonly [number, number][]
    code: Bytes
  }[]
  readonly tables?: readonly Bytes[]
  readonly memories?: readonly Bytes[]
  readonly globals?: readonly Bytes[]
  /** [name, kind, index]. */
  readonly exports?: readonly (readonly [string, number, number])[]
  readonly start?: number
  /** [offset, bytes]. */
  readonly data?: readonly (readonly [number, Bytes])[]
  /** Sections as they are: appended after all others. */
  readonly raw?: Bytes
}

const letters: Readonly<Record<string, number>> = { i: 0x7f, I: 0x7e, f: 0x7d, F: 0x7c }

export function leb(value: number): Bytes {
  const bytes: number[] = []
  let left = value >>> 0
  do {
    bytes.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0))
    left >>>= 7
  } while (left > 0)
  return bytes
}

/** i32.const, signed. */
export function i32(value: number): Bytes {
  return [0x41, ...sleb(BigInt(value))]
}

export function i64(value: bigint): Bytes {
  return [0x42, ...sleb(value)]
}

function sleb(value: bigint): Bytes {
  const bytes: number[] = []
  let left = value
  for (;;) {
    const byte = Number(left & 0x7fn)
    left >>= 7n
    const isLast = (left === 0n && !(byte & 0x40)) || (left === -1n && (byte & 0x40) !== 0)
    bytes.push(isLast ? byte : byte | 0x80)
    if (isLast) return bytes
  }
}

export function text(value: string): Bytes {
  const bytes = new TextEncoder().encode(value)
  return [...leb(bytes.length), ...bytes]
}

export function section(id: number, content: Bytes): Bytes {
  return [id, ...leb(content.length), ...content]
}

function vector(items: readonly Bytes[]): Bytes {
  return [...leb(items.length), ...items.flat()]
}

function optional(id: number, items: readonly Bytes[]): Bytes {
  return items.length > 0 ? section(id, vector(items)) : []
}

export function wasmModule(parts: Parts): Uint8Array<ArrayBuffer> {
  const values = (all: string) => vector([...all].map((each) => [letters[each] ?? 0]))
  const { types = [], imports = [], functions = [], tables = [], memories = [] } = parts
  const { globals = [], exports = [], start, data = [], raw = [] } = parts
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...optional(
      1,
      types.map(([from, to]) => [0x60, ...values(from), ...values(to)]),
    ),
    ...optional(
      2,
      imports.map(([module, name, rest]) => [...text(module), ...text(name), ...rest]),
    ),
    ...optional(
      3,
      functions.map(({ type }) => leb(type)),
    ),
    ...optional(4, tables),
    ...optional(5, memories),
    ...optional(6, globals),
    ...optional(
      7,
      exports.map(([name, kind, index]) => [...text(name), kind, ...leb(index)]),
    ),
    ...(start === undefined ? [] : section(8, leb(start))),
    ...optional(
      10,
      functions.map(({ locals = [], code }) => {
        const body = [...vector(locals.map(([n, type]) => [...leb(n), type])), ...code, 0x0b]
        return [...leb(body.length), ...body]
      }),
    ),
    ...optional(
      11,
      data.map(([at, bytes]) => [0, ...i32(at), 0x0b, ...leb(bytes.length), ...bytes]),
    ),
    ...raw,
  ])
}

export const op = {
  unreachable: [0x00],
  /** `loop br 0 end`. */
  forever: [0x03, 0x40, 0x0c, 0x00, 0x0b],
  call: (index: number) => [0x10, ...leb(index)],
  get: (local: number) => [0x20, ...leb(local)],
  set: (local: number) => [0x21, ...leb(local)],
  drop: [0x1a],
  grow: [0x40, 0x00],
  /** i32.store at the address below the value. */
  store: [0x36, 0x02, 0x00],
  load: [0x28, 0x02, 0x00],
  add: [0x6a],
  /** i64.extend_i32_u. */
  extend: [0xad],
  shift: [...i64(32n), 0x86],
  or: [0x84],
} as const

/** One page, and two at most. */
export const smallMemory: Bytes = [0x01, 1, 2]

/** Where a fixed answer stands in the memory of `functionPlugin`. */
export const ANSWER_AT = 16

/**
 * A plugin with the function ABI whose `vouchsafe_call` has this body. It must leave address << 32 | size as i64. Its input is
 * at 1024. `answer` is put at 16.
 */
export function functionPlugin(
  code: Bytes,
  {
    answer = '',
    ...more
  }: Partial<Parts> & { readonly answer?: string; readonly locals?: [number, number][] } = {},
): Uint8Array<ArrayBuffer> {
  const { locals = [], functions = [], data = [], ...rest } = more
  return wasmModule({
    types: [
      ['i', 'i'],
      ['ii', 'I'],
    ],
    functions: [{ type: 0, code: i32(1024) }, { type: 1, locals, code }, ...functions],
    memories: [smallMemory],
    exports: [
      ['memory', 2, 0],
      ['vouchsafe_alloc', 0, 0],
      ['vouchsafe_call', 0, 1],
    ],
    data: [[ANSWER_AT, [...new TextEncoder().encode(answer)]], ...data],
    ...rest,
  })
}

/** i64 constant of address << 32 | size. */
export function placed(address: number, size: number): Bytes {
  return i64(BigInt.asIntN(64, (BigInt(address) << 32n) | BigInt(size)))
}

/** Answers the same text always. */
export function answering(answer: string): Uint8Array<ArrayBuffer> {
  return functionPlugin(placed(ANSWER_AT, new TextEncoder().encode(answer).length), { answer })
}

/** Answers its input: `(1024 << 32) | size`. */
export function echo(): Uint8Array<ArrayBuffer> {
  return functionPlugin([...i64(1024n << 32n), ...op.get(1), ...op.extend, ...op.or])
}

const wasiTypes = {
  'iiii>i': ['iiii', 'i'],
  'ii>i': ['ii', 'i'],
  'iIi>i': ['iIi', 'i'],
  'iii>i': ['iii', 'i'],
  'i>': ['i', ''],
  'iiiiiIIii>i': ['iiiiiIIii', 'i'],
} as const satisfies Record<string, readonly [string, string]>

/** A WASI program: imports by name and type; `_start` has this body, in which imports are functions 0, 1, ... */
export function command(
  imports: readonly (readonly [string, keyof typeof wasiTypes])[],
  code: Bytes,
  more: Partial<Parts> = {},
): Uint8Array<ArrayBuffer> {
  const kinds = Object.keys(wasiTypes)
  return wasmModule({
    types: [['', ''], ...Object.values(wasiTypes)],
    imports: imports.map(([name, type]) => [
      'wasi_snapshot_preview1',
      name,
      [0, ...leb(kinds.indexOf(type) + 1)],
    ]),
    functions: [{ type: 0, code }],
    memories: [smallMemory],
    exports: [
      ['memory', 2, 0],
      ['_start', 0, imports.length],
    ],
    ...more,
  })
}
