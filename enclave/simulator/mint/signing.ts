/**
 * Which keys does the simulator sign with, and where do they come from? Minting takes both as values, so that the same
 * code serves fresh keys (`vouchsafe dev`) and seeded ones (fixtures, byte-identical every run).
 */
import { createHash, type KeyObject } from 'node:crypto'
import { integer, nothing, oid, sequence, tagged } from './der.ts'

export interface SigningScheme {
  /** The AlgorithmIdentifier that a certificate names, in DER. */
  readonly identifier: Uint8Array
  readonly digest: 'sha256' | 'sha384'
  readonly padding: 'pss' | 'pkcs1' | 'ecdsa'
  /** RSASSA-PSS only, bytes. */
  readonly saltLength: number
}

export interface SigningKey {
  readonly publicKey: KeyObject
  /** Signature bytes as X.509 carries them (ECDSA: DER). */
  readonly sign: (message: Uint8Array, scheme: SigningScheme) => Uint8Array
}

/** Keys and bytes by name: within one source the same label always gives the same. */
export interface Chance {
  readonly rsa4096: (label: string) => SigningKey
  readonly p256: (label: string) => SigningKey
  readonly p384: (label: string) => SigningKey
  readonly bytes: (label: string, size: number) => Uint8Array
}

const SHA256 = '2.16.840.1.101.3.4.2.1'
const SHA384 = '2.16.840.1.101.3.4.2.2'
const MGF1 = '1.2.840.113549.1.1.8'

/** As AMD's VCEK and VLEK certificates and CRLs name it. */
export const pssSha384 = pss('sha384', 48)
/** ARK, ASK and ASVK write the default trailer field out, against DER. */
export const pssSha384WithTrailer = pss('sha384', 48, tagged(3, integer(1)))
export const pssSha256 = pss('sha256', 32)
export const pkcs1Sha384 = pkcs1('sha384', '1.2.840.113549.1.1.12')
export const pkcs1Sha256 = pkcs1('sha256', '1.2.840.113549.1.1.11')
export const ecdsaSha256 = ecdsa('sha256', '1.2.840.10045.4.3.2')
export const ecdsaSha384 = ecdsa('sha384', '1.2.840.10045.4.3.3')

/** SubjectPublicKeyInfo in DER. */
export function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }))
}

/** RFC 5280 section 4.2.1.2 method 1: SHA-1 of the subjectPublicKey bits. */
export function keyIdentifierOf(key: KeyObject): Uint8Array {
  const spki = spkiOf(key)
  // The bits end the structure, and their length follows from the kind of key: an EC point or an RSAPublicKey.
  const size = key.asymmetricKeyType === 'rsa' ? rsaPublicKeySize(key) : ecPointSize(key)
  return new Uint8Array(createHash('sha1').update(spki.subarray(-size)).digest())
}

function rsaPublicKeySize(key: KeyObject): number {
  return key.export({ format: 'der', type: 'pkcs1' }).length
}

function ecPointSize(key: KeyObject): number {
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 97 : 65
}

function pss(
  digest: 'sha256' | 'sha384',
  saltLength: number,
  ...trailer: readonly Uint8Array[]
): SigningScheme {
  const hash = sequence(oid(digest === 'sha256' ? SHA256 : SHA384), nothing)
  const parameters = sequence(
    tagged(0, hash),
    tagged(1, sequence(oid(MGF1), hash)),
    tagged(2, integer(saltLength)),
    ...trailer,
  )
  const identifier = sequence(oid('1.2.840.113549.1.1.10'), parameters)
  return { identifier, digest, padding: 'pss', saltLength }
}

function pkcs1(digest: 'sha256' | 'sha384', algorithm: string): SigningScheme {
  return { identifier: sequence(oid(algorithm), nothing), digest, padding: 'pkcs1', saltLength: 0 }
}

function ecdsa(digest: 'sha256' | 'sha384', algorithm: string): SigningScheme {
  return { identifier: sequence(oid(algorithm)), digest, padding: 'ecdsa', saltLength: 0 }
}
