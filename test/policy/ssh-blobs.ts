/** SSH keys and signatures made piece by piece, so that each piece can be wrong. Security keys, which no test has at hand, too. */
import { createHash, generateKeyPairSync, type KeyObject, sign as signRaw } from 'node:crypto'
import { readSshKey, type SshKey } from '../../src/policy/signatures/ssh-key.ts'
import { string, uint32 } from '../../src/policy/signatures/ssh-wire.ts'

export const utf8 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export const joined = (...parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(Buffer.concat(parts))

export function coordinates(key: KeyObject): { readonly x: Uint8Array; readonly y: Uint8Array } {
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  return {
    x: new Uint8Array(Buffer.from(x, 'base64url')),
    y: new Uint8Array(Buffer.from(y, 'base64url')),
  }
}

/** An integer as SSH writes it. */
export function mpint(value: Uint8Array): Uint8Array {
  const start = value.findIndex((octet) => octet !== 0)
  const shortest = start < 0 ? new Uint8Array() : value.subarray(start)
  return string((shortest[0] ?? 0) >= 0x80 ? joined(new Uint8Array(1), shortest) : shortest)
}

export interface Parts {
  readonly magic: Uint8Array
  readonly version: number
  readonly key: Uint8Array
  readonly namespace: string
  readonly reserved: string
  readonly hash: string
  readonly algorithm: string
  /** What follows the algorithm. */
  readonly value: Uint8Array
  /** After the end of the container. */
  readonly trailing: Uint8Array
}

export function armor(blob: Uint8Array): Uint8Array {
  const base64 = Buffer.from(blob).toString('base64').replace(/.{70}/g, '$&\n').trimEnd()
  return utf8(`-----BEGIN SSH SIGNATURE-----\n${base64}\n-----END SSH SIGNATURE-----\n`)
}

export function container({ magic, version, key, trailing, ...parts }: Parts): Uint8Array {
  return armor(
    joined(
      magic,
      uint32(version),
      string(key),
      string(parts.namespace),
      string(parts.reserved),
      string(parts.hash),
      string(joined(string(parts.algorithm), parts.value)),
      trailing,
    ),
  )
}

export function toBeSigned(message: Uint8Array, namespace: string, hash = 'sha512'): Uint8Array {
  const digest = createHash(hash).update(message).digest()
  return joined(utf8('SSHSIG'), string(namespace), string(''), string(hash), string(digest))
}

export interface Maker {
  readonly key: SshKey
  /** Parts of a good signature. */
  readonly sign: (message: Uint8Array, namespace: string, flags?: number) => Parts
}

const parts = (key: SshKey, namespace: string) => ({
  magic: utf8('SSHSIG'),
  version: 1,
  key: key.blob,
  namespace,
  reserved: '',
  hash: 'sha512',
  algorithm: key.type,
  trailing: new Uint8Array(),
})

export function ed25519Maker(): Maker {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = readSshKey(joined(string('ssh-ed25519'), string(coordinates(publicKey).x)))
  return {
    key,
    sign: (message, namespace) => ({
      ...parts(key, namespace),
      value: string(signRaw(null, toBeSigned(message, namespace), privateKey)),
    }),
  }
}

export function rsaMaker(modulusLength: number): {
  readonly blob: Uint8Array
  readonly privateKey: KeyObject
} {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength })
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
  const integer = (text: string) => mpint(new Uint8Array(Buffer.from(text, 'base64url')))
  return { blob: joined(string('ssh-rsa'), integer(e), integer(n)), privateKey }
}

const APPLICATION = 'ssh:'

/** A security key, as OpenSSH PROTOCOL.u2f has it. */
export function securityKeyMaker(kind: 'ed25519' | 'ecdsa'): Maker {
  const { privateKey, publicKey } =
    kind === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = coordinates(publicKey)
  const key = readSshKey(
    kind === 'ed25519'
      ? joined(string('sk-ssh-ed25519@openssh.com'), string(x), string(APPLICATION))
      : joined(
          string('sk-ecdsa-sha2-nistp256@openssh.com'),
          string('nistp256'),
          string(joined(new Uint8Array([4]), x, y)),
          string(APPLICATION),
        ),
  )
  return {
    key,
    sign(message, namespace, flags = 1) {
      const tail = joined(new Uint8Array([flags]), uint32(7))
      const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()
      const answer = joined(sha256(utf8(APPLICATION)), tail, sha256(toBeSigned(message, namespace)))
      if (kind === 'ed25519')
        return {
          ...parts(key, namespace),
          value: joined(string(signRaw(null, answer, privateKey)), tail),
        }
      const raw = signRaw('sha256', answer, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      return {
        ...parts(key, namespace),
        value: joined(string(joined(mpint(raw.subarray(0, 32)), mpint(raw.subarray(32)))), tail),
      }
    },
  }
}
