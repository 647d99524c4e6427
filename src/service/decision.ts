/**
 * What is decided about evidence: every finding about it (the TEE's own, the binding's, the release's, revocations, the
 * operator's rules, a remote policy), and whether all of them let it pass. Time and policy are handed in, so that stored
 * evidence can be decided again.
 */
import type { AnchorSet } from '../pki/anchor.ts'
import { layersOf } from '../policy/layers.ts'
import { type Match, matchRelease } from '../policy/match-release.ts'
import type { Policy } from '../policy/policy.ts'
import { releaseChecks } from '../policy/release-checks.ts'
import { revocationChecks } from '../policy/revocation-checks.ts'
import type { RemoteInput, RemotePolicy, RuleInput } from '../policy/rules/rule.ts'
import { type Authentication, authenticate, type Conditions } from '../rats/authentication.ts'
import { bindingChecks } from '../rats/binding.ts'
import { checklist, type Finding, judgeAll, reachNone, type Waivers } from '../rats/check.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AgentRelease, Layer, ReferenceValue, ReleaseRule } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { AnyTee, EvidenceIdentity } from '../rats/tee.ts'
import {
  type Assurance,
  type Status,
  statusOf,
  type TrustVector,
  trustVector,
} from '../rats/trust-vector.ts'
import { remoteFinding, ruleFindings } from './rule-findings.ts'
import { ruleInput } from './rule-input.ts'
import { type Issuers, issuerOf } from './verifier.ts'

/** Of a tenant only what a decision looks at: no key is needed to decide. */
export interface DecidingTenant {
  readonly name: string
  readonly anchors: AnchorSet
  readonly issuers: Issuers<IssuerName>
}

interface IssuerName {
  readonly url: string
}

export interface Matter {
  readonly tenant: DecidingTenant
  readonly tee: AnyTee
  readonly evidence: Evidence
  readonly claims: RuntimeClaims
  readonly policy: Policy
  readonly release: AgentRelease
  readonly audience: string | undefined
  readonly conditions: Omit<Conditions, 'waivers'>
  /** Absent where the tenant has none, and where what is decided happened in the past. */
  readonly remote?: RemoteQuestion | undefined
}

export interface RemoteQuestion {
  readonly policy: RemotePolicy
  readonly connection: RemoteInput['connection']
}

export interface Decision {
  /** The TEE's check ids, then the binding's, the release's, revocations, rules and the remote policy: always all, in this order. */
  readonly findings: readonly Finding[]
  readonly status: Status
  readonly trustVector: TrustVector
  readonly isAuthentic: boolean
  readonly match: Match
  /** What the evidence's launch is known by; undefined where it is not authentic. */
  readonly launch: string | undefined
  /** Of what matched; empty where nothing did. */
  readonly layers: readonly Layer[]
  /** Present if and only if nothing failed. */
  readonly grant: Grant | undefined
}

export interface Grant {
  readonly issuer: IssuerName
  readonly assurance: Assurance
  readonly referenceValue: ReferenceValue
  readonly rule: ReleaseRule
}

// Any: the evidence and endorsement types are this TEE's own, which defineTee keeps consistent.
// biome-ignore lint/suspicious/noExplicitAny: an existential type, which TypeScript cannot write
export type AnyAuthentication = Authentication<any, any>

const noWaivers: Waivers = new Map()

/** `authentication` must be of this very evidence under these conditions and this release's waivers. */
export async function decide(
  matter: Matter,
  authentication: AnyAuthentication = authenticated(matter),
): Promise<Decision> {
  const { tenant, tee, policy, release, audience } = matter
  const { authentic } = authentication
  const match = matchRelease(release, tee, authentication)
  const assurance = authentic?.assurance
  const issuer = assurance && issuerOf(tenant, assurance)

  const findings = match.appraisal.findings.slice()
  const identity = authentic && tee.identify(authentic.evidence, authentic.endorsement)
  judgeCore(matter, { authentic, identity, issuer, findings })
  const rule = ruleFor(release, audience)
  const input = authentic && inputOf(matter, { authentic, match, findings })
  findings.push(...(await ruleFindings(policy.rules, input)))
  if (matter.remote)
    findings.push(await remoteFinding(matter.remote, questionOf(matter, { input, rule, findings })))

  const vector = trustVector({ findings, assurance })
  const { referenceValue, accepted } = match
  return {
    findings,
    status: statusOf(vector),
    trustVector: vector,
    isAuthentic: authentic !== undefined,
    match,
    launch: identity?.launch,
    layers: accepted && referenceValue ? layersOf(release, referenceValue) : [],
    grant:
      accepted && findings.every(letsPass) && assurance && issuer && referenceValue && rule
        ? { issuer, assurance, referenceValue, rule }
        : undefined,
  }
}

export function authenticated({ tee, evidence, conditions, release }: Matter): AnyAuthentication {
  return authenticate(tee, evidence, { ...conditions, waivers: release.waivers })
}

type Authentic = NonNullable<AnyAuthentication['authentic']>

/** Binding, release and revocations: what no operator's rule can override. */
function judgeCore(
  { tee, claims, policy, release, audience, conditions }: Matter,
  {
    authentic,
    identity,
    issuer,
    findings,
  }: {
    readonly authentic: Authentic | undefined
    readonly identity: EvidenceIdentity | undefined
    readonly issuer: IssuerName | undefined
    readonly findings: Finding[]
  },
): void {
  if (authentic)
    judgeAll(
      checklist(bindingChecks),
      { claims, reportData: tee.bind(authentic.evidence), issuer: issuer?.url ?? null },
      noWaivers,
      findings,
    )
  else reachNone(checklist(bindingChecks), findings)
  judgeAll(
    checklist(releaseChecks),
    { release, at: conditions.at, tee: tee.name, audience },
    noWaivers,
    findings,
  )
  if (identity)
    judgeAll(
      checklist(revocationChecks),
      { revocations: policy.revocations, identity, release, keys: claims },
      noWaivers,
      findings,
    )
  else reachNone(checklist(revocationChecks), findings)
}

/** Undefined where nobody would look at it: writing out claims costs more than most checks. */
function inputOf(
  { tenant, tee, policy, release, audience, remote }: Matter,
  {
    authentic,
    match,
    findings,
  }: {
    readonly authentic: Authentic
    readonly match: Match
    readonly findings: readonly Finding[]
  },
): RuleInput | undefined {
  if (policy.rules.rules.length === 0 && !remote) return undefined
  const { assurance, evidence, endorsement } = authentic
  return ruleInput({
    tee: tee.name,
    assurance,
    status: statusOf(trustVector({ findings, assurance })),
    release,
    referenceValue: match.referenceValue,
    tenant: tenant.name,
    audience,
    claims: tee.claims(evidence, endorsement),
    claimSchema: tee.claimSchema,
  })
}

/** Undefined where something was refused already: what is asked outside this house costs time, and could change nothing. */
function questionOf(
  { remote }: Matter,
  {
    input,
    rule,
    findings,
  }: {
    readonly input: RuleInput | undefined
    readonly rule: ReleaseRule | undefined
    readonly findings: readonly Finding[]
  },
): RemoteInput | undefined {
  if (!remote || !input || !rule || !findings.every(letsPass)) return undefined
  const { audience, scopes } = rule
  return { ...input, resource: { audience, scopes }, connection: remote.connection }
}

/** Named one by one: an outcome that is new one day must not let anything pass. */
function letsPass({ outcome }: Finding): boolean {
  return outcome === 'pass' || outcome === 'not-applicable' || outcome === 'waived'
}

function ruleFor({ rules }: AgentRelease, audience: string | undefined): ReleaseRule | undefined {
  if (audience === undefined) return rules.length === 1 ? rules[0] : undefined
  return rules.find((rule) => rule.audience === audience)
}
