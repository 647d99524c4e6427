/**
 * What kind of endorsement are these bytes? PEM, DER, Intel's collateral JSON and GHCB certificate tables are told apart by
 * what they begin with, never by a file's name, and must then be readable to the end. Nothing is believed here.
 */
import { Malformed } from '../bytes/malformed.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import { decodeCrl } from '../pki/crl.ts'
import { type Span, spanAt, spansIn } from '../pki/tlv.ts'
import { Problem } from '../problems.ts'
import { type EndorsementParts, endorsements, noParts } from '../rats/endorsements.ts'
import { partsOfCollateral, partsOfCollateralJson } from '../tee/dcap/collateral-json.ts'
import { decodeCertificateTable } from '../tee/sev-snp/certificate-table.ts'

/** Collateral JSON has about 20 KiB; a revocation list grows with the vendor's troubles. */
const LARGEST_FILE = 8 * 1024 * 1024
const LARGEST_PEM_BLOCKS = 256
const PEM_BEGIN = '-----BEGIN '
const CONSTRUCTED = 0x20

/** `name` is for the sentence only. Throws Problem('endorsement-unreadable'). */
export function endorsementsOfFile(name: string, bytes: Uint8Array): EndorsementParts {
  return readable(name, () => {
    if (bytes.length === 0) throw malformed('an empty file', 'an endorsement')
    if (bytes.length > LARGEST_FILE)
      throw malformed(`${bytes.length} bytes`, `at most ${LARGEST_FILE}`)
    return partsOf(bytes)
  })
}

/** Intel's collateral as an object of texts. Throws as above. */
export function endorsementsOfCollateral(
  name: string,
  fields: Readonly<Record<string, string>>,
): EndorsementParts {
  return readable(name, () => partsOfCollateral(fields))
}

function readable(name: string, read: () => EndorsementParts): EndorsementParts {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw new Problem('endorsement-unreadable', `${name}: ${cause.message}`, { cause })
  }
}

function partsOf(bytes: Uint8Array): EndorsementParts {
  switch (formOf(bytes)) {
    case 'der':
      return partsOfDer(bytes, 'endorsement')
    case 'json':
      return partsOfCollateralJson(Buffer.from(bytes).toString('utf8'))
    case 'pem':
      return partsOfPem(bytes)
    case 'table':
      return partsOfTable(bytes)
  }
}

type Form = 'der' | 'json' | 'pem' | 'table'

/** By what the bytes begin with. A table begins with a GUID, and every one that is known is binary. */
function formOf(bytes: Uint8Array): Form {
  if (bytes[0] === 0x30) return 'der'
  const text = latin1(bytes.subarray(0, 4096))
  if (/^(\xef\xbb\xbf)?\s*\{/.test(text)) return 'json'
  // RFC 7468 section 2: explanatory text may stand before the first block. A quote holds PEM too, behind bytes that are no text.
  const [before = '', ...blocks] = text.split(PEM_BEGIN)
  if (blocks.length > 0 && isText(before)) return 'pem'
  return 'table'
}

/** No control characters but tab and line ends. */
function isText(text: string): boolean {
  return !/[^\P{Cc}\t\r\n]/u.test(text)
}

/** A TBSCertificate begins with [0] version (RFC 5280 section 4.1); the fourth field of a v2 TBSCertList is a time (section 5.1). */
function partsOfDer(der: Uint8Array, path: string): EndorsementParts {
  const fields = fieldsOf(der, path)
  if (fields[0]?.tag === 0xa0) {
    decodeCertificate(der)
    return { ...noParts, certificates: [der] }
  }
  if ([0x17, 0x18].includes(fields[3]?.tag ?? 0)) {
    decodeCrl(der)
    return { ...noParts, crls: [der] }
  }
  throw new Malformed({ path, offset: 0 }, 'another DER structure', 'a v3 certificate or a v2 CRL')
}

/** Of the first value within: walked in place, since a list that revokes hundreds has more values than are decoded of anything else. */
function fieldsOf(der: Uint8Array, path: string): readonly Span[] {
  try {
    const [tbs] = spansIn(der, spanAt(der, 0, der.length))
    return tbs && tbs.tag & CONSTRUCTED ? spansIn(der, tbs) : []
  } catch (cause) {
    throw new Malformed(
      { path, offset: 0 },
      cause instanceof Error ? cause.message : String(cause),
      'DER',
    )
  }
}

function partsOfPem(bytes: Uint8Array): EndorsementParts {
  const text = latin1(bytes)
  const begun = text.split(PEM_BEGIN).length - 1
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \1-----/g)]
  if (blocks.length !== begun)
    throw malformed(`${begun} PEM blocks begun, ${blocks.length} ended`, 'whole blocks')
  if (blocks.length > LARGEST_PEM_BLOCKS)
    throw malformed(`${blocks.length} PEM blocks`, `at most ${LARGEST_PEM_BLOCKS}`)
  return endorsements(
    ...blocks.map(([, label = '', body = ''], index) => partsOfBlock({ label, body, index })),
  )
}

const LABELS = ['CERTIFICATE', 'X509 CRL']

/** A label must agree with what it covers: a CRL under CERTIFICATE was put together by somebody who did not look. */
function partsOfBlock(block: {
  readonly label: string
  readonly body: string
  readonly index: number
}): EndorsementParts {
  const path = `PEM block ${block.index + 1}`
  const where = { path, offset: 0 }
  const kind = LABELS.indexOf(block.label)
  if (kind === -1) throw new Malformed(where, `a ${block.label}`, LABELS.join(' or '))
  const base64 = block.body.replace(/[\r\n\t ]/g, '')
  const der = new Uint8Array(Buffer.from(base64, 'base64'))
  if (Buffer.from(der).toString('base64') !== base64)
    throw new Malformed(where, 'a body that is not base64', 'padded base64 (RFC 7468 section 3)')
  const parts = partsOfDer(der, path)
  const agrees = (kind === 0 ? parts.certificates : parts.crls).length === 1
  if (!agrees)
    throw new Malformed(where, `a ${LABELS[1 - kind]} labelled ${block.label}`, block.label)
  return parts
}

function partsOfTable(bytes: Uint8Array): EndorsementParts {
  let certificates: readonly Uint8Array[]
  try {
    certificates = decodeCertificateTable(bytes)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw malformed(
      `none of these (as a table: ${cause.message})`,
      'PEM, DER, Intel collateral as JSON, or a GHCB certificate table',
    )
  }
  for (const der of certificates) decodeCertificate(der)
  return { ...noParts, certificates }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function malformed(observed: string, expected: string): Malformed {
  return new Malformed({ path: 'endorsement', offset: 0 }, observed, expected)
}
