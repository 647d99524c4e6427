/** JSON in which no integer is rounded: what a double cannot hold comes as a bigint, as firmware's 64-bit words may be. */
import type { ExactJson } from '../tee/sev-snp/json-rows.ts'
import { parseStrictJson } from './strict-json.ts'

/** What a double cannot hold has at least so many digits; where there are none, JSON.parse rounds nothing. */
const LONG_INTEGER = /\d{16}/

/**
 * To look at each value costs a microsecond, a hundred times what it costs to parse it, and anybody may send values: as many as
 * a machine's report has with eight certificates.
 */
const MOST_VALUES = 16 * 1024

/** Strict as every body is. Throws SyntaxError with a sentence. */
export function parseExactJson(text: string): ExactJson {
  // JSON.parse makes nothing else, and the reviver adds bigint.
  const value = parseStrictJson(text) as ExactJson
  if (!LONG_INTEGER.test(text)) return value
  if (mayHoldMore(MOST_VALUES, text))
    throw new SyntaxError(
      `values beside an integer of 16 digits or more are too many: more than ${MOST_VALUES}`,
    )
  return JSON.parse(text, exact) as ExactJson
}

/** Each value but the first follows one of these. Those within strings count too: nothing that is honest has as many. */
function mayHoldMore(most: number, text: string): boolean {
  let values = 1
  for (let at = 0; at < text.length; at++)
    switch (text[at]) {
      case ',':
      case '[':
      case '{':
        if (++values > most) return true
    }
  return false
}

/** The third argument is that of ECMAScript's JSON.parse source text access, which Node 24 has. */
function exact(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source ?? ''
  return /^-?\d{1,20}$/.test(source) ? BigInt(source) : value
}
