/**
 * `POST /v1/sessions/{id}/tokens`: new tokens in place of those that end, without new evidence. They rest on the last quote, which
 * is judged as if it came now, and on everything the session said since. An outage of ours is no reason to give any out.
 */
import { toHex } from '../bytes/encoding.ts'
import type { Policy } from '../policy/policy.ts'
import { thumbprintOf } from '../rats/public-key.ts'
import { RENEWAL_TYPE, renewalPayload } from '../rats/session-message.ts'
import type { Recipient } from '../seal/jwe.ts'
import type { EarNames } from '../token/ear.ts'
import type { Decision, Grant, Matter } from './decision.ts'
import { type IssuedToken, planTokens, signTokens } from './issue-tokens.ts'
import {
  assertNotOver,
  evidenceNeeded,
  type KnownSession,
  knownSession,
  momentOf,
  nonceRefused,
  type SentMessage,
  sessionOver,
} from './known-session.ts'
import { policyInForce } from './policy-in-force.ts'
import type { AppraisalRecord } from './ports.ts'
import { importPublicKey } from './public-key.ts'
import { recordedSession } from './session-findings.ts'
import type { SessionRecord } from './session-ports.ts'
import { assertNoneQuarantined } from './session-quarantine.ts'
import { demandOn } from './session-record.ts'
import { type Moment, stateOf } from './session-state.ts'
import { sessionTokensLeaf } from './session-token-leaf.ts'
import { openSessionMessage } from './signed-session-message.ts'
import { presentDecisionOf } from './standing.ts'
import { type Call, issuerOf, type Verifier } from './verifier.ts'

export interface RenewedTokens {
  readonly tokens: readonly IssuedToken[]
  /** Hex. */
  readonly logLeaf: string
}

/** A quote that is due may be this much later, in intervals: hardware takes its time, and a service that starts is asked by all. */
const MOST_QUOTE_AGE = 2

/**
 * Throws Problem: `session-unknown`, `session-message-refused`, `session-over`, `session-nonce-refused`,
 * `session-evidence-needed`, `policy-unavailable`, `policy-stale`, `storage-unavailable`.
 */
export async function renewTokens(
  verifier: Verifier,
  { id, body, admit, earNames }: SentMessage & { readonly earNames: EarNames },
  call: Call,
): Promise<RenewedTokens> {
  const known = await knownSession(verifier, id)
  const { session, tenant } = known
  const {
    session: named,
    nonce,
    audience = [],
  } = openSessionMessage(body, session, {
    ...{ typ: RENEWAL_TYPE, schema: renewalPayload },
    htu: `${verifier.publicUrl}/v1/sessions/${id}/tokens`,
  })
  await admit(session)
  const policy = policyInForce(tenant.policy, call.at)
  const telling = { ...momentOf(verifier, call), policy }
  assertNotOver(session, telling)
  if (named !== id) throw nonceRefused(session, telling, 'the message is of another session')
  if (nonce !== session.nonce)
    throw nonceRefused(session, telling, 'the nonce is not that of the last answer')
  assertHeard(session, telling)
  await assertNoneQuarantined(verifier, session)
  return await issued(verifier, { ...known, policy, audiences: audience, earNames }, call)
}

/** Throws Problem: `session-over` for one that is late, which a heartbeat mends, or `session-evidence-needed`. */
function assertHeard(session: SessionRecord, telling: Moment & { readonly policy: Policy }): void {
  const state = stateOf(session, telling)
  if (state === 'LATE') throw sessionOver(session, state)
  if (state !== 'ACTIVE') throw evidenceNeeded(session, telling, `the session is ${state}`)
  const demanded = demandOn(session, telling)
  if (demanded && demanded !== 'schedule')
    throw evidenceNeeded(session, telling, `a quote was asked for (${demanded})`)
  const ageMs = telling.at.getTime() - session.quotedAt.getTime()
  if (ageMs < MOST_QUOTE_AGE * session.attestEverySeconds * 1000) return
  throw evidenceNeeded(session, telling, `the last quote is ${Math.round(ageMs / 1000)} s old`)
}

interface Renewal extends KnownSession {
  readonly policy: Policy
  readonly audiences: readonly string[]
  readonly earNames: EarNames
}

async function issued(
  verifier: Verifier,
  { session, tenant, policy, audiences, earNames }: Renewal,
  call: Call,
): Promise<RenewedTokens> {
  const { at, remoteAddress } = call
  const telling = { ...momentOf(verifier, call), policy }
  const record = await verifier.store.findAppraisal(session.appraisal)
  if (!record || !isOf(record, session))
    throw evidenceNeeded(session, telling, 'the last quote is kept no more')
  const remote = tenant.remotePolicy && {
    policy: tenant.remotePolicy,
    connection: { remoteAddress },
  }
  const judged = await presentDecisionOf(record, {
    ...{ verifier, tenant, policy, at, audiences, remote },
    session: recordedSession(record, session.checkpoint.measurement),
  })
  if ('standing' in judged)
    throw evidenceNeeded(session, telling, 'the last quote cannot be judged as it is kept')
  const { grant } = judged.decision
  if (!grant) throw evidenceNeeded(session, telling, refusedBecause(judged.decision))
  return await kept(
    verifier,
    { ...judged, grant, session, tenant, policy, audiences, earNames },
    call,
  )
}

/** Ids alone: what they say quotes the policy. */
function refusedBecause({ findings }: Decision): string {
  const failing = findings.filter(({ outcome }) => outcome === 'fail').map(({ id }) => id)
  return `the last quote would be refused now, by ${failing.slice(0, MOST_CHECKS_TOLD).join(', ')}`
}

const MOST_CHECKS_TOLD = 5

async function kept(
  verifier: Verifier,
  {
    session,
    tenant,
    policy,
    matter,
    decision,
    grant,
    earNames,
  }: Renewal & { readonly matter: Matter; readonly decision: Decision; readonly grant: Grant },
  { at, requestId }: Call,
): Promise<RenewedTokens> {
  const { random, store, journal } = verifier
  const issuer = issuerOf(tenant, grant.assurance)
  if (!issuer) throw new Error(`no issuer for ${grant.assurance} evidence, and yet it was granted`)
  const id = session.appraisal
  const tokens = await planTokens(verifier, { id, matter, grant })
  const leaf = sessionTokensLeaf({ session, policy, tokens, at }, random)
  const logLeaf = toHex(leaf.leafHash)
  const signed = await signTokens(verifier, {
    ...{ id, issuer, matter, decision, grant, tokens, earNames, leaf: logLeaf },
    jwk: session.jwk,
    recipient: recipientOf(session),
    relyingPartyNonce: undefined,
  })
  const outcome = await store.recordSessionTokens({ session: session.id, tokens, leaf })
  if (outcome === 'session-over') {
    const known = await knownSession(verifier, session.id)
    throw sessionOver(known.session, stateOf(known.session, { at, outages: [] }))
  }
  const { environment, agent } = session
  journal.record({
    event: 'session.tokens',
    at,
    requestId,
    fields: { session: session.id, tenant: tenant.name, environment, agent, count: tokens.length },
  })
  return { tokens: signed, logLeaf }
}

/**
 * An attestation of this session that was granted, to its keys: the row says so of itself, and its claims are what is judged anew.
 * The keys themselves stand in the session's row: whoever writes to that could have tokens made for his own.
 */
function isOf(
  { verdict, tenant, runtimeClaims }: AppraisalRecord,
  session: SessionRecord,
): boolean {
  return (
    verdict === 'issued' &&
    tenant === session.tenant &&
    runtimeClaims.session === session.id &&
    runtimeClaims.sig_jkt === session.jkt &&
    runtimeClaims.sig_jkt === thumbprintOf(session.jwk) &&
    runtimeClaims.enc_jkt === (session.encryptionJwk ? thumbprintOf(session.encryptionJwk) : '') &&
    runtimeClaims.environment === session.environment &&
    runtimeClaims.agent === session.agent
  )
}

function recipientOf({ encryptionJwk }: SessionRecord): Recipient | undefined {
  return (
    encryptionJwk && {
      key: importPublicKey('enc_jwk', encryptionJwk),
      jkt: thumbprintOf(encryptionJwk),
    }
  )
}
