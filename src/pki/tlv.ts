/**
 * Tags and lengths of DER, walked in place: half a microsecond for a certificate of which a full decoder makes a millisecond.
 * It guards the decoder against values made of many small parts, and it alone walks the entries of revocation lists,
 * whose number nobody bounds.
 */

export interface Span {
  /** Tag octet: class, constructed bit and number. */
  readonly tag: number
  /** Of the tag octet. */
  readonly at: number
  /** Of the contents. */
  readonly start: number
  /** Of the value, which is where the next one starts. */
  readonly end: number
}

/** The value at `at`, which must end by `limit`. Throws an Error for anything but one definite, minimally encoded length. */
export function spanAt(source: Uint8Array, at: number, limit: number): Span {
  const tag = source[at]
  const first = source[at + 1]
  if (tag === undefined || first === undefined || at + 2 > limit)
    throw new Error('a value that ends before its length')
  if ((tag & 0x1f) === 0x1f) throw new Error('a tag number above 30')
  if (first === 0x80) throw new Error('an indefinite length, which DER forbids')
  const octets = first < 0x80 ? 0 : first - 0x80
  if (octets > 4) throw new Error(`a length of ${octets} octets`)
  let length = octets === 0 ? first : 0
  for (let i = 0; i < octets; i++) length = length * 256 + (source[at + 2 + i] ?? 0)
  if (octets > 0 && (source[at + 2] === 0 || length < 0x80))
    throw new Error('a length that is not minimally encoded')
  const start = at + 2 + octets
  if (start + length > limit)
    throw new Error(`a length of ${length} bytes where ${limit - start} are left`)
  return { tag, at, start, end: start + length }
}

/** The values inside a constructed one, in order. */
export function spansIn(source: Uint8Array, { start, end }: Span): readonly Span[] {
  const spans: Span[] = []
  for (let at = start; at < end; ) {
    const span = spanAt(source, at, end)
    spans.push(span)
    at = span.end
  }
  return spans
}

/** Throws as soon as more than `most` values, those inside constructed ones included, have been met; bounds depth as well. */
export function assertFewValues(source: Uint8Array, most: number): void {
  const open: Span[] = []
  let at = 0
  for (let met = 0; at < source.length || open.length > 0; ) {
    const outer = open.at(-1)
    if (outer && at === outer.end) {
      open.pop()
      continue
    }
    const span = spanAt(source, at, outer?.end ?? source.length)
    met++
    if (met > most) throw new Error(`more than ${most} values`)
    if (span.tag & 0x20 && span.end > span.start) {
      open.push(span)
      at = span.start
    } else at = span.end
  }
}

/**
 * Throws where `wrapper`, the tag around the extensions of a certificate or of a revocation list, holds more than `most`: what
 * reads them spends up to a tenth of a millisecond on each, however small it is.
 */
export function assertFewExtensions(source: Uint8Array, wrapper: Span, most: number): void {
  const list = spanAt(source, wrapper.start, wrapper.end)
  let met = 0
  for (let at = list.start; at < list.end; met++) {
    if (met === most) throw new Error(`more than ${most} extensions`)
    at = spanAt(source, at, list.end).end
  }
}
