/**
 * Did this SSH key sign these bytes for this purpose (OpenSSH PROTOCOL.sshsig)? Only node:crypto is asked. The signature
 * comes from anyone: it is bounded, has one spelling, and is read to its last byte. Whose key it is, is not asked here.
 */
import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { concat } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { reader } from '../../bytes/reader.ts'
import { readSshKey, type SshKey, sshKeyOf } from './ssh-key.ts'
import { schemeOf, type Verify } from './ssh-scheme.ts'
import { readName, readString, readUint32, string, uint32 } from './ssh-wire.ts'

export interface SshSignature {
  readonly key: SshKey
  /** What the signer said it is for: `git` for commits. */
  readonly namespace: string
  readonly hash: 'sha256' | 'sha512'
  /** `ssh-ed25519`, `rsa-sha2-512` ... */
  readonly algorithm: string
  readonly verify: Verify
}

/** `armored`: a `.sig` file, or the signature header of a commit. Throws Malformed. */
export function readSshSignature(armored: Uint8Array): SshSignature {
  const from = reader(unarmored(armored), 'SSHSIG')
  const magic = from.bytes('magic', MAGIC.length)
  if (!MAGIC.every((octet, index) => octet === magic[index]))
    throw new Malformed({ path: 'SSHSIG.magic', offset: 0 }, 'other bytes', 'SSHSIG')
  const version = readUint32(from, 'SSHSIG.version')
  if (version !== 1)
    throw new Malformed({ path: 'SSHSIG.version', offset: 6 }, `version ${version}`, 'version 1')
  const key = readSshKey(readString(from, 'SSHSIG.publickey'))
  const namespace = readName(from, 'SSHSIG.namespace')
  const at = from.offset
  // No signature covers this field: what stands in it could be anybody's.
  const reserved = readString(from, 'SSHSIG.reserved')
  if (reserved.length > 0)
    throw new Malformed(
      { path: 'SSHSIG.reserved', offset: at },
      `${reserved.length} reserved bytes`,
      'none',
    )
  const hash = readName(from, 'SSHSIG.hash_algorithm')
  if (hash !== 'sha256' && hash !== 'sha512')
    throw new Malformed(
      { path: 'SSHSIG.hash_algorithm', offset: at },
      `the hash ${hash}`,
      'sha256 or sha512',
    )
  const signature = reader(readString(from, 'SSHSIG.signature'), 'SSHSIG.signature')
  from.done()
  const algorithm = readName(signature, 'SSHSIG.signature.algorithm')
  const verify = schemeOf(key.type, algorithm).read(signature)
  return { key, namespace, hash, algorithm, verify }
}

/** `true`, or a clause that says why not: "was made for ..., not for ...". Never throws. */
export function isGenuine(
  { key, namespace, hash, verify }: SshSignature,
  message: Uint8Array,
  expected: string,
): true | string {
  if (namespace !== expected)
    return `was made for the namespace ${namespace}, not for ${expected}: sign again for that one`
  return verify(key, signedBytes({ namespace, hash, message }))
}

/** Ed25519, as `ssh-keygen -Y sign` would write it. Deterministic. */
export function signSsh(privateKey: KeyObject, message: Uint8Array, namespace: string): string {
  const hash = 'sha512'
  const signature = sign(null, signedBytes({ namespace, hash, message }), privateKey)
  return armoredOf(
    concat(
      MAGIC,
      uint32(1),
      string(sshKeyOf(createPublicKey(privateKey)).blob),
      string(namespace),
      string(''),
      string(hash),
      string(concat(string('ssh-ed25519'), string(signature))),
    ),
  )
}

const MAGIC = new Uint8Array(Buffer.from('SSHSIG'))
const BEGIN = '-----BEGIN SSH SIGNATURE-----\n'
const END = '\n-----END SSH SIGNATURE-----'
/** RSA-16384 needs 6 KB. */
const LARGEST_ARMOR = 16 * 1024

/** What the key signs: the namespace is inside, so that a signature for one purpose is none for another. */
function signedBytes({
  namespace,
  hash,
  message,
}: {
  readonly namespace: string
  readonly hash: 'sha256' | 'sha512'
  readonly message: Uint8Array
}): Uint8Array {
  const digest = createHash(hash).update(message).digest()
  return concat(MAGIC, string(namespace), string(''), string(hash), string(digest))
}

/** One block in lines as `ssh-keygen` writes them; nothing before it, and nothing after but the end of its last line. */
function unarmored(armored: Uint8Array): Uint8Array {
  const at = { path: 'armor', offset: 0 }
  if (armored.length > LARGEST_ARMOR)
    throw new Malformed(at, `${armored.length} bytes`, `at most ${LARGEST_ARMOR} bytes`)
  const text = Buffer.from(armored).toString('latin1')
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  if (!body.startsWith(BEGIN) || !body.endsWith(END) || body.length < BEGIN.length + END.length)
    throw new Malformed(
      at,
      'text that is no SSH signature',
      'one block from BEGIN SSH SIGNATURE to END SSH SIGNATURE, with line feeds only',
    )
  const lines = body.slice(BEGIN.length, -END.length).split('\n')
  const base64 = lines.join('')
  const bytes = Buffer.from(base64, 'base64')
  // Written again and compared: no blanks, no second block, no stray bits, no other alphabet, and no empty lines.
  if (bytes.toString('base64') !== base64 || lines.includes(''))
    throw new Malformed(at, 'text that is no canonical base64', 'padded base64 in lines')
  return new Uint8Array(bytes)
}

function armoredOf(blob: Uint8Array): string {
  const base64 = Buffer.from(blob).toString('base64')
  return `${BEGIN}${base64.replace(/.{70}/g, '$&\n').trimEnd()}${END}\n`
}
