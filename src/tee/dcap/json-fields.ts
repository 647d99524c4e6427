/**
 * Reads a JSON document field by field: every field has a type and a bound, a missing or misshapen one is Malformed.
 * Fields that nobody asks for are passed over: Intel adds some within a version, and its signature covers them.
 */
import { fromHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'

export interface Fields {
  readonly has: (name: string) => boolean
  /** Any text when no pattern is given. */
  readonly text: (name: string, pattern?: RegExp) => string
  /** A non-negative integer of at most `most`. */
  readonly integer: (name: string, most: number) => number
  /** Hex in either case, exactly `size` bytes. */
  readonly hex: (name: string, size: number) => Uint8Array
  /** `2025-06-19T10:16:03Z`, the one form in which Intel writes instants. */
  readonly instant: (name: string) => Date
  readonly object: (name: string) => Fields
  /** An array of objects. */
  readonly objects: (name: string, count: Count) => readonly Fields[]
  readonly texts: (name: string, count: Count, pattern: RegExp) => readonly string[]
}

interface Count {
  readonly least: number
  readonly most: number
}

/** Throws Malformed unless `bytes` are the UTF-8 text of one JSON object of at most `most` bytes. `path` names it in messages. */
export function fieldsOfJson(
  bytes: Uint8Array,
  { path, most }: { readonly path: string; readonly most: number },
): Fields {
  if (bytes.length > most) throw malformed(path, `${bytes.length} bytes`, `at most ${most} bytes`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw malformed(path, cause instanceof Error ? cause.message : String(cause), 'JSON in UTF-8')
  }
  return fieldsOf(value, path)
}

/** The same of what was parsed already. */
export function fieldsOf(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(path, describe(value), 'an object')
  const record: Readonly<Record<string, unknown>> = { ...value }
  const at = (name: string) => `${path}.${name}`
  const get = (name: string): unknown => (Object.hasOwn(record, name) ? record[name] : undefined)

  return {
    has: (name) => Object.hasOwn(record, name),
    text: (name, pattern) => textOf(get(name), pattern, at(name)),
    integer(name, most) {
      const found = get(name)
      if (typeof found !== 'number' || !Number.isInteger(found) || found < 0 || found > most)
        throw malformed(at(name), describe(found), `an integer from 0 to ${most}`)
      return found
    },
    hex(name, size) {
      const found = get(name)
      const bytes = typeof found === 'string' ? fromHex(found) : undefined
      if (bytes?.length !== size) throw malformed(at(name), describe(found), `${size} bytes in hex`)
      return bytes
    },
    instant(name) {
      const found = get(name)
      const instant = new Date(typeof found === 'string' ? found : Number.NaN)
      if (Number.isNaN(instant.getTime()) || found !== instant.toISOString().replace('.000Z', 'Z'))
        throw malformed(at(name), describe(found), 'an instant such as 2025-06-19T10:16:03Z')
      return instant
    },
    object: (name) => fieldsOf(get(name), at(name)),
    objects: (name, count) =>
      listOf(get(name), count, at(name)).map((each, index) =>
        fieldsOf(each, `${at(name)}[${index}]`),
      ),
    texts: (name, count, pattern) =>
      listOf(get(name), count, at(name)).map((each, index) =>
        textOf(each, pattern, `${at(name)}[${index}]`),
      ),
  }
}

function listOf(value: unknown, { least, most }: Count, path: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length < least || value.length > most)
    throw malformed(path, describe(value), `an array of ${least} to ${most}`)
  return value
}

function textOf(value: unknown, pattern: RegExp | undefined, path: string): string {
  if (typeof value !== 'string' || pattern?.test(value) === false)
    throw malformed(path, describe(value), pattern ? `text that matches ${pattern.source}` : 'text')
  return value
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}

function malformed(path: string, observed: string, expected: string): Malformed {
  return new Malformed({ path, offset: 0 }, observed, expected)
}
