/**
 * A bounded cursor over the variable parts of received bytes. Lengths come from an attacker: each is compared with what
 * is left before anything is sliced, nothing is allocated for a length that was only claimed, and `done()` is mandatory.
 */
import { isZero } from './encoding.ts'
import { Malformed } from './malformed.ts'

export interface Reader {
  /** Bytes read so far, counted from the start of `path`. */
  readonly offset: number
  readonly left: number
  readonly u8: (field: string) => number
  readonly u16: (field: string) => number
  readonly u32: (field: string) => number
  /** A view, not a copy. */
  readonly bytes: (field: string, size: number) => Uint8Array
  /** Everything not yet read, as a view. */
  readonly rest: () => Uint8Array
  /** Throws Malformed unless every byte was read. */
  readonly done: () => void
  /** As `done`, but zero bytes may follow: real quotes come in zero-padded buffers. */
  readonly doneButZeros: () => void
}

export function reader(source: Uint8Array, path: string): Reader {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength)
  let offset = 0

  function take(field: string, size: number): number {
    const left = source.length - offset
    if (size > left)
      throw new Malformed(
        { path: `${path}.${field}`, offset },
        `${left} bytes left`,
        `${size} bytes`,
      )
    const start = offset
    offset += size
    return start
  }

  return {
    get offset() {
      return offset
    },
    get left() {
      return source.length - offset
    },
    u8: (field) => view.getUint8(take(field, 1)),
    u16: (field) => view.getUint16(take(field, 2), true),
    u32: (field) => view.getUint32(take(field, 4), true),
    bytes(field, size) {
      const start = take(field, size)
      return source.subarray(start, start + size)
    },
    rest() {
      const start = take('rest', source.length - offset)
      return source.subarray(start)
    },
    done() {
      if (offset !== source.length)
        throw new Malformed(
          { path, offset },
          `${source.length - offset} bytes after the end`,
          'the end',
        )
    },
    doneButZeros() {
      if (!isZero(source.subarray(offset)))
        throw new Malformed(
          { path, offset },
          `${source.length - offset} bytes after the end, not all zero`,
          'the end, or zero padding',
        )
      offset = source.length
    },
  }
}
