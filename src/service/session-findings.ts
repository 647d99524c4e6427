/** What is found about one message of a session, or was found about the last that came with a quote. */

import type { Policy } from '../policy/policy.ts'
import { type Consequence, consequenceOf } from '../policy/runtime/consequence.ts'
import { runtimeChecks } from '../policy/runtime/runtime-checks.ts'
import type { RuntimeSubject } from '../policy/runtime/runtime-subject.ts'
import { usageAfter } from '../policy/runtime/usage.ts'
import { checklist, type Finding, judgeAll, type Waivers } from '../rats/check.ts'
import type { RuntimeUsage } from '../rats/runtime-usage.ts'
import type { TranscriptDelta } from '../rats/session-message.ts'
import type { ChainHead } from '../rats/transcript.ts'
import type { SessionMatter } from './decision.ts'
import type { AppraisalRecord } from './ports.ts'

export interface JudgedMessage {
  readonly findings: readonly Finding[]
  readonly consequence: Consequence
  /** With this message. */
  readonly usage: RuntimeUsage
}

export interface MessageSubject extends Pick<RuntimeSubject, 'release' | 'before' | 'register'> {
  readonly policy: Policy
  readonly transcript: TranscriptDelta
  /** Before this message. */
  readonly usage: RuntimeUsage
  /** Measured before, verbatim, where another policy is to judge it too. */
  readonly stored?: readonly string[]
  readonly at: Date
}

/** None of them can be waived: what runs otherwise than approved is not what was attested. */
const noWaivers: Waivers = new Map()
const checks = checklist(runtimeChecks)

/** On the hot path. */
export function judgeMessage({
  policy,
  transcript: { statement, measurement, behaviour },
  usage: spent,
  stored = [],
  at,
  ...subject
}: MessageSubject): JudgedMessage {
  const findings: Finding[] = []
  const usage = usageAfter(spent, behaviour, at)
  const all = stored.length === 0 ? measurement : [...stored, ...measurement]
  const revoked = policy.revocations.digests
  judgeAll(
    checks,
    { ...subject, statement, measurement: all, behaviour, usage, revoked },
    noWaivers,
    findings,
  )
  return { findings, consequence: consequenceOf(findings), usage }
}

const stated = new Map(runtimeChecks.map(({ id, cites, informs }) => [id, { cites, informs }]))

/** As it was found then; undefined where evidence was attested in no session. `measurement`: for tokens, and nothing else. */
export function recordedSession(
  {
    findings: recorded,
    runtimeClaims: { session: id },
  }: Pick<AppraisalRecord, 'findings' | 'runtimeClaims'>,
  measurement: ChainHead = untold,
): SessionMatter | undefined {
  if (id === '') return undefined
  const findings = recorded.flatMap((finding) => {
    const check = stated.get(finding.id)
    return check ? [{ ...finding, ...check }] : []
  })
  return { id, findings, measurement, isLoadingWatched: isLoadingWatched(findings) }
}

const untold: ChainHead = { count: 0, head: '' }

/** Whether whoever reported saw every file that was loaded and every program that was started. */
export function isLoadingWatched(findings: readonly Finding[]): boolean {
  return watching.every((id) =>
    findings.some((finding) => finding.id === id && finding.outcome === 'pass'),
  )
}

const watching = ['runtime.files.watched', 'runtime.kernel-events.watched']

/** The first that failed, in words: check, observed and expected. For operators. */
export function failureSentence(findings: readonly Finding[]): string {
  const failed = findings.filter(({ outcome }) => outcome === 'fail')
  const [first] = failed
  if (!first) return 'nothing failed'
  const rest =
    failed.length > 1
      ? ` (and ${failed
          .slice(1)
          .map(({ id }) => id)
          .join(', ')})`
      : ''
  return `${first.id}: ${first.detail} (observed ${shortJson(first.observed)}, expected ${shortJson(first.expected)})${rest}`
}

const LONGEST_DATUM = 200

function shortJson(value: unknown): string {
  const text = JSON.stringify(value ?? null)
  return text.length <= LONGEST_DATUM ? text : `${text.slice(0, LONGEST_DATUM)}...`
}
