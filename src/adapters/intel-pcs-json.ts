/**
 * Which bytes did Intel sign? PCS answers `{"tcbInfo":{...},"signature":"..."}`, and the signature covers the inner object
 * as it stands in the answer: parsing it and writing it out again would be another text. So its bytes are cut out.
 */
import { Malformed } from '../bytes/malformed.ts'

/**
 * Each member of a JSON object with the exact bytes of its value, as views, without the space around it. Throws Malformed
 * for anything but UTF-8 text of one object in which every name stands once, however it is spelled: of two, one reader
 * would check the first and another believe the second.
 */
export function memberSlices(json: Uint8Array, path: string): ReadonlyMap<string, Uint8Array> {
  assertObject(json, path)
  const slices = new Map<string, Uint8Array>()
  let at = past(json, skipSpace(json, 0), OPEN_OBJECT)
  if (json[skipSpace(json, at)] === CLOSE_OBJECT) return slices
  for (;;) {
    const nameStart = skipSpace(json, at)
    const nameEnd = skipValue(json, nameStart)
    // A member's name is a JSON string by the grammar, which assertObject has checked.
    const name: unknown = JSON.parse(decoder.decode(json.subarray(nameStart, nameEnd)))
    const start = skipSpace(json, past(json, skipSpace(json, nameEnd), COLON))
    const end = skipValue(json, start)
    if (typeof name !== 'string' || slices.has(name))
      throw new Malformed({ path, offset: nameStart }, `a second "${name}"`, 'each member once')
    slices.set(name, json.subarray(start, end))
    const next = skipSpace(json, end)
    if (json[next] === CLOSE_OBJECT) return slices
    at = past(json, next, COMMA)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** All of the grammar is judged here, by the platform's own parser; what follows only has to find boundaries in valid JSON. */
function assertObject(json: Uint8Array, path: string): void {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(json))
  } catch (cause) {
    const observed = cause instanceof Error ? cause.message : String(cause)
    throw new Malformed({ path, offset: 0 }, observed, 'JSON in UTF-8')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Malformed({ path, offset: 0 }, 'another JSON value', 'an object')
}

const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d]
const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c]
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d])

function past(json: Uint8Array, at: number, expected: number): number {
  if (json[at] !== expected) throw new Error(`byte ${at} of valid JSON is not where it must be`)
  return at + 1
}

function skipSpace(json: Uint8Array, start: number): number {
  let at = start
  while (SPACE.has(json[at] ?? 0)) at++
  return at
}

/** Past the value that begins at `start`: to the closing quote, the closing bracket of its own level, or what ends a literal. */
function skipValue(json: Uint8Array, start: number): number {
  let depth = 0
  let at = start
  do {
    const byte = json[at] ?? 0
    if (byte === QUOTE) at = skipString(json, at)
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++
      at++
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth--
      at++
    } else at = depth > 0 ? at + 1 : skipLiteral(json, at)
  } while (depth > 0)
  return at
}

function skipString(json: Uint8Array, start: number): number {
  let at = start + 1
  while (json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1
  return at + 1
}

/** Numbers, true, false and null end where a separator begins. */
function skipLiteral(json: Uint8Array, start: number): number {
  let at = start
  for (;;) {
    const byte = json[at]
    if (byte === undefined || byte === COMMA || byte === CLOSE_OBJECT || SPACE.has(byte)) return at
    at++
  }
}
