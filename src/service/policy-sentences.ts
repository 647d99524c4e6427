/** How do the findings of the reconciler read? Each sentence says what was observed, what was expected, and what to do. */
import type { JudgedCommit } from '../policy/acceptance/acceptance.ts'
import type { PolicyRecord } from './policy-ports.ts'

export function syncedSentence(commit: string): string {
  return `commit ${commit} is in force, and the remote has nothing newer`
}

export function absentSentence(commit: string): string {
  return `the database says that commit ${commit} was accepted, and the remote does not have it: the branch was rewritten, or another repository is configured. Put the commit back, or restore a clone that has it and let the owners sign a reset`
}

export function brokenHistorySentence(fault: string): string {
  return `${fault}. Somebody wrote to the database beside this service, or it was put together from two copies: restore one whole copy; or, to start anew, delete the rows of this tenant in policies and policy_acceptances and configure a pin that you have checked`
}

export function lostSentence(lost: string, record: PolicyRecord | undefined): string {
  const known = record
    ? `the last acceptance that the database knows is commit ${record.commit}`
    : 'the database knows of no acceptance'
  return (
    `${known}, but commit ${lost} was accepted on this machine after that: the database was restored from an older copy. No older policy comes into force until ${lost} is accepted again. ` +
    `If that does not happen by itself, restore a newer copy of the database; or delete the rows of this tenant in policies and policy_acceptances and configure ${lost} as the pin; or, to give that commit up for good, delete the clone and start again`
  )
}

/** The newest commits of one acceptance, each with who signed and who approved: a line of the log is no place for thousands. */
const MOST_TOLD = 20

export function judgedText(judged: readonly JudgedCommit[]): readonly string[] {
  return judged.slice(-MOST_TOLD).map(({ commit, principal, approvals }) => {
    const approved = [...new Set(Object.values(approvals).flat())]
    const by = approved.length > 0 ? `, approved by ${approved.join(', ')}` : ''
    return `${commit} by ${principal ?? 'configuration'}${by}`
  })
}
