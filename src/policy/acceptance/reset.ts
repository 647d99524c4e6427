/**
 * May the branch go on elsewhere than from what was accepted last? Only across a statement that names both ends, signed by
 * the trust threshold of the LAST ACCEPTED trust files: whoever rewrote the branch has no say in it. Commits contain their
 * parents' names, so what was left by a reset never comes back as the last accepted one, and no reset can be used twice.
 */
import type { AcceptanceRequest } from './acceptance.ts'
import { readApprovalFolders } from './approval-folders.ts'
import { approvalShelf, type SignedReset } from './approvals.ts'
import type { Ground } from './ground.ts'
import { commitsBetween } from './policy-history.ts'
import { allOf, oneOf, type Refusal, refusal, short } from './refusal.ts'

interface Crossing {
  /** Taken as it is. */
  readonly to: string
  /** After it, to be judged. */
  readonly commits: readonly string[]
  /** For the message. */
  readonly signers: string
}

/** `ground`: of the last accepted commit, behind which the candidate does not stand. */
export async function crossReset(
  { history, candidate, firstSeen }: AcceptanceRequest,
  ground: Ground,
): Promise<Crossing | { readonly refusal: Refusal }> {
  const at = (await firstSeen([candidate])).get(candidate)
  if (!at) throw new TypeError(`nobody said when commit ${candidate} was first seen`)
  const shelf = approvalShelf(readApprovalFolders(await history.filesOf(candidate, ['approvals/'])))
  const offered = shelf.resetsFrom(ground.commit, { ground, seenWith: () => at })
  const { principals, threshold } = ground.trust.root.approvals.trust
  const signersOf = ({ votes }: SignedReset) =>
    principals.filter((principal) => votes.principals.has(principal))

  const reachable: Crossing[] = []
  const faults: string[] = []
  for (const reset of offered) {
    const { to } = reset.statement
    const signers = signersOf(reset)
    if (signers.length < threshold) {
      faults.push(
        `the reset to ${short(to)} is signed by ${signers.length === 0 ? 'nobody who counts' : allOf(signers)}${reset.votes.uncounted.length === 0 ? '' : ` (${reset.votes.uncounted.slice(0, 4).join('; ')})`}`,
      )
      continue
    }
    const commits = await commitsBetween(history, { from: to, to: candidate })
    if (commits) reachable.push({ to, commits, signers: allOf(signers) })
    else
      faults.push(`the reset to ${short(to)} leads elsewhere: that is no first parent of this one`)
  }
  // Each was signed by enough; the newest is what they thought last.
  const [newest] = reachable.toSorted((a, b) => a.commits.length - b.commits.length)
  return newest ?? { refusal: rewritten({ candidate, ground, faults }) }
}

function rewritten({
  candidate,
  ground: { commit: last, trust },
  faults,
}: {
  readonly candidate: string
  readonly ground: Ground
  readonly faults: readonly string[]
}): Refusal {
  const { threshold, principals } = trust.root.approvals.trust
  return refusal({
    condition: 'RollbackOrRewrite',
    commit: candidate,
    message: [
      `commit ${short(candidate)} does not follow ${short(last)}, the last accepted one, by first parents: the branch was moved back, rewritten, or merged the wrong way round.`,
      ...(faults.length > 0 ? [`A reset was found and does not count: ${faults.join('; ')}.`] : []),
      `Put the branch back on top of ${last} (and revert there what was wrong). If it must stay rewritten, let ${threshold === 1 ? oneOf(principals) : `${threshold} of ${allOf(principals)}`} run \`vouchsafe policy approve --reset ${last} ${candidate} --key ~/.ssh/id_ed25519\`, commit on top what it writes under approvals/, and push.`,
    ].join(' '),
  })
}
