/**
 * As which agent is evidence judged that names none? The Key Broker protocol says nothing of agents, so the accepted policy is
 * searched for a release that accepts what was launched. What comes of it is judged in full afterwards, as if the agent had
 * named that release itself.
 */
import { holdsAt } from '../pki/interval.ts'
import { matchPolicy } from '../policy/match-policy.ts'
import type { Policy } from '../policy/policy.ts'
import { authenticateAside, type Conditions } from '../rats/authentication.ts'
import type { Waivers } from '../rats/check.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AgentRelease, ReleaseRule } from '../rats/release.ts'
import type { AnyTee } from '../rats/tee.ts'
import type { AnyAuthentication } from './decision.ts'

export interface FoundRelease {
  readonly release: AgentRelease
  /** Where it was made under exactly this release's waivers, so that it need not be made again. */
  readonly authentication: AnyAuthentication | undefined
}

/**
 * Of those that accept it, the first in the order of the policy that is in force and may have secrets; else the first. Where
 * none does, the one that its launch was approved for, so that a refusal can say by what it differs; else nobody's.
 */
export async function releaseAccepting(
  policy: Policy,
  { tee, evidence }: { readonly tee: AnyTee; readonly evidence: Evidence },
  conditions: Omit<Conditions, 'waivers'>,
): Promise<FoundRelease> {
  const waivers = waiversOfAny(policy)
  const authentication = await authenticateAside(tee, evidence, { ...conditions, waivers })
  const accepting = matchPolicy(policy, tee, authentication).map(({ release }) => release)
  const chosen =
    accepting.find((each) => holdsAt(each, conditions.at) && askedOf(each).some(hasScopes)) ??
    accepting[0] ??
    nearestOf(policy, tee, authentication) ??
    nobodys
  return {
    release: chosen,
    authentication: sameWaivers(chosen.waivers, waivers) ? authentication : undefined,
  }
}

/** Whose tokens could be exchanged for secrets: rules of possession, those with scopes where there are any. */
export function askedOf({ rules }: AgentRelease): readonly ReleaseRule[] {
  const possession = rules.filter(({ form }) => form === 'possession')
  const scoped = possession.filter(hasScopes)
  return scoped.length > 0 ? scoped : possession
}

function hasScopes({ scopes }: ReleaseRule): boolean {
  return scopes.length > 0
}

function nearestOf(
  policy: Policy,
  tee: AnyTee,
  { authentic }: AnyAuthentication,
): AgentRelease | undefined {
  if (!authentic) return undefined
  const { launch } = tee.identify(authentic.evidence, authentic.endorsement)
  return policy.launching(tee.name, launch)[0]?.release
}

const unions = new WeakMap<Policy, Waivers>()

/** Whatever any release waives: matching then leaves out those that do not waive what was needed. */
function waiversOfAny(policy: Policy): Waivers {
  const known = unions.get(policy)
  if (known) return known
  const union = new Map(policy.releases.flatMap(({ waivers }) => [...waivers]))
  unions.set(policy, union)
  return union
}

function sameWaivers(a: Waivers, b: Waivers): boolean {
  return a.size === b.size && [...a].every(([name, reason]) => b.get(name) === reason)
}

/** No manifest may have such a name, so nothing can be granted under it. Its checks say that no release accepts the evidence. */
const nobodys: AgentRelease = {
  environment: '-',
  agent: '-',
  version: '-',
  generation: 0,
  notBefore: new Date(0),
  notAfter: new Date(0),
  referenceValues: [],
  waivers: new Map(),
  rules: [],
  artifacts: [],
  models: [],
  runtime: undefined,
  runtimeConfig: undefined,
  manifest: { file: 'agents/', sha256: '0'.repeat(64) },
}
