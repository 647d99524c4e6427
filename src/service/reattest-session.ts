/**
 * `POST /v1/sessions/{id}/attestations`: a new full quote over the transcript as it stands, judged as the first was. A session that
 * was late or suspended goes on; one whose quote is refused is as it was, unless what it did costs it more.
 */
import { Problem, type ProblemCode } from '../problems.ts'
import { thumbprintOf } from '../rats/public-key.ts'
import { attest } from './attest.ts'
import { authenticateRequest, type Requester } from './authenticate-request.ts'
import type { Decision, Grant, Matter } from './decision.ts'
import {
  assertNoNews,
  assertNotOver,
  judgingPolicy,
  type KnownSession,
  knownSession,
  momentOf,
  nonceRefused,
  sessionBehind,
  superseded,
} from './known-session.ts'
import type { RecordedAttestation } from './ports.ts'
import { type Continuation, continuationOf } from './session-chain.ts'
import {
  assertBinds,
  judgeTranscript,
  type SessionAttestationRequest,
  type SessionAttested,
} from './session-course.ts'
import { failureSentence, type JudgedMessage } from './session-findings.ts'
import type { SessionRecord, SessionStep } from './session-ports.ts'
import { assertNoneQuarantined } from './session-quarantine.ts'
import {
  answerOf,
  cadenceOf,
  deltaOf,
  machineNames,
  type Telling,
  type Told,
  toldRecord,
} from './session-record.ts'
import { chainBroken, punish, revokeForked } from './session-verdicts.ts'
import type { Call, Verifier } from './verifier.ts'

export interface ReattestRequest extends SessionAttestationRequest {
  /** Of the path. */
  readonly id: string
}

/** Throws Problem: those of attest and of heartbeat. */
export async function reattestSession(
  verifier: Verifier,
  request: ReattestRequest,
  call: Call,
): Promise<SessionAttested> {
  const { id, digest, transcript } = request
  const { session, tenant } = await knownSession(verifier, id)
  const telling = { ...momentOf(verifier, call), policy: judgingPolicy(tenant, call.at) }
  // Whoever has these very bytes made them, or carried them: what is answered is of use to the session's key alone.
  if (session.lastMessage?.digest === digest) {
    assertNotOver(session, telling)
    return { verdict: 'repeated', answer: answerOf(session, telling) }
  }
  const requester = authenticateRequest(verifier, asked(request), call)
  assertSameAgent(session, request)
  await request.admit(session)
  assertNotOver(session, telling)
  const continuation = continuationOf(session, transcript)
  const { seq } = transcript.statement
  switch (continuation.kind) {
    case 'old':
      throw nonceRefused(session, telling, `message ${seq} was answered long ago`)
    case 'ahead':
      throw sessionBehind(session, seq)
    case 'repeated':
      return { verdict: 'repeated', answer: answerOf(session, telling) }
    case 'broken': {
      const { reason } = continuation
      if (!(await revokeForked(verifier, { session, at: call.at }, reason))) throw superseded(id)
      throw chainBroken(session, reason)
    }
    case 'next':
      return await unlessRepeated(
        async () =>
          await judged(verifier, { session, tenant, request, requester, continuation }, call),
        async () => await answeredMeanwhile(verifier, request, call),
      )
  }
}

/** Its sender may have given up waiting and sent it again: then it must hear what became of the first, or it would say another. */
async function unlessRepeated(
  work: () => Promise<SessionAttested>,
  answered: () => Promise<SessionAttested | undefined>,
): Promise<SessionAttested> {
  try {
    return await work()
  } catch (fault) {
    const isLate = fault instanceof Problem && lostTo.includes(fault.code)
    const answer = isLate ? await answered() : undefined
    if (answer) return answer
    throw fault
  }
}

const lostTo: readonly ProblemCode[] = ['session-superseded', 'challenge-used']

/** Undefined where the last message that was accepted is another. */
async function answeredMeanwhile(
  verifier: Verifier,
  { id, digest }: ReattestRequest,
  call: Call,
): Promise<SessionAttested | undefined> {
  const { session, tenant } = await knownSession(verifier, id)
  if (session.lastMessage?.digest !== digest) return undefined
  const telling = { ...momentOf(verifier, call), policy: judgingPolicy(tenant, call.at) }
  assertNotOver(session, telling)
  return { verdict: 'repeated', answer: answerOf(session, telling) }
}

function asked(request: ReattestRequest): ReattestRequest {
  return { ...request, path: `/v1/sessions/${request.id}/attestations` }
}

/** Throws Problem('session-message-refused'): a key or an agent that is not the session's cannot speak for it. */
function assertSameAgent(
  session: SessionRecord,
  { claims, encJwk, transcript, id }: ReattestRequest,
): void {
  const enc = session.encryptionJwk ? thumbprintOf(session.encryptionJwk) : ''
  const same = {
    'the statement’s session': transcript.statement.session === id,
    'runtimeClaims.sig_jkt': claims.sig_jkt === session.jkt,
    'runtimeClaims.enc_jkt': (encJwk ? thumbprintOf(encJwk) : '') === enc,
    'runtimeClaims.tenant': claims.tenant === session.tenant,
    'runtimeClaims.environment': claims.environment === session.environment,
    'runtimeClaims.agent': claims.agent === session.agent,
  }
  for (const [name, isSame] of Object.entries(same))
    if (!isSame)
      throw new Problem(
        'session-message-refused',
        `${name} is not that which the session was opened with`,
      )
}

async function judged(
  verifier: Verifier,
  {
    session,
    tenant,
    request,
    requester,
    continuation: { checkpoint, digest: statement },
  }: KnownSession & {
    readonly request: ReattestRequest
    readonly requester: Requester
    readonly continuation: Extract<Continuation, { readonly kind: 'next' }>
  },
  call: Call,
): Promise<SessionAttested> {
  const { transcript, digest, claims } = request
  assertBinds(claims, transcript, statement)
  await assertNoneQuarantined(verifier, session)
  const stored = await judgedByAnother(verifier, { session, tenant }, call)
  const { usage } = session
  const subject = { transcript, checkpoint, before: session, usage, stored }
  const told = { transcript, checkpoint, statement, digest }
  let found: JudgedMessage | undefined
  let renewed: SessionRecord | undefined
  const attested = await attest(
    verifier,
    {
      ...asked(request),
      session: {
        requester,
        judge(matter, authentication) {
          const transcribed = judgeTranscript(matter, authentication, subject, call)
          found = transcribed
          return transcribed.matter
        },
        async keep(attestation, concluded) {
          if (!found) throw new Error('a quote was kept before it was judged')
          const telling = {
            ...momentOf(verifier, call),
            random: verifier.random,
            policy: concluded.matter.policy,
          }
          const renewal = { session, attestation, found, told, telling, ...concluded }
          const { grant } = concluded.decision
          if (!grant) return await keepRefused(verifier, renewal)
          const step = stepOf(renewal, grant)
          const outcome = await verifier.store.renewSession(attestation, step)
          if (outcome === 'superseded') throw superseded(session.id)
          renewed = step.session
          return outcome
        },
      },
    },
    call,
  )
  const answer =
    renewed &&
    answerOf(renewed, { ...momentOf(verifier, call), policy: judgingPolicy(tenant, call.at) })
  return { verdict: 'judged', attested, answer }
}

/**
 * Everything measured before, where the policy is not the one by which it was judged; and where an operator let a session go on
 * that was brought down, since session-watch.ts would bring it down again for what it still has loaded.
 */
async function judgedByAnother(
  { store }: Verifier,
  { session, tenant }: KnownSession,
  { at }: Call,
): Promise<readonly string[]> {
  const isJudged = judgingPolicy(tenant, at).digest === session.policyDigest
  if (isJudged && session.standing === 'open') return []
  return (await store.deltasOf(session.id)).flatMap(({ measurement }) => measurement)
}

interface Renewal {
  readonly session: SessionRecord
  readonly attestation: RecordedAttestation
  readonly found: JudgedMessage
  readonly told: Omit<Told, 'usage'>
  readonly telling: Telling
  readonly matter: Matter
  readonly decision: Decision
}

/** A machine has two or three names, of which its certificate's changes now and then. */
const MOST_NAMES = 32

/** Whoever carries the session's key to another machine is found there as well, by whoever bans it. */
function stepOf(
  { session, attestation, found, told, telling, matter }: Renewal,
  grant: Grant,
): SessionStep {
  const { release, policy } = matter
  if (!release.runtime) throw new Error('a session was renewed that is not offered')
  const isBack = session.standing !== 'open'
  const quoted: SessionRecord = {
    ...session,
    standing: 'open',
    ...(isBack && { reason: 'a full quote was accepted', by: 'appraisal', changedAt: telling.at }),
    quotedAt: telling.at,
    appraisal: attestation.appraisal.id,
    platforms: [...new Set([...session.platforms, ...machineNames(grant.identity)])].slice(
      -MOST_NAMES,
    ),
    ...cadenceOf(release.runtime),
    quotedMeasurements: told.checkpoint.measurement.count,
    policyDigest: policy.digest,
  }
  const { usage } = found
  return {
    session: toldRecord(quoted, { ...told, usage, demanded: undefined }, telling),
    delta: deltaOf(told.transcript),
  }
}

/**
 * What the agent did counts whatever its hardware says: its key signed for it. First, so that nothing can come in between.
 *
 * A message that suspends is not told: its answer is a refusal, after which its sender goes on from the message before, and
 * would fork the history if it counted.
 */
async function keepRefused(
  verifier: Verifier,
  { session, attestation, found, told, telling }: Renewal,
): Promise<'recorded' | 'challenge-used'> {
  const { consequence, findings, usage } = found
  if (consequence === 'quarantine' || (consequence === 'suspend' && session.standing === 'open')) {
    const { at, policy } = telling
    await assertNoNews(verifier, { tenant: session.tenant, policy, at })
    const { demanded } = session
    const step = consequence === 'quarantine' && {
      session: toldRecord(session, { ...told, usage, demanded }, telling),
      delta: deltaOf(told.transcript),
    }
    const reason = failureSentence(findings)
    const change = { session, at, consequence, reason, ...(step && { told: step }) }
    if (!(await punish(verifier, change))) throw superseded(session.id)
  }
  return await verifier.store.recordAttestation(attestation)
}
