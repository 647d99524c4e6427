/**
 * What a message costs its session: the end of it where its history broke, quarantine where it did what its release does not
 * allow, suspension where what is known of it is not enough. Standing, tokens, leaf and event change together or not at all.
 */
import type { Consequence } from '../policy/runtime/consequence.ts'
import { Problem } from '../problems.ts'
import { type ChangingSessions, changeStanding, type StandingChange } from './change-session.ts'
import type { SessionRecord, SessionStep } from './session-ports.ts'

/** Of events and leaves: not an operator's doing. */
const BY = 'runtime-appraisal'

interface Changing {
  /** As it was read: where it is another by now, nothing happens. */
  readonly session: SessionRecord
  readonly at: Date
}

/** Resolves to false where it is another by now. The message is not told: nobody knows which of the histories is true. */
export async function revokeForked(
  verifier: ChangingSessions,
  { session, at }: Changing,
  reason: string,
): Promise<boolean> {
  return await changeUnlessMoved(
    verifier,
    { session, at },
    {
      ...{ standing: 'revoked', demanded: undefined, change: 'chain-broken' },
      ...{ reason: `broken evidence chain: ${reason}`, by: BY, revocation: 'policy' },
    },
  )
}

/** Members of it are for the agent's owner: `reason` is one of few words. */
export function chainBroken({ id }: Pick<SessionRecord, 'id'>, reason: string): Problem {
  return new Problem('session-chain-broken', `session ${id} is revoked: ${reason}`, {
    members: { state: 'REVOKED', reason: 'broken_evidence_chain' },
  })
}

/** `told`: with the message, so that whoever releases it later goes on from there. Absent: nothing was told. */
export async function punish(
  verifier: ChangingSessions,
  {
    session,
    at,
    told,
    consequence,
    reason,
  }: Changing & {
    readonly told?: SessionStep
    readonly consequence: Extract<Consequence, 'suspend' | 'quarantine'>
    readonly reason: string
  },
): Promise<boolean> {
  return await changeUnlessMoved(verifier, { session, at }, { ...costs[consequence], reason, told })
}

const costs = {
  quarantine: {
    ...{ standing: 'quarantined', demanded: undefined, change: 'quarantined', by: BY },
    revocation: 'policy',
  },
  suspend: {
    ...{ standing: 'suspended', demanded: 'suspended', change: 'suspended', by: BY },
    revocation: undefined,
  },
} as const satisfies Readonly<
  Record<'suspend' | 'quarantine', Omit<StandingChange, 'reason' | 'told'>>
>

async function changeUnlessMoved(
  verifier: ChangingSessions,
  { session, at }: Changing,
  change: StandingChange,
): Promise<boolean> {
  const { isChanged } = await changeStanding(verifier, session.id, {
    at,
    decide: (current) => (current.revision === session.revision ? change : undefined),
  })
  return isChanged
}
