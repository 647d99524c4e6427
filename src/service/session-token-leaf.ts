/** What does the transparency log say of tokens that a session was given between two quotes? As log-leaves.ts has it. */
import { leaf, tokenMembers } from './log-leaves.ts'
import type { PendingLeaf } from './log-ports.ts'
import type { PolicyName } from './policy-ports.ts'
import type { Random } from './ports.ts'
import type { SessionRecord } from './session-ports.ts'
import type { TokenRecord } from './token-ports.ts'

export interface SessionIssuance {
  readonly session: SessionRecord
  readonly policy: PolicyName
  readonly tokens: readonly TokenRecord[]
  readonly at: Date
}

/** `appraisal`: of the quote that they rest on. `statement`: of the last message before them. */
export function sessionTokensLeaf(
  { session, policy, tokens, at }: SessionIssuance,
  random: Random,
): PendingLeaf {
  const { id, tenant } = session
  const text = JSON.stringify({
    agent: session.agent,
    appraisal: session.appraisal,
    at: at.toISOString(),
    environment: session.environment,
    jkt: session.jkt,
    kind: 'vouchsafe/session-tokens/v1',
    policyCommit: policy.commit,
    policyDigest: policy.digest,
    seq: String(session.seq),
    session: id,
    statement: session.statement,
    tenant,
    tokens: tokens.map(tokenMembers),
  })
  return leaf({ kind: 'issuance', at, text, tenant, subject: session.appraisal }, random)
}
