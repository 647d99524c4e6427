/**
 * One X.509 certificate as the rest of the house sees it: every field already decoded, signed bytes kept as received.
 * Cold path only (about 3 ms each): @peculiar/x509 reads names and dates, pkijs the RSASSA-PSS parameters,
 * asn1js cuts the signed range out of the received bytes. A warm appraisal never comes here.
 */
import 'reflect-metadata'
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { X509Certificate } from '@peculiar/x509'
import { AlgorithmIdentifier, BasicConstraints, RSASSAPSSParams } from 'pkijs'
import { toHex } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import {
  bitString,
  bits,
  type DerNode,
  decodeDer,
  objectIdentifier,
  primitive,
  STRINGS_STAY_CLOSED,
  schemaOf,
} from './der.ts'
import { keyTypeOf } from './scheme.ts'
import { assertFewExtensions, spanAt, spansIn } from './tlv.ts'

export interface Extension {
  readonly critical: boolean
  /** The bytes inside the extnValue OCTET STRING, as received. */
  readonly value: Uint8Array
}

export interface Certificate {
  readonly der: Uint8Array
  /** SHA-256 of `der`, lower-case hex. */
  readonly sha256: string
  /** RFC 4514 text, for people. Identity is decided on `subjectName`. */
  readonly subject: string
  readonly issuer: string
  readonly commonName: string
  /** The DER of the names, as received: two names are the same if their bytes are. */
  readonly subjectName: Uint8Array
  readonly issuerName: Uint8Array
  /** Lower-case hex of the two's-complement INTEGER without leading zero octets, as CRL entries are compared. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
  /** A scheme's `identifier`, or the object identifier of something no vendor prescribes. */
  readonly signatureIdentifier: string
  readonly publicKey: KeyObject
  readonly keyType: string
  readonly extensions: ReadonlyMap<string, Extension>
  /** Present only on a certification authority (basicConstraints with cA TRUE). */
  readonly authority: { readonly pathLength: number | undefined } | undefined
  /** keyUsage bits by RFC 5280 number (5 keyCertSign, 6 cRLSign); undefined when the extension is absent. */
  readonly keyUsage: ReadonlySet<number> | undefined
}

const LARGEST_CERTIFICATE = 8 * 1024
/** A VCEK of Milan has eleven, and no certificate of a vendor has more. */
const MOST_EXTENSIONS = 24
const EXTENSIONS = 0xa3
const BOOLEAN = 0x01
const OCTET_STRING = 0x04
const OID = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  rsassaPss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  sha384: '2.16.840.1.101.3.4.2.2',
}

/** Throws Malformed for anything but exactly one DER certificate of at most 8 KiB. */
export function decodeCertificate(der: Uint8Array): Certificate {
  if (der.length > LARGEST_CERTIFICATE)
    throw new Malformed(
      { path: 'certificate', offset: 0 },
      `${der.length} bytes`,
      `at most ${LARGEST_CERTIFICATE} bytes`,
    )
  try {
    // A copy, so that a certificate kept in a cache does not keep the whole request that it came in.
    return decode(der.slice())
  } catch (cause) {
    if (cause instanceof Malformed) throw cause
    throw new Malformed(
      { path: 'certificate', offset: 0 },
      cause instanceof Error ? cause.message : String(cause),
      'an X.509 certificate in DER',
    )
  }
}

function decode(der: Uint8Array): Certificate {
  assertFewExtensionsIn(der)
  const [tbs, algorithm, signature] = decodeDer(der, 'certificate').children
  const fields = tbs?.children ?? []
  // TBSCertificate, RFC 5280 section 4.1: [0] version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, ...
  const [version, serial, innerAlgorithm, issuerName, , subjectName, spki] = fields
  if (
    !tbs ||
    !algorithm ||
    !signature ||
    !version ||
    !serial ||
    !innerAlgorithm ||
    !issuerName ||
    !subjectName ||
    !spki
  )
    throw new Error('fields of TBSCertificate are missing')
  if (toHex(innerAlgorithm.der) !== toHex(algorithm.der))
    throw new Error('the signed and the unsigned signature algorithm differ')

  const parsed = new X509Certificate(der.slice(), { berOptions: STRINGS_STAY_CLOSED })
  const extensions = extensionsOf(fields)
  const publicKey = createPublicKey({ key: Buffer.from(spki.der), format: 'der', type: 'spki' })
  return {
    der,
    sha256: createHash('sha256').update(der).digest('hex'),
    subject: parsed.subject,
    issuer: parsed.issuer,
    commonName: parsed.subjectName.getField('CN').at(0) ?? '',
    subjectName: subjectName.der,
    issuerName: issuerName.der,
    serial: serialText(primitive(serial)),
    notBefore: parsed.notBefore,
    notAfter: parsed.notAfter,
    tbs: tbs.der,
    signature: bitString(signature),
    signatureIdentifier: signatureIdentifierOf(algorithm),
    publicKey,
    keyType: keyTypeOf(publicKey),
    extensions,
    authority: authorityOf(extensions.get(OID.basicConstraints)),
    keyUsage: keyUsageOf(extensions.get(OID.keyUsage)),
  }
}

/** Before anything is made of them. */
function assertFewExtensionsIn(der: Uint8Array): void {
  const { start, end } = spanAt(der, 0, der.length)
  const tbs = spanAt(der, start, end)
  for (const field of spansIn(der, tbs))
    if (field.tag === EXTENSIONS) assertFewExtensions(der, field, MOST_EXTENSIONS)
}

/** Of the contents of an INTEGER. Also used for CRL entries, so that both sides of a revocation comparison are made in one way. */
export function serialText(contents: Uint8Array): string {
  return toHex(contents).replace(/^(00)+(?=..)/, '')
}

/**
 * RFC 5280 section 4.2: a certificate MUST NOT include more than one instance of an extension. Read from the nodes: a general
 * parser would decode what each holds, of those that nobody asks for too.
 */
function extensionsOf(fields: readonly DerNode[]): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>()
  for (const field of fields)
    if (field.tag === EXTENSIONS)
      for (const { children } of field.children[0]?.children ?? []) {
        const [name, ...rest] = children
        const value = rest.pop()
        const [critical, ...others] = rest
        if (!name || value?.tag !== OCTET_STRING || others.length > 0)
          throw new Error('an extension is not an identifier, a flag and a value')
        const type = objectIdentifier(name)
        if (extensions.has(type)) throw new Error(`extension ${type} appears twice`)
        extensions.set(type, {
          critical: critical !== undefined && flagOf(critical),
          value: value.contents,
        })
      }
  return extensions
}

function flagOf({ tag, contents }: DerNode): boolean {
  if (tag !== BOOLEAN || contents.length !== 1) throw new Error('not a BOOLEAN')
  return contents[0] !== 0
}

function authorityOf(extension: Extension | undefined): Certificate['authority'] {
  if (!extension) return undefined
  const constraints = new BasicConstraints({
    schema: schemaOf(extension.value, 'basicConstraints'),
  })
  if (!constraints.cA) return undefined
  const pathLength = constraints.pathLenConstraint
  if (pathLength !== undefined && typeof pathLength !== 'number')
    throw new Error('the path length constraint is out of range')
  return { pathLength }
}

function keyUsageOf(extension: Extension | undefined): ReadonlySet<number> | undefined {
  if (!extension) return undefined
  const { octets } = bits(decodeDer(extension.value, 'keyUsage'))
  const usage = new Set<number>()
  for (let bit = 0; bit < octets.length * 8; bit++)
    if (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) usage.add(bit)
  return usage
}

/**
 * RSASSA-PSS hides digest, mask function and salt length in its parameters; only AMD's exact set gets a scheme's
 * identifier. Some AMD certificates write the default trailer field out, against DER, so its value is compared and not its presence.
 */
export function signatureIdentifierOf(algorithm: DerNode): string {
  const parsed = new AlgorithmIdentifier({ schema: schemaOf(algorithm.der, 'algorithm') })
  const oid = parsed.algorithmId
  if (oid === '1.2.840.10045.4.3.2') return 'ecdsa-sha256'
  if (oid === '1.2.840.10045.4.3.3') return 'ecdsa-sha384'
  if (oid !== OID.rsassaPss) return oid
  const parameters = new RSASSAPSSParams({ schema: parsed.algorithmParams })
  const digest = parameters.hashAlgorithm.algorithmId
  const mask = parameters.maskGenAlgorithm
  const maskDigest = new AlgorithmIdentifier({ schema: mask.algorithmParams }).algorithmId
  const prescribed =
    digest === OID.sha384 &&
    mask.algorithmId === OID.mgf1 &&
    maskDigest === OID.sha384 &&
    parameters.saltLength === 48 &&
    parameters.trailerField === 1
  return prescribed
    ? 'rsassa-pss-sha384-mgf1-sha384-salt48'
    : `rsassa-pss (digest ${digest}, mask digest ${maskDigest}, salt ${parameters.saltLength})`
}
