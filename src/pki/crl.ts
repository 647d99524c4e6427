/**
 * Is this certificate revoked? Four answers: good, revoked, stale, unavailable; only good is good (RFC 5280 section 6.3).
 * Freshness may be waived by policy, a revocation never, so the two are told apart here and judged by separate checks.
 * Cold path: pkijs reads the list, asn1js cuts out the signed bytes.
 */
import { createHash } from 'node:crypto'
import { CertificateRevocationList } from 'pkijs'
import { sameBytes } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { type Certificate, serialOf, signatureIdentifierOf } from './certificate.ts'
import { bitString, decodeDer } from './der.ts'
import { type Interval, intersection } from './interval.ts'
import type { PathFault } from './path.ts'
import type { Scheme } from './scheme.ts'

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
    return decode(der)
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
  const [tbs, algorithm, signature] = decodeDer(der, 'crl').children
  const parsed = CertificateRevocationList.fromBER(der.slice())
  // TBSCertList, RFC 5280 section 5.1: version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates, [0] extensions
  const [, innerAlgorithm, issuerName] = tbs?.children ?? []
  if (!tbs || !algorithm || !signature || !innerAlgorithm || !issuerName)
    throw new Error('fields of TBSCertList are missing')
  if (!sameBytes(innerAlgorithm.der, algorithm.der))
    throw new Error('the signed and the unsigned signature algorithm differ')
  if (parsed.version !== 1) throw new Error(`CRL version ${parsed.version + 1}, expected 2`)
  if (!parsed.nextUpdate) throw new Error('nextUpdate is missing, so its freshness cannot be told')
  for (const { extnID, critical } of parsed.crlExtensions?.extensions ?? [])
    if (critical && !UNDERSTOOD.has(extnID))
      throw new Error(`critical CRL extension ${extnID} is not understood`)
  for (const entry of parsed.revokedCertificates ?? [])
    for (const { extnID, critical } of entry.crlEntryExtensions?.extensions ?? [])
      if (critical) throw new Error(`critical CRL entry extension ${extnID} is not understood`)

  return {
    sha256: createHash('sha256').update(der).digest('hex'),
    issuerName: issuerName.der,
    issuer: parsed.issuer.typesAndValues
      .map(({ value }) => String(value.valueBlock.value))
      .join(', '),
    thisUpdate: parsed.thisUpdate.value,
    nextUpdate: parsed.nextUpdate.value,
    revoked: revokedSerials(parsed),
    tbs: tbs.der,
    signature: bitString(signature),
    signatureIdentifier: signatureIdentifierOf(algorithm),
  }
}

function revokedSerials(parsed: CertificateRevocationList): ReadonlySet<string> {
  return new Set(
    (parsed.revokedCertificates ?? []).map(({ userCertificate }) => {
      const contents = new Uint8Array(userCertificate.valueBlock.valueHexView)
      return serialOf({ tag: 0x02, der: contents, contents, children: [] })
    }),
  )
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
