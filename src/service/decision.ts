/**
 * What is decided about evidence: every finding about it (the TEE's own, the binding's, the release's), and whether all of
 * them let it pass. Pure, so that stored evidence can be decided again.
 */
import { matchRelease } from '../policy/match-release.ts'
import type { Policy } from '../policy/policy.ts'
import { releaseChecks } from '../policy/release-checks.ts'
import { authenticate, type Conditions } from '../rats/authentication.ts'
import { bindingChecks } from '../rats/binding.ts'
import { checklist, type Finding, judgeAll, reachNone, type Waivers } from '../rats/check.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AgentRelease, ReferenceValue, ReleaseRule } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { AnyTee } from '../rats/tee.ts'
import {
  type Assurance,
  type Status,
  statusOf,
  type TrustVector,
  trustVector,
} from '../rats/trust-vector.ts'
import type { Issuer } from '../token/issuer.ts'
import { issuerOf, type Tenant } from './verifier.ts'

export interface Matter {
  readonly tenant: Tenant
  readonly tee: AnyTee
  readonly evidence: Evidence
  readonly claims: RuntimeClaims
  readonly policy: Policy
  readonly release: AgentRelease
  readonly audience: string | undefined
  readonly conditions: Omit<Conditions, 'waivers'>
}

export interface Decision {
  /** The TEE's check ids, then the binding's, then the release's: always all, in this order. */
  readonly findings: readonly Finding[]
  readonly status: Status
  readonly trustVector: TrustVector
  readonly isAuthentic: boolean
  /** Matched if `grant` is present, else the nearest of this TEE, if there is any. */
  readonly referenceValue: ReferenceValue | undefined
  /** Present if and only if nothing failed. */
  readonly grant: Grant | undefined
}

export interface Grant {
  readonly issuer: Issuer
  readonly assurance: Assurance
  readonly referenceValue: ReferenceValue
  readonly rule: ReleaseRule
}

const noWaivers: Waivers = new Map()

export function decide(matter: Matter): Decision {
  const { tenant, tee, evidence, claims, release, audience, conditions } = matter
  const authentication = authenticate(tee, evidence, { ...conditions, waivers: release.waivers })
  const { authentic } = authentication
  const { appraisal, referenceValue, accepted } = matchRelease(release, tee, authentication)

  const assurance = authentic?.assurance
  const issuer = assurance && issuerOf(tenant, assurance)
  const findings = appraisal.findings.slice()
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

  const vector = trustVector({ findings, assurance })
  const rule = ruleFor(release, audience)
  return {
    findings,
    status: statusOf(vector),
    trustVector: vector,
    isAuthentic: authentic !== undefined,
    referenceValue,
    grant:
      accepted && findings.every(letsPass) && assurance && issuer && referenceValue && rule
        ? { issuer, assurance, referenceValue, rule }
        : undefined,
  }
}

/** Named one by one: an outcome that is new one day must not let anything pass. */
function letsPass({ outcome }: Finding): boolean {
  return outcome === 'pass' || outcome === 'not-applicable' || outcome === 'waived'
}

function ruleFor({ rules }: AgentRelease, audience: string | undefined): ReleaseRule | undefined {
  if (audience === undefined) return rules.length === 1 ? rules[0] : undefined
  return rules.find((rule) => rule.audience === audience)
}
