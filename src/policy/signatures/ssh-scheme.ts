/**
 * How does a signature algorithm of SSH verify (RFC 8332, RFC 5656, RFC 8709, OpenSSH PROTOCOL.u2f)? One entry each, and
 * each names the one key type that it belongs to. `ssh-rsa` (SHA-1), DSA, WebAuthn and certificate forms have no entry.
 */
import { createHash, verify } from 'node:crypto'
import { concat } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { type Reader, reader } from '../../bytes/reader.ts'
import { derFromBigEndian } from '../../pki/ecdsa-value.ts'
import type { SshKey } from './ssh-key.ts'
import { readPositive, readString, readUint32, uint32 } from './ssh-wire.ts'

/** Is this what the key would have signed? `true`, or a clause that says why not. */
export type Verify = (key: SshKey, signed: Uint8Array) => true | string

export interface Scheme {
  readonly keyType: string
  /** Reads what follows the algorithm's name, to the end. Throws Malformed. */
  readonly read: (from: Reader) => Verify
}

/** Throws Malformed where keys of this type do not sign so. */
export function schemeOf(keyType: string, algorithm: string): Scheme {
  const scheme = schemes.get(algorithm)
  if (scheme?.keyType === keyType) return scheme
  const usable = [...schemes].filter(([, { keyType: type }]) => type === keyType)
  throw new Malformed(
    { path: 'SSHSIG.signature.algorithm', offset: 0 },
    algorithm === 'ssh-rsa'
      ? 'an RSA signature over SHA-1, which can be forged'
      : `the algorithm ${algorithm} with a key of type ${keyType}`,
    usable.map(([name]) => name).join(' or '),
  )
}

const ED25519 = 'ssh-ed25519'
const SK_ED25519 = 'sk-ssh-ed25519@openssh.com'
const SK_ECDSA = 'sk-ecdsa-sha2-nistp256@openssh.com'

const schemes: ReadonlyMap<string, Scheme> = new Map([
  [ED25519, { keyType: ED25519, read: inSoftware(ed25519) }],
  ['ecdsa-sha2-nistp256', ecdsa('ecdsa-sha2-nistp256', { hash: 'sha256', size: 32 })],
  ['ecdsa-sha2-nistp384', ecdsa('ecdsa-sha2-nistp384', { hash: 'sha384', size: 48 })],
  ['ecdsa-sha2-nistp521', ecdsa('ecdsa-sha2-nistp521', { hash: 'sha512', size: 66 })],
  ['rsa-sha2-256', rsa('sha256')],
  ['rsa-sha2-512', rsa('sha512')],
  [SK_ED25519, { keyType: SK_ED25519, read: inSecurityKey(ed25519) }],
  [SK_ECDSA, { keyType: SK_ECDSA, read: inSecurityKey(ecdsaOver({ hash: 'sha256', size: 32 })) }],
])

/** Reads the signature string. */
type ReadRaw = (value: Uint8Array) => (key: SshKey, signed: Uint8Array) => boolean

const FORGED = 'does not belong to these bytes: they were changed, or another key signed'

/** `string signature`, and nothing after it. */
function inSoftware(readRaw: ReadRaw): Scheme['read'] {
  return (from) => {
    const raw = readRaw(readString(from, 'SSHSIG.signature.value'))
    from.done()
    return (key, signed) => raw(key, signed) || FORGED
  }
}

const USER_PRESENT = 0x01

/** `string signature, byte flags, uint32 counter`: the token signs hashes of what it was asked, with its own flags between them. */
function inSecurityKey(readRaw: ReadRaw): Scheme['read'] {
  return (from) => {
    const raw = readRaw(readString(from, 'SSHSIG.signature.value'))
    const flags = from.u8('flags')
    const counter = readUint32(from, 'SSHSIG.signature.counter')
    from.done()
    return (key, signed) => {
      // A token that signs unasked is a key on a disk: whoever holds the machine could approve with it.
      if ((flags & USER_PRESENT) === 0)
        return 'was made by a security key that nobody touched: sign with a key that demands presence'
      const answer = concat(
        sha256(key.application ?? new Uint8Array()),
        new Uint8Array([flags]),
        uint32(counter),
        sha256(signed),
      )
      return raw(key, answer) || FORGED
    }
  }
}

function ed25519(value: Uint8Array): ReturnType<ReadRaw> {
  if (value.length !== 64)
    throw new Malformed(
      { path: 'SSHSIG.signature.value', offset: 0 },
      `${value.length} bytes`,
      '64 bytes',
    )
  return ({ publicKey }, signed) => verify(null, signed, publicKey, value)
}

interface Curve {
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** Bytes of a coordinate. */
  readonly size: number
}

function ecdsa(name: string, curve: Curve): Scheme {
  return { keyType: name, read: inSoftware(ecdsaOver(curve)) }
}

/** `mpint r, mpint s`, each in its one form. */
function ecdsaOver({ hash, size }: Curve): ReadRaw {
  return (value) => {
    const from = reader(value, 'SSHSIG.signature.value')
    const [r, s] = [boundedInteger(from, 'r', size), boundedInteger(from, 's', size)]
    from.done()
    const der = derFromBigEndian(r, s)
    return ({ publicKey }, signed) => verify(hash, signed, publicKey, der)
  }
}

function boundedInteger(from: Reader, name: string, size: number): Uint8Array {
  const at = { path: `SSHSIG.signature.value.${name}`, offset: from.offset }
  const value = readPositive(from, at.path)
  if (value.length > size)
    throw new Malformed(at, `an integer of ${value.length} bytes`, `at most ${size}`)
  return value
}

/** OpenSSH would pad a value that is shorter than the modulus, but never writes one. OpenSSL refuses it, and so do we. */
function rsa(hash: 'sha256' | 'sha512'): Scheme {
  return {
    keyType: 'ssh-rsa',
    read: inSoftware(
      (value) =>
        ({ publicKey }, signed) =>
          verify(hash, signed, publicKey, value),
    ),
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}
