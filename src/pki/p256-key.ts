/** From a point to a key that verifies with it: X and Y of P-256, as JWKs and Intel's quotes carry them. */
import { createPublicKey, type KeyObject } from 'node:crypto'

/** SubjectPublicKeyInfo of P-256 up to the coordinates (RFC 5480 section 2): id-ecPublicKey, secp256r1, uncompressed. */
const SPKI_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')
const POINT_SIZE = 64

/**
 * `point`: X || Y, 64 bytes. Undefined for what is no point of the curve. By way of PEM, because for a key that comes in an
 * object, JWK and DER alike, Node 24 throws and catches errors of its own, which takes longer than all the rest.
 */
export function p256KeyOf(point: Uint8Array): KeyObject | undefined {
  if (point.length !== POINT_SIZE) return undefined
  const der = Buffer.concat([SPKI_HEAD, point]).toString('base64')
  try {
    return createPublicKey(`-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`)
  } catch {
    return undefined
  }
}
