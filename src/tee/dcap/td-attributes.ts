/**
 * What may this TD do, and what may be done to it? Checks over TDATTRIBUTES and XFAM: Intel TDX Module ABI Reference
 * Specification (348551), ATTRIBUTES and XFAM. Clouds differ here: profiles.ts has what recorded machines need waived.
 */
import { toHex } from '../../bytes/encoding.ts'
import { type Check, refuse } from '../../rats/check.ts'
import type { TdxReference } from '../../rats/reference-values.ts'
import { bitOf, type DcapSubject } from './appraisal-checks.ts'
import type { TdBody } from './layouts.ts'
import { isClearUnderMask, matchesUnderMask } from './masked.ts'

type TdxCheck = Check<DcapSubject<TdBody, TdxReference>>

const ABI = 'Intel TDX Module 1.5 ABI (348551)'

/** TDATTRIBUTES by bit: 3:0 TUD (under debug), 15:4 TUP (under profiling), 31:16 SEC, 63:32 OTHER. */
const BITS = {
  septVeDisable: 28,
  migratable: 29,
  pks: 30,
  keyLocker: 31,
  provisioningAgent: 62,
  perfmon: 63,
} as const
const TUD = 0x0f
/** HGS_PLUS_PROF, PERF_PROF and PMT_PROF, bits 6:4. */
const PROFILING = Buffer.from('7000000000000000', 'hex')
/** 15:7, 22:17, 26:23, 61:32. Bits 3:1 are reserved too, and refused as debugging. ICSSD (16) and LASS (27) harden a TD. */
const RESERVED = Buffer.from('80fffe07ffffff3f', 'hex')

/** XFAM_FIXED1, x87 and SSE; and what XFAM_FIXED0 of 0x6dbe7 leaves clear in any TDX module of today. */
const XFAM_SET = Buffer.from('0300000000000000', 'hex')
const XFAM_CLEAR = Buffer.from('1824f9ffffffffff', 'hex')

export const attributeChecks: readonly TdxCheck[] = [
  {
    id: 'tdx.attributes.debug-off',
    informs: 'runtime-opaque',
    cites: `${ABI}, ATTRIBUTES.TUD (bits 3:0), DEBUG`,
    judge: ({ evidence: { body } }) =>
      ((body.tdAttributes[0] ?? TUD) & TUD) === 0 ||
      refuse(
        'the TD runs in debug mode: the host can read and write its memory',
        toHex(body.tdAttributes),
        'TDATTRIBUTES bits 3:0 clear',
      ),
  },
  {
    id: 'tdx.attributes.profiling-off',
    informs: 'runtime-opaque',
    cites: `${ABI}, ATTRIBUTES.TUP: HGS_PLUS_PROF, PERF_PROF, PMT_PROF`,
    waivable: 'attributes',
    judge: ({ evidence: { body } }) =>
      isClearUnderMask(body.tdAttributes, PROFILING) ||
      refuse(
        'the host may profile the TD',
        toHex(body.tdAttributes),
        'TDATTRIBUTES bits 6:4 clear',
      ),
  },
  {
    id: 'tdx.attributes.reserved',
    informs: 'configuration',
    cites: `${ABI}, ATTRIBUTES, reserved bits`,
    waivable: 'attributes',
    judge: ({ evidence: { body } }) =>
      isClearUnderMask(body.tdAttributes, RESERVED) ||
      refuse(
        'the TD has attributes whose meaning is not known here',
        toHex(body.tdAttributes),
        'TDATTRIBUTES bits 15:7, 22:17, 26:23 and 61:32 clear',
      ),
  },
  attributeCheck('sept-ve-disable', {
    bit: 'septVeDisable',
    wanted: true,
    else: 'the host may take pages away and have the TD notice only by an exception in the middle of anything',
  }),
  attributeCheck('migratable', {
    bit: 'migratable',
    wanted: false,
    else: 'the TD may be moved to another machine, which this quote does not speak of',
  }),
  attributeCheck('pks', {
    bit: 'pks',
    wanted: false,
    else: 'supervisor protection keys are enabled',
  }),
  attributeCheck('key-locker', {
    bit: 'keyLocker',
    wanted: false,
    else: 'Key Locker is enabled',
  }),
  attributeCheck('provisioning-agent', {
    bit: 'provisioningAgent',
    wanted: false,
    else: 'the TD is a TDX Connect provisioning agent',
  }),
  attributeCheck('perfmon', {
    bit: 'perfmon',
    wanted: false,
    else: 'performance monitoring is enabled, by which others may watch the TD',
  }),
  {
    id: 'tdx.xfam.fixed-bits',
    informs: 'configuration',
    cites: `${ABI}, XFAM_FIXED0 and XFAM_FIXED1`,
    waivable: 'attributes',
    judge: ({ evidence: { body } }) =>
      (matchesUnderMask(body.xfam, XFAM_SET, XFAM_SET) &&
        isClearUnderMask(body.xfam, XFAM_CLEAR)) ||
      refuse(
        'XFAM lacks a feature that every TD has, or enables one that is not known here',
        toHex(body.xfam),
        'bits 0 and 1 set, bits 3, 4, 10, 13, 16 and 63:19 clear',
      ),
  },
]

interface Attribute {
  readonly bit: keyof typeof BITS
  readonly wanted: boolean
  /** What follows when it is otherwise. */
  readonly else: string
}

function attributeCheck(name: string, attribute: Attribute): TdxCheck {
  const number = BITS[attribute.bit]
  return {
    id: `tdx.attributes.${name}`,
    informs: 'configuration',
    cites: `${ABI}, ATTRIBUTES bit ${number}`,
    waivable: 'attributes',
    judge: ({ evidence: { body } }) =>
      bitOf(body.tdAttributes, number) === attribute.wanted ||
      refuse(
        attribute.else,
        toHex(body.tdAttributes),
        `TDATTRIBUTES bit ${number} ${attribute.wanted ? 'set' : 'clear'}`,
      ),
  }
}
