/**
 * `POST /v1/attestations`: evidence that answers a challenge in, tokens bound to the agent's key out. First the request
 * (challenge, keys, proof), then the policy, then the evidence. Whatever is decided about evidence is kept, in the
 * transaction that uses up the challenge; what goes wrong before that uses up nothing.
 */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { EarNames } from '../token/ear.ts'
import { appraisalId } from './appraisal-id.ts'
import { keptOf, recordOf } from './appraisal-record.ts'
import { authenticateRequest, type Requester, type SignedRequest } from './authenticate-request.ts'
import { isWaived, type Missing } from './collect-endorsements.ts'
import {
  type AnyAuthentication,
  authenticatedAside,
  type Decision,
  decide,
  type Matter,
  type SessionMatter,
} from './decision.ts'
import { type IssuedToken, planTokens, type RuledToken, signTokens } from './issue-tokens.ts'
import { attestationLeaf } from './log-leaves.ts'
import { policyInForce } from './policy-in-force.ts'
import type { RecordedAttestation } from './ports.ts'
import { isProven } from './proven.ts'
import { type ReceivedEvidence, teeOfEvidence } from './received-evidence.ts'
import { explainRefusal, type Refusal } from './refusal.ts'
import { type Call, issuerOf, type Verifier } from './verifier.ts'

export interface AttestationRequest extends ReceivedEvidence, SignedRequest {
  /** None asks for the release's only one. All of them are granted, or the whole request is refused. */
  readonly audiences: readonly string[]
  /** What a relying party wants to see again in the tokens; undefined where there is nothing. */
  readonly relyingPartyNonce: string | undefined
  readonly earNames: EarNames
  /** Of what opens a session or comes with a new quote in one. */
  readonly session?: SessionCourse
}

/** What is judged and kept besides, where evidence is brought in a session. */
export interface SessionCourse {
  /** Of this very request, which was authenticated before its transcript was looked at. */
  readonly requester: Requester
  /** Throws Problem where the release offers no session. */
  readonly judge: (matter: Matter, authentication: AnyAuthentication) => SessionMatter
  /** In place of the store's recordAttestation. Throws Problem where the session cannot be kept: then nothing was. */
  readonly keep: (
    attestation: RecordedAttestation,
    concluded: { readonly matter: Matter; readonly decision: Decision },
  ) => Promise<'recorded' | 'challenge-used'>
}

export type Attested = {
  /** Of the appraisal. */
  readonly id: string
  /** Hex: the leaf of the transparency log that answers for this decision. */
  readonly logLeaf: string
} & (
  | {
      readonly verdict: 'refused'
      readonly refusal: Refusal
      /** Whether the evidence is authentic and bound to this request, whatever was wrong with it besides. */
      readonly isProven: boolean
    }
  | { readonly verdict: 'issued'; readonly issued: Issued }
)

export interface Issued {
  /** One for each rule that was asked for, in that order. */
  readonly tokens: readonly [IssuedToken, ...IssuedToken[]]
  readonly matter: Matter
  readonly decision: Decision
  readonly grant: NonNullable<Decision['grant']>
}

/** Throws Problem for whatever is wrong with the request, the policy source or a vendor. */
export async function attest(
  verifier: Verifier,
  request: AttestationRequest,
  call: Call,
): Promise<Attested> {
  const requester = request.session?.requester ?? authenticateRequest(verifier, request, call)
  assertOneShot(request)
  const { matter: bare, missing } = await matterOf(verifier, request, { requester, call })
  const authentication = await authenticatedAside(bare)
  const session = request.session?.judge(bare, authentication)
  const matter = session ? { ...bare, session } : bare
  const decision = await decide(matter, authentication)
  const unanswered = missing.find((each) => !isWaived(each, matter.release.waivers))
  // What a vendor did not give may be all that is wrong, and what the agent brought in its place may be older on purpose:
  // either way there is no verdict yet, and the challenge stays good for another try.
  if (unanswered && (!decision.isAuthentic || decision.grant)) throw unanswered.problem
  const id = appraisalId(call.requestId, verifier.random)
  const { grant } = decision
  const tokens = grant ? await planTokens(verifier, { id, matter, grant }) : []
  const record = recordOf(matter, { id, decision, call })
  const leaf = attestationLeaf({ record, tokens }, verifier.random)
  const logLeaf = toHex(leaf.leafHash)
  const concluded = { id, matter, decision, logLeaf, tokens }
  const issued = grant && (await issue(verifier, { request, requester, ...concluded, grant }))
  const { endorsements } = matter.conditions
  const kept = keptOf(record, { decision, endorsements })
  const recorded: RecordedAttestation = {
    challenge: requester.challenge,
    appraisal: { ...kept.appraisal, leafHash: logLeaf },
    endorsements: kept.endorsements,
    tokens,
    leaf,
  }
  await keep(verifier, recorded, { request, matter, decision })
  // Only now may the tokens leave: their challenge is spent and their record durable.
  const outcome: Attested = issued
    ? { verdict: 'issued', id, logLeaf, issued }
    : {
        verdict: 'refused',
        id,
        logLeaf,
        refusal: explainRefusal(matter, decision),
        isProven: isProven(decision),
      }
  report(verifier, outcome, matter, call)
  return outcome
}

/** A claim that nothing looks at would say what nobody checked. */
function assertOneShot({ session, claims }: AttestationRequest): void {
  if (session || claims.session === '') return
  throw new Problem(
    'request-malformed',
    'runtimeClaims.session names a session, which is opened at POST /v1/sessions: leave it empty here',
  )
}

/** Throws Problem: no policy, no release of that name, or evidence of no known kind. */
async function matterOf(
  verifier: Verifier,
  request: AttestationRequest,
  { requester: { tenant }, call }: { readonly requester: Requester; readonly call: Call },
): Promise<{ readonly matter: Matter; readonly missing: readonly Missing[] }> {
  const { claims, evidence, audiences } = request
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
    matter: { tenant, tee, evidence, claims, policy, release, audiences, conditions, remote },
    missing,
  }
}

async function issue(
  verifier: Verifier,
  {
    id,
    matter,
    decision,
    grant,
    logLeaf,
    tokens,
    request,
    requester,
  }: {
    readonly id: string
    readonly matter: Matter
    readonly decision: Decision
    readonly grant: NonNullable<Decision['grant']>
    readonly logLeaf: string
    readonly tokens: readonly RuledToken[]
    readonly request: AttestationRequest
    readonly requester: Requester
  },
): Promise<Issued> {
  const issuer = issuerOf(requester.tenant, grant.assurance)
  if (!issuer) throw new Error(`no issuer for ${grant.assurance} evidence, and yet it was granted`)
  const [first, ...others] = await signTokens(verifier, {
    id,
    issuer,
    matter,
    decision,
    grant,
    jwk: request.jwk,
    recipient: requester.recipient,
    relyingPartyNonce: request.relyingPartyNonce,
    earNames: request.earNames,
    leaf: logLeaf,
    tokens,
  })
  if (!first) throw new Error('a grant without a rule')
  return { tokens: [first, ...others], matter, decision, grant }
}

async function keep(
  { store }: Verifier,
  attestation: RecordedAttestation,
  {
    request: { session },
    ...concluded
  }: {
    readonly request: AttestationRequest
    readonly matter: Matter
    readonly decision: Decision
  },
): Promise<void> {
  const recorded = session
    ? await session.keep(attestation, concluded)
    : await store.recordAttestation(attestation)
  if (recorded === 'recorded') return
  throw new Problem('challenge-used', 'another request with this challenge was answered before')
}

function report(
  { journal }: Verifier,
  outcome: Attested,
  { tenant, tee, release, policy, session }: Matter,
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
      ...(session && { session: session.id }),
      ...(outcome.verdict === 'refused' && {
        stage: outcome.refusal.stage,
        failing: outcome.refusal.failing,
      }),
    },
  })
}
