/**
 * The one error that parsers of received bytes throw. Anything else that escapes a parser is our own fault.
 * `path` names the field (`QUOTE.signature_data.auth_data`), `offset` counts bytes from the start of that structure.
 */
export class Malformed extends Error {
  override readonly name = 'Malformed'
  readonly path: string
  readonly offset: number
  readonly observed: string
  readonly expected: string

  constructor(at: { path: string; offset: number }, observed: string, expected: string) {
    super(`${at.path} at ${hexOffset(at.offset)}: found ${observed}, expected ${expected}`)
    this.path = at.path
    this.offset = at.offset
    this.observed = observed
    this.expected = expected
  }
}

export function hexOffset(offset: number): string {
  return `0x${offset.toString(16).padStart(3, '0')}`
}
