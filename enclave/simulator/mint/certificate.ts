/**
 * X.509 certificates of any shape, right or wrong. The vendor files say what AMD and Intel usually write; an Alteration
 * changes any field of it before signing, so that a fixture breaks one thing in a certificate that is otherwise perfect.
 */
import type { KeyObject } from 'node:crypto'
import { bits, boolean, integer, octets, oid, sequence, tagged, time, tlv } from './der.ts'
import { keyIdentifierOf, type SigningKey, type SigningScheme, spkiOf } from './signing.ts'

export interface ExtensionFields {
  readonly oid: string
  readonly critical: boolean
  /** What goes inside the extnValue OCTET STRING. */
  readonly value: Uint8Array
}

export interface CertificateFields {
  readonly serial: bigint
  /** Names in DER. `issuer` is only what the certificate says; `signedBy` is who really signs. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: KeyObject
  /** In this order, duplicates included. */
  readonly extensions: readonly ExtensionFields[]
  readonly scheme: SigningScheme
  readonly signedBy: SigningKey
}

export interface MintedCertificate extends CertificateFields {
  readonly der: Uint8Array
  /** The private half of `publicKey`, with which this certificate's subject signs. */
  readonly key: SigningKey
}

/** What to change in the usual certificate. To lie about the algorithm, spread the scheme and replace its `identifier`. */
export type Alteration = (usual: CertificateFields) => Partial<CertificateFields>

const unaltered: Alteration = () => ({})

/** `key` is the subject's. */
export function mintCertificate(
  key: SigningKey,
  usual: Omit<CertificateFields, 'publicKey'>,
  alter: Alteration = unaltered,
): MintedCertificate {
  const whole = { ...usual, publicKey: key.publicKey }
  const fields = { ...whole, ...alter(whole) }
  const tbs = sequence(
    tagged(0, integer(2)),
    integer(fields.serial),
    fields.scheme.identifier,
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    spkiOf(fields.publicKey),
    ...extensionsOf(fields.extensions),
  )
  const signature = fields.signedBy.sign(tbs, fields.scheme)
  return { ...fields, key, der: sequence(tbs, fields.scheme.identifier, bits(signature)) }
}

/** The extension of the same identifier, rewritten in its place. */
export function replaced(
  extensions: readonly ExtensionFields[],
  by: ExtensionFields,
): readonly ExtensionFields[] {
  return extensions.map((each) => (each.oid === by.oid ? by : each))
}

/** RFC 5280 section 4.2.1.3: bit 0 digitalSignature, 1 nonRepudiation, 5 keyCertSign, 6 cRLSign. */
export function keyUsage(...usages: readonly number[]): ExtensionFields {
  const octet = usages.reduce((sum, bit) => sum | (0x80 >> bit), 0)
  const unused = 7 - Math.max(...usages)
  return { oid: '2.5.29.15', critical: true, value: bits(new Uint8Array([octet]), unused) }
}

export function basicConstraints(authority: boolean, pathLength?: number): ExtensionFields {
  const parts = [
    ...(authority ? [boolean(true)] : []),
    ...(pathLength === undefined ? [] : [integer(pathLength)]),
  ]
  return { oid: '2.5.29.19', critical: true, value: sequence(...parts) }
}

export function subjectKeyIdentifier(key: KeyObject): ExtensionFields {
  return { oid: '2.5.29.14', critical: false, value: octets(keyIdentifierOf(key)) }
}

export function authorityKeyIdentifier(key: KeyObject): ExtensionFields {
  const identifier = tlv(0x80, keyIdentifierOf(key))
  return { oid: '2.5.29.35', critical: false, value: sequence(identifier) }
}

/** One distribution point with one URI, as both vendors write it. */
export function crlDistributionPoint(uri: string): ExtensionFields {
  const name = tlv(0x86, new TextEncoder().encode(uri))
  const value = sequence(sequence(tagged(0, tagged(0, name))))
  return { oid: '2.5.29.31', critical: false, value }
}

/** An empty list is left out: RFC 5280 section 4.1 wants at least one extension in the field. */
function extensionsOf(extensions: readonly ExtensionFields[]): readonly Uint8Array[] {
  if (extensions.length === 0) return []
  return [tagged(3, sequence(...extensions.map(extensionOf)))]
}

/** Also used for CRL and CRL entry extensions, which have the same form. */
export function extensionOf({ oid: id, critical, value }: ExtensionFields): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value))
}
