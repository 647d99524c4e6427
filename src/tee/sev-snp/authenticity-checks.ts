/**
 * Was this report signed by AMD hardware of the kind it names? In sequence: key, chain, revocation, signature, and last
 * whether the signed report and the certificate speak of one chip and one TCB.
 */
import { isZero, sameBytes, toHex } from '../../bytes/encoding.ts'
import { freshness, isRevoked } from '../../pki/crl.ts'
import { holdsAt } from '../../pki/interval.ts'
import { ecdsaP384Sha384 } from '../../pki/scheme.ts'
import { type Check, type Judgement, notApplicable, refuse } from '../../rats/check.ts'
import { pathChecks } from '../../rats/path-checks.ts'
import type { Presented } from '../../rats/tee.ts'
import { MASK_CHIP_KEY } from './bits.ts'
import { reportSignature, type SnpEndorsement, type VersionedEndorsementKey } from './endorse.ts'
import type { SnpEvidence } from './evidence.ts'
import { productOfCpuid } from './product.ts'
import { describeTcb, sameTcb, tcbOf } from './tcb.ts'
import type { VekExtensions } from './vek.ts'

type Subject = Presented<SnpEvidence, SnpEndorsement>
type SnpCheck = Check<Subject>

const VCEK_SPEC = 'AMD 57230 rev. 0.51'
const REPORT = 'AMD 56860 rev. 1.58 table 23'

function check(
  id: string,
  cites: string,
  judge: SnpCheck['judge'],
  waivable?: SnpCheck['waivable'],
): SnpCheck {
  return { id, informs: 'hardware', cites, judge, ...(waivable && { waivable }) }
}

export const authenticityChecks: readonly SnpCheck[] = [
  check('snp.certificates.well-formed', 'RFC 5280 section 4.1', ({ endorsement }) => {
    const fault = endorsement.unreadableCertificate
    return (
      fault === undefined ||
      refuse(`a supplied certificate cannot be read: ${fault}`, fault, 'X.509 certificates in DER')
    )
  }),
  check(
    'snp.vek.present',
    `${VCEK_SPEC} section 4`,
    ({ evidence, endorsement }) =>
      endorsement.vek !== undefined ||
      refuse(
        `no ${evidence.signingKey} certificate was supplied: send it in the certificate table or as an endorsement, for chip ${toHex(evidence.report.chipId)} at REPORTED_TCB ${toHex(evidence.report.reportedTcb)}`,
        null,
        `a certificate named SEV-${evidence.signingKey}`,
      ),
  ),
  check('snp.vek.kind', `${REPORT}, SIGNING_KEY`, ({ evidence, endorsement }) => {
    const { kind, certificate } = vekOf(endorsement)
    return (
      kind === evidence.signingKey ||
      refuse(
        `the report says that a ${evidence.signingKey} signed it, the certificate is ${certificate.commonName}`,
        kind,
        evidence.signingKey,
      )
    )
  }),
  ...pathChecks<Subject>({
    prefix: 'snp.chain',
    cites: `${VCEK_SPEC} section 2; RFC 5280 section 6.1`,
    path: ({ endorsement }) => vekOf(endorsement).path,
  }),
  check('snp.chain.role', `${VCEK_SPEC} section 2`, ({ endorsement }) => judgeRole(endorsement)),
  check('snp.vek.extensions', `${VCEK_SPEC} section 3.1`, ({ endorsement }) => {
    const { extensions } = vekOf(endorsement)
    return (
      typeof extensions !== 'string' ||
      refuse(
        `AMD's extensions in the certificate cannot be read: ${extensions}`,
        extensions,
        'every component of the TCB, the product and the hardware id, each once and in DER',
      )
    )
  }),
  check('snp.vek.key', `${VCEK_SPEC} section 3; ${REPORT}, SIGNATURE_ALGO`, ({ endorsement }) => {
    const { keyType } = vekOf(endorsement).certificate
    return (
      keyType === ecdsaP384Sha384.keyType ||
      refuse(`the certificate holds a ${keyType} key`, keyType, ecdsaP384Sha384.keyType)
    )
  }),
  check(
    'snp.product.agrees',
    `${REPORT}, CPUID_FAM_ID, CPUID_MOD_ID; ${VCEK_SPEC} section 3.1`,
    judgeProduct,
  ),
  check('snp.crl.well-formed', 'RFC 5280 section 5.1', ({ endorsement }) => {
    const fault = endorsement.unreadableCrl
    return (
      fault === undefined ||
      refuse(
        `a supplied revocation list cannot be read: ${fault}`,
        fault,
        'complete v2 CRLs in DER',
      )
    )
  }),
  check(
    'snp.crl.authentic',
    `${VCEK_SPEC} section 4.2; RFC 5280 section 6.3.3`,
    ({ endorsement }) => {
      const { forged } = vekOf(endorsement).revocation
      return forged === undefined || refuse(forged.sentence, forged.observed, forged.expected)
    },
  ),
  check('snp.crl.current', 'RFC 5280 sections 5.1.2.4 and 5.1.2.5', judgeFreshness, 'revocation'),
  check('snp.ask.not-revoked', 'RFC 5280 section 5.3', ({ endorsement }) => {
    const { path, revocation } = vekOf(endorsement)
    const revoked = path.certificates.slice(1, -1).find((each) => isRevoked(each, revocation))
    if (revocation.authentic.length === 0) return notApplicable('no revocation list was supplied')
    return (
      revoked === undefined ||
      refuse(
        `${revoked.commonName} is revoked by ${path.anchor?.certificate.commonName}`,
        `serial ${revoked.serial} listed`,
        'a serial that is not listed',
      )
    )
  }),
  check('snp.vek.not-revoked', 'RFC 5280 section 5.3', ({ endorsement }) => {
    const { certificate, path, revocation } = vekOf(endorsement)
    if (revocation.authentic.length === 0) return notApplicable('no revocation list was supplied')
    const isListed = isRevoked(certificate, revocation)
    if (!isListed && certificate.serial === '00')
      return notApplicable(
        'AMD gives every VEK the serial 0, so a list cannot name this one: deny chips by id',
      )
    return (
      !isListed ||
      refuse(
        `${certificate.commonName} (serial ${certificate.serial}) is revoked by ${path.anchor?.certificate.commonName}`,
        `serial ${certificate.serial} listed`,
        'a serial that is not listed',
      )
    )
  }),
  check(
    'snp.report.signature',
    `${REPORT}, SIGNATURE; AMD 56860, digital signatures (ECDSA P-384 with SHA-384)`,
    judgeSignature,
  ),
  check('snp.vek.tcb', `${REPORT}, REPORTED_TCB; ${VCEK_SPEC} section 3.1`, judgeTcb),
  check('snp.chip-id.unmasked', `${REPORT}, CHIP_ID and MASK_CHIP_KEY`, judgeMask, 'attributes'),
  check('snp.vek.chip-id', `${REPORT}, CHIP_ID; ${VCEK_SPEC} section 3.1, HWID`, judgeChipId),
]

/** A VLEK comes from the ASVK and a VCEK from the ASK of its product; a name is compared whole. */
function judgeRole(endorsement: SnpEndorsement): Judgement {
  const { kind, path } = vekOf(endorsement)
  const product = path.anchor?.product
  const infix = kind === 'VLEK' ? 'VLEK-' : ''
  const expected = [`SEV-${infix}${product}`, `ARK-${product}`]
  const observed = path.certificates.slice(1).map(({ commonName }) => commonName)
  return (
    (product !== undefined && observed.join() === expected.join()) ||
    refuse(
      `a ${kind} of ${product} is issued by ${expected.join(' under ')}; this one by ${observed.join(' under ')}`,
      observed,
      expected,
    )
  )
}

/** Report (from version 3 on), certificate and root must name one product line: each has its own root and TCB layout. */
function judgeProduct({ evidence, endorsement }: Subject): Judgement {
  const { path } = vekOf(endorsement)
  const certified = extensionsOf(endorsement).product.name
  const rooted = path.anchor?.product
  const { cpuidFamily, cpuidModel, version } = evidence.report
  const agreed = certified === rooted
  if (cpuidFamily === undefined || cpuidModel === undefined) {
    // Version 2 names no CPU. Turin firmware never wrote it, and its TCB bytes would be read in the wrong order.
    const readable = agreed && certified !== 'Turin'
    return (
      readable ||
      refuse(
        `the certificate is for ${certified}, its root for ${rooted}, and the report is of version ${version}`,
        [certified, rooted ?? null],
        'one product that wrote reports of this version',
      )
    )
  }
  const reported = productOfCpuid(cpuidFamily, cpuidModel)?.name
  return (
    (agreed && reported === certified) ||
    refuse(
      `the report comes from ${reported ?? 'an unknown product'} (CPUID family 0x${cpuidFamily.toString(16)}, model 0x${cpuidModel.toString(16)}), the certificate is for ${certified}, its root for ${rooted}`,
      [reported ?? null, certified, rooted ?? null],
      'one product',
    )
  )
}

function judgeFreshness({ endorsement, at }: Subject): Judgement {
  const { path, revocation } = vekOf(endorsement)
  const authority = path.anchor?.certificate.commonName
  const fresh = freshness(revocation)
  if (!fresh)
    return refuse(
      `revocation is unavailable: no CRL of ${authority} was supplied`,
      'unavailable',
      'a current CRL',
    )
  return (
    holdsAt(fresh, at) ||
    refuse(
      `revocation is stale: the newest CRL of ${authority} holds from ${fresh.notBefore.toISOString()} to ${fresh.notAfter.toISOString()}`,
      'stale',
      `a CRL that holds at ${at.toISOString()}`,
    )
  )
}

function judgeSignature({ evidence, endorsement, verifySignature }: Subject): Judgement {
  const { certificate } = vekOf(endorsement)
  return (
    verifySignature(reportSignature(certificate, evidence)) ||
    refuse(
      'the signature on the report was not made by the certified key: report, signature or certificate is not the original',
      `R ${toHex(evidence.report.signatureR)}, S ${toHex(evidence.report.signatureS)}`,
      `a signature by the key of certificate ${certificate.sha256}`,
    )
  )
}

/** A host that rolled firmware back could otherwise report the TCB it no longer has: only the certified one counts. */
function judgeTcb({ evidence, endorsement }: Subject): Judgement {
  const { tcb: certified, product } = extensionsOf(endorsement)
  const reported = tcbOf(evidence.report.reportedTcb, product)
  return (
    sameTcb(reported, certified) ||
    refuse(
      `REPORTED_TCB (${describeTcb(reported)}) is not the TCB that the key was certified for (${describeTcb(certified)})`,
      describeTcb(reported),
      describeTcb(certified),
    )
  )
}

/** A masked chip cannot be told from any other: no allow or deny list can ever match it. */
function judgeMask({ evidence }: Subject): Judgement {
  const { signingKey, report } = evidence
  if (signingKey === 'VLEK') return notApplicable('a VLEK belongs to a provider and not to a chip')
  return (
    (!isZero(report.chipId) && (report.signerInfo & MASK_CHIP_KEY) === 0) ||
    refuse(
      'the host masked the chip: CHIP_ID is zero or MASK_CHIP_KEY is set, so the certificate cannot be tied to it',
      toHex(report.chipId),
      'the id of the chip, unmasked',
    )
  )
}

function judgeChipId({ evidence, endorsement }: Subject): Judgement {
  const { chipId } = evidence.report
  const { hwid } = extensionsOf(endorsement)
  if (evidence.signingKey === 'VLEK') return notApplicable('a VLEK has no hardware id')
  if (isZero(chipId)) return notApplicable('CHIP_ID is masked')
  if (!hwid) return refuse('the VCEK certificate names no hardware id', null, toHex(chipId))
  const same =
    sameBytes(chipId.subarray(0, hwid.length), hwid) && isZero(chipId.subarray(hwid.length))
  return (
    same ||
    refuse(
      'CHIP_ID is not the hardware id of the certificate: the report comes from another chip',
      toHex(chipId),
      toHex(hwid).padEnd(128, '0'),
    )
  )
}

/** Absent only when `snp.vek.present` failed, which stops the sequence; a throw is a refusal all the same. */
function vekOf({ vek }: SnpEndorsement): VersionedEndorsementKey {
  if (!vek) throw new Error('there is no VEK certificate')
  return vek
}

export function extensionsOf(endorsement: SnpEndorsement): VekExtensions {
  const { extensions } = vekOf(endorsement)
  if (typeof extensions === 'string') throw new Error(extensions)
  return extensions
}
