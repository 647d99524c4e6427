/**
 * Arrays as PostgreSQL receives them in binary (array_recv in src/backend/utils/adt/arrayfuncs.c): the server reads
 * evidence as it is, where text would cost it 30 µs more for each attestation. All numbers are big-endian.
 */
import type { SqlArray, SqlType, SqlValue } from './sql-columns.ts'

/** From pg_type.dat: fixed for ever. */
const oids: Readonly<Record<SqlType, number>> = {
  bytea: 17,
  bigint: 20,
  integer: 23,
  text: 25,
  json: 114,
  timestamptz: 1184,
  uuid: 2950,
}

/** Dimensions, whether nulls may be in it, the elements' type, their number, the first one's index. */
const HEADER_SIZE = 20
/** The length that stands for null. */
const NULL_LENGTH = -1

export function binaryArray({ type, elements }: SqlArray): Buffer {
  const sizes = elements.map((element) => (element === null ? NULL_LENGTH : sizeOf(type, element)))
  const body = sizes.reduce((sum, size) => sum + 4 + Math.max(size, 0), 0)
  const out = Buffer.allocUnsafe(HEADER_SIZE + body)
  out.writeInt32BE(1, 0)
  out.writeInt32BE(sizes.includes(NULL_LENGTH) ? 1 : 0, 4)
  out.writeInt32BE(oids[type], 8)
  out.writeInt32BE(elements.length, 12)
  out.writeInt32BE(1, 16)
  let offset = HEADER_SIZE
  elements.forEach((element, n) => {
    const size = sizes[n] ?? NULL_LENGTH
    offset = out.writeInt32BE(size, offset)
    if (element === null) return
    write(out, offset, { type, element })
    offset += size
  })
  return out
}

function sizeOf(type: SqlType, element: SqlValue): number {
  if (type === 'uuid') return 16
  if (type === 'integer') return 4
  if (type === 'bigint' || type === 'timestamptz') return 8
  if (typeof element === 'string') return Buffer.byteLength(element)
  if (element instanceof Uint8Array) return element.length
  throw new TypeError(`${typeof element} is not ${type}`)
}

/** Microseconds since 2000-01-01 (src/include/datatype/timestamp.h). */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1)

function write(
  out: Buffer,
  offset: number,
  { type, element }: { readonly type: SqlType; readonly element: SqlValue },
): void {
  if (type === 'uuid') writeUuid(out, offset, String(element))
  else if (type === 'integer') out.writeInt32BE(Number(element), offset)
  else if (type === 'bigint') out.writeBigInt64BE(BigInt(Number(element)), offset)
  else if (element instanceof Date)
    out.writeBigInt64BE(BigInt(element.getTime() - POSTGRES_EPOCH_MS) * 1000n, offset)
  else if (element instanceof Uint8Array) out.set(element, offset)
  else out.write(String(element), offset)
}

function writeUuid(out: Buffer, offset: number, text: string): void {
  const written = out.write(text.replaceAll('-', ''), offset, 16, 'hex')
  if (written !== 16) throw new RangeError('a uuid has 32 hex digits')
}
