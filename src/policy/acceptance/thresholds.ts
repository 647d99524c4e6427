/** Which changes need more than one signature, and whose? Trust, rules, whatever leaves revoked/, and the root's own paths. */
import { createHash } from 'node:crypto'
import { matchesPath } from '../documents/path-pattern.ts'
import type { Threshold, TrustRoot } from '../documents/trust-root.ts'
import type { PolicyFile } from '../policy.ts'
import { declaredGeneration } from './generations.ts'
import { APPROVALS } from './permitted-paths.ts'

/** One path of one commit against its first parent. A rename is a path that went and one that came. */
export interface Change {
  readonly path: string
  /** Read only where something depends on it. */
  readonly before: PolicyFile | undefined
  /** Undefined: deleted. */
  readonly after: PolicyFile | undefined
}

/** What exactly has to be approved, and by whom. */
export interface Need {
  readonly path: string
  /** 64 hex digits or `deleted`. */
  readonly sha256: string
  readonly generation: number
  readonly threshold: Threshold
  /** `spec.approvals.rules`: where the root asks for it. */
  readonly setting: string
}

export const TRUST = 'trust/'
const RULES = 'rules/'
export const REVOKED = 'revoked/'

export interface ApprovalTerms {
  /** The parent's: a commit cannot lower the threshold that judges it. */
  readonly root: TrustRoot
  /** Of trust/root.yaml after the commit: every file under trust/ is approved for it. */
  readonly rootGeneration: number
  /** Files of revoked/ that held an entry which nothing holds any more. */
  readonly unrevoked: ReadonlySet<string>
}

/** Empty: a role is enough. Several for one path must all be met. */
export function needsOf(changes: readonly Change[], terms: ApprovalTerms): readonly Need[] {
  return changes.flatMap((change) => {
    const asked = thresholdsFor(change.path, terms)
    if (asked.length === 0) return []
    const generation = approvedGeneration(change, terms.rootGeneration)
    const sha256 = change.after
      ? createHash('sha256').update(change.after.bytes).digest('hex')
      : 'deleted'
    return asked.map((one) => ({ path: change.path, sha256, generation, ...one }))
  })
}

/** Whether needsOf will look at its content. */
export function mayNeedApproval(path: string, root: TrustRoot): boolean {
  return path.startsWith(REVOKED) || thresholdsFor(path, { root, unrevoked: new Set() }).length > 0
}

/** The generation that a statement about this change names: the root's for trust/, the document's own, or 0. */
export function approvedGeneration(change: Change, rootGeneration: number): number {
  if (change.path.startsWith(TRUST)) return rootGeneration
  const file = change.after ?? change.before
  return (file && declaredGeneration(file)) ?? 0
}

function thresholdsFor(
  path: string,
  { root: { approvals }, unrevoked }: Pick<ApprovalTerms, 'root' | 'unrevoked'>,
): readonly Pick<Need, 'threshold' | 'setting'>[] {
  // Approvals of approvals would have no end; nothing that lies there counts by itself.
  if (path.startsWith(APPROVALS)) return []
  return [
    ...(path.startsWith(TRUST)
      ? [{ threshold: approvals.trust, setting: 'spec.approvals.trust' }]
      : []),
    ...(path.startsWith(RULES)
      ? [{ threshold: approvals.rules, setting: 'spec.approvals.rules' }]
      : []),
    ...(unrevoked.has(path)
      ? [{ threshold: approvals.unrevoke, setting: 'spec.approvals.unrevoke' }]
      : []),
    ...approvals.paths.flatMap((threshold, index) =>
      threshold.paths.some((pattern) => matchesPath(pattern, path))
        ? [{ threshold, setting: `spec.approvals.paths[${index}]` }]
        : [],
    ),
  ]
}
