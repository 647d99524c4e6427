/**
 * Is this the document that was asked for, and for how long? A vendor's answer that is somebody else's (another product,
 * chip, TCB, platform family or issuer) is refused here, so that it never takes the right one's place in the cache.
 * Signatures are not checked: that is for the appraisal, under each tenant's own anchors, every time.
 */
import { toHex } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { type Certificate, decodeCertificate } from '../pki/certificate.ts'
import { decodeCrl } from '../pki/crl.ts'
import type { Interval } from '../pki/interval.ts'
import type { EndorsementParts, SignedCollateral } from '../rats/endorsements.ts'
import { type EndorsementSubject, tcbOfName, titleOf } from '../service/endorsement-subject.ts'
import { decodeQeIdentity } from '../tee/dcap/qe-identity.ts'
import { decodeTcbInfo } from '../tee/dcap/tcb-info.ts'
import { describeTcb, sameTcb } from '../tee/sev-snp/tcb.ts'
import { decodeVekExtensions, type VekExtensions } from '../tee/sev-snp/vek.ts'

export interface Lifetime {
  /** thisUpdate, issueDate or notBefore, the newest of several. */
  readonly issuedAt: Date
  /** nextUpdate or notAfter, the earliest of several. */
  readonly notAfter: Date
}

/** Throws Malformed. Cold: it decodes certificates. */
export function examine(subject: EndorsementSubject, parts: EndorsementParts): Lifetime {
  switch (subject.document) {
    case 'amd-cert-chain':
      return examineChain(subject, parts)
    case 'amd-crl':
      return examineCrl(subject, parts, `ARK-${subject.product}`)
    case 'amd-vcek':
      return examineVcek(subject, parts)
    case 'intel-tcb-info':
      return examineTcbInfo(subject, parts)
    case 'intel-qe-identity':
      return examineQeIdentity(subject, parts)
    case 'intel-pck-crl':
      return examineCrl(subject, parts, PCK_CAS[subject.ca])
    case 'intel-root-crl':
      return examineCrl(subject, parts, 'Intel SGX Root CA')
  }
}

const PCK_CAS = {
  platform: 'Intel SGX PCK Platform CA',
  processor: 'Intel SGX PCK Processor CA',
} as const

type Subject<D extends EndorsementSubject['document']> = EndorsementSubject & {
  readonly document: D
}

function examineChain(subject: Subject<'amd-cert-chain'>, parts: EndorsementParts): Lifetime {
  const certificates = exactly(subject, parts, 'certificates', 2).map(decodeCertificate)
  const signer = subject.key === 'vlek' ? `SEV-VLEK-${subject.product}` : `SEV-${subject.product}`
  const expected = [signer, `ARK-${subject.product}`]
  const observed = certificates.map(({ commonName }) => commonName)
  if (observed.join() !== expected.join()) throw other(subject, observed.join(), expected.join())
  return lifetime(certificates)
}

function examineVcek(subject: Subject<'amd-vcek'>, parts: EndorsementParts): Lifetime {
  const certificates = exactly(subject, parts, 'certificates', 1).map(decodeCertificate)
  for (const certificate of certificates) {
    if (certificate.commonName !== 'SEV-VCEK')
      throw other(subject, certificate.commonName, 'SEV-VCEK')
    const { product, hwid, tcb } = extensionsOf(subject, certificate)
    if (product.name !== subject.product) throw other(subject, product.name, subject.product)
    if (!hwid || toHex(hwid) !== subject.chipId)
      throw other(subject, hwid ? `chip ${toHex(hwid)}` : 'no chip', `chip ${subject.chipId}`)
    const wanted = tcbOfName(subject.product, subject.tcb) ?? {}
    if (!sameTcb(tcb, wanted)) throw other(subject, describeTcb(tcb), describeTcb(wanted))
  }
  return lifetime(certificates)
}

function extensionsOf(subject: EndorsementSubject, certificate: Certificate): VekExtensions {
  try {
    return decodeVekExtensions(certificate)
  } catch (cause) {
    throw other(subject, cause instanceof Error ? cause.message : String(cause), 'a VCEK')
  }
}

function examineCrl(
  subject: EndorsementSubject,
  parts: EndorsementParts,
  issuer: string,
): Lifetime {
  const lists = exactly(subject, parts, 'crls', 1).map(decodeCrl)
  for (const crl of lists)
    if (!crl.issuer.split(', ').includes(issuer)) throw other(subject, crl.issuer, issuer)
  return lifetime(
    lists.map(({ thisUpdate, nextUpdate }) => ({ notBefore: thisUpdate, notAfter: nextUpdate })),
  )
}

function examineTcbInfo(subject: Subject<'intel-tcb-info'>, parts: EndorsementParts): Lifetime {
  const documents = exactly(subject, parts, 'tcbInfos', 1)
  const decoded = documents.map(({ body }) => decodeTcbInfo(body))
  for (const { id, fmspc } of decoded) {
    if (id !== subject.tee.toUpperCase()) throw other(subject, id, subject.tee.toUpperCase())
    if (fmspc !== subject.fmspc) throw other(subject, `FMSPC ${fmspc}`, `FMSPC ${subject.fmspc}`)
  }
  return documentLifetime(documents, decoded)
}

const QE_IDS = { sgx: 'QE', tdx: 'TD_QE' } as const

function examineQeIdentity(
  subject: Subject<'intel-qe-identity'>,
  parts: EndorsementParts,
): Lifetime {
  const documents = exactly(subject, parts, 'qeIdentities', 1)
  const decoded = documents.map(({ body }) => decodeQeIdentity(body))
  for (const { id } of decoded)
    if (id !== QE_IDS[subject.tee]) throw other(subject, id, QE_IDS[subject.tee])
  return documentLifetime(documents, decoded)
}

/** Issued when the document was; good until the document or a certificate of its chain ends. */
function documentLifetime(
  documents: readonly SignedCollateral[],
  dates: readonly Interval[],
): Lifetime {
  const signers = documents.flatMap(({ issuerChain }) => issuerChain.map(decodeCertificate))
  return {
    issuedAt: lifetime(dates).issuedAt,
    notAfter: lifetime([...dates, ...signers]).notAfter,
  }
}

function lifetime(intervals: readonly Interval[]): Lifetime {
  return {
    issuedAt: new Date(Math.max(...intervals.map(({ notBefore }) => notBefore.getTime()))),
    notAfter: new Date(Math.min(...intervals.map(({ notAfter }) => notAfter.getTime()))),
  }
}

/** The `count` parts of one kind, and nothing beside them. */
function exactly<K extends keyof EndorsementParts>(
  subject: EndorsementSubject,
  parts: EndorsementParts,
  kind: K,
  count: number,
): EndorsementParts[K] {
  const { certificates, crls, tcbInfos, qeIdentities } = parts
  const all = certificates.length + crls.length + tcbInfos.length + qeIdentities.length
  if (all !== count || parts[kind].length !== count)
    throw other(subject, `${parts[kind].length} ${kind} of ${all} parts`, `${count} ${kind}`)
  return parts[kind]
}

function other(subject: EndorsementSubject, observed: string, expected: string): Malformed {
  return new Malformed({ path: titleOf(subject), offset: 0 }, observed, expected)
}
