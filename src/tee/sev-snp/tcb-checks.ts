/** Is the firmware under this guest new enough, and will it stay so? */
import { type Judgement, refuse } from '../../rats/check.ts'
import {
  check,
  comparing,
  noExpectation,
  REPORT,
  type SnpCheck,
  type Subject,
} from './appraisal-check.ts'
import { extensionsOf } from './authenticity-checks.ts'
import { componentsBelow, describeTcb, type Tcb, tcbOf } from './tcb.ts'

export const tcbChecks: readonly SnpCheck[] = [
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
  comparing(
    'minimumFirmware',
    check(
      'snp.firmware.floor',
      'hardware',
      `${REPORT}, COMMITTED_MAJOR, _MINOR, _BUILD`,
      judgeFirmware,
      'tcb',
    ),
  ),
  mitigationCheck('launch', 'launchMitVector'),
  mitigationCheck('current', 'currentMitVector'),
]

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
  return comparing(
    'minimumTcb',
    check(
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
    ),
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
  return comparing(
    'mitigations',
    check(
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
    ),
  )
}
