/**
 * Is this TD what somebody expects? The TDX module under it, the service TD beside it, the event log that explains it, and the
 * comparisons with a reference value: Intel TDX Module ABI Reference Specification (348551), TDREPORT_STRUCT.
 */
import { isZero, sameBytes, toHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { type Check, type Judgement, notApplicable, refuse } from '../../rats/check.ts'
import type { TdxReference } from '../../rats/reference-values.ts'
import {
  type DcapSubject,
  expectedBits,
  expectedField,
  platformChecks,
} from './appraisal-checks.ts'
import { decodeEventLog } from './event-log/decode.ts'
import { compareRtmrs, replay } from './event-log/replay.ts'
import type { TdBody } from './layouts.ts'
import { reached } from './malformation.ts'
import { matchesUnderMask } from './masked.ts'
import type { ModuleExpectation } from './tcb-info.ts'
import { attributeChecks } from './td-attributes.ts'

type Subject = DcapSubject<TdBody, TdxReference>
type TdxCheck = Check<Subject>

const ABI = 'Intel TDX Module 1.5 ABI (348551)'
const QVL = 'Intel QVL QuoteVerifier.cpp step 4.1.2.4.11'

const moduleChecks: readonly TdxCheck[] = [
  {
    id: 'tdx.module.identity',
    informs: 'hardware',
    cites: `Intel PCS API v4, tdxModuleIdentities; ${QVL}`,
    judge: judgeModuleIdentity,
  },
  {
    id: 'tdx.seam.signer',
    informs: 'hardware',
    cites: `${ABI}, TEE_TCB_INFO.MRSIGNERSEAM; ${QVL}.1`,
    judge: judgeSeamSigner,
  },
  {
    id: 'tdx.seam.attributes',
    informs: 'hardware',
    cites: `${ABI}, TEE_TCB_INFO.ATTRIBUTES; ${QVL}.2`,
    judge: judgeSeamAttributes,
  },
]

const otherChecks: readonly TdxCheck[] = [
  {
    id: 'tdx.service-td.approved',
    informs: 'configuration',
    cites: `${ABI}, TDINFO_STRUCT.MRSERVICETD (TDX 1.5)`,
    waivable: 'attributes',
    compares: 'serviceTds',
    judge: judgeServiceTd,
  },
  {
    id: 'tdx.event-log.replays',
    informs: 'configuration',
    cites: 'UEFI 2.11 section 38.4.1; TCG PFP 1.05 section 10',
    judge: judgeEventLog,
  },
]

const identity = (name: string, field: string, compares: keyof TdxReference) => ({
  id: `tdx.${name}.expected`,
  informs: 'executables' as const,
  cites: `${ABI}, ${field}`,
  compares,
})
const setting = (...named: Parameters<typeof identity>) => ({
  ...identity(...named),
  informs: 'configuration' as const,
})

const expectationChecks: readonly TdxCheck[] = [
  expectedField(
    identity('mr-td', 'MRTD', 'mrTd'),
    (td) => td.mrTd,
    (reference) => reference.mrTd,
  ),
  expectedField(
    identity('rtmr0', 'RTMR0', 'rtmr0'),
    (td) => td.rtmr0,
    (reference) => reference.rtmr0,
  ),
  expectedField(
    identity('rtmr1', 'RTMR1', 'rtmr1'),
    (td) => td.rtmr1,
    (reference) => reference.rtmr1,
  ),
  expectedField(
    identity('rtmr2', 'RTMR2', 'rtmr2'),
    (td) => td.rtmr2,
    (reference) => reference.rtmr2,
  ),
  expectedField(
    identity('rtmr3', 'RTMR3', 'rtmr3'),
    (td) => td.rtmr3,
    (reference) => reference.rtmr3,
  ),
  expectedField(
    setting('mr-config-id', 'MRCONFIGID', 'mrConfigId'),
    (td) => td.mrConfigId,
    (reference) => reference.mrConfigId,
  ),
  expectedField(
    setting('mr-owner', 'MROWNER', 'mrOwner'),
    (td) => td.mrOwner,
    (reference) => reference.mrOwner,
  ),
  expectedField(
    setting('mr-owner-config', 'MROWNERCONFIG', 'mrOwnerConfig'),
    (td) => td.mrOwnerConfig,
    (reference) => reference.mrOwnerConfig,
  ),
  expectedField(
    { ...identity('mr-seam', 'MRSEAM', 'mrSeam'), informs: 'hardware' },
    (td) => td.mrSeam,
    (reference) => reference.mrSeam,
  ),
  expectedField(
    { ...identity('report-data', 'REPORTDATA', 'reportData'), informs: 'instance-identity' },
    (td) => td.reportData,
    (reference) => reference.reportData,
  ),
  expectedBits(
    setting('attributes', 'ATTRIBUTES', 'tdAttributes'),
    (td) => td.tdAttributes,
    (reference) => reference.tdAttributes,
  ),
  expectedBits(
    setting('xfam', 'XFAM', 'xfam'),
    (td) => td.xfam,
    (reference) => reference.xfam,
  ),
]

/** The module first: a TCB is judged by the levels of the module that it names. */
export const tdxChecks: readonly TdxCheck[] = [
  ...moduleChecks,
  ...platformChecks,
  ...attributeChecks,
  ...otherChecks,
  ...expectationChecks,
]

/** Version 0 modules are described by `tdxModule`, later ones by the identity of their version. */
function expectedModule({ evidence, endorsement }: Subject): ModuleExpectation | undefined {
  const tcbInfo = reached(endorsement.tcbInfo.document)
  const version = evidence.body.teeTcbSvn[1] ?? 0
  return version === 0 ? tcbInfo.module : tcbInfo.moduleIdentities.get(version)
}

function judgeModuleIdentity(subject: Subject): Judgement {
  const version = subject.evidence.body.teeTcbSvn[1] ?? 0
  const known = [...reached(subject.endorsement.tcbInfo.document).moduleIdentities.values()]
  return (
    expectedModule(subject) !== undefined ||
    refuse(
      `Intel's collateral names no TDX module of version ${version}`,
      version,
      known.map(({ id }) => id),
    )
  )
}

function judgeSeamSigner(subject: Subject): Judgement {
  const { mrSigner } = reached(expectedModule(subject))
  const { mrSignerSeam } = subject.evidence.body
  return (
    sameBytes(mrSignerSeam, mrSigner) ||
    refuse(
      'the TDX module is not signed by the signer that Intel names (zero is Intel itself)',
      toHex(mrSignerSeam),
      toHex(mrSigner),
    )
  )
}

/** Intel's library wants zero whatever the mask, so that a debug module cannot pass by an empty mask. */
function judgeSeamAttributes(subject: Subject): Judgement {
  const { attributes, attributesMask } = reached(expectedModule(subject))
  const { seamAttributes } = subject.evidence.body
  return (
    (isZero(seamAttributes) && matchesUnderMask(seamAttributes, attributesMask, attributes)) ||
    refuse(
      'the TDX module has attributes that a production module has not',
      toHex(seamAttributes),
      `zero, and ${toHex(attributes)} under mask ${toHex(attributesMask)}`,
    )
  )
}

const noServiceTd = notApplicable('TD reports 1.0 name no service TD')

/** A service TD may migrate the TD or watch over it: it belongs to what must be approved. */
function judgeServiceTd({ evidence, reference }: Subject): Judgement {
  const { mrServiceTd } = evidence.body
  if (!mrServiceTd) return noServiceTd
  const approved = reference.serviceTds ?? []
  return (
    isZero(mrServiceTd) ||
    approved.some((each) => sameBytes(each, mrServiceTd)) ||
    refuse('a service TD that was not approved is bound to the TD', toHex(mrServiceTd), [
      'none',
      ...approved.map(toHex),
    ])
  )
}

const noEventLog = notApplicable('no event log was supplied, so the RTMRs are not explained')

/** A register that was extended without the log saying so is not explained by it: never a pass. */
function judgeEventLog({ evidence: { body, eventLog } }: Subject): Judgement {
  if (!eventLog) return noEventLog
  try {
    const log = replay(decodeEventLog(eventLog))
    const quoted = [body.rtmr0, body.rtmr1, body.rtmr2, body.rtmr3] as const
    const comparisons = compareRtmrs(log, quoted)
    return (
      comparisons.every((each) => each === 'match') ||
      refuse(
        `the event log does not replay into the RTMRs: ${comparisons.map((each, i) => `RTMR${i} ${each}`).join(', ')}`,
        quoted.map(toHex),
        log.map(toHex),
      )
    )
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return refuse(`the event log is malformed: ${cause.message}`, cause.observed, cause.expected)
  }
}
