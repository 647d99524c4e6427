/**
 * May this commit become the policy? Every new first-parent commit is judged by its parent's trust files, one by one, then
 * the whole tree. Pure: history, first-seen times and the rule engine are handed in.
 */

import type { Mistake } from '../documents/yaml-document.ts'
import type { Policy, PolicyContext } from '../policy.ts'
import type { VerifyOpenPgp } from '../signatures/signer.ts'
import { judgeCommit } from './judge-commit.ts'
import { judgeTree } from './judge-tree.ts'
import { HEARTBEAT } from './permitted-paths.ts'
import { type PolicyHistory, UnfitTree } from './policy-history.ts'
import { AMEND, allOf, type Refusal, refusal, short } from './refusal.ts'
import { type Beginning, beginningOf } from './start.ts'
import { openWalk, type Walk } from './walk.ts'

export { loadAccepted } from './load-accepted.ts'
export { HistoryFault, type PolicyHistory, UnfitTree } from './policy-history.ts'

/** What is remembered between runs, in the database and never only in the clone. */
export interface AcceptedState {
  readonly commit: string
  /** Policy digest of that commit's whole tree: `sha256:<hex>`. */
  readonly digest: string
  /** Path to the highest generation ever accepted for it. Outlives deletion. */
  readonly marks: Readonly<Record<string, number>>
  /** Path to the accepted change that last touched it. */
  readonly provenance: Readonly<Record<string, Provenance>>
}

export interface Provenance {
  readonly commit: string
  /** Who signed it; undefined for files of a commit that was pinned by name and judged by nobody. */
  readonly principal: string | undefined
}

/** Where the walk begins. */
export type Start =
  | { readonly kind: 'accepted'; readonly state: AcceptedState }
  /** Configuration vouches for this very commit, whatever its signature. */
  | { readonly kind: 'commit'; readonly commit: string }
  /** Configuration vouches for these trust files (`sha256:<hex>` over trust/); the commit must satisfy them. */
  | { readonly kind: 'trust-digest'; readonly digest: string }
  /** Nothing is vouched for: the first commit of the branch is taken as it is, and the message says so. Only for one-off runs. */
  | { readonly kind: 'first-commit' }

export type RefusalCondition =
  | 'RollbackOrRewrite'
  | 'UnknownSigner'
  | 'SchemaInvalid'
  | 'RuleCaseFailed'
  | 'ApprovalMissing'

export interface JudgedCommit {
  readonly commit: string
  readonly principal: string | undefined
  /** Paths of the changes that needed approvals, with who approved each. */
  readonly approvals: Readonly<Record<string, readonly string[]>>
}

export type Acceptance =
  | {
      readonly accepted: true
      readonly policy: Policy
      readonly state: AcceptedState
      readonly judged: readonly JudgedCommit[]
      /** A sentence for people: what was accepted, from where, and what was taken on trust. */
      readonly message: string
    }
  | {
      readonly accepted: false
      readonly condition: RefusalCondition
      /** The commit that is at fault. */
      readonly commit: string
      /** Sentences: what was observed, expected, and what to do. */
      readonly message: string
      readonly mistakes: readonly (Mistake & { readonly file: string })[]
    }

export interface AcceptanceRequest {
  /** Full name of the commit that the branch points to. */
  readonly candidate: string
  readonly start: Start
  readonly history: PolicyHistory
  /**
   * When the verifier first saw each of these commits, for every one of them: an earlier sight that is remembered counts,
   * and never a time that a commit claims. Windows of keys, ends of approvals and heartbeats are judged by it.
   */
  readonly firstSeen: (commits: readonly string[]) => Promise<ReadonlyMap<string, Date>>
  readonly reading: Omit<PolicyContext, 'commit' | 'provenance'>
  /** Without it, commits that are signed with OpenPGP are refused. */
  readonly verifyOpenPgp?: VerifyOpenPgp | undefined
}

/** A push of that many is a history and not a change; signatures, approvals and trees of each are looked at. */
const MOST_COMMITS = 2_000

/**
 * Throws HistoryFault where the clone cannot be read, so that nobody can tell. Says nothing about whether a heartbeat has
 * ended: that depends on the time at which somebody asks.
 */
export async function judgeCandidate(request: AcceptanceRequest): Promise<Acceptance> {
  const whole = { commit: request.candidate, mend: 'Take it out and commit again' }
  const beginning = await fitOrRefused(whole, () => beginningOf(request))
  if ('refusal' in beginning) return beginning.refusal
  const { commits } = beginning
  if (commits.length > MOST_COMMITS) return tooMany(request.candidate, commits)
  const walk = await openWalkOf(request, beginning)
  const walked = await walkThrough(walk, beginning)
  if ('refusal' in walked) return walked.refusal

  const { judged, marks, provenance, heartbeat } = walked
  const heartbeatSeen = heartbeat === undefined ? undefined : await walk.seen(heartbeat)
  const tree = await fitOrRefused(whole, () =>
    judgeTree({
      request,
      marks,
      provenance,
      isReset: beginning.isReset,
      heartbeatSeen,
    }),
  )
  if ('refusal' in tree) return tree.refusal
  const { policy } = tree
  return {
    accepted: true,
    policy,
    state: {
      commit: request.candidate,
      digest: policy.digest,
      marks: Object.fromEntries(marks),
      provenance: tree.provenance,
    },
    judged,
    message: acceptedText(request.candidate, beginning, judged),
  }
}

async function openWalkOf(
  { history, candidate, firstSeen, verifyOpenPgp, reading }: AcceptanceRequest,
  { commits, isFounding, ground }: Beginning,
): Promise<Walk> {
  return openWalk({
    history,
    candidate,
    from: isFounding ? undefined : ground.commit,
    commits,
    firstSeen,
    verifyOpenPgp,
    pause: reading.pause,
  })
}

interface Walked {
  readonly judged: readonly JudgedCommit[]
  readonly marks: ReadonlyMap<string, number>
  readonly provenance: ReadonlyMap<string, Provenance>
  /** The judged commit that last changed heartbeat.yaml. */
  readonly heartbeat: string | undefined
}

/** The first commit that may not follow its parent ends it: nothing after it has ground to stand on. */
async function walkThrough(
  walk: Walk,
  beginning: Beginning,
): Promise<Walked | { readonly refusal: Refusal }> {
  const { isFounding, commits } = beginning
  let { ground } = beginning
  const marks = new Map(beginning.marks)
  const provenance = new Map(beginning.provenance)
  const judged: JudgedCommit[] = []
  let heartbeat: string | undefined
  for (const [index, commit] of commits.entries()) {
    const question = { commit, ground, isFounding: isFounding && index === 0, marks, walk }
    const step = await fitOrRefused({ commit, mend: AMEND }, () => judgeCommit(question))
    if ('refusal' in step) return step
    ground = step.ground
    judged.push(step.judged)
    for (const [path, generation] of step.marks) marks.set(path, generation)
    // What was deleted goes at the end, when it is known which files there are.
    const change = { commit, principal: step.judged.principal }
    for (const path of step.changedPaths) provenance.set(path, change)
    if (step.changedPaths.includes(HEARTBEAT)) heartbeat = commit
  }
  return { judged, marks, provenance, heartbeat }
}

/** Content that no policy may hold refuses the commit; whatever else cannot be read is for the caller. */
async function fitOrRefused<T extends object>(
  blamed: { readonly commit: string; readonly mend: string },
  judge: () => Promise<T | { readonly refusal: Refusal }>,
): Promise<T | { readonly refusal: Refusal }> {
  const { commit, mend } = blamed
  try {
    return await judge()
  } catch (cause) {
    if (!(cause instanceof UnfitTree)) throw cause
    const message = `commit ${short(commit)} may not become policy: ${cause.message}. ${mend}`
    return { refusal: refusal({ condition: 'SchemaInvalid', commit, message }) }
  }
}

function tooMany(candidate: string, commits: readonly string[]): Refusal {
  const until = commits[MOST_COMMITS - 1] ?? candidate
  return refusal({
    condition: 'RollbackOrRewrite',
    commit: candidate,
    message: `commit ${short(candidate)} brings ${commits.length} commits that were not judged yet, and at most ${MOST_COMMITS} are judged at once. Let the branch point to ${until} first, have that accepted, and then put it forward; or configure a newer commit that you have checked`,
  })
}

function acceptedText(
  candidate: string,
  { words, commits }: Beginning,
  judged: readonly JudgedCommit[],
): string {
  const signers = [...new Set(judged.flatMap(({ principal }) => principal ?? []))].toSorted()
  const many = commits.length === 1 ? '1 commit was' : `${commits.length} commits were`
  return `commit ${short(candidate)} is accepted: ${commits.length === 0 ? 'nothing had to be judged' : `${many} judged, signed by ${allOf(signers)},`} ${words}`
}
