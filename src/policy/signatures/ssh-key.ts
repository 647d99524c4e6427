/**
 * Which public key is this, in OpenSSH's own form (RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH PROTOCOL.u2f)? A blob
 * is read wholly or refused. Certificates, DSA, and RSA below 2048 bits are refused: OpenSSH's default is 3072 and
 * NIST SP 800-57 part 1 allows 2048 until 2030, so keys that people have today are taken and the broken ones are not.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { concat, toBase64Url, toHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { type Reader, reader } from '../../bytes/reader.ts'
import { readName, readPositive, readString, string, uint32 } from './ssh-wire.ts'

export interface SshKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256` ... */
  readonly type: string
  readonly blob: Uint8Array
  /** As `ssh-keygen -l` prints it: `SHA256:` and unpadded base64. */
  readonly fingerprint: string
  readonly publicKey: KeyObject
  /** What a security key was made for (`ssh:`); undefined for keys in software. */
  readonly application: Uint8Array | undefined
}

/** `blob`: the decoded second field of a `.pub` file. Throws Malformed. */
export function readSshKey(blob: Uint8Array): SshKey {
  if (blob.length > LARGEST_BLOB)
    throw new Malformed(
      { path: 'key', offset: 0 },
      `${blob.length} bytes`,
      `at most ${LARGEST_BLOB} bytes`,
    )
  const from = reader(blob, 'key')
  const type = readName(from, 'key.type')
  const readFields = keyTypes.get(type)
  if (readFields === undefined)
    throw new Malformed(
      { path: 'key.type', offset: 0 },
      `a key of type ${type}`,
      `one of ${[...keyTypes.keys()].join(', ')}`,
    )
  const { jwk, application } = readFields(from)
  from.done()
  return { type, blob, fingerprint: fingerprintOf(blob), publicKey: imported(jwk), application }
}

/** Throws TypeError for anything but Ed25519: that is a mistake of the caller, not of a signer. */
export function sshKeyOf(publicKey: KeyObject): SshKey {
  const { crv, x } = publicKey.export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw new TypeError('only Ed25519 keys are made here')
  return readSshKey(concat(string('ssh-ed25519'), string(octetsOf(x))))
}

/** The second and third field's place of a `.pub` or allowed-signers line: `ssh-ed25519 AAAA...`. */
export function sshKeyText({ type, blob }: SshKey): string {
  return `${type} ${Buffer.from(blob).toString('base64')}`
}

/** An unencrypted key file as `ssh-keygen` writes it (OpenSSH PROTOCOL.key). Ed25519 only. The comment is kept inside. */
export function openSshPrivateKey(privateKey: KeyObject, comment: string): string {
  const { crv, d, x } = privateKey.export({ format: 'jwk' })
  if (crv !== 'Ed25519' || d === undefined || x === undefined)
    throw new TypeError('only Ed25519 keys are written here')
  const publicPart = concat(string('ssh-ed25519'), string(octetsOf(x)))
  const section = concat(
    // Two equal numbers tell a reader whether a passphrase was right. There is none, so they need not be random.
    uint32(0),
    uint32(0),
    publicPart,
    string(concat(octetsOf(d), octetsOf(x))),
    string(comment),
  )
  const padding = Uint8Array.from({ length: -section.length & 7 }, (_, index) => index + 1)
  const file = concat(
    Buffer.from('openssh-key-v1\0'),
    string('none'),
    string('none'),
    string(''),
    uint32(1),
    string(publicPart),
    string(concat(section, padding)),
  )
  const lines = Buffer.from(file).toString('base64').replace(/.{70}/g, '$&\n').trimEnd()
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`
}

/** What `openSshPrivateKey` wrote with this comment. Undefined for anything else: it reads its own files only. */
export function ownSshPrivateKey(text: string, comment: string): KeyObject | undefined {
  const [, body = ''] = /-----\n([\s\S]*)\n-----/.exec(text) ?? []
  const file = Buffer.from(body, 'base64')
  // Every field before it has one length.
  const d = toBase64Url(file.subarray(161, 193))
  const x = toBase64Url(file.subarray(193, 225))
  try {
    const key = { kty: 'OKP', crv: 'Ed25519', d, x }
    const privateKey = createPrivateKey({ key, format: 'jwk' })
    return openSshPrivateKey(privateKey, comment) === text ? privateKey : undefined
  } catch {
    return undefined
  }
}

/** RSA-16384, the most that OpenSSL verifies with, needs 2.1 KB. */
const LARGEST_BLOB = 4096
const RSA_BITS = { least: 2048, most: 16384 }
/** OpenSSL bounds the exponent of long moduli by 64 bits; a longer one only makes verification slow. */
const LONGEST_EXPONENT = 8

interface KeyFields {
  readonly jwk: JsonWebKey
  readonly application?: Uint8Array
}

const keyTypes: ReadonlyMap<string, (from: Reader) => KeyFields> = new Map([
  ['ssh-ed25519', (from) => ({ jwk: ed25519(from) })],
  ['ecdsa-sha2-nistp256', (from) => ({ jwk: ecdsa(from, 'nistp256') })],
  ['ecdsa-sha2-nistp384', (from) => ({ jwk: ecdsa(from, 'nistp384') })],
  ['ecdsa-sha2-nistp521', (from) => ({ jwk: ecdsa(from, 'nistp521') })],
  ['ssh-rsa', (from) => ({ jwk: rsa(from) })],
  [
    'sk-ssh-ed25519@openssh.com',
    (from) => ({ jwk: ed25519(from), application: readString(from, 'key.application') }),
  ],
  [
    'sk-ecdsa-sha2-nistp256@openssh.com',
    (from) => ({
      jwk: ecdsa(from, 'nistp256'),
      application: readString(from, 'key.application'),
    }),
  ],
])

function ed25519(from: Reader): JsonWebKey {
  const at = { path: 'key.point', offset: from.offset }
  const point = readString(from, 'key.point')
  if (point.length !== 32) throw new Malformed(at, `${point.length} bytes`, '32 bytes')
  const unsigned = toHex(point.with(31, (point[31] ?? 0) & 0x7f))
  if (smallOrder.has(unsigned))
    throw new Malformed(at, 'a point of small order', 'a key that not everybody can sign with')
  return { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(point) }
}

/**
 * The points of order 1 to 8 and their other encodings, sign bit cleared. By the bare equation one signature fits every
 * message under such a "key", no secret needed, and nobody who reviews the base64 would see it. Node 24 refuses them when
 * it verifies; a file of signers that holds one is refused before.
 */
const smallOrder: ReadonlySet<string> = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

const curves = {
  nistp256: { crv: 'P-256', size: 32 },
  nistp384: { crv: 'P-384', size: 48 },
  nistp521: { crv: 'P-521', size: 66 },
} as const

function ecdsa(from: Reader, name: keyof typeof curves): JsonWebKey {
  const { crv, size } = curves[name]
  const at = { path: 'key.curve', offset: from.offset }
  const curve = readName(from, 'key.curve')
  if (curve !== name) throw new Malformed(at, curve, name)
  const point = readString(from, 'key.point')
  if (point.length !== 1 + 2 * size || point[0] !== 0x04)
    throw new Malformed(
      { path: 'key.point', offset: at.offset },
      `${point.length} bytes, the first ${point[0]}`,
      `${1 + 2 * size} bytes of an uncompressed point, the first 4`,
    )
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)]
  return { kty: 'EC', crv, x: toBase64Url(x), y: toBase64Url(y) }
}

function rsa(from: Reader): JsonWebKey {
  const at = { path: 'key.exponent', offset: from.offset }
  const exponent = readPositive(from, 'key.exponent')
  const modulus = readPositive(from, 'key.modulus')
  const last = exponent.at(-1) ?? 0
  if (last % 2 === 0 || (exponent.length === 1 && last < 3) || exponent.length > LONGEST_EXPONENT)
    throw new Malformed(
      at,
      `the exponent ${toHex(exponent.subarray(0, 16))}`,
      'an odd one from 3 on, of at most 64 bits',
    )
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  if (bits < RSA_BITS.least || bits > RSA_BITS.most)
    throw new Malformed(
      { path: 'key.modulus', offset: at.offset },
      `an RSA key of ${bits} bits`,
      `${RSA_BITS.least} to ${RSA_BITS.most} bits`,
    )
  return { kty: 'RSA', n: toBase64Url(modulus), e: toBase64Url(exponent) }
}

function imported(jwk: JsonWebKey): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    throw new Malformed({ path: 'key', offset: 0 }, 'no valid public key', 'a point on its curve')
  }
}

function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

function octetsOf(base64url: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64url, 'base64url'))
}
