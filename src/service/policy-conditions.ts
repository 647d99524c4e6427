/**
 * What holds about a tenant's policy now: what became of the last candidate, whether the remote can be reached, and whether
 * the policy in force fell silent. Each keeps its `since` for as long as name and commit stay the same, and is journalled
 * when they change.
 */
import type { RefusalCondition } from '../policy/acceptance/acceptance.ts'
import type { Policy } from '../policy/policy.ts'
import { silenceOf } from './policy-in-force.ts'
import type { PolicyCondition, PolicyConditionName } from './policy-ports.ts'
import type { Clock, Journal } from './ports.ts'

export interface ConditionBoard {
  readonly judged: (verdict: CandidateVerdict) => void
  readonly failed: (message: string, commit?: string) => void
  readonly fetching: () => void
  readonly reached: () => void
  /** The gravest first. `Synced` only when there is nothing else. */
  readonly at: (at: Date, policy: Policy | undefined) => readonly PolicyCondition[]
  /** Journals that the policy in force fell silent or was heard again. */
  readonly listen: (at: Date, policy: Policy | undefined) => void
}

export interface CandidateVerdict {
  readonly name: 'Synced' | RefusalCondition
  readonly commit: string | undefined
  readonly message: string
}

/** What may be an attack comes first, what will pass by itself last. */
const gravity: readonly PolicyConditionName[] = [
  'RollbackOrRewrite',
  'UnknownSigner',
  'Stale',
  'ApprovalMissing',
  'SchemaInvalid',
  'RuleCaseFailed',
  'FetchFailed',
  'Fetching',
  'Synced',
]

/** A fetch that takes longer is told; a poll every half minute that takes 20 ms is not. */
const LONG_FETCH_MS = 5_000

export function conditionBoard({
  tenant,
  clock,
  journal,
}: {
  readonly tenant: string
  readonly clock: Clock
  readonly journal: Journal
}): ConditionBoard {
  let candidate: PolicyCondition | undefined
  let failure: PolicyCondition | undefined
  let silence: PolicyCondition | undefined
  let fetchingSince: Date | undefined = clock.now()

  function tell({ name, message, commit }: PolicyCondition): void {
    journal.record({
      event: 'policy.condition',
      at: clock.now(),
      fields: { tenant, condition: name, message, commit: commit ?? null },
    })
  }

  function settled(
    before: PolicyCondition | undefined,
    next: Omit<PolicyCondition, 'since'>,
  ): PolicyCondition {
    if (before?.name === next.name && before.commit === next.commit)
      // What an acceptance said about itself is worth more than that nothing happened since.
      return next.name === 'Synced' ? before : { ...next, since: before.since }
    const condition = { ...next, since: clock.now() }
    // An acceptance is journalled as such; what is told here is the end of a trouble.
    if (next.name !== 'Synced' || (before && before.name !== 'Synced')) tell(condition)
    return condition
  }

  return {
    judged(verdict) {
      candidate = settled(candidate, verdict)
    },
    failed(message, commit) {
      fetchingSince = undefined
      failure = settled(failure, { name: 'FetchFailed', message, commit })
    },
    fetching() {
      fetchingSince ??= clock.now()
    },
    reached() {
      fetchingSince = undefined
      failure = undefined
    },
    at(at, policy) {
      const began = fetchingSince
      const isTold = began && (!candidate || at.getTime() - began.getTime() >= LONG_FETCH_MS)
      const found = [
        candidate?.name === 'Synced' ? undefined : candidate,
        policy && staleAt(policy, at),
        failure,
        isTold ? fetchingOf(began) : undefined,
      ].filter((condition) => condition !== undefined)
      if (found.length > 0)
        return found.toSorted((a, b) => gravity.indexOf(a.name) - gravity.indexOf(b.name))
      return [candidate ?? fetchingOf(at)]
    },
    listen(at, policy) {
      const before = silence
      silence = policy && staleAt(policy, at)
      if (silence && silence.commit !== before?.commit) tell(silence)
    },
  }
}

function fetchingOf(since: Date): PolicyCondition {
  const message = 'the policy repository is being read'
  return { name: 'Fetching', message, since, commit: undefined }
}

function staleAt(policy: Policy, at: Date): PolicyCondition | undefined {
  const silence = silenceOf(policy, at)
  if (!silence) return undefined
  const until = silence.releasesUntil.toISOString()
  return {
    name: 'Stale',
    message:
      `heartbeat.yaml of commit ${policy.commit} held until ${silence.since.toISOString()}; ` +
      `${at > silence.releasesUntil ? 'nothing is released since' : 'nothing is released after'} ${until}. ` +
      'Let the holder of the heartbeat key sign and push a new one, and check that the mirror still follows the repository',
    since: silence.since,
    commit: policy.commit,
  }
}
