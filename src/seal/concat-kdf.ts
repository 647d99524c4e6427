/**
 * Which 32 bytes do both sides of an ECDH agreement derive for JOSE? RFC 7518 section 4.6.2: Concat KDF with SHA-256, in one
 * round, since that gives as many bits as every algorithm here needs.
 */
import { createHash } from 'node:crypto'

const KEY_BITS = 256
const ROUND = uint32(1)

/** `algorithm`: `enc` of a direct agreement, `alg` of one that wraps a key. PartyUInfo and PartyVInfo are empty. */
export function concatKdf(algorithm: string): (secret: Uint8Array) => Buffer {
  const otherInfo = Buffer.concat([
    uint32(algorithm.length),
    Buffer.from(algorithm, 'latin1'),
    uint32(0),
    uint32(0),
    uint32(KEY_BITS),
  ])
  return (secret) => createHash('sha256').update(ROUND).update(secret).update(otherInfo).digest()
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
