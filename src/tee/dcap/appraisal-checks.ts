/**
 * Is this platform good enough? What TDX and SGX ask alike of an authentic quote: its TCB as Intel judges it, and whether
 * the operator wants this machine at all. `expectedField` is the form of every comparison with a reference value.
 */
import { sameBytes, toHex } from '../../bytes/encoding.ts'
import {
  type Check,
  type Judgement,
  type NotApplicable,
  notApplicable,
  refuse,
  type WaiverGroup,
} from '../../rats/check.ts'
import type { Claim } from '../../rats/claim.ts'
import type { DcapReference, MaskedBytes } from '../../rats/reference-values.ts'
import type { Compared } from '../../rats/tee.ts'
import type { DcapEndorsement } from './endorse.ts'
import { reached } from './malformation.ts'
import { matchesUnderMask } from './masked.ts'
import type { PckExtension } from './pck-extension.ts'
import type { Quote } from './quote.ts'
import type { TcbEvaluation } from './tcb-level.ts'

export type DcapSubject<B, R extends DcapReference> = Compared<Quote<B>, DcapEndorsement, R>
type Subject = DcapSubject<unknown, DcapReference>

export interface Rule {
  readonly id: string
  readonly informs: Claim
  readonly cites: string
  readonly compares: string
  readonly waivable?: WaiverGroup
}

const PCS = 'Intel PCS API v4, Get TCB Info (TCB level selection)'
const QVL = 'Intel QVL Checks/TcbLevelCheck.cpp'
const PROFILE = 'Intel SGX PCK Certificate and CRL Profile Specification rev. 1.5 section 1.3.5'

export const platformChecks: readonly Check<Subject>[] = [
  {
    id: 'dcap.tcb.level-found',
    informs: 'hardware',
    cites: `${PCS}; ${QVL} matchTcbLevels`,
    judge: ({ endorsement }) => judgeLevels(endorsement),
  },
  {
    id: 'dcap.tcb.not-revoked',
    informs: 'hardware',
    cites: `${PCS}, tcbStatus Revoked`,
    judge: ({ endorsement }) => judgeNotRevoked(tcbOf(endorsement)),
  },
  {
    id: 'dcap.tcb.status',
    informs: 'hardware',
    cites: `${PCS}, tcbStatus; ${QVL} checkTcbLevel, convergeTcbStatusWithQeTcbStatus`,
    waivable: 'tcb',
    compares: 'tcbStatuses',
    judge: ({ endorsement, reference }) => judgeStatus(endorsement, reference),
  },
  {
    id: 'dcap.tcb.evaluation-number',
    informs: 'hardware',
    cites: 'Intel PCS API v4, tcbEvaluationDataNumber',
    waivable: 'tcb',
    compares: 'minimumTcbEvaluationDataNumber',
    judge: ({ endorsement, reference }) => judgeEvaluationNumber(endorsement, reference),
  },
  {
    id: 'dcap.fmspc.not-denied',
    informs: 'hardware',
    cites: `${PROFILE}, FMSPC`,
    compares: 'deniedFmspcs',
    judge: ({ endorsement, reference: { deniedFmspcs } }) =>
      deniedFmspcs
        ? judgeFmspc(toHex(extensionOf(endorsement).fmspc), deniedFmspcs)
        : noExpectation,
  },
  {
    id: 'dcap.platform.allowed',
    informs: 'instance-identity',
    cites: `${PROFILE}, Platform Instance ID and PPID`,
    compares: 'platforms',
    judge: ({ endorsement, reference: { platforms } }) =>
      platforms ? judgeAllowed(extensionOf(endorsement), platforms) : noExpectation,
  },
  {
    id: 'dcap.platform.not-denied',
    informs: 'instance-identity',
    cites: `${PROFILE}, Platform Instance ID and PPID`,
    compares: 'deniedPlatforms',
    judge: ({ endorsement, reference: { deniedPlatforms } }) =>
      deniedPlatforms ? judgeNotDenied(extensionOf(endorsement), deniedPlatforms) : noExpectation,
  },
]

export const noExpectation: NotApplicable = notApplicable(
  'the reference value expects nothing of it',
)

/** Equality of a byte field with its reference value, whole: never a prefix, never padded. */
export function expectedField<B, R extends DcapReference>(
  rule: Rule,
  observed: (body: B) => Uint8Array,
  expected: (reference: R) => Uint8Array | undefined,
): Check<DcapSubject<B, R>> {
  return {
    ...rule,
    judge({ evidence, reference }) {
      const wanted = expected(reference)
      if (!wanted) return noExpectation
      const found = observed(evidence.body)
      return sameBytes(found, wanted) || differs(rule.id, toHex(found), toHex(wanted))
    },
  }
}

/** As `expectedField`, for the bits under a mask. */
export function expectedBits<B, R extends DcapReference>(
  rule: Rule,
  observed: (body: B) => Uint8Array,
  expected: (reference: R) => MaskedBytes | undefined,
): Check<DcapSubject<B, R>> {
  return {
    ...rule,
    judge({ evidence, reference }) {
      const wanted = expected(reference)
      if (!wanted) return noExpectation
      const found = observed(evidence.body)
      return (
        matchesUnderMask(found, wanted.mask, wanted.value) ||
        differs(rule.id, toHex(found), `${toHex(wanted.value)} under mask ${toHex(wanted.mask)}`)
      )
    },
  }
}

/** Bit `number` of a little-endian field. */
export function bitOf(field: Uint8Array, number: number): boolean {
  return (((field[number >> 3] ?? 0) >> (number & 7)) & 1) === 1
}

export function extensionOf({ pck }: DcapEndorsement): PckExtension {
  return reached(pck.extension)
}

export function tcbOf({ tcb }: DcapEndorsement): TcbEvaluation {
  return reached(tcb)
}

/** The lower of both documents', as Intel's supplemental data has it (tcb_eval_ref_num). */
export function evaluationNumberOf({ tcbInfo, qeIdentity }: DcapEndorsement): number {
  return Math.min(
    reached(tcbInfo.document).evaluationDataNumber,
    reached(qeIdentity.document).evaluationDataNumber,
  )
}

function differs(id: string, observed: string, expected: string): Judgement {
  const field = id.split('.').slice(1, -1).join('.')
  return refuse(`${field} is ${observed}, expected ${expected}`, observed, expected)
}

/** Intel lists what it knows, good and bad; a TCB below all of it is a machine that nobody vouches for. */
function judgeLevels(endorsement: DcapEndorsement): Judgement {
  const { sgx, platform, module, qe, status } = tcbOf(endorsement)
  const { components, pceSvn } = extensionOf(endorsement)
  const platformTcb = `components ${toHex(components)}, PCE SVN ${pceSvn}`
  const missing =
    (!sgx && `the platform (${platformTcb})`) ||
    (!platform && `the TDX components of the platform (${platformTcb})`) ||
    (module && !module.level && `TDX module version ${module.version}`) ||
    (!qe && 'the quoting enclave') ||
    (status === 'NotSupported' && 'the TDX module that runs now')
  return (
    !missing ||
    refuse(
      `Intel's collateral has no TCB level for ${missing}`,
      missing,
      'a TCB level that it reaches',
    )
  )
}

function judgeNotRevoked({ status, sgx, platform, module, qe }: TcbEvaluation): Judgement {
  const parts = [status, sgx?.status, platform?.status, module?.level?.status, qe?.status]
  return (
    !parts.includes('Revoked') ||
    refuse('Intel has revoked the TCB level of this platform', 'Revoked', 'any other status')
  )
}

const upToDate: readonly string[] = ['UpToDate']

function judgeStatus(endorsement: DcapEndorsement, { tcbStatuses }: DcapReference): Judgement {
  const { status, platform } = tcbOf(endorsement)
  const accepted = tcbStatuses ?? upToDate
  return (
    accepted.includes(status) ||
    refuse(
      `the TCB is ${status}${platform ? ` (level of ${platform.date.toISOString().slice(0, 10)})` : ''}; accepted: ${accepted.join(', ')}`,
      status,
      accepted,
    )
  )
}

function judgeEvaluationNumber(
  endorsement: DcapEndorsement,
  { minimumTcbEvaluationDataNumber: floor }: DcapReference,
): Judgement {
  if (floor === undefined) return noExpectation
  const number = evaluationNumberOf(endorsement)
  return (
    number >= floor ||
    refuse(
      `the collateral is of TCB evaluation ${number}, the floor is ${floor}: a newer TCB recovery is not judged by it`,
      number,
      floor,
    )
  )
}

function judgeFmspc(fmspc: string, denied: readonly string[]): Judgement {
  return (
    !denied.includes(fmspc) ||
    refuse(`platform family ${fmspc} is denied`, fmspc, `none of ${denied.join(', ')}`)
  )
}

function judgeAllowed(extension: PckExtension, allowed: readonly Uint8Array[]): Judgement {
  return (
    isAmong(extension, allowed) ||
    refuse(
      `this machine (PPID ${toHex(extension.ppid)}) is not on the list`,
      idsOf(extension).map(toHex),
      allowed.map(toHex),
    )
  )
}

function judgeNotDenied(extension: PckExtension, denied: readonly Uint8Array[]): Judgement {
  return (
    !isAmong(extension, denied) ||
    refuse(
      `this machine (PPID ${toHex(extension.ppid)}) is denied`,
      idsOf(extension).map(toHex),
      `none of ${denied.map(toHex).join(', ')}`,
    )
  )
}

function isAmong(extension: PckExtension, listed: readonly Uint8Array[]): boolean {
  return idsOf(extension).some((id) => listed.some((each) => sameBytes(each, id)))
}

function idsOf({ ppid, platform }: PckExtension): readonly Uint8Array[] {
  return platform ? [ppid, platform.instanceId] : [ppid]
}
