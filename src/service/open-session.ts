/** `POST /v1/sessions`: evidence that is bound to the beginning of a transcript in; tokens, and a session that goes on, out. */
import { Problem } from '../problems.ts'
import { noUsage } from '../rats/runtime-usage.ts'
import { attest } from './attest.ts'
import { authenticateRequest } from './authenticate-request.ts'
import type { Decision, Matter } from './decision.ts'
import { judgingPolicy, knownSession, momentOf } from './known-session.ts'
import type { RecordedAttestation } from './ports.ts'
import { beginningOf } from './session-chain.ts'
import {
  assertBinds,
  judgeTranscript,
  type SessionAttestationRequest,
  type SessionAttested,
} from './session-course.ts'
import type { JudgedMessage } from './session-findings.ts'
import type { SessionRecord } from './session-ports.ts'
import { assertNoneQuarantined } from './session-quarantine.ts'
import {
  answerOf,
  cadenceOf,
  deltaOf,
  machineNames,
  type Told,
  toldRecord,
} from './session-record.ts'
import type { Call, Verifier } from './verifier.ts'

const SESSIONS_PATH = '/v1/sessions'

/** Throws Problem: those of attest, `session-not-offered`, `session-exists`. */
export async function openSession(
  verifier: Verifier,
  request: SessionAttestationRequest,
  call: Call,
): Promise<SessionAttested> {
  const { transcript, digest } = request
  const { session: id } = transcript.statement
  const repeated = await repeatedAnswer(verifier, { id, digest }, call)
  if (repeated) return { verdict: 'repeated', answer: repeated }
  try {
    return await judged(verifier, request, call)
  } catch (fault) {
    // Its sender gave up waiting, and sent it again before the first was kept.
    const isTaken = fault instanceof Problem && fault.code === 'session-exists'
    const answer = isTaken && (await repeatedAnswer(verifier, { id, digest }, call))
    if (answer) return { verdict: 'repeated', answer }
    throw fault
  }
}

async function judged(
  verifier: Verifier,
  request: SessionAttestationRequest,
  call: Call,
): Promise<SessionAttested> {
  const { transcript, digest, claims } = request
  const { session: id } = transcript.statement
  const asked = { ...request, path: SESSIONS_PATH }
  // Before anything is replayed: hashing costs whoever sends it nothing.
  const requester = authenticateRequest(verifier, asked, call)
  const { tenant } = requester
  await request.admit({ id, tenant: tenant.name })
  const { environment, agent } = claims
  const { boot } = transcript.statement
  await assertNoneQuarantined(verifier, { id, tenant: tenant.name, environment, agent, boot })
  const beginning = beginningOf(transcript)
  if (typeof beginning === 'string')
    throw new Problem('request-malformed', `transcript: ${beginning}`)
  const { checkpoint, digest: statement } = beginning
  assertBinds(claims, transcript, statement)
  const subject = { transcript, checkpoint, before: undefined, usage: noUsage }
  const told = { transcript, checkpoint, statement, digest }
  let judgement: JudgedMessage | undefined
  let opened: SessionRecord | undefined
  const attested = await attest(
    verifier,
    {
      ...asked,
      session: {
        requester,
        judge(matter, authentication) {
          const found = judgeTranscript(matter, authentication, subject, call)
          judgement = found
          return found.matter
        },
        async keep(attestation, concluded) {
          const { store } = verifier
          if (!concluded.decision.grant) return await store.recordAttestation(attestation)
          const { usage = noUsage } = judgement ?? {}
          const session = openedRecord(verifier, {
            ...{ request, attestation, call, told: { ...told, usage } },
            ...concluded,
          })
          const outcome = await store.openSession(attestation, session, deltaOf(transcript))
          if (outcome === 'session-exists') throw sessionExists(id)
          opened = session
          return outcome
        },
      },
    },
    call,
  )
  if (opened) reportOpened(verifier, opened, call)
  const answer =
    opened &&
    answerOf(opened, { ...momentOf(verifier, call), policy: judgingPolicy(tenant, call.at) })
  return { verdict: 'judged', attested, answer }
}

/** Undefined where there is no session of that id. Throws Problem('session-exists') where it was opened by other bytes. */
async function repeatedAnswer(
  verifier: Verifier,
  { id, digest }: { readonly id: string; readonly digest: string },
  call: Call,
) {
  if (!(await verifier.store.findSession(id))) return undefined
  const { session, tenant } = await knownSession(verifier, id)
  if (session.lastMessage?.digest !== digest) throw sessionExists(id)
  return answerOf(session, {
    ...momentOf(verifier, call),
    policy: judgingPolicy(tenant, call.at),
  })
}

function openedRecord(
  verifier: Verifier,
  {
    request: { claims, jwk, encJwk, transcript },
    attestation: { appraisal },
    matter: { tenant, release, policy },
    decision: { grant },
    told,
    call,
  }: {
    readonly request: SessionAttestationRequest
    readonly attestation: RecordedAttestation
    readonly matter: Matter
    readonly decision: Decision
    readonly told: Told
    readonly call: Call
  },
): SessionRecord {
  if (!grant || !release.runtime) throw new Error('a session opens only where it was granted')
  const { at } = call
  const { statement } = transcript
  const bare: SessionRecord = {
    id: statement.session,
    tenant: tenant.name,
    environment: release.environment,
    agent: release.agent,
    subject: grant.subject,
    issuer: grant.issuer.url,
    jwk,
    jkt: claims.sig_jkt,
    encryptionJwk: encJwk,
    platforms: machineNames(grant.identity),
    boot: statement.boot,
    collector: statement.collector,
    modes: statement.modes,
    openedAt: at,
    standing: 'open',
    reason: '',
    by: '',
    changedAt: at,
    heardAt: at,
    quotedAt: at,
    appraisal: appraisal.id,
    ...cadenceOf(release.runtime),
    demanded: undefined,
    seq: 0,
    dropped: 0,
    uptimeMs: 0,
    statement: '',
    checkpoint: told.checkpoint,
    usage: told.usage,
    quotedMeasurements: told.checkpoint.measurement.count,
    nonce: '',
    lastMessage: undefined,
    policyDigest: policy.digest,
    revision: 0,
  }
  const { random } = verifier
  return toldRecord(
    bare,
    { ...told, demanded: undefined },
    { ...momentOf(verifier, call), random, policy },
  )
}

function sessionExists(id: string): Problem {
  return new Problem('session-exists', `session ${id} was opened before, by another request`)
}

function reportOpened(
  { journal }: Verifier,
  { id, tenant, environment, agent, appraisal }: SessionRecord,
  { at, requestId }: Call,
): void {
  journal.record({
    event: 'session.opened',
    at,
    requestId,
    fields: { session: id, tenant, environment, agent, appraisal },
  })
}
