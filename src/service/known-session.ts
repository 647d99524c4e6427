/** Which session is meant, does it go on, and by what is it judged? What every message of a session is asked first. */
import { holdsAt } from '../pki/interval.ts'
import type { Policy } from '../policy/policy.ts'
import { Problem } from '../problems.ts'
import type { AgentRelease, RuntimeLimits } from '../rats/release.ts'
import type { SessionState } from '../rats/session-message.ts'
import { policyNotRead } from './policy-in-force.ts'
import type { PolicyName } from './policy-ports.ts'
import type { SessionRecord } from './session-ports.ts'
import { answerOf } from './session-record.ts'
import { type Moment, stateOf } from './session-state.ts'
import { judgedAlike } from './unmoved-agent.ts'
import type { Call, Tenant, Verifier } from './verifier.ts'

export interface KnownSession {
  readonly session: SessionRecord
  readonly tenant: Tenant
}

export interface SentMessage {
  /** Of the path. */
  readonly id: string
  /** As it came. */
  readonly body: Uint8Array
  /** Called once the message is known to be the session's; throws Problem where the session or its tenant may send no more now. */
  readonly admit: (session: Pick<SessionRecord, 'id' | 'tenant'>) => Promise<void>
}

/** Throws Problem: `session-unknown`, `storage-unavailable`. */
export async function knownSession(
  { store, tenants }: Pick<Verifier, 'store' | 'tenants'>,
  id: string,
): Promise<KnownSession> {
  const session = await store.findSession(id)
  // A tenant that the configuration has lost has lost its sessions with it.
  const tenant = session && tenants.get(session.tenant)
  if (session && tenant) return { session: judgedAlike(session, tenant.policy), tenant }
  throw new Problem('session-unknown', 'there is no session of that id')
}

export function momentOf({ outages }: Pick<Verifier, 'outages'>, { at }: Pick<Call, 'at'>): Moment {
  return { at, outages: outages() }
}

/**
 * The policy that was accepted last, silent or not: a message only says what an agent did, and is worth hearing while nothing is
 * released. Throws Problem('policy-unavailable').
 */
export function judgingPolicy({ policy: source }: Tenant, at: Date): Policy {
  const policy = source.accepted()
  if (policy) return policy
  const names = source.conditions(at).map(({ name }) => name)
  throw new Problem('policy-unavailable', `the policy is ${names.join(' and ')}`, {
    retryAfterSeconds: RETRY_SECONDS,
  })
}

const RETRY_SECONDS = 5

/** A replica hears of a policy that another accepted after two seconds or so, ten at the worst. */
const NEWS_TAKES_MS = 15_000
/** Clocks of replicas agree by this much. */
const CLOCKS_AGREE_MS = 2_000

/**
 * Before a message costs its session anything: what a policy approves that was accepted just now may run already, and be told to a
 * replica that has not heard of it. Not for longer: one that cannot fetch the policy judges by what it has. Throws
 * Problem('policy-unavailable').
 */
export async function assertNoNews(
  { store }: Pick<Verifier, 'store'>,
  {
    tenant,
    policy,
    at,
  }: { readonly tenant: string; readonly policy: PolicyName; readonly at: Date },
): Promise<void> {
  const head = await store.policyHeadOf(tenant)
  if (!head || head.commit === policy.commit) return
  const record = await store.policyOf(tenant)
  const ageMs = record ? at.getTime() - record.acceptedAt.getTime() : NEWS_TAKES_MS
  if (!(ageMs >= -CLOCKS_AGREE_MS && ageMs < NEWS_TAKES_MS)) return
  throw policyNotRead()
}

export type WatchedRelease = AgentRelease & { readonly runtime: RuntimeLimits }

/** Whether the policy lets this agent run in a session at all; otherwise a sentence. */
export function watchedRelease(
  policy: Policy,
  { environment, agent }: Pick<SessionRecord, 'environment' | 'agent'>,
  at: Date,
): WatchedRelease | string {
  const release = policy.releaseOf(environment, agent)
  if (!release) return `policy ${policy.commit} approves nothing named ${environment}/${agent}`
  if (!holdsAt(release, at))
    return `the release of ${release.manifest.file} is not in force at ${at.toISOString()}`
  const { runtime } = release
  if (!runtime) return `${release.manifest.file} has no section runtime any more`
  return { ...release, runtime }
}

/** Throws Problem('session-over') for what nothing but an operator, or another session, mends. */
export function assertNotOver(session: SessionRecord, moment: Moment): SessionState {
  const state = stateOf(session, moment)
  if (state === 'QUARANTINED' || state === 'REVOKED' || state === 'CLOSED')
    throw sessionOver(session, state)
  return state
}

/** Why is for operators, and told to nobody else: it quotes the policy. */
export function sessionOver(
  { id, by, changedAt }: Pick<SessionRecord, 'id' | 'by' | 'changedAt'>,
  state: SessionState,
  members: Readonly<Record<string, unknown>> = {},
): Problem {
  return new Problem(
    'session-over',
    `session ${id} is ${state} since ${changedAt.toISOString()}, by ${by}`,
    { members: { state, ...members } },
  )
}

/** Throws Problem('session-evidence-needed'). */
export function assertNotSuspended(
  session: SessionRecord,
  { policy, ...moment }: Moment & { readonly policy: Policy },
): void {
  if (stateOf(session, moment) !== 'SUSPENDED') return
  throw evidenceNeeded(session, { policy, ...moment }, 'the session is SUSPENDED')
}

export function evidenceNeeded(
  session: SessionRecord,
  telling: Moment & { readonly policy: Policy },
  because: string,
): Problem {
  const answer = answerOf(session, telling)
  return new Problem('session-evidence-needed', because, {
    members: { state: answer.state, session: answer },
  })
}

/** Only for who is known to hold the session's key. */
export function nonceRefused(
  session: SessionRecord,
  telling: Moment & { readonly policy: Policy },
  because: string,
): Problem {
  const answer = answerOf(session, telling)
  return new Problem('session-nonce-refused', because, {
    members: { state: answer.state, session: answer },
  })
}

export function sessionBehind({ seq, checkpoint }: SessionRecord, told: string): Problem {
  const { measurement, behaviour } = checkpoint
  return new Problem(
    'session-behind',
    `message ${told} came, and the last that was accepted is ${seq}`,
    { members: { checkpoint: { seq, measurement, behaviour } } },
  )
}

export function superseded(id: string): Problem {
  return new Problem('session-superseded', `session ${id} changed each time that it was read`)
}
