/**
 * A bounded cursor over the variable parts of received bytes. Lengths come from an attacker: each is compared with what
 * is left before anything is sliced, nothing is allocated for a length that was only claimed, and `done()` is mandatory.
 */
import { isZero } from './encoding.ts'
import { Malformed } from './malformed.ts'

/** A class and not a bag of closures: three readers are made for every quote, and closures were most of their cost. */
export class Reader {
  readonly #source: Uint8Array
  readonly #path: string
  #offset = 0

  constructor(source: Uint8Array, path: string) {
    this.#source = source
    this.#path = path
  }

  /** Bytes read so far, counted from the start of `path`. */
  get offset(): number {
    return this.#offset
  }

  get left(): number {
    return this.#source.length - this.#offset
  }

  u8(field: string): number {
    return this.#octet(this.#take(field, 1))
  }

  u16(field: string): number {
    const at = this.#take(field, 2)
    return this.#octet(at) | (this.#octet(at + 1) << 8)
  }

  u32(field: string): number {
    const at = this.#take(field, 4)
    const low = this.#octet(at) | (this.#octet(at + 1) << 8) | (this.#octet(at + 2) << 16)
    return low + this.#octet(at + 3) * 0x100_0000
  }

  /** A view, not a copy. */
  bytes(field: string, size: number): Uint8Array {
    const start = this.#take(field, size)
    return new Uint8Array(this.#source.buffer, this.#source.byteOffset + start, size)
  }

  /** Everything not yet read, as a view. */
  rest(): Uint8Array {
    return this.bytes('rest', this.left)
  }

  /** Throws Malformed unless every byte was read. */
  done(): void {
    if (this.left > 0)
      throw new Malformed(
        { path: this.#path, offset: this.#offset },
        `${this.left} bytes after the end`,
        'the end',
      )
  }

  /** As `done`, but zero bytes may follow: real quotes come in zero-padded buffers. */
  doneButZeros(): void {
    if (!isZero(this.#source, this.#offset))
      throw new Malformed(
        { path: this.#path, offset: this.#offset },
        `${this.left} bytes after the end, not all zero`,
        'the end, or zero padding',
      )
    this.#offset = this.#source.length
  }

  /** Within bounds: `#take` has just checked them. */
  #octet(at: number): number {
    return this.#source[at] ?? 0
  }

  #take(field: string, size: number): number {
    if (size > this.left)
      throw new Malformed(
        { path: `${this.#path}.${field}`, offset: this.#offset },
        `${this.left} bytes left`,
        `${size} bytes`,
      )
    const start = this.#offset
    this.#offset += size
    return start
  }
}

export function reader(source: Uint8Array, path: string): Reader {
  return new Reader(source, path)
}
