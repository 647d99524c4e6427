/**
 * Is this certificate revoked? Four answers: good, revoked, stale, unavailable; only good is good (RFC 5280 section 6.3).
 * Freshness may be waived by policy, a revocation never, so the two are told apart here and judged by separate checks.
 * pkijs reads names, times and extensions; the entries are walked in place, however many there are.
 */
import { createHash } from 'node:crypto'
import { Extensions, RelativeDistinguishedNames, Time } from 'pkijs'
import { sameBytes } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { type Certificate, serialText, signatureIdentifierOf } from './certificate.ts'
import { bitString, decodeDer, schemaOf } from './der.ts'
import { type Interval, intersection } from './interval.ts'
import type { PathFault } from './path.ts'
import type { Scheme } from './scheme.ts'
import { assertFewExtensions, type Span, spanAt, spansIn } from './tlv.ts'

export interface Crl {
  readonly sha256: string
  readonly issuerName: Uint8Array
  /** RFC 4514-like text, for people. */
  readonly issuer: string
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Serials as `Certificate.serial` spells them. */
  readonly revoked: ReadonlySet<string>
  readonly tbs: Uint8Array
  readonly signature: Uint8Array
  readonly signatureIdentifier: string
}

/** What is known about one authority's revocations, whatever the time. */
export interface RevocationSource {
  /** The authority's lists whose signature holds. */
  readonly authentic: readonly Crl[]
  /** Why a list that claims this issuer was refused; undefined when there is none. */
  readonly forged: PathFault | undefined
}

const LARGEST_CRL = 4 * 1024 * 1024
/** AMD's and Intel's lists have two; RFC 5280 section 5.2 defines seven. */
const MOST_EXTENSIONS = 16
const CRL_SIGN = 6
/** cRLNumber and authorityKeyIdentifier may be critical without changing what a list means; a delta or partial list may not pass for a whole one. */
const UNDERSTOOD = new Set(['2.5.29.20', '2.5.29.35'])

/** Throws Malformed for anything but exactly one complete v2 CRL with a nextUpdate. */
export function decodeCrl(der: Uint8Array): Crl {
  if (der.length > LARGEST_CRL)
    throw new Malformed(
      { path: 'crl', offset: 0 },
      `${der.length} bytes`,
      `at most ${LARGEST_CRL} bytes`,
    )
  try {
    return decode(der.slice())
  } catch (cause) {
    if (cause instanceof Malformed) throw cause
    throw new Malformed(
      { path: 'crl', offset: 0 },
      cause instanceof Error ? cause.message : String(cause),
      'a certificate revocation list in DER',
    )
  }
}

function decode(der: Uint8Array): Crl {
  const bytesOf = ({ at, end }: Span) => der.subarray(at, end)
  const whole = spanAt(der, 0, der.length)
  if (whole.end !== der.length) throw new Error(`${der.length - whole.end} bytes after the end`)
  const [tbs, algorithm, signature, ...others] = spansIn(der, whole)
  if (!tbs || !algorithm || !signature || others.length > 0)
    throw new Error('CertificateList has three parts')

  // TBSCertList, RFC 5280 section 5.1: version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates, [0] extensions
  const [version, innerAlgorithm, issuer, thisUpdate, nextUpdate, ...rest] = spansIn(der, tbs)
  if (!version || !innerAlgorithm || !issuer || !thisUpdate || !nextUpdate)
    throw new Error('fields of TBSCertList are missing')
  if (!sameBytes(bytesOf(version), VERSION_2)) throw new Error('the list is not of version 2')
  if (!sameBytes(bytesOf(innerAlgorithm), bytesOf(algorithm)))
    throw new Error('the signed and the unsigned signature algorithm differ')
  const entries = rest[0]?.tag === SEQUENCE ? rest.shift() : undefined
  const extensions = rest.shift()
  if (rest.length > 0 || (extensions && extensions.tag !== EXTENSIONS))
    throw new Error('TBSCertList has a field that is not understood')
  if (extensions) {
    assertFewExtensions(der, extensions, MOST_EXTENSIONS)
    assertUnderstood(bytesOf(extensions))
  }

  return {
    sha256: createHash('sha256').update(der).digest('hex'),
    issuerName: bytesOf(issuer),
    issuer: nameOf(bytesOf(issuer)),
    thisUpdate: timeOf(bytesOf(thisUpdate)),
    nextUpdate: timeOf(bytesOf(nextUpdate)),
    revoked: entries ? revokedSerials(der, entries) : new Set(),
    tbs: bytesOf(tbs),
    signature: bitString(decodeDer(bytesOf(signature), 'crl')),
    signatureIdentifier: signatureIdentifierOf(decodeDer(bytesOf(algorithm), 'crl')),
  }
}

const VERSION_2 = new Uint8Array([0x02, 0x01, 0x01])
const SEQUENCE = 0x30
const INTEGER = 0x02
const BOOLEAN = 0x01
const EXTENSIONS = 0xa0

function assertUnderstood(der: Uint8Array): void {
  const [list] = decodeDer(der, 'crlExtensions').children
  const schema = schemaOf(list?.der ?? der, 'crlExtensions')
  const { extensions } = new Extensions({ schema })
  for (const { extnID, critical } of extensions)
    if (critical && !UNDERSTOOD.has(extnID))
      throw new Error(`critical CRL extension ${extnID} is not understood`)
}

function nameOf(der: Uint8Array): string {
  const { typesAndValues } = new RelativeDistinguishedNames({ schema: schemaOf(der, 'issuer') })
  return typesAndValues.map(({ value }) => String(value.valueBlock.value)).join(', ')
}

function timeOf(der: Uint8Array): Date {
  return new Time({ schema: schemaOf(der, 'time') }).value
}

/**
 * Each entry is { serial, date, [extensions] }. Walked in place: a general decoder spends a tenth of a millisecond on each and
 * gives up at three thousand, fewer than one mass revocation would list. A critical entry extension changes what an entry
 * means (it may name another issuer), so it refuses the list.
 */
function revokedSerials(der: Uint8Array, entries: Span): ReadonlySet<string> {
  const serials = new Set<string>()
  for (let at = entries.start; at < entries.end; ) {
    const entry = spanAt(der, at, entries.end)
    const serial = spanAt(der, entry.start, entry.end)
    if (entry.tag !== SEQUENCE || serial.tag !== INTEGER)
      throw new Error('an entry of the list has no serial')
    const date = spanAt(der, serial.end, entry.end)
    if (date.end < entry.end) {
      const extensions = spanAt(der, date.end, entry.end)
      for (const extension of spansIn(der, extensions))
        if (spansIn(der, extension)[1]?.tag === BOOLEAN)
          throw new Error('a critical CRL entry extension is not understood')
    }
    serials.add(serialText(der.subarray(serial.start, serial.end)))
    at = entry.end
  }
  return serials
}

/** Sorts out which of the supplied lists really are `authority`'s. Lists of other issuers are passed over. */
export function revocationSource(
  authority: Certificate,
  crls: readonly Crl[],
  scheme: Scheme,
): RevocationSource {
  const claimed = crls.filter((crl) => sameBytes(crl.issuerName, authority.subjectName))
  const authentic = claimed.filter((crl) => isSignedBy(authority, crl, scheme))
  const forged = claimed.find((crl) => !authentic.includes(crl))
  return {
    authentic,
    forged: forged && {
      sentence: `a revocation list that names ${authority.commonName} as its issuer was not signed by that key with ${scheme.name}`,
      observed: `CRL ${forged.sha256}`,
      expected: `signed by ${authority.sha256}, whose key usage includes cRLSign`,
    },
  }
}

/** Revoked in any authentic list, current or not, is revoked: old news is still bad news. */
export function isRevoked({ serial }: Certificate, { authentic }: RevocationSource): boolean {
  return authentic.some((crl) => crl.revoked.has(serial))
}

/** The newest authentic list decides freshness; undefined when there is none. */
export function freshness({ authentic }: RevocationSource): Interval | undefined {
  const newest = authentic.toSorted((a, b) => b.thisUpdate.getTime() - a.thisUpdate.getTime())[0]
  return newest && intersection([{ notBefore: newest.thisUpdate, notAfter: newest.nextUpdate }])
}

function isSignedBy(authority: Certificate, crl: Crl, scheme: Scheme): boolean {
  return (
    authority.keyUsage?.has(CRL_SIGN) === true &&
    authority.keyType === scheme.keyType &&
    crl.signatureIdentifier === scheme.identifier &&
    scheme.verifies(authority.publicKey, crl.tbs, crl.signature)
  )
}
