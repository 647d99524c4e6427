/**
 * Which OpenPGP public keys does this file hold (RFC 9580; version 4 keys only)? Armor and packets are taken apart so that
 * every key's fingerprint has one owner, and so that a secret key in the repository is noticed. Signatures, self-signatures,
 * expiry and revocation are the business of an OpenPGP implementation, which is handed in.
 */
import { createHash } from 'node:crypto'
import { concat } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { type Reader, reader } from '../../bytes/reader.ts'
import { visible } from '../visible-text.ts'

export interface OpenPgpKeys {
  /** The packets, without armor: what gpgv takes as a keyring. */
  readonly keyring: Uint8Array
  /** Of primary keys, upper-case hex. */
  readonly fingerprints: readonly string[]
}

/** `armored`: `gpg --armor --export`. Throws Malformed. */
export function readOpenPgpKeys(armored: Uint8Array): OpenPgpKeys {
  const keyring = unarmored(armored)
  const packets = reader(keyring, 'openpgp')
  const fingerprints: string[] = []
  while (packets.left > 0) {
    const at = { path: 'openpgp.packet', offset: packets.offset }
    const { tag, body } = readPacket(packets)
    if (tag === PUBLIC_KEY || tag === PUBLIC_SUBKEY) assertStrong(body, at)
    if (tag === PUBLIC_KEY) fingerprints.push(fingerprintOf(body))
    else if (fingerprints.length === 0)
      throw new Malformed(at, packetNames[tag] ?? `a packet of type ${tag}`, 'a public key first')
    else if (!belongsToKey.has(tag))
      throw new Malformed(at, packetNames[tag] ?? `a packet of type ${tag}`, 'parts of public keys')
  }
  if (fingerprints.length === 0 || fingerprints.length > MOST_KEYS)
    throw new Malformed(
      { path: 'openpgp', offset: 0 },
      `${fingerprints.length} public keys`,
      `1 to ${MOST_KEYS}`,
    )
  return { keyring, fingerprints }
}

const LARGEST = 128 * 1024
const MOST_KEYS = 16
const PUBLIC_KEY = 6
const PUBLIC_SUBKEY = 14
/** Signatures, trust, user ids, subkeys, user attributes, padding. */
const belongsToKey = new Set([2, 12, 13, PUBLIC_SUBKEY, 17, 21])
const packetNames: Readonly<Record<number, string>> = {
  5: 'a SECRET key (everyone can read it here: revoke it)',
  7: 'a SECRET subkey (everyone can read it here: revoke it)',
}

interface Packet {
  readonly tag: number
  readonly body: Uint8Array
}

/** RFC 9580 section 4.2: both formats of header. Lengths that are open or in parts are for data, never for keys. */
function readPacket(from: Reader): Packet {
  const at = { path: 'openpgp.packet', offset: from.offset }
  const head = from.u8('packet.tag')
  if ((head & 0x80) === 0) throw new Malformed(at, `the byte ${head}`, 'the start of a packet')
  if (head & 0x40) return { tag: head & 0x3f, body: from.bytes('packet', newLength(from)) }
  const sizes = [1, 2, 4]
  const size = sizes[head & 0x03]
  if (size === undefined) throw new Malformed(at, 'a packet without length', 'a length')
  return { tag: (head >> 2) & 0x0f, body: from.bytes('packet', bigEndian(from, size)) }
}

function newLength(from: Reader): number {
  const at = { path: 'openpgp.length', offset: from.offset }
  const first = from.u8('packet.length')
  if (first < 192) return first
  if (first < 224) return (first - 192) * 256 + from.u8('packet.length') + 192
  if (first === 255) return bigEndian(from, 4)
  throw new Malformed(at, 'a length in parts', 'one length')
}

function bigEndian(from: Reader, size: number): number {
  return from.bytes('packet.length', size).reduce((value, octet) => value * 256 + octet, 0)
}

const RSA = new Set([1, 2, 3])
/** As for SSH keys. */
const LEAST_RSA_BITS = 2048
/** RSA, ElGamal and ECDH (for subkeys that only encrypt), ECDSA, EdDSA, and RFC 9580's X25519, X448, Ed25519 and Ed448. */
const algorithms = new Set([...RSA, 16, 18, 19, 22, 25, 26, 27, 28])

/** `body`: version, four octets of time, algorithm, and for RSA the modulus, which says its bits first. DSA has no place. */
function assertStrong(body: Uint8Array, at: ConstructorParameters<typeof Malformed>[0]): void {
  const [version, , , , , algorithm = 0, high = 0, low = 0] = body
  if (version !== 4) throw new Malformed(at, `a public key of version ${version}`, 'version 4')
  if (!algorithms.has(algorithm))
    throw new Malformed(at, `a key of algorithm ${algorithm}`, 'RSA, ECDSA or EdDSA')
  const bits = high * 256 + low
  if (RSA.has(algorithm) && bits < LEAST_RSA_BITS)
    throw new Malformed(at, `an RSA key of ${bits} bits`, `at least ${LEAST_RSA_BITS}`)
}

/** RFC 9580 section 5.5.4.2. SHA-1 by definition; nobody gains by two keys of his own with one fingerprint. */
function fingerprintOf(body: Uint8Array): string {
  if (body.length > 0xffff)
    throw new Malformed(
      { path: 'openpgp.key', offset: 0 },
      `a key of ${body.length} bytes`,
      'at most 65535 bytes',
    )
  const head = new Uint8Array([0x99, body.length >> 8, body.length & 0xff])
  return createHash('sha1').update(concat(head, body)).digest('hex').toUpperCase()
}

const BEGIN = '-----BEGIN PGP PUBLIC KEY BLOCK-----'
const END = '-----END PGP PUBLIC KEY BLOCK-----'

/** One block: headers such as `Comment:`, an empty line, base64, perhaps a checksum, which says nothing that matters here. */
function unarmored(armored: Uint8Array): Uint8Array {
  const at = { path: 'armor', offset: 0 }
  if (armored.length > LARGEST)
    throw new Malformed(at, `${armored.length} bytes`, `at most ${LARGEST} bytes`)
  const lines = Buffer.from(armored).toString('latin1').trim().split(/\r?\n/)
  const empty = lines.indexOf('')
  if (lines[0] !== BEGIN || lines.at(-1) !== END || empty < 0)
    throw new Malformed(
      at,
      `text that begins with ${visible(lines[0] ?? '')}`,
      'one block as "gpg --armor --export" writes it',
    )
  const body = lines.slice(empty + 1, -1)
  if (/^=[A-Za-z0-9+/]{4}$/.test(body.at(-1) ?? '')) body.pop()
  const base64 = body.join('')
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64') !== base64)
    throw new Malformed(at, 'text that is no canonical base64', 'padded base64 in lines')
  return new Uint8Array(bytes)
}
