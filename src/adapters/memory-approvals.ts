/** Who was asked to agree to a release, and who did, in memory. */
import type { PendingLeaf } from '../service/log-ports.ts'
import type { ReleaseApproval, ReleaseStore } from '../service/release-ports.ts'
import { withAgreement } from './agreements.ts'

type ApprovalStore = Pick<
  ReleaseStore,
  'askApproval' | 'approveRelease' | 'findApproval' | 'approvalsOf'
>

interface MemoryApprovals extends ApprovalStore {
  readonly isGiven: (
    approval: { readonly id: string; readonly atLeast: number },
    at: Date,
  ) => boolean
  readonly forget: (before: Date) => void
}

/** `queue` throws, and queues none, where one of these leaves waits already. */
export function memoryApprovals(queue: (leaves: readonly PendingLeaf[]) => void): MemoryApprovals {
  const asked = new Map<string, ReleaseApproval>()
  return {
    async askApproval(approval) {
      const before = asked.get(approval.id)
      if (before && before.expiresAt > approval.requestedAt) return before
      asked.set(approval.id, approval)
      return approval
    },
    async approveRelease(id, by, leaf) {
      const before = asked.get(id)
      if (!before || before.expiresAt <= by.at) return undefined
      const agreed = withAgreement(before.approvedBy, by)
      if (!agreed) return before
      queue([leaf])
      const after = { ...before, approvedBy: agreed }
      asked.set(id, after)
      return after
    },
    findApproval: async (id) => asked.get(id),
    approvalsOf: async (tenant, { at, limit }) =>
      [...asked.values()]
        .filter((each) => each.tenant === tenant && each.expiresAt > at)
        .toSorted(newestFirst)
        .slice(0, limit),
    isGiven({ id, atLeast }, at) {
      const approval = asked.get(id)
      return (
        approval !== undefined && approval.expiresAt > at && approval.approvedBy.length >= atLeast
      )
    },
    forget(before) {
      for (const { id, expiresAt } of asked.values()) if (expiresAt < before) asked.delete(id)
    },
  }
}

function newestFirst(a: ReleaseApproval, b: ReleaseApproval): number {
  return b.requestedAt.getTime() - a.requestedAt.getTime() || (a.id < b.id ? 1 : -1)
}
