/**
 * Places of a report that a member of a JSON object says: each row writes its bytes, and reads them back in the shape that was
 * written. Whoever sends the JSON chooses all of it.
 */
import { isZero } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'

/** JSON in which an integer that a double cannot hold is a bigint. */
export type ExactJson =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly ExactJson[]
  | { readonly [name: string]: ExactJson }

export interface JsonRow {
  readonly write: (view: DataView, value: ExactJson, path: string) => void
  /** In the shape of `value`, which was written. */
  readonly read: (view: DataView, value: ExactJson) => ExactJson
}

/** Little-endian, of 1, 4 or 8 bytes. */
export function integer(at: number, size: 1 | 4 | 8): JsonRow {
  return {
    write(view, value, path) {
      const number = integerOf(value, size, path)
      for (let index = 0; index < size; index++)
        view.setUint8(at + index, Number((number >> BigInt(8 * index)) & 0xffn))
    },
    read(view) {
      let number = 0n
      for (let index = size - 1; index >= 0; index--)
        number = (number << 8n) | BigInt(view.getUint8(at + index))
      return number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : number
    },
  }
}

/** `null`: this version of the report has no such field, and its bytes are zero. */
export function optional(at: number, size: 1 | 8): JsonRow {
  const row = integer(at, size)
  return {
    write(view, value, path) {
      if (value !== null) row.write(view, value, path)
    },
    read: (view, value) =>
      value === null && isZero(spanOf(view, at, size)) ? null : row.read(view, value),
  }
}

export function bytesRow(at: number, size: number): JsonRow {
  return {
    write(view, value, path) {
      spanOf(view, at, size).set(octetsOf(value, size, path))
    },
    read: (view) => [...spanOf(view, at, size)],
  }
}

/** Reserved bytes, which had another place in each layout: their number says which. */
export function reserved(...places: readonly (readonly [at: number, size: number])[]): JsonRow {
  const rowFor = (value: ExactJson): JsonRow | undefined => {
    const size = isList(value) ? value.length : 0
    const place = places.find((each) => each[1] === size)
    return place && bytesRow(...place)
  }
  return {
    write(view, value, path) {
      const row = rowFor(value)
      if (!row)
        throw new Malformed(
          { path, offset: 0 },
          'another length',
          `${places.map(([, size]) => size).join(' or ')} bytes`,
        )
      row.write(view, value, path)
    },
    read: (view, value) => rowFor(value)?.read(view, value) ?? null,
  }
}

/** Parts of an object, each a byte or bytes of its own. */
export function parts(
  of: (value: { readonly [name: string]: ExactJson }) => Readonly<Record<string, JsonRow>>,
): JsonRow {
  return {
    write(view, value, path) {
      const members = objectOf(value, path)
      const known = of(members)
      for (const [name, member] of Object.entries(members)) {
        const row = Object.hasOwn(known, name) ? known[name] : undefined
        if (!row)
          throw new Malformed(
            { path: `${path}.${name}`, offset: 0 },
            'an unknown member',
            Object.keys(known).join(', '),
          )
        row.write(view, member, `${path}.${name}`)
      }
      for (const name of Object.keys(known))
        if (!name.startsWith('_') && name !== 'fmc' && !Object.hasOwn(members, name))
          throw new Malformed({ path: `${path}.${name}`, offset: 0 }, 'nothing', 'a byte')
    },
    read(view, value) {
      const members = objectOf(value, '')
      const known = of(members)
      return Object.fromEntries(
        Object.entries(members).map(([name, member]) => [
          name,
          known[name]?.read(view, member) ?? null,
        ]),
      )
    },
  }
}

export function objectOf(value: ExactJson, path: string): { readonly [name: string]: ExactJson } {
  if (typeof value === 'object' && value !== null && !isList(value)) return value
  throw new Malformed({ path, offset: 0 }, kindOf(value), 'an object')
}

function integerOf(value: ExactJson, size: number, path: string): bigint {
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value)
  const number = isWhole ? BigInt(value as number | bigint) : -1n
  if (number >= 0n && number < 1n << BigInt(8 * size)) return number
  throw new Malformed({ path, offset: 0 }, kindOf(value), `an unsigned integer of ${8 * size} bits`)
}

function octetsOf(value: ExactJson, size: number, path: string): Uint8Array {
  const isOctets =
    isList(value) &&
    value.length === size &&
    value.every(
      (each) => typeof each === 'number' && Number.isInteger(each) && each >= 0 && each <= 255,
    )
  if (isOctets) return Uint8Array.from(value as readonly number[])
  throw new Malformed({ path, offset: 0 }, kindOf(value), `a list of ${size} bytes`)
}

/** Never what was sent: only its kind. */
function kindOf(value: ExactJson): string {
  if (value === null) return 'null'
  if (isList(value)) return `a list of ${value.length}`
  return typeof value === 'object'
    ? 'an object'
    : `a ${typeof value} out of range or of another kind`
}

/** Array.isArray does not narrow what is readonly. */
export function isList(value: ExactJson): value is readonly ExactJson[] {
  return Array.isArray(value)
}

function spanOf(view: DataView, at: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, size)
}
