/** What do all commits of one run share? The clone, the times of first sight, and the approvals that came with the candidate. */

import type { VerifyOpenPgp } from '../signatures/signer.ts'
import type { Pause } from '../slices.ts'
import { readApprovalFolders } from './approval-folders.ts'
import { type ApprovalShelf, approvalShelf } from './approvals.ts'
import { APPROVALS } from './permitted-paths.ts'
import { type PolicyHistory, UnfitTree } from './policy-history.ts'

export interface Walk {
  readonly history: PolicyHistory
  readonly candidate: string
  readonly verifyOpenPgp: VerifyOpenPgp | undefined
  readonly pause: Pause
  /** When the verifier first saw this commit. Throws for one that is not of this walk. */
  readonly seen: (commit: string) => Promise<Date>
  /** Against its first parent; the first commit of the walk against what was vouched for. */
  readonly changedPaths: (commit: string) => Promise<readonly string[]>
  /** Later commits of this walk that change this path. */
  readonly changedAfter: (commit: string, path: string) => Promise<readonly string[]>
  readonly approvals: () => Promise<ApprovalShelf>
  /** When the commit of this walk that last changed this file was seen; undefined: it was there before. */
  readonly broughtAt: () => Promise<(file: string) => Date | undefined>
}

interface WalkRequest {
  readonly history: PolicyHistory
  readonly candidate: string
  /** Its parent, undefined for a commit that is judged as if nothing were before it. */
  readonly from: string | undefined
  /** First parents in order, oldest first. */
  readonly commits: readonly string[]
  readonly firstSeen: (commits: readonly string[]) => Promise<ReadonlyMap<string, Date>>
  readonly verifyOpenPgp: VerifyOpenPgp | undefined
  readonly pause: Pause
}

/** In all commits of one run: who has no key may push what he likes on top of a commit that waits for approvals. */
const MOST_CHANGES = 200_000

/** Nothing is read before it is asked for, and nothing twice. */
export function openWalk(request: WalkRequest): Walk {
  const { history, candidate, from, commits, firstSeen, verifyOpenPgp, pause } = request
  const places = new Map(commits.map((commit, index) => [commit, index]))
  const sights = new Map<string, Date>()
  const differences = new Map<string, Promise<readonly string[]>>()
  let compared = 0
  let shelf: Promise<ApprovalShelf> | undefined
  let brought: Promise<(file: string) => Date | undefined> | undefined

  async function seen(commit: string): Promise<Date> {
    if (!sights.has(commit)) {
      // Every sight is remembered. Until somebody is known to have signed the first commit, that is one row and no more.
      const wanted = sights.size === 0 ? [commit] : commits
      for (const [name, at] of await firstSeen(wanted)) sights.set(name, at)
    }
    const at = sights.get(commit)
    if (!at) throw new TypeError(`nobody said when commit ${commit} was first seen`)
    return at
  }

  async function changedPaths(commit: string): Promise<readonly string[]> {
    const known = differences.get(commit)
    if (known !== undefined) return await known
    const asked = compare(commit)
    differences.set(commit, asked)
    return await asked
  }

  async function compare(commit: string): Promise<readonly string[]> {
    const place = places.get(commit) ?? 0
    const paths = await history.changedPaths(place === 0 ? from : commits[place - 1], commit)
    compared += paths.length
    if (compared > MOST_CHANGES)
      throw new UnfitTree(
        `the commits up to it change more than ${MOST_CHANGES} files, which is more than is judged at once`,
      )
    return paths
  }

  async function readBrought(): Promise<(file: string) => Date | undefined> {
    const last = new Map<string, string>()
    for (const commit of commits)
      for (const path of await changedPaths(commit))
        if (path.startsWith(APPROVALS)) last.set(path, commit)
    const seenAt = new Map<string, Date>()
    for (const [file, commit] of last) seenAt.set(file, await seen(commit))
    return (file) => seenAt.get(file)
  }

  return {
    history,
    candidate,
    verifyOpenPgp,
    pause,
    seen,
    changedPaths,
    async changedAfter(commit, path) {
      const later: string[] = []
      for (const other of commits.slice((places.get(commit) ?? 0) + 1))
        if ((await changedPaths(other)).includes(path)) later.push(other)
      return later
    },
    async approvals() {
      shelf ??= history
        .filesOf(candidate, [APPROVALS])
        .then((files) => approvalShelf(readApprovalFolders(files)))
      return await shelf
    },
    async broughtAt() {
      brought ??= readBrought()
      return await brought
    },
  }
}
