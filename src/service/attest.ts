/**
 * `POST /v1/attestations`: evidence that answers a challenge in, a token bound to the agent's key out. First the request
 * (challenge, keys, proof), then the policy, then the evidence. Whatever is decided about evidence is kept, in the
 * transaction that uses up the challenge; what goes wrong before that uses up nothing.
 */
import { Problem } from '../problems.ts'
import type { Waivers } from '../rats/check.ts'
import { earClaims } from '../token/ear.ts'
import { encryptToken, signToken } from '../token/issuer.ts'
import { authenticateRequest, type Requester, type SignedRequest } from './authenticate-request.ts'
import type { Missing } from './collect-endorsements.ts'
import { type Decision, decide, type Grant, type Matter } from './decision.ts'
import type { AppraisalRecord, RecordedFinding } from './ports.ts'
import { type ReceivedEvidence, teeOfEvidence } from './received-evidence.ts'
import { explainRefusal, type Refusal } from './refusal.ts'
import { type Call, type Tenant, uuid, type Verifier } from './verifier.ts'

export interface AttestationRequest extends ReceivedEvidence, SignedRequest {
  /** Undefined asks for the release's only audience. */
  readonly audience: string | undefined
}

export type Attested =
  | { readonly verdict: 'refused'; readonly id: string; readonly refusal: Refusal }
  | { readonly verdict: 'issued'; readonly id: string; readonly issued: Issued }

export interface Issued {
  /** A JWS, or the JWE of one when the claims name an encryption key. */
  readonly token: string
  readonly form: 'jwt' | 'jwe'
  readonly subject: string
  readonly expiresAt: Date
  readonly matter: Matter
  readonly decision: Decision
  readonly grant: Grant
}

/** Throws Problem for whatever is wrong with the request, the policy source or a vendor. */
export async function attest(
  verifier: Verifier,
  request: AttestationRequest,
  call: Call,
): Promise<Attested> {
  const requester = await authenticateRequest(verifier, request, call)
  const { matter, missing } = await matterOf(verifier, request, { requester, call })
  const decision = decide(matter)
  const unanswered = missing.find(({ subject }) => !isWaived(subject, matter.release.waivers))
  // What a vendor did not give may be all that is wrong, and what the agent brought in its place may be older on purpose:
  // either way there is no verdict yet, and the challenge stays good for another try.
  if (unanswered && (!decision.isAuthentic || decision.grant)) throw unanswered.problem
  const id = uuid(verifier.random)
  const issued =
    decision.grant &&
    (await issue(verifier, { id, matter, decision, grant: decision.grant, requester }))
  await keep(verifier, requester, recordOf(matter, { id, decision, issued, call }))
  // Only now may the token leave: its challenge is spent and its record durable.
  const outcome: Attested = issued
    ? { verdict: 'issued', id, issued }
    : { verdict: 'refused', id, refusal: explainRefusal(matter, decision) }
  report(verifier, outcome, matter, call)
  return outcome
}

/** A release that waives the freshness of revocation lists does without them. */
function isWaived({ document }: Missing['subject'], waivers: Waivers): boolean {
  return document.endsWith('-crl') && waivers.has('revocation')
}

/** Throws Problem: no policy, no release of that name, or evidence of no known kind. */
async function matterOf(
  verifier: Verifier,
  request: AttestationRequest,
  { requester: { tenant }, call: { at } }: { readonly requester: Requester; readonly call: Call },
): Promise<{ readonly matter: Matter; readonly missing: readonly Missing[] }> {
  const { claims, evidence, audience } = request
  const policy = policyOf(tenant)
  const release = policy.releaseOf(claims.environment, claims.agent)
  if (!release)
    throw new Problem(
      'release-unknown',
      `the policy approves nothing named ${claims.environment}/${claims.agent}`,
    )
  const tee = teeOfEvidence(request)
  const { endorsements, missing } = await tenant.collect(evidence, tee, request.endorsements)
  const conditions = { at, anchors: tenant.anchors, endorsements, proofs: verifier.proofs }
  return {
    matter: { tenant, tee, evidence, claims, policy, release, audience, conditions },
    missing,
  }
}

function policyOf({ policy }: Tenant) {
  const accepted = policy.accepted()
  if (accepted) return accepted
  throw new Problem('policy-unavailable', `the policy is ${policy.condition().name}`, {
    retryAfterSeconds: 30,
  })
}

interface Granted {
  readonly id: string
  readonly matter: Matter
  readonly decision: Decision
  readonly grant: Grant
  readonly requester: Requester
}

async function issue(
  { build }: Verifier,
  { id, matter, decision, grant, requester: { recipient } }: Granted,
): Promise<Issued> {
  const { issuer, assurance, referenceValue, rule } = grant
  const { tenant, release, policy, claims, conditions } = matter
  const { status, trustVector } = decision
  const ear = earClaims({
    issuer: issuer.url,
    at: conditions.at,
    jti: id,
    audience: rule.audience,
    ttlSeconds: rule.tokenTtlSeconds,
    build,
    tenant: tenant.name,
    release,
    referenceValue,
    policy,
    claims,
    result: { status, trustVector, assurance },
  })
  const jwt = await signToken(issuer, ear)
  return {
    token: recipient ? await encryptToken(jwt, recipient) : jwt,
    form: recipient ? 'jwe' : 'jwt',
    subject: ear.sub,
    expiresAt: new Date(ear.exp * 1000),
    matter,
    decision,
    grant,
  }
}

async function keep(
  { store }: Verifier,
  { challenge }: Requester,
  record: AppraisalRecord,
): Promise<void> {
  if ((await store.recordAttestation(challenge, record)) === 'recorded') return
  throw new Problem('challenge-used', 'another request with this challenge was answered before')
}

function recordOf(
  { tenant, tee, release, policy, claims, evidence, conditions }: Matter,
  {
    id,
    decision,
    issued,
    call,
  }: {
    readonly id: string
    readonly decision: Decision
    readonly issued: Issued | undefined
    readonly call: Call
  },
): AppraisalRecord {
  return {
    id,
    requestId: call.requestId,
    at: call.at,
    tenant: tenant.name,
    environment: release.environment,
    agent: release.agent,
    tee: tee.name,
    verdict: issued ? 'issued' : 'refused',
    status: decision.status,
    trustVector: decision.trustVector,
    findings: decision.findings.map(
      ({ cites: _, informs: __, ...finding }): RecordedFinding => finding,
    ),
    policyCommit: policy.commit,
    policyDigest: policy.digest,
    manifest: release.manifest.file,
    referenceValue: decision.referenceValue?.id,
    runtimeClaims: claims,
    evidence,
    endorsementsDigest: conditions.endorsements.digest,
    token: issued && { jti: id, expiresAt: issued.expiresAt },
  }
}

function report(
  { journal }: Verifier,
  outcome: Attested,
  { tenant, tee, release, policy }: Matter,
  { at, requestId }: Call,
): void {
  journal.record({
    event: outcome.verdict === 'issued' ? 'attestation.issued' : 'attestation.refused',
    at,
    requestId,
    fields: {
      appraisal: outcome.id,
      tenant: tenant.name,
      environment: release.environment,
      agent: release.agent,
      tee: tee.name,
      policyCommit: policy.commit,
      ...(outcome.verdict === 'refused' && {
        stage: outcome.refusal.stage,
        failing: outcome.refusal.failing,
      }),
    },
  })
}
