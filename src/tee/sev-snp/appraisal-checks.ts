/**
 * Is an authentic report acceptable? The core checks ask it of every report; the others compare it with a reference
 * value, and say so when that sets no expectation. All are judged, so that a refusal names everything that is wrong.
 */
import { isZero, sameBytes, toHex } from '../../bytes/encoding.ts'
import { type Check, type Judgement, notApplicable, refuse } from '../../rats/check.ts'
import type { SnpPlatformBit, SnpPolicyBit, SnpReference } from '../../rats/reference-values.ts'
import type { Compared } from '../../rats/tee.ts'
import type { Claim } from '../../rats/trust-vector.ts'
import { extensionsOf } from './authenticity-checks.ts'
import { AUTHOR_KEY_EN, platformBits, policyBits } from './bits.ts'
import type { SnpEndorsement } from './endorse.ts'
import type { SnpEvidence } from './evidence.ts'
import { componentsBelow, describeTcb, type Tcb, tcbOf } from './tcb.ts'

type Subject = Compared<SnpEvidence, SnpEndorsement, SnpReference>
type SnpCheck = Check<Subject>

const REPORT = 'AMD 56860 rev. 1.58 table 23'
const POLICY = 'AMD 56860 rev. 1.58 table 9'

/** Made once per subject: most expectations are absent in most appraisals. */
const noExpectations = new Map<string, Judgement>()

function noExpectation(what: string): Judgement {
  let answer = noExpectations.get(what)
  if (!answer) {
    answer = notApplicable(`no expectation is set for ${what}`)
    noExpectations.set(what, answer)
  }
  return answer
}

function check(
  id: string,
  informs: Claim,
  cites: string,
  judge: SnpCheck['judge'],
  waivable?: SnpCheck['waivable'],
): SnpCheck {
  return { id, informs, cites, judge, ...(waivable && { waivable }) }
}

/** A byte field that must equal the expected bytes, whole: never a prefix, never padded. */
function bytesCheck(
  id: string,
  informs: Claim,
  field: 'measurement' | 'hostData' | 'reportData' | 'familyId' | 'imageId',
): SnpCheck {
  return check(id, informs, `${REPORT}, ${field}`, ({ evidence, reference }) => {
    const expected = reference[field]
    if (!expected) return noExpectation(field)
    const observed = evidence.report[field]
    return (
      sameBytes(observed, expected) ||
      refuse(
        `${field} is ${toHex(observed)}, expected ${toHex(expected)}`,
        toHex(observed),
        toHex(expected),
      )
    )
  })
}

function policyBitCheck(subject: string, bit: SnpPolicyBit): SnpCheck {
  const name = `guest policy ${bit}`
  return check(
    `snp.policy.${subject}`,
    'configuration',
    `${POLICY}, ${bit}`,
    ({ evidence, reference }) =>
      judgeBit(name, evidence.report.policy, policyBits[bit], {
        wanted: reference.guestPolicy?.[bit],
      }),
    'attributes',
  )
}

function platformBitCheck(subject: string, bit: SnpPlatformBit): SnpCheck {
  const name = `platform info ${bit}`
  return check(
    `snp.platform.${subject}`,
    'configuration',
    `${REPORT}, PLATFORM_INFO ${bit}`,
    ({ evidence, reference }) =>
      judgeBit(name, evidence.report.platformInfo, platformBits[bit], {
        wanted: reference.platformInfo?.[bit],
      }),
    'attributes',
  )
}

function judgeBit(
  name: string,
  field: bigint,
  bit: bigint,
  { wanted }: { readonly wanted: boolean | undefined },
): Judgement {
  if (wanted === undefined) return noExpectation(name)
  const set = (field & bit) !== 0n
  return (
    set === wanted ||
    refuse(`${name} is ${set ? 'set' : 'clear'}, expected ${wanted ? 'set' : 'clear'}`, set, wanted)
  )
}

/** What the guest was promised (policy) against what the machine says it does (platform info). Firmware enforces it; a report that contradicts itself was not made by firmware that works. */
function agreementCheck(
  subject: string,
  sentence: string,
  contradicts: (policy: bigint, platformInfo: bigint) => boolean,
): SnpCheck {
  return check(
    `snp.platform.${subject}`,
    'configuration',
    `${POLICY}; ${REPORT}, PLATFORM_INFO`,
    ({ evidence: { report } }) =>
      !contradicts(report.policy, report.platformInfo) ||
      refuse(
        sentence,
        `policy 0x${report.policy.toString(16)}, platform info 0x${report.platformInfo.toString(16)}`,
        'a platform that does what the policy demands',
      ),
  )
}

const has = (field: bigint, bit: bigint) => (field & bit) !== 0n

export const appraisalChecks: readonly SnpCheck[] = [
  check(
    'snp.policy.debug-off',
    'configuration',
    `${POLICY}, DEBUG`,
    ({ evidence }) =>
      !has(evidence.report.policy, policyBits.debug) ||
      refuse(
        'the guest policy allows debugging: the host can read and write the memory of this guest',
        true,
        false,
      ),
  ),
  check(
    'snp.policy.migration-off',
    'configuration',
    `${POLICY}, MIGRATE_MA`,
    ({ evidence }) =>
      !has(evidence.report.policy, policyBits.migrateMa) ||
      refuse(
        'the guest policy allows a migration agent, which may carry this guest to another machine',
        true,
        false,
      ),
    'attributes',
  ),
  check(
    'snp.report-id-ma.absent',
    'configuration',
    `${REPORT}, REPORT_ID_MA`,
    ({ evidence }) =>
      evidence.report.reportIdMa.every((octet) => octet === 0xff) ||
      refuse(
        'a migration agent is bound to this guest: REPORT_ID_MA is not all ones',
        toHex(evidence.report.reportIdMa),
        'ff'.repeat(32),
      ),
    'attributes',
  ),
  check('snp.policy.abi', 'configuration', `${POLICY}, ABI_MAJOR and ABI_MINOR`, judgeAbi, 'tcb'),
  policyBitCheck('smt', 'smt'),
  policyBitCheck('single-socket', 'singleSocket'),
  policyBitCheck('cxl', 'cxl'),
  policyBitCheck('aes-256-xts', 'aes256Xts'),
  policyBitCheck('rapl-disabled', 'raplDisabled'),
  policyBitCheck('ciphertext-hiding', 'ciphertextHiding'),
  policyBitCheck('page-swap-disabled', 'pageSwapDisabled'),
  agreementCheck(
    'smt-agrees',
    'the guest policy forbids SMT and the platform has it enabled',
    (policy, info) => !has(policy, policyBits.smt) && has(info, platformBits.smt),
  ),
  agreementCheck(
    'rapl-agrees',
    'the guest policy demands that RAPL is disabled and the platform has it enabled',
    (policy, info) => has(policy, policyBits.raplDisabled) && !has(info, platformBits.raplDisabled),
  ),
  agreementCheck(
    'ciphertext-hiding-agrees',
    'the guest policy demands ciphertext hiding and the platform does not do it',
    (policy, info) =>
      has(policy, policyBits.ciphertextHiding) && !has(info, platformBits.ciphertextHiding),
  ),
  platformBitCheck('smt', 'smt'),
  platformBitCheck('tsme', 'tsme'),
  platformBitCheck('ecc', 'ecc'),
  platformBitCheck('rapl-disabled', 'raplDisabled'),
  platformBitCheck('ciphertext-hiding', 'ciphertextHiding'),
  platformBitCheck('alias-check', 'aliasCheck'),
  platformBitCheck('tio', 'tio'),
  check(
    'snp.vmpl.expected',
    'configuration',
    `${REPORT}, VMPL`,
    ({ evidence, reference }) => {
      const expected = reference.vmpl ?? 0
      return (
        evidence.report.vmpl === expected ||
        refuse(
          `the report was requested at VMPL ${evidence.report.vmpl}, expected ${expected}: less privileged software asked for it`,
          evidence.report.vmpl,
          expected,
        )
      )
    },
    'attributes',
  ),
  check('snp.tcb.order', 'hardware', `${REPORT}, CURRENT_TCB and COMMITTED_TCB`, judgeOrder),
  check(
    'snp.tcb.committed',
    'hardware',
    `${REPORT}, COMMITTED_TCB; AMD 56860 section 3.3 (provisional firmware)`,
    judgeProvisional,
    'tcb',
  ),
  floorCheck('reported', 'reportedTcb'),
  floorCheck('committed', 'committedTcb'),
  floorCheck('launch', 'launchTcb'),
  check(
    'snp.firmware.floor',
    'hardware',
    `${REPORT}, COMMITTED_MAJOR, _MINOR, _BUILD`,
    judgeFirmware,
    'tcb',
  ),
  mitigationCheck('launch', 'launchMitVector'),
  mitigationCheck('current', 'currentMitVector'),
  bytesCheck('snp.measurement.expected', 'executables', 'measurement'),
  bytesCheck('snp.host-data.expected', 'configuration', 'hostData'),
  bytesCheck('snp.report-data.expected', 'instance-identity', 'reportData'),
  bytesCheck('snp.family-id.expected', 'executables', 'familyId'),
  bytesCheck('snp.image-id.expected', 'executables', 'imageId'),
  check('snp.guest-svn.floor', 'executables', `${REPORT}, GUEST_SVN`, ({ evidence, reference }) => {
    const least = reference.minimumGuestSvn
    if (least === undefined) return noExpectation('guestSvn')
    const { guestSvn } = evidence.report
    return guestSvn >= least || refuse(`guest SVN ${guestSvn} is below ${least}`, guestSvn, least)
  }),
  check(
    'snp.id-key.approved',
    'executables',
    `${REPORT}, ID_KEY_DIGEST`,
    ({ evidence, reference }) =>
      judgeMember('the ID key digest', evidence.report.idKeyDigest, reference.idKeyDigests),
  ),
  check(
    'snp.author-key.approved',
    'executables',
    `${REPORT}, AUTHOR_KEY_DIGEST and AUTHOR_KEY_EN`,
    judgeAuthorKey,
  ),
  check('snp.chip.approved', 'instance-identity', `${REPORT}, CHIP_ID`, ({ evidence, reference }) =>
    judgeMember('the chip id', evidence.report.chipId, reference.chipIds),
  ),
  check(
    'snp.chip.not-denied',
    'instance-identity',
    `${REPORT}, CHIP_ID`,
    ({ evidence, reference }) => {
      const denied = reference.deniedChipIds
      if (!denied) return noExpectation('denied chips')
      const { chipId } = evidence.report
      if (isZero(chipId))
        return refuse(
          'chips are denied by id and the host masked this one, so it could be any of them',
          toHex(chipId),
          'an unmasked chip id',
        )
      return (
        !denied.some((each) => sameBytes(each, chipId)) ||
        refuse('this chip is on the deny list', toHex(chipId), 'a chip that is not denied')
      )
    },
  ),
  check('snp.product.approved', 'hardware', 'policy: products', ({ endorsement, reference }) => {
    const { products } = reference
    if (!products) return noExpectation('products')
    const { name } = extensionsOf(endorsement).product
    return products.includes(name) || refuse(`${name} is not an approved product`, name, products)
  }),
  check(
    'snp.product.not-denied',
    'hardware',
    'policy: deniedProducts; arXiv 2605.12990 (VCEK seeds of Milan)',
    ({ endorsement, reference }) => {
      const denied = reference.deniedProducts
      if (!denied) return noExpectation('denied products')
      const { name } = extensionsOf(endorsement).product
      return (
        !denied.includes(name) ||
        refuse(`${name} is on the product deny list`, name, `none of ${denied.join(', ')}`)
      )
    },
  ),
]

function judgeAbi({ evidence, reference }: Subject): Judgement {
  const least = reference.minimumAbi
  if (!least) return noExpectation('the ABI version of the guest policy')
  const minor = Number(evidence.report.policy & 0xffn)
  const major = Number((evidence.report.policy >> 8n) & 0xffn)
  return (
    major > least.major ||
    (major === least.major && minor >= least.minor) ||
    refuse(
      `the guest policy accepts firmware of ABI ${major}.${minor}, expected at least ${least.major}.${least.minor}`,
      `${major}.${minor}`,
      `${least.major}.${least.minor}`,
    )
  )
}

type TcbField = 'currentTcb' | 'committedTcb' | 'reportedTcb' | 'launchTcb'

function tcbField({ evidence, endorsement }: Subject, field: TcbField): Tcb {
  return tcbOf(evidence.report[field], extensionsOf(endorsement).product)
}

/** Firmware never commits, reports or launches above what it runs. */
function judgeOrder(subject: Subject): Judgement {
  const current = tcbField(subject, 'currentTcb')
  for (const field of ['committedTcb', 'reportedTcb', 'launchTcb'] as const) {
    const tcb = tcbField(subject, field)
    const below = componentsBelow(current, tcb)
    if (below.length > 0)
      return refuse(
        `${field} (${describeTcb(tcb)}) is above CURRENT_TCB (${describeTcb(current)}) in ${below.join(', ')}`,
        describeTcb(tcb),
        `at most ${describeTcb(current)}`,
      )
  }
  return true
}

/** Firmware that runs but is not committed can still be rolled back under this guest. */
function judgeProvisional(subject: Subject): Judgement {
  const { report } = subject.evidence
  const current = tcbField(subject, 'currentTcb')
  const committed = tcbField(subject, 'committedTcb')
  const behind = componentsBelow(committed, current)
  const running = versionOf(report.currentMajor, report.currentMinor, report.currentBuild)
  const kept = versionOf(report.committedMajor, report.committedMinor, report.committedBuild)
  return (
    (behind.length === 0 && running === kept) ||
    refuse(
      `provisional firmware: ${running} with TCB ${describeTcb(current)} runs, ${kept} with ${describeTcb(committed)} is committed, so the host can go back to it`,
      `${kept}, ${describeTcb(committed)}`,
      `${running}, ${describeTcb(current)}`,
    )
  )
}

const versionOf = (major: number, minor: number, build: number) => `${major}.${minor}.${build}`

function floorCheck(name: string, field: TcbField): SnpCheck {
  return check(
    `snp.tcb.${name}-floor`,
    'hardware',
    `${REPORT}, ${field}`,
    (subject) => {
      const floor = subject.reference.minimumTcb
      if (!floor) return noExpectation('the TCB')
      const tcb = tcbField(subject, field)
      const below = componentsBelow(tcb, floor)
      return (
        below.length === 0 ||
        refuse(
          `${name} TCB (${describeTcb(tcb)}) is below the floor (${describeTcb(floor)}) in ${below.join(', ')}`,
          describeTcb(tcb),
          describeTcb(floor),
        )
      )
    },
    'tcb',
  )
}

function judgeFirmware({ evidence, reference }: Subject): Judgement {
  const least = reference.minimumFirmware
  if (!least) return noExpectation('the firmware version')
  const { committedMajor, committedMinor, committedBuild } = evidence.report
  const rank = (major: number, minor: number, build: number) => (major * 256 + minor) * 256 + build
  return (
    rank(committedMajor, committedMinor, committedBuild) >=
      rank(least.major, least.minor, least.build) ||
    refuse(
      `committed firmware ${versionOf(committedMajor, committedMinor, committedBuild)} is below ${versionOf(least.major, least.minor, least.build)}`,
      versionOf(committedMajor, committedMinor, committedBuild),
      versionOf(least.major, least.minor, least.build),
    )
  )
}

/** Reports before version 5 carry no vector: that is not the same as a vector of zero, and it satisfies no demand. */
function mitigationCheck(name: string, field: 'launchMitVector' | 'currentMitVector'): SnpCheck {
  return check(
    `snp.mitigation.${name}`,
    'hardware',
    `${REPORT}, ${field} (report version 5)`,
    ({ evidence, reference }) => {
      const wanted = reference.mitigations
      if (wanted === undefined) return noExpectation('mitigations')
      const vector = evidence.report[field]
      return (
        (vector !== undefined && (vector & wanted) === wanted) ||
        refuse(
          `${field} is ${vector === undefined ? 'absent' : `0x${vector.toString(16)}`}, which lacks mitigations of 0x${wanted.toString(16)}`,
          vector === undefined ? null : `0x${vector.toString(16)}`,
          `0x${wanted.toString(16)}`,
        )
      )
    },
    'tcb',
  )
}

/** A zero digest means that there is no key, so it is never a member, whatever the list holds. */
function judgeMember(
  what: string,
  observed: Uint8Array,
  approved: readonly Uint8Array[] | undefined,
): Judgement {
  if (!approved) return noExpectation(what)
  const member =
    observed.some((octet) => octet !== 0) && approved.some((each) => sameBytes(each, observed))
  return (
    member ||
    refuse(`${what} is not approved: ${toHex(observed)}`, toHex(observed), approved.map(toHex))
  )
}

function judgeAuthorKey({ evidence, reference }: Subject): Judgement {
  const { authorKeyDigest, signerInfo } = evidence.report
  const approved = reference.authorKeyDigests
  if (!approved) return noExpectation('the author key')
  if ((signerInfo & AUTHOR_KEY_EN) === 0)
    return refuse('no author key signed the ID key (AUTHOR_KEY_EN is 0)', false, true)
  return judgeMember('the author key digest', authorKeyDigest, approved)
}
