/**
 * Where does the judging begin, and on whose word? On what was accepted last, on a commit or trust files that configuration
 * vouches for, or on nothing. What is found here is believed; everything after it is judged.
 */

import type { PolicyFile } from '../policy.ts'
import { policyDigest, trustDigest } from '../policy-digest.ts'
import type { AcceptanceRequest, AcceptedState, Provenance } from './acceptance.ts'
import { declaredGenerations } from './generations.ts'
import { type Ground, groundOf } from './ground.ts'
import { commitsBetween } from './policy-history.ts'
import { type Refusal, refusal, short } from './refusal.ts'
import { crossReset } from './reset.ts'

export interface Beginning {
  readonly ground: Ground
  /** To be judged, oldest first. */
  readonly commits: readonly string[]
  /** The first of `commits` is judged by its own trust files, as if everything else in it were new. */
  readonly isFounding: boolean
  readonly marks: ReadonlyMap<string, number>
  readonly provenance: ReadonlyMap<string, Provenance>
  /** The marks may be above what the tree of `ground` holds. */
  readonly isReset: boolean
  /** A clause for the message: on whose word. */
  readonly words: string
}

type BeginningFound = Beginning | { readonly refusal: Refusal }

export async function beginningOf(request: AcceptanceRequest): Promise<BeginningFound> {
  const { start } = request
  switch (start.kind) {
    case 'accepted':
      return await afterAccepted(request, start.state)
    case 'commit':
      return await afterPinned(request, start.commit)
    case 'trust-digest':
      return await fromTrustDigest(request, start.digest)
    case 'first-commit':
      return await fromFirstCommit(request)
  }
}

async function afterAccepted(
  request: AcceptanceRequest,
  state: AcceptedState,
): Promise<BeginningFound> {
  const { history, candidate } = request
  const files = await history.filesOf(state.commit)
  const altered = alteredSince(files, state)
  if (altered) return { refusal: altered }
  const reading = await groundOf(state.commit, files, request.reading.pause)
  if ('refusal' in reading) return reading
  const { ground } = reading
  const marks = new Map(Object.entries(state.marks))
  const commits = await commitsBetween(history, { from: state.commit, to: candidate })
  if (commits)
    return {
      ground,
      commits,
      isFounding: false,
      marks,
      provenance: new Map(Object.entries(state.provenance)),
      isReset: false,
      words: `after commit ${short(state.commit)}, which was accepted before`,
    }
  const crossing = await crossReset(request, ground)
  if ('refusal' in crossing) return crossing
  const wholesale = await takenWholesale(request, crossing.to)
  if ('refusal' in wholesale) return wholesale
  return {
    ...wholesale,
    commits: crossing.commits,
    marks: highest(marks, wholesale.marks),
    isReset: true,
    words: `after commit ${short(crossing.to)}, to which ${crossing.signers} reset the branch from ${short(state.commit)}`,
  }
}

/** Git's names may rest on SHA-1, and a clone on a disk that others write: the database knows our own digest. */
function alteredSince(
  files: readonly PolicyFile[],
  { commit, digest }: AcceptedState,
): Refusal | undefined {
  const observed = policyDigest(files)
  if (observed === digest) return undefined
  return refusal({
    condition: 'RollbackOrRewrite',
    commit,
    message: alteredText({ commit, observed, expected: digest }),
  })
}

export function alteredText(digests: {
  readonly commit: string
  readonly observed: string
  readonly expected: string
}): string {
  const { commit, observed, expected } = digests
  return `commit ${short(commit)} was accepted with the policy digest ${expected}, and this clone holds ${observed} under its name: the clone was altered, or the database. Delete the clone, so that it is fetched again; if that does not help, compare the database with a backup`
}

async function afterPinned(request: AcceptanceRequest, commit: string): Promise<BeginningFound> {
  const { history, candidate } = request
  const commits = await commitsBetween(history, { from: commit, to: candidate })
  if (!commits)
    return {
      refusal: refusal({
        condition: 'RollbackOrRewrite',
        commit: candidate,
        message: `commit ${short(candidate)} does not follow the configured commit ${short(commit)} by first parents: the branch was rewritten, or is another one. Put the branch back on top of ${commit}, or configure a commit of it that you have checked`,
      }),
    }
  const wholesale = await takenWholesale(request, commit)
  if ('refusal' in wholesale) return wholesale
  return {
    ...wholesale,
    commits,
    isReset: false,
    words: `after commit ${short(commit)}, which is taken as it is because configuration names it`,
  }
}

type Wholesale = Pick<Beginning, 'ground' | 'isFounding' | 'marks' | 'provenance'>

async function takenWholesale(
  { history, reading: { pause } }: AcceptanceRequest,
  commit: string,
): Promise<Wholesale | { readonly refusal: Refusal }> {
  const files = await history.filesOf(commit)
  const read = await groundOf(commit, files, pause)
  if ('refusal' in read) return read
  return {
    ground: read.ground,
    isFounding: false,
    marks: new Map(
      (await declaredGenerations(files, pause)).flatMap(({ path, generation }) =>
        generation === undefined ? [] : [[path, generation] as const],
      ),
    ),
    provenance: new Map(files.map(({ path }) => [path, { commit, principal: undefined }])),
  }
}

async function fromTrustDigest(
  request: AcceptanceRequest,
  digest: string,
): Promise<BeginningFound> {
  const { history, candidate } = request
  const all = (await history.firstParents(undefined, candidate)) ?? []
  let observed: string | undefined
  for (const [index, commit] of all.entries()) {
    const isChanged =
      index === 0 ||
      (await history.changedPaths(all[index - 1], commit)).some((path) => path.startsWith('trust/'))
    if (!isChanged) continue
    observed = trustDigest(await history.filesOf(commit, ['trust/']))
    if (observed === digest)
      return await founded(request, {
        commits: all.slice(index),
        words: `from commit ${short(commit)}, whose trust files configuration vouches for (${digest})`,
      })
  }
  return {
    refusal: refusal({
      condition: 'RollbackOrRewrite',
      commit: candidate,
      message: `none of the ${all.length} commits up to ${short(candidate)} has trust files of the configured digest ${digest}${observed === undefined ? '' : ` (the newest have ${observed})`}: the branch was rewritten, or is another one. Put the branch back, or configure the digest of trust files that you have checked`,
    }),
  }
}

async function fromFirstCommit(request: AcceptanceRequest): Promise<BeginningFound> {
  const commits = (await request.history.firstParents(undefined, request.candidate)) ?? []
  return await founded(request, {
    commits,
    words: `from the branch's first commit ${short(commits[0] ?? '')}, whose trust files nobody vouches for`,
  })
}

async function founded(
  { history, reading: { pause } }: AcceptanceRequest,
  { commits, words }: Pick<Beginning, 'commits' | 'words'>,
): Promise<BeginningFound> {
  const [founding] = commits
  if (founding === undefined) throw new TypeError('a branch has at least one commit')
  const files = await history.filesOf(founding, ['trust/', 'revoked/'])
  const read = await groundOf(founding, files, pause)
  if ('refusal' in read) return read
  return {
    ground: read.ground,
    commits,
    isFounding: true,
    marks: new Map(),
    provenance: new Map(),
    isReset: false,
    words,
  }
}

function highest(
  one: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const marks = new Map(one)
  for (const [path, generation] of other)
    marks.set(path, Math.max(generation, marks.get(path) ?? 0))
  return marks
}
