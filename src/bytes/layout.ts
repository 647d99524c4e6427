/**
 * Offset tables for fixed structures. One declaration decodes, encodes, names errors and drives the mutation tests;
 * it proves as the module loads that every byte belongs to exactly one row.
 * All integers are little-endian, as AMD and Intel write them.
 */
import { isZero, toHex } from './encoding.ts'
import { hexOffset, Malformed } from './malformed.ts'

/** One named span of a structure. `read` throws nothing: a row that can refuse its bytes is a Reserved row. */
export interface Row<T> {
  readonly at: number
  readonly size: number
  readonly read: (view: DataView) => T
  readonly write: (view: DataView, value: T) => void
}

/** A span that the specification says must be zero: checked on decoding, written as zero, absent from the type. */
export interface ReservedRow extends Row<void> {
  readonly reserved: true
}

// biome-ignore lint/suspicious/noExplicitAny: rows of every value type stand in one table; Valued<> gives each its own type back
type Rows = Readonly<Record<string, Row<any>>>
type Valued<R extends Rows> = {
  readonly [K in keyof R as R[K] extends ReservedRow ? never : K]: R[K] extends Row<infer T>
    ? T
    : never
}

export interface Span {
  readonly name: string
  readonly at: number
  readonly size: number
  readonly reserved: boolean
}

export interface Layout<T> {
  readonly title: string
  readonly size: number
  readonly rows: readonly Span[]
  /** Fields are read when asked for, and byte fields are views into `bytes`: nothing is copied. Throws Malformed on a wrong length or a reserved byte that is set. */
  readonly decode: (bytes: Uint8Array) => T
  readonly encode: (value: T) => Uint8Array
}

export type Decoded<L> = L extends Layout<infer T> ? T : never

export function layout<const R extends Rows>(
  title: string,
  size: number,
  rows: R,
): Layout<Valued<R>> {
  const entries = Object.entries(rows)
  assertTiled(title, size, entries)
  const valued = entries.filter(([, row]) => !isReserved(row))
  const reserved = entries.filter(([, row]) => isReserved(row))
  const Decoded = lazily<Valued<R>>(valued)

  return {
    title,
    size,
    rows: entries.map(([name, row]) => ({
      name,
      at: row.at,
      size: row.size,
      reserved: isReserved(row),
    })),
    decode(bytes) {
      if (bytes.length !== size)
        throw new Malformed({ path: title, offset: 0 }, `${bytes.length} bytes`, `${size} bytes`)
      for (const [name, { at, size }] of reserved)
        if (!isZero(bytes, at, at + size))
          throw new Malformed(
            { path: `${title}.${name}`, offset: at },
            toHex(bytes.subarray(at, at + size)),
            'zero bytes',
          )
      return new Decoded(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    },
    encode(value) {
      const bytes = new Uint8Array(size)
      const view = new DataView(bytes.buffer)
      for (const [name, row] of valued) row.write(view, (value as Record<string, unknown>)[name])
      return bytes
    },
  }
}

export const u8 = (at: number): Row<number> => ({
  at,
  size: 1,
  read: (view) => view.getUint8(at),
  write: (view, value) => view.setUint8(at, value),
})

export const u16 = (at: number): Row<number> => ({
  at,
  size: 2,
  read: (view) => view.getUint16(at, true),
  write: (view, value) => view.setUint16(at, value, true),
})

export const u32 = (at: number): Row<number> => ({
  at,
  size: 4,
  read: (view) => view.getUint32(at, true),
  write: (view, value) => view.setUint32(at, value, true),
})

export const u64 = (at: number): Row<bigint> => ({
  at,
  size: 8,
  read: (view) => view.getBigUint64(at, true),
  write: (view, value) => view.setBigUint64(at, value, true),
})

export const bytes = (at: number, size: number): Row<Uint8Array> => ({
  at,
  size,
  read: (view) => spanOf(view, at, size),
  write(view, value) {
    if (value.length !== size)
      throw new RangeError(`${hexOffset(at)} takes ${size} bytes, was given ${value.length}`)
    spanOf(view, at, size).set(value)
  },
})

export const zero = (at: number, size: number): ReservedRow => ({
  reserved: true,
  at,
  size,
  read() {},
  write() {},
})

function spanOf(view: DataView, at: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, size)
}

const VIEW = Symbol('view')
interface Viewed {
  readonly [VIEW]: DataView
}

/**
 * A class whose getters read the rows on demand. A report has forty fields and an appraisal asks for half of them:
 * making all the views up front cost more than every other step but the signature.
 */
function lazily<T>(rows: readonly [string, Row<unknown>][]): new (view: DataView) => T {
  class Decoded implements Viewed {
    readonly [VIEW]: DataView
    constructor(view: DataView) {
      this[VIEW] = view
    }
  }
  for (const [name, row] of rows)
    Object.defineProperty(Decoded.prototype, name, {
      enumerable: true,
      get(this: Viewed) {
        return row.read(this[VIEW])
      },
    })
  // One getter per valued row was just defined, under its own name and with its own type, which is what T says.
  return Decoded as unknown as new (
    view: DataView,
  ) => T
}

function isReserved(row: object): boolean {
  return 'reserved' in row
}

function assertTiled(title: string, size: number, rows: readonly [string, Row<unknown>][]): void {
  let cursor = 0
  for (const [name, row] of rows) {
    if (row.at !== cursor)
      throw new RangeError(
        `${title}.${name} starts at ${hexOffset(row.at)}, expected ${hexOffset(cursor)}`,
      )
    cursor += row.size
  }
  if (cursor !== size)
    throw new RangeError(`${title} covers ${hexOffset(cursor)} of ${hexOffset(size)} bytes`)
}
