/** How was this guest started, and does its machine do what its policy demands? */
import { toHex } from '../../bytes/encoding.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import type { SnpPlatformBit, SnpPolicyBit } from '../../rats/reference-values.ts'
import {
  check,
  comparing,
  noExpectation,
  REPORT,
  type SnpCheck,
  type Subject,
} from './appraisal-check.ts'
import { platformBits, policyBits } from './bits.ts'

const POLICY = 'AMD 56860 rev. 1.58 table 9'

export const configurationChecks: readonly SnpCheck[] = [
  check(
    'snp.policy.debug-off',
    'runtime-opaque',
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
  comparing(
    'minimumAbi',
    check('snp.policy.abi', 'configuration', `${POLICY}, ABI_MAJOR and ABI_MINOR`, judgeAbi, 'tcb'),
  ),
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
  comparing(
    'vmpl',
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
  ),
]

function policyBitCheck(subject: string, bit: SnpPolicyBit): SnpCheck {
  const name = `guest policy ${bit}`
  return comparing(
    `guestPolicy.${bit}`,
    check(
      `snp.policy.${subject}`,
      'configuration',
      `${POLICY}, ${bit}`,
      ({ evidence, reference }) =>
        judgeBit(name, evidence.report.policy, policyBits[bit], {
          wanted: reference.guestPolicy?.[bit],
        }),
      'attributes',
    ),
  )
}

function platformBitCheck(subject: string, bit: SnpPlatformBit): SnpCheck {
  const name = `platform info ${bit}`
  return comparing(
    `platformInfo.${bit}`,
    check(
      `snp.platform.${subject}`,
      'configuration',
      `${REPORT}, PLATFORM_INFO ${bit}`,
      ({ evidence, reference }) =>
        judgeBit(name, evidence.report.platformInfo, platformBits[bit], {
          wanted: reference.platformInfo?.[bit],
        }),
      'attributes',
    ),
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
