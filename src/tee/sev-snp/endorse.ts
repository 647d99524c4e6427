/**
 * What AMD says about the key that signed a report: which VEK, by which chain, with what revocations. Every rule is
 * judged and nothing is refused here; the checks read the answers. A result without fault is a proof and is cached
 * under everything it was made from; time is never part of it and is judged at every appraisal.
 */
import { hash } from 'node:crypto'
import { sameBytes, toHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { type Certificate, decodeCertificate } from '../../pki/certificate.ts'
import { type Crl, decodeCrl, type RevocationSource, revocationSource } from '../../pki/crl.ts'
import { derFromLittleEndian } from '../../pki/ecdsa-value.ts'
import type { Interval } from '../../pki/interval.ts'
import { type PathResult, validatePath } from '../../pki/path.ts'
import { ecdsaP384Sha384, rsaPssSha384 } from '../../pki/scheme.ts'
import { proofKind } from '../../rats/proof-cache.ts'
import type { SignatureQuestion } from '../../rats/signature-answers.ts'
import type { EndorseContext, Endorsed } from '../../rats/tee.ts'
import type { SigningKey } from './bits.ts'
import type { SnpEvidence } from './evidence.ts'
import { sameTcb, tcbOf } from './tcb.ts'
import { decodeVekExtensions, kindOfVek, type VekExtensions } from './vek.ts'

export interface SnpEndorsement extends Endorsed {
  /** Why a supplied certificate or CRL could not be read; undefined when all could. */
  readonly unreadableCertificate: string | undefined
  readonly unreadableCrl: string | undefined
  readonly vek: VersionedEndorsementKey | undefined
}

export interface VersionedEndorsementKey {
  readonly certificate: Certificate
  readonly kind: SigningKey
  /** Or why AMD's extensions could not be decoded. */
  readonly extensions: VekExtensions | string
  readonly path: PathResult
  /** The ARK's word on revocation; AMD publishes one list per product, signed by the ARK. */
  readonly revocation: RevocationSource
}

/** A faultless endorsement with the interval in which its certificates are valid. */
interface SnpProof extends SnpEndorsement, Interval {}
const proofs = proofKind<SnpProof>('sev-snp')

export function endorse(evidence: SnpEvidence, context: EndorseContext): SnpEndorsement {
  const key = proofKey(evidence, context)
  const known = context.proofs.get(proofs, key, context.at)
  if (known) return known
  const endorsement = examine(evidence, context)
  // The key names fields that nobody has verified yet: only a report that this VEK signed earns a place in the cache.
  if (
    isFaultless(endorsement) &&
    context.verifySignature(reportSignature(endorsement.vek.certificate, evidence))
  )
    context.proofs.put(proofs, key, { ...endorsement, ...endorsement.vek.path.validity })
  return endorsement
}

/** Of a machine that was seen before. The first time, reading its certificates takes longer than its signature. */
export function slowSignature(
  evidence: SnpEvidence,
  context: Omit<EndorseContext, 'verifySignature'>,
): SignatureQuestion | undefined {
  const known = context.proofs.get(proofs, proofKey(evidence, context), context.at)
  return known?.vek && reportSignature(known.vek.certificate, evidence)
}

/** Everything that `examine` reads: roots, supplied endorsements, the table, and what selects the VEK. */
function proofKey(
  { certificateTable, signingKey, report }: SnpEvidence,
  { anchors, endorsements }: Pick<EndorseContext, 'anchors' | 'endorsements'>,
): string {
  const table = certificateTable.length === 0 ? '' : hash('sha256', certificateTable, 'hex')
  const chosenBy = `${signingKey}|${toHex(report.chipId)}|${toHex(report.reportedTcb)}`
  return `${anchors.digest}|${endorsements.digest}|${table}|${chosenBy}`
}

function examine(evidence: SnpEvidence, { anchors, endorsements }: EndorseContext): SnpEndorsement {
  const certificates = readAll(
    [...evidence.certificates, ...endorsements.certificates],
    decodeCertificate,
  )
  const crls = readAll(endorsements.crls, decodeCrl)
  const certificate = chooseVek(certificates.read, evidence)
  const vek =
    certificate &&
    describeVek(certificate, { candidates: certificates.read, crls: crls.read, anchors })
  return {
    unreadableCertificate: certificates.unreadable,
    unreadableCrl: crls.unreadable,
    vek,
    assurance: vek?.path.anchor?.assurance,
  }
}

function describeVek(
  certificate: Certificate,
  {
    candidates,
    crls,
    anchors,
  }: {
    readonly candidates: readonly Certificate[]
    readonly crls: readonly Crl[]
    readonly anchors: EndorseContext['anchors']
  },
): VersionedEndorsementKey {
  const path = validatePath({
    leaf: certificate,
    candidates,
    anchors,
    scheme: rsaPssSha384,
    intermediates: 1,
  })
  const ark = path.anchor?.certificate
  return {
    certificate,
    kind: kindOfVek(certificate) ?? 'reserved',
    extensions: extensionsOf(certificate),
    path,
    revocation: ark
      ? revocationSource(ark, crls, rsaPssSha384)
      : { authentic: [], forged: undefined },
  }
}

/**
 * Among the supplied VEKs, the one of the report's own signing key, chip and TCB if there is any; otherwise the nearest, so
 * that the check which refuses it can say what is wrong with it.
 */
function chooseVek(
  certificates: readonly Certificate[],
  { signingKey, report }: SnpEvidence,
): Certificate | undefined {
  const veks = certificates.filter((each) => kindOfVek(each) !== undefined)
  const fitness = (certificate: Certificate): number => {
    const extensions = extensionsOf(certificate)
    const hwid = typeof extensions === 'string' ? undefined : extensions.hwid
    const ofKind = kindOfVek(certificate) === signingKey
    const ofChip = hwid === undefined || sameBytes(hwid, report.chipId.subarray(0, hwid.length))
    const ofTcb =
      typeof extensions !== 'string' &&
      sameTcb(extensions.tcb, tcbOf(report.reportedTcb, extensions.product))
    return (ofKind ? 4 : 0) + (ofChip ? 2 : 0) + (ofTcb ? 1 : 0)
  }
  const ranked = veks.map((certificate) => ({ certificate, fitness: fitness(certificate) }))
  return ranked.toSorted((a, b) => b.fitness - a.fitness)[0]?.certificate
}

function extensionsOf(certificate: Certificate): VekExtensions | string {
  try {
    return decodeVekExtensions(certificate)
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

function readAll<T>(
  sources: readonly Uint8Array[],
  decode: (der: Uint8Array) => T,
): { readonly read: readonly T[]; readonly unreadable: string | undefined } {
  const read: T[] = []
  let unreadable: string | undefined
  for (const source of sources)
    try {
      read.push(decode(source))
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause
      unreadable ??= cause.message
    }
  return { read, unreadable }
}

export function reportSignature(
  { publicKey }: Certificate,
  { report, signed }: SnpEvidence,
): SignatureQuestion {
  return {
    scheme: ecdsaP384Sha384,
    key: publicKey,
    message: signed,
    signature: derFromLittleEndian(report.signatureR, report.signatureS),
  }
}

function isFaultless(
  endorsement: SnpEndorsement,
): endorsement is SnpEndorsement & { readonly vek: VersionedEndorsementKey } {
  const { vek, unreadableCertificate, unreadableCrl } = endorsement
  return (
    vek !== undefined &&
    unreadableCertificate === undefined &&
    unreadableCrl === undefined &&
    vek.path.anchor !== undefined &&
    vek.path.faults.size === 0 &&
    typeof vek.extensions !== 'string' &&
    vek.revocation.forged === undefined
  )
}
