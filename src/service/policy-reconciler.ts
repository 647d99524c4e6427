/**
 * Which policy is in force for a tenant? What the remote offers is judged, what passes is accepted in the database by
 * compare-and-swap, and only then in memory: killed between any two steps, a replica starts again with the old policy or
 * the new one, whole. What does not pass leaves the policy in force as it is, and a condition says why.
 */
import {
  type Acceptance,
  HistoryFault,
  judgeCandidate,
  loadAccepted,
  type Start,
} from '../policy/acceptance/acceptance.ts'
import type { Policy } from '../policy/policy.ts'
import { policyDigest } from '../policy/policy-digest.ts'
import type { RuleEngine } from '../policy/rules/rule.ts'
import type { VerifyOpenPgp } from '../policy/signatures/signer.ts'
import { Problem } from '../problems.ts'
import type { Datum } from '../rats/check.ts'
import type { ClaimSchema } from '../rats/tee.ts'
import { policyLeaf } from './log-leaves.ts'
import { policyClone } from './policy-clone.ts'
import { conditionBoard } from './policy-conditions.ts'
import type { PolicyHead, PolicyMirror, PolicyRecord, PolicySource } from './policy-ports.ts'
import { policyRefusals } from './policy-refusals.ts'
import { restorationOf } from './policy-restoration.ts'
import { absentSentence, judgedText, lostSentence, syncedSentence } from './policy-sentences.ts'
import type { Clock, Journal, Random, Store } from './ports.ts'

export interface ReconcilerRequest {
  readonly tenant: string
  /** Opens the clone; asked again after it failed. */
  readonly mirror: () => Promise<PolicyMirror>
  readonly store: Pick<
    Store,
    | 'policyOf'
    | 'policyHeadOf'
    | 'acceptPolicy'
    | 'acceptancesOf'
    | 'firstSeen'
    | 'reportEnforcement'
  >
  readonly engine: RuleEngine
  /** The configured pin: where the walk begins while the database knows of no acceptance. */
  readonly start: Exclude<Start, { readonly kind: 'accepted' }>
  /** Ids and groups of checks that a policy may waive. */
  readonly waivable: ReadonlySet<string>
  readonly claimSchemas: ReadonlyMap<string, ClaimSchema>
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  readonly verifyOpenPgp?: VerifyOpenPgp
  /** Lets whatever waits go first, again and again while a large commit is read. */
  readonly pause?: () => Promise<void>
  /** Name of this replica, under which it says which policy it enforces. */
  readonly replica: string
  /** After this very replica accepted a policy; must not throw. `from` undefined: it is the first that this process knows. */
  readonly onAccepted?: (change: PolicyChange) => void
}

export interface PolicyChange {
  readonly tenant: string
  readonly from: Policy | undefined
  readonly to: Policy
}

/** Another replica being first is a reason to look again, a few times. */
const MOST_ROUNDS = 5

interface InForce {
  readonly policy: Policy
  readonly record: PolicyRecord
}

/** Nothing is read before the first `refresh`. Polls that overlap wait for the one that runs. */
export function policyReconciler(request: ReconcilerRequest): PolicySource {
  const { tenant, store, clock, journal, replica } = request
  const board = conditionBoard(request)
  const clone = policyClone(request.mirror, board)
  const refusals = policyRefusals(clock)
  let inForce: InForce | undefined
  let isExamined = false
  let running: Promise<void> | undefined

  async function look(): Promise<void> {
    try {
      await reconcile(await clone.opened())
    } catch (cause) {
      fail(cause)
    }
    const at = clock.now()
    board.listen(at, inForce?.policy)
    await report(at)
  }

  async function reconcile(mirror: PolicyMirror): Promise<void> {
    for (let round = 0; round < MOST_ROUNDS; round++) if ((await step(mirror)) === 'settled') return
  }

  /** `again`: the database moved on, or there is more to catch up with. */
  async function step(mirror: PolicyMirror): Promise<'settled' | 'again'> {
    let record = await accepted()
    if (!isExamined || hasGoneBack(record)) {
      const found = await examine(mirror)
      if (typeof found === 'string') return found
      record = found.record
    }
    if (record && (await load(mirror, record)) === 'absent') return 'settled'
    return await follow(mirror, record)
  }

  async function accepted(): Promise<PolicyRecord | undefined> {
    const head = await store.policyHeadOf(tenant)
    return head && inForce && isInForce(head) ? inForce.record : await store.policyOf(tenant)
  }

  async function examine(
    mirror: PolicyMirror,
  ): Promise<'settled' | 'again' | { readonly record: PolicyRecord | undefined }> {
    isExamined = false
    const found = await restorationOf({ store, mirror, tenant }, inForce?.record.commit)
    const { record } = found
    if ('fault' in found) {
      board.judged({ name: 'RollbackOrRewrite', commit: record?.commit, message: found.fault })
      return 'settled'
    }
    if (found.lost !== undefined) return await recover(mirror, record, found.lost)
    isExamined = true
    return { record }
  }

  /** Only a restored copy forgets; memory has then seen more than the database knows. */
  function hasGoneBack(record: PolicyRecord | undefined): boolean {
    if (!inForce) return false
    const { sequence, commit } = inForce.record
    if (!record || record.sequence < sequence) return true
    return record.sequence === sequence && record.commit !== commit
  }

  /** The clone is ahead of the database: what it kept is judged first, and needs no network. */
  async function recover(
    mirror: PolicyMirror,
    record: PolicyRecord | undefined,
    lost: string,
  ): Promise<'settled' | 'again'> {
    const message = lostSentence(lost, record)
    if (refusals.isRefused(lost, record)) return 'settled'
    board.judged({ name: 'RollbackOrRewrite', commit: lost, message })
    const acceptance = await judge(mirror, lost, record)
    if (acceptance.accepted) return await accept(mirror, acceptance, record)
    refusals.remember(lost, record)
    const reason = `${acceptance.message}\n${message}`
    board.judged({ name: 'RollbackOrRewrite', commit: lost, message: reason })
    return 'settled'
  }

  /**
   * What the database says was accepted, by this replica or another, into force. What cannot come into force leaves the
   * policy that is, and does not keep a newer commit from being judged: judging compares the clone with the database too.
   */
  async function load(mirror: PolicyMirror, record: PolicyRecord): Promise<'absent' | 'present'> {
    const { commit } = record
    if (isInForce(record)) return 'present'
    if (!(await mirror.holds(commit))) {
      await clone.fetched(mirror)
      if (!(await mirror.holds(commit))) {
        board.judged({ name: 'RollbackOrRewrite', commit, message: absentSentence(commit) })
        return 'absent'
      }
    }
    const loaded = await loadAccepted(record, { history: mirror, reading: reading() })
    if ('policy' in loaded) {
      put({ policy: loaded.policy, record }, { source: 'database' })
      await clone.keep(mirror, commit)
      return 'present'
    }
    const isWhole = policyDigest(await mirror.filesOf(commit)) === record.digest
    // Whole, and yet refused: a newer program reads more strictly than the one that accepted it.
    const name = isWhole ? 'SchemaInvalid' : 'RollbackOrRewrite'
    board.judged({ name, commit, message: loaded.message })
    return 'present'
  }

  function isInForce({ sequence, commit }: PolicyHead): boolean {
    return inForce?.record.sequence === sequence && inForce.record.commit === commit
  }

  async function follow(
    mirror: PolicyMirror,
    record: PolicyRecord | undefined,
  ): Promise<'settled' | 'again'> {
    const candidate = await clone.fetched(mirror)
    if (record && candidate === record.commit) {
      if (!isInForce(record)) return 'settled'
      board.judged({
        name: 'Synced',
        commit: candidate,
        message: syncedSentence(candidate),
      })
      await clone.keep(mirror, candidate)
      return 'settled'
    }
    if (refusals.isRefused(candidate, record)) return 'settled'
    const acceptance = await judge(mirror, candidate, record)
    if (acceptance.accepted) return await accept(mirror, acceptance, record)
    refusals.remember(candidate, record)
    const { condition: name, commit } = acceptance
    board.judged({ name, commit, message: acceptance.message })
    return 'settled'
  }

  async function accept(
    mirror: PolicyMirror,
    { policy, state, judged, message }: Extract<Acceptance, { readonly accepted: true }>,
    before: PolicyRecord | undefined,
  ): Promise<'settled' | 'again'> {
    const sequence = (before?.sequence ?? 0) + 1
    const record = { ...state, tenant, sequence, acceptedAt: clock.now() }
    const leaf = policyLeaf(record, request.random)
    if ((await store.acceptPolicy(before?.commit, record, leaf)) === 'superseded') return 'again'
    const from = inForce?.policy
    put({ policy, record }, { source: 'remote', judged: judgedText(judged) })
    board.judged({ name: 'Synced', commit: policy.commit, message })
    request.onAccepted?.({ tenant, from, to: policy })
    await clone.keep(mirror, policy.commit)
    // The clone may have been ahead of the database, and the remote of both.
    return isExamined ? 'settled' : 'again'
  }

  /** The one place where a policy comes into force, in one assignment. */
  function put(next: InForce, told: Readonly<Record<string, Datum>>): void {
    inForce = next
    const { commit, digest, sequence } = next.record
    journal.record({
      event: 'policy.accepted',
      at: clock.now(),
      fields: { tenant, commit, digest, sequence, ...told },
    })
  }

  async function judge(
    mirror: PolicyMirror,
    candidate: string,
    record: PolicyRecord | undefined,
  ): Promise<Acceptance> {
    const { start, verifyOpenPgp } = request
    const at = clock.now()
    return await judgeCandidate({
      candidate,
      start: record ? { kind: 'accepted', state: record } : start,
      history: mirror,
      firstSeen: async (commits) => await store.firstSeen(tenant, commits, at),
      reading: reading(),
      ...(verifyOpenPgp && { verifyOpenPgp }),
    })
  }

  function reading() {
    const { waivable, claimSchemas, engine, pause } = request
    return { waivable, claimSchemas, engine, previous: inForce?.policy, pause }
  }

  function fail(cause: unknown): void {
    if (cause instanceof HistoryFault) board.failed(cause.message)
    else if (cause instanceof Problem)
      board.failed(`${cause.detail}, so the repository was not judged`)
    else {
      board.failed('the repository was not judged, and the fault is in this service: see its log')
      journal.record({ event: 'request.failed', at: clock.now(), cause })
    }
  }

  async function report(reportedAt: Date): Promise<void> {
    if (!inForce) return
    const { commit, digest } = inForce.record
    try {
      const point = { tenant, name: replica, kind: 'verifier' as const, commit, digest, reportedAt }
      await store.reportEnforcement(point)
    } catch (cause) {
      journal.record({ event: 'request.failed', at: reportedAt, cause })
    }
  }

  return {
    accepted: () => inForce?.policy,
    conditions: (at) => board.at(at, inForce?.policy),
    refresh: () => {
      running ??= look().finally(() => {
        running = undefined
      })
      return running
    },
  }
}
