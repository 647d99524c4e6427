/**
 * Is anything of this revoked: what runs, where it runs, or who asks? Whatever a manifest says, what stands in revoked/ is
 * refused, and none of these checks can be waived. Only authentic evidence has an identity to look up.
 */
import { type Check, type Judgement, refuse } from '../rats/check.ts'
import type { AgentRelease } from '../rats/release.ts'
import type { RuntimeClaims } from '../rats/runtime-claims.ts'
import type { EvidenceIdentity } from '../rats/tee.ts'
import type { Revocations } from './documents/revocations.ts'
import { visible } from './visible-text.ts'

export interface RevocationSubject {
  readonly revocations: Revocations
  readonly identity: EvidenceIdentity
  /** As which the evidence is judged. */
  readonly release: AgentRelease
  /** Thumbprints; empty where the agent named no such key. */
  readonly keys: Pick<RuntimeClaims, 'sig_jkt' | 'enc_jkt'>
  /** What operators banned from this agent, at this moment, whatever the policy says. */
  readonly bans: readonly BannedPlatform[]
}

export interface BannedPlatform {
  /** Hex, as EvidenceIdentity.platforms. */
  readonly platform: string
  readonly reason: string
  readonly by: string
  readonly at: Date
}

const DESIGN = 'docs/design.md, policy repository: revoked/'

export const revocationChecks: readonly Check<RevocationSubject>[] = [
  {
    id: 'revoked.digest',
    informs: 'executables',
    cites: `${DESIGN}, spec.digests`,
    judge: ({ revocations, identity, release }) =>
      judge('digest', [...identity.digests, ...digestsOf(release)], revocations.digests),
  },
  {
    id: 'revoked.platform',
    informs: 'instance-identity',
    cites: `${DESIGN}, spec.platforms`,
    judge: ({ revocations, identity }) =>
      judge('platform', identity.platforms, revocations.platforms),
  },
  {
    id: 'revoked.agent-key',
    informs: 'instance-identity',
    cites: `${DESIGN}, spec.agentKeys`,
    judge: ({ revocations, keys }) =>
      judge('agent key', [keys.sig_jkt, keys.enc_jkt], revocations.agentKeys),
  },
  {
    id: 'revoked.ban',
    informs: 'instance-identity',
    cites: 'docs/sessions.md, bans',
    judge: ({ bans, identity }) => judgeBans(identity.platforms, bans),
  },
]

function judgeBans(platforms: readonly string[], bans: readonly BannedPlatform[]): Judgement {
  const hits = bans.filter(({ platform }) => platforms.includes(platform))
  const [first] = hits
  if (!first) return true
  const { platform, by, at, reason } = first
  return refuse(
    `the machine ${platform} was banned by ${visible(by)} at ${at.toISOString()} (${visible(reason)}): use another, or have an operator lift it with \`vouchsafe session unban\``,
    hits.map((each) => each.platform),
    'no machine that an operator banned',
  )
}

function judge(
  what: string,
  observed: readonly string[],
  revoked: ReadonlyMap<string, string>,
): Judgement {
  if (revoked.size === 0) return true
  const hits = [...new Set(observed)].filter((each) => revoked.has(each))
  const [first] = hits
  if (first === undefined) return true
  const further = hits.length > 1 ? `, and ${hits.length - 1} more` : ''
  return refuse(
    `the ${what} ${first} is revoked (${visible(revoked.get(first) ?? '')})${further}: use another, or have the entry taken out of revoked/`,
    hits,
    `no ${what} that revoked/ lists`,
  )
}

/** `sha256:<hex>` without its prefix. */
function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** Of what the release is made of. An agent may not run as a release whose parts are revoked, whatever part it runs. */
function digestsOf({
  manifest,
  artifacts,
  models,
  runtimeConfig,
}: AgentRelease): readonly string[] {
  const parts = [...artifacts, ...models].map(({ digest }) => hexOf(digest))
  const config = runtimeConfig
    ? [
        runtimeConfig.sha256,
        runtimeConfig.sha384,
        runtimeConfig.sha512,
        // What is launched by it, whether or not the manifest lists it too.
        ...[...runtimeConfig.names].map(hexOf),
      ]
    : []
  return [manifest.sha256, ...parts, ...config]
}
