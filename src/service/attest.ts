/**
 * `POST /v1/attestations`: evidence that answers a challenge in, a token bound to the agent's key out. First the request
 * (challenge, keys, proof), then the policy, then the evidence. Whatever is decided about evidence is kept, in the
 * transaction that uses up the challenge; what goes wrong before that uses up nothing.
 */
import { Problem } from '../problems.ts'
import type { Waivers } from '../rats/check.ts'
import { earClaims } from '../token/ear.ts'
import { encryptToken, signToken } from '../token/issuer.ts'
import { keptEndorsements, recordOf } from './appraisal-record.ts'
import { authenticateRequest, type Requester, type SignedRequest } from './authenticate-request.ts'
import type { Missing } from './collect-endorsements.ts'
import { type Decision, decide, type Grant, type Matter } from './decision.ts'
import { policyInForce } from './policy-in-force.ts'
import { type ReceivedEvidence, teeOfEvidence } from './received-evidence.ts'
import { explainRefusal, type Refusal } from './refusal.ts'
import { type Call, issuerOf, uuid, type Verifier } from './verifier.ts'

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
  const decision = await decide(matter)
  const unanswered = missing.find(({ subject }) => !isWaived(subject, matter.release.waivers))
  // What a vendor did not give may be all that is wrong, and what the agent brought in its place may be older on purpose:
  // either way there is no verdict yet, and the challenge stays good for another try.
  if (unanswered && (!decision.isAuthentic || decision.grant)) throw unanswered.problem
  const id = uuid(verifier.random)
  const issued =
    decision.grant &&
    (await issue(verifier, { id, matter, decision, grant: decision.grant, requester }))
  await keep(verifier, requester, { matter, id, decision, issued, call })
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
  { requester: { tenant }, call }: { readonly requester: Requester; readonly call: Call },
): Promise<{ readonly matter: Matter; readonly missing: readonly Missing[] }> {
  const { claims, evidence, audience } = request
  const { at, remoteAddress } = call
  const policy = policyInForce(tenant.policy, at)
  const release = policy.releaseOf(claims.environment, claims.agent)
  if (!release)
    throw new Problem(
      'release-unknown',
      `the policy approves nothing named ${claims.environment}/${claims.agent}`,
    )
  const tee = teeOfEvidence(request)
  const { endorsements, missing } = await tenant.collect(evidence, tee, request.endorsements)
  const conditions = { at, anchors: tenant.anchors, endorsements, proofs: verifier.proofs }
  const remote = tenant.remotePolicy && {
    policy: tenant.remotePolicy,
    connection: { remoteAddress },
  }
  return {
    matter: { tenant, tee, evidence, claims, policy, release, audience, conditions, remote },
    missing,
  }
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
  { id, matter, decision, grant, requester: { tenant, recipient } }: Granted,
): Promise<Issued> {
  const { assurance, referenceValue, rule } = grant
  const { release, policy, claims, conditions } = matter
  const issuer = issuerOf(tenant, assurance)
  if (!issuer) throw new Error(`no issuer for ${assurance} evidence, and yet it was granted`)
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
    layers: decision.layers,
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
  {
    matter,
    issued,
    ...concluded
  }: {
    readonly matter: Matter
    readonly id: string
    readonly decision: Decision
    readonly issued: Issued | undefined
    readonly call: Call
  },
): Promise<void> {
  const record = recordOf(matter, { ...concluded, tokenEnds: issued?.expiresAt })
  const held = keptEndorsements(matter.conditions.endorsements)
  if ((await store.recordAttestation(challenge, record, held)) === 'recorded') return
  throw new Problem('challenge-used', 'another request with this challenge was answered before')
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
