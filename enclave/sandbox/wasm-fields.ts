/** How are numbers, names and sizes written in a WebAssembly module? Specification 2.0, sections 5.2 and 5.3. All throw Malformed. */
import { Malformed } from '../../src/bytes/malformed.ts'
import type { Reader } from '../../src/bytes/reader.ts'

export interface SizeRange {
  readonly least: number
  /** Undefined: it may grow as long as the engine lets it. */
  readonly most: number | undefined
}

const LONGEST_NAME = 256
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** One letter each, so that a function’s type is a short text: `ii>i`. */
const valueTypes: Readonly<Record<number, string>> = {
  127: 'i',
  126: 'I',
  125: 'f',
  124: 'F',
  123: 'v',
  112: 'r',
  111: 'x',
}
const FUNCTION_REFERENCE = 0x70
const EXTERNAL_REFERENCE = 0x6f

/** An unsigned LEB128 number of 32 bits. Compilers pad it to five bytes, which is allowed. */
export function leb32(from: Reader, field: string): number {
  const { offset } = from
  let value = 0
  for (let i = 0; i < 5; i++) {
    const byte = from.u8(field)
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break
      return value
    }
  }
  throw new Malformed({ path: field, offset }, 'a longer number', 'an unsigned one of 32 bits')
}

export function nameOf(from: Reader, field: string): string {
  const { offset } = from
  const length = leb32(from, `${field}.length`)
  if (length > LONGEST_NAME)
    throw new Malformed({ path: field, offset }, `${length} bytes`, `at most ${LONGEST_NAME}`)
  try {
    return utf8.decode(from.bytes(field, length))
  } catch (error) {
    if (error instanceof Malformed) throw error
    throw new Malformed({ path: field, offset }, 'other bytes', 'UTF-8')
  }
}

export function valueType(from: Reader): string {
  const { offset } = from
  const byte = from.u8('type')
  const type = valueTypes[byte]
  if (type === undefined)
    throw new Malformed(
      { path: 'type', offset },
      `0x${byte.toString(16)}`,
      'a value type of WebAssembly 2.0',
    )
  return type
}

export function tableOf(from: Reader): SizeRange {
  const { offset } = from
  const byte = from.u8('type')
  if (byte !== FUNCTION_REFERENCE && byte !== EXTERNAL_REFERENCE)
    throw new Malformed(
      { path: 'table.type', offset },
      `0x${byte.toString(16)}`,
      'funcref or externref',
    )
  return limitsOf(from, 'table')
}

export function limitsOf(from: Reader, what: 'memory' | 'table'): SizeRange {
  const { offset } = from
  const flags = from.u8('limits')
  if (flags > 1)
    throw new Malformed(
      { path: `${what}.limits`, offset },
      flagged(flags),
      `a ${what} of 32 bits that is not shared`,
    )
  const least = leb32(from, `${what}.least`)
  return { least, most: flags === 1 ? leb32(from, `${what}.most`) : undefined }
}

function flagged(flags: number): string {
  const named = [
    flags & 2 ? 'shared' : '',
    flags & 4 ? 'of 64 bits' : '',
    flags & 8 ? 'with another page size' : '',
  ].filter((each) => each !== '')
  return `flags 0x${flags.toString(16)}${named.length > 0 ? ` (${named.join(', ')})` : ''}`
}
