/**
 * Evidence that came by the Key Broker protocol: judged by the checks, policy and rules that judge all evidence, under the
 * release that accepts it, and kept as every attestation is, so that it can be explained and judged again.
 */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { BrokerBinding } from '../rats/broker-binding.ts'
import type { AgentRelease } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import { appraisalId } from './appraisal-id.ts'
import { keptOf, recordOf } from './appraisal-record.ts'
import type { BrokerTee, ReadEvidence } from './broker-evidence.ts'
import { expectingInitData, type InitData } from './broker-init-data.ts'
import { askedOf, type FoundRelease, releaseAccepting } from './broker-release.ts'
import { planBrokerToken } from './broker-tokens.ts'
import { isWaived } from './collect-endorsements.ts'
import { authenticatedAside, type Decision, decide, type Grant, type Matter } from './decision.ts'
import { attestationLeaf } from './log-leaves.ts'
import { policyInForce } from './policy-in-force.ts'
import type { UsedChallenge } from './ports.ts'
import { isProven } from './proven.ts'
import { explainRefusal, type Refusal } from './refusal.ts'
import type { TokenRecord } from './token-ports.ts'
import type { Call, Tenant, Verifier } from './verifier.ts'

export interface BrokerQuestion {
  readonly tenant: Tenant
  readonly kind: BrokerTee
  readonly read: ReadEvidence
  readonly binding: BrokerBinding
  readonly initData: InitData | undefined
  /** As the protocol has it. */
  readonly nonce: string
  /** RFC 7638 thumbprint of the bound public key; empty where there is none. */
  readonly keyThumbprint: string
  /** Kept as used, in the transaction of the record. */
  readonly challenge: UsedChallenge
  /** Of the token that this buys, which is kept with the record. */
  readonly jti: string
}

export type BrokerVerdict = {
  /** Of the appraisal. */
  readonly id: string
  /** Hex. */
  readonly logLeaf: string
  readonly matter: Matter
  readonly decision: Decision
} & (
  | { readonly verdict: 'issued'; readonly grant: Grant; readonly token: TokenRecord }
  | { readonly verdict: 'refused'; readonly refusal: Refusal; readonly isProven: boolean }
)

/**
 * Named where a release has no rule of possession at all: then the check of audiences refuses, and says so. No rule of another
 * form may have that name.
 */
function noAudienceOf({ rules }: AgentRelease): string {
  let name = 'a rule of possession'
  while (rules.some(({ audience }) => audience === name)) name = `${name}!`
  return name
}

/** Throws Problem: no policy, a vendor that does not answer, a challenge that was used, `request-malformed`. */
export async function appraiseForBroker(
  verifier: Verifier,
  question: BrokerQuestion,
  call: Call,
): Promise<BrokerVerdict> {
  const { tenant, kind, read } = question
  const { at, remoteAddress } = call
  const policy = policyInForce(tenant.policy, at)
  const { tee } = kind
  const { endorsements, missing } = await tenant.collect(read.evidence, tee, read.brought)
  const conditions = { at, anchors: tenant.anchors, endorsements, proofs: verifier.proofs }
  const found = await releaseAccepting(policy, { tee, evidence: read.evidence }, conditions)
  const release = question.initData
    ? expectingInitData(found.release, kind, { ...read, initData: question.initData })
    : found.release
  const rules = askedOf(release).map(({ audience }) => audience)
  const matter: Matter = {
    tenant,
    tee,
    evidence: read.evidence,
    claims: claimsOf(question, found),
    binding: question.binding,
    policy,
    release,
    audiences: rules.length > 0 ? rules : [noAudienceOf(release)],
    conditions,
    remote: tenant.remotePolicy && {
      policy: tenant.remotePolicy,
      connection: { remoteAddress },
    },
  }
  const decision = await decide(matter, found.authentication ?? (await authenticatedAside(matter)))
  const unanswered = missing.find((each) => !isWaived(each, matter.release.waivers))
  // What a vendor did not give may be all that is wrong, and what came in its place may be older on purpose.
  if (unanswered && (!decision.isAuthentic || decision.grant)) throw unanswered.problem
  return await concluded(verifier, { question, matter, decision }, call)
}

/** Nobody claimed any of this: it says under which release the evidence was judged, and by which key it may be revoked. */
function claimsOf(
  { tenant, nonce, keyThumbprint }: BrokerQuestion,
  { release }: FoundRelease,
): RuntimeClaims {
  const { environment, agent } = release
  const none = { verifier: '', sig_jkt: '', session: '', seq: '', transcript: '' }
  return { ...none, nonce, enc_jkt: keyThumbprint, tenant: tenant.name, environment, agent }
}

async function concluded(
  verifier: Verifier,
  {
    question,
    matter,
    decision,
  }: {
    readonly question: BrokerQuestion
    readonly matter: Matter
    readonly decision: Decision
  },
  call: Call,
): Promise<BrokerVerdict> {
  const id = appraisalId(call.requestId, verifier.random)
  const { grant } = decision
  const { jti, keyThumbprint } = question
  const token =
    grant && (await planBrokerToken(verifier, { id, matter, grant, jti, keyThumbprint }))
  const tokens = token ? [token] : []
  const record = recordOf(matter, { id, decision, call })
  const leaf = attestationLeaf({ record, tokens }, verifier.random)
  const logLeaf = toHex(leaf.leafHash)
  const { endorsements } = matter.conditions
  const kept = keptOf(record, { decision, endorsements })
  const recorded = await verifier.store.recordAttestation({
    challenge: question.challenge,
    appraisal: { ...kept.appraisal, leafHash: logLeaf },
    endorsements: kept.endorsements,
    tokens,
    leaf,
  })
  if (recorded !== 'recorded')
    throw new Problem('challenge-used', 'another request with this nonce was answered before')
  const common = { id, logLeaf, matter, decision }
  const verdict: BrokerVerdict =
    grant && token
      ? { ...common, verdict: 'issued', grant, token }
      : {
          ...common,
          verdict: 'refused',
          refusal: explainRefusal(matter, decision),
          isProven: isProven(decision),
        }
  report(verifier, verdict, call)
  return verdict
}

function report({ journal }: Verifier, verdict: BrokerVerdict, { at, requestId }: Call): void {
  const { tenant, tee, release, policy, binding } = verdict.matter
  journal.record({
    event: verdict.verdict === 'issued' ? 'attestation.issued' : 'attestation.refused',
    at,
    requestId,
    fields: {
      appraisal: verdict.id,
      tenant: tenant.name,
      environment: release.environment,
      agent: release.agent,
      tee: tee.name,
      policyCommit: policy.commit,
      keyBroker: binding?.protocol ?? null,
      ...(verdict.verdict === 'refused' && {
        stage: verdict.refusal.stage,
        failing: verdict.refusal.failing,
      }),
    },
  })
}
