/**
 * What is decided about evidence: every finding about it (the TEE's own, the binding's, the release's, revocations, the
 * operator's rules, a remote policy), and whether all of them let it pass. Time and policy are handed in, so that stored
 * evidence can be decided again.
 */
import type { AnchorSet } from '../pki/anchor.ts'
import { askedRules } from '../policy/asked-rules.ts'
import { layersOf } from '../policy/layers.ts'
import { type Match, matchRelease } from '../policy/match-release.ts'
import type { Policy } from '../policy/policy.ts'
import { type ReleaseRequest, releaseChecks } from '../policy/release-checks.ts'
import { revocationChecks } from '../policy/revocation-checks.ts'
import type { RemoteInput, RemotePolicy } from '../policy/rules/rule.ts'
import {
  type Authentication,
  authenticate,
  authenticateAside,
  type Conditions,
} from '../rats/authentication.ts'
import { bindingChecks } from '../rats/binding.ts'
import type { BrokerBinding } from '../rats/broker-binding.ts'
import { checklist, type Finding, judgeAll, reachNone, type Waivers } from '../rats/check.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AgentRelease, Layer, ReferenceValue, ReleaseRule } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { AnyTee, EvidenceIdentity } from '../rats/tee.ts'
import type { ChainHead } from '../rats/transcript.ts'
import {
  type Assurance,
  type Status,
  statusOf,
  type TrustVector,
  trustVector,
} from '../rats/trust-vector.ts'
import { subjectOf } from '../token/subject.ts'
import { bansOn, type HeldBans } from './bans.ts'
import { remoteFinding, ruleFindings } from './rule-findings.ts'
import { remoteQuestions, ruleQuestions } from './rule-questions.ts'
import { type Issuers, issuerOf } from './verifier.ts'

/** Of a tenant only what a decision looks at: no key is needed to decide. */
export interface DecidingTenant {
  readonly name: string
  readonly anchors: AnchorSet
  readonly issuers: Issuers<IssuerName>
  /** Machines that operators banned. Throws Problem('storage-unavailable') while nobody knows. Absent: there are none. */
  readonly bans?: Pick<HeldBans, 'all'> | undefined
}

interface IssuerName {
  readonly url: string
}

export interface Matter {
  readonly tenant: DecidingTenant
  readonly tee: AnyTee
  readonly evidence: Evidence
  readonly claims: RuntimeClaims
  /** Undefined: by the claims. */
  readonly binding?: BrokerBinding | undefined
  readonly policy: Policy
  readonly release: AgentRelease
  /** None asks for the release's only one. All of them are granted, or none. */
  readonly audiences: readonly string[]
  readonly conditions: Omit<Conditions, 'waivers'>
  /** Absent where the tenant has none, and where what is decided happened in the past. */
  readonly remote?: RemoteQuestion | undefined
  /** Of what is attested in a session: what its transcript was found to say. */
  readonly session?: SessionMatter | undefined
}

export interface SessionMatter {
  readonly id: string
  /** All runtime checks, in their order. */
  readonly findings: readonly Finding[]
  /** Everything measured so far. */
  readonly measurement: ChainHead
  /** Whether every file that was loaded and every program that was started was seen, and is approved as far as `findings` say. */
  readonly isLoadingWatched: boolean
}

export interface RemoteQuestion {
  readonly policy: RemotePolicy
  readonly connection: RemoteInput['connection']
}

export interface Decision {
  /** The TEE's check ids, then the binding's, the release's, revocations, in a session the runtime's, rules and the remote policy: always all, in this order. */
  readonly findings: readonly Finding[]
  readonly status: Status
  readonly trustVector: TrustVector
  readonly isAuthentic: boolean
  readonly match: Match
  /** By which names the evidence is known; undefined where it is not authentic. */
  readonly identity: EvidenceIdentity | undefined
  /** Of what matched; empty where nothing did. */
  readonly layers: readonly Layer[]
  /** Present if and only if nothing failed. */
  readonly grant: Grant | undefined
}

export interface Grant {
  readonly issuer: IssuerName
  readonly assurance: Assurance
  readonly referenceValue: ReferenceValue
  readonly identity: EvidenceIdentity
  /** `sub` of every token. */
  readonly subject: string
  /** One token each. */
  readonly rules: readonly ReleaseRule[]
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
  const { tenant, tee, policy, release, audiences } = matter
  const { authentic } = authentication
  const match = matchRelease(release, tee, authentication)
  const assurance = authentic?.assurance
  const issuer = assurance && issuerOf(tenant, assurance)
  const subject =
    assurance &&
    issuer &&
    subjectOf({ issuer: issuer.url, tenant: tenant.name, release, assurance })

  const findings = match.appraisal.findings.slice()
  const identity = authentic && tee.identify(authentic.evidence, authentic.endorsement)
  const bearer = assurance && subject !== undefined ? { assurance, subject } : undefined
  judgeCore(matter, { authentic, identity, issuer, bearer, findings })
  if (matter.session) findings.push(...matter.session.findings)
  const rules = askedRules(release, audiences)
  const inputs = authentic && ruleQuestions(matter, { authentic, match, rules, findings })
  findings.push(...(await ruleFindings(policy.rules, inputs)))
  // Where something was refused already, what is asked outside this house costs time, and could change nothing.
  const outside = findings.every(letsPass) ? remoteQuestions(matter, { inputs, rules }) : undefined
  if (matter.remote) findings.push(await remoteFinding(matter.remote, outside))

  const isLoadingWatched = matter.session?.isLoadingWatched
  const vector = trustVector({ findings, assurance, isLoadingWatched })
  const { referenceValue, accepted } = match
  return {
    findings,
    status: statusOf(vector),
    trustVector: vector,
    isAuthentic: authentic !== undefined,
    match,
    identity,
    layers: accepted && referenceValue ? layersOf(release, referenceValue) : [],
    grant:
      accepted &&
      findings.every(letsPass) &&
      assurance &&
      issuer &&
      identity &&
      subject !== undefined &&
      referenceValue &&
      rules
        ? { issuer, assurance, referenceValue, identity, subject, rules }
        : undefined,
  }
}

export function authenticated({ tee, evidence, conditions, release }: Matter): AnyAuthentication {
  return authenticate(tee, evidence, { ...conditions, waivers: release.waivers })
}

/** The same; others have their turn while a slow signature is verified. */
export async function authenticatedAside({
  tee,
  evidence,
  conditions,
  release,
}: Matter): Promise<AnyAuthentication> {
  return await authenticateAside(tee, evidence, { ...conditions, waivers: release.waivers })
}

export type Authentic = NonNullable<AnyAuthentication['authentic']>

/** Binding, release and revocations: what no operator's rule can override. */
function judgeCore(
  { tenant, tee, claims, binding, policy, release, audiences, conditions, session }: Matter,
  {
    authentic,
    identity,
    issuer,
    bearer,
    findings,
  }: {
    readonly authentic: Authentic | undefined
    readonly identity: EvidenceIdentity | undefined
    readonly issuer: IssuerName | undefined
    readonly bearer: ReleaseRequest['bearer']
    readonly findings: Finding[]
  },
): void {
  if (authentic)
    judgeAll(
      checklist(bindingChecks),
      {
        claims,
        broker: binding,
        reportData: tee.bind(authentic.evidence),
        issuer: issuer?.url ?? null,
      },
      noWaivers,
      findings,
    )
  else reachNone(checklist(bindingChecks), findings)
  judgeAll(
    checklist(releaseChecks),
    {
      ...{ release, at: conditions.at, tee: tee.name, audiences, bearer },
      isInSession: session !== undefined,
    },
    noWaivers,
    findings,
  )
  if (identity)
    judgeAll(
      checklist(revocationChecks),
      {
        revocations: policy.revocations,
        identity,
        release,
        keys: claims,
        bans: bansOn(tenant, release),
      },
      noWaivers,
      findings,
    )
  else reachNone(checklist(revocationChecks), findings)
}

/** Named one by one: an outcome that is new one day must not let anything pass. */
function letsPass({ outcome }: Finding): boolean {
  return outcome === 'pass' || outcome === 'not-applicable' || outcome === 'waived'
}
