/**
 * The one byte form of a flat object of strings: the subset of RFC 8785 (JCS) that everything here which is hashed or
 * authenticated is limited to. Numbers, nesting and null are left out on purpose: they are where two implementations of
 * JCS come to differ.
 */

/** UTF-8 bytes. Throws TypeError for anything but own enumerable string properties, and for text that is not Unicode. */
export function canonicalJson(object: Readonly<Record<string, string>>): Uint8Array {
  const members = Object.keys(object)
    .toSorted(byUtf16)
    .map((name) => `${quoted(name)}:${quoted(object[name])}`)
  return new TextEncoder().encode(`{${members.join(',')}}`)
}

/** RFC 8785 section 3.2.3: by UTF-16 code units, which is how `<` compares. A locale's order would be another. */
function byUtf16(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** RFC 8785 section 3.2.2.2 prescribes what JSON.stringify writes, except that a lone surrogate must be refused and not escaped. */
function quoted(text: unknown): string {
  if (typeof text !== 'string') throw new TypeError(`a ${typeof text} is not a string`)
  if (!text.isWellFormed()) throw new TypeError('a lone surrogate is not text')
  return JSON.stringify(text)
}
