/**
 * What would become of a tenant's policy if the service started now? Fetched into the service's own clone and judged as the
 * service would, from what the database holds; but nothing is accepted, and no sighting of a commit is remembered.
 */
import { remoteOpa } from '../adapters/remote-opa.ts'
import { openRuleEngine } from '../adapters/rule-engine.ts'
import type { PolicyExamination } from '../cli/doctor-policy.ts'
import type { Config, Secrets, TenantConfig } from '../config.ts'
import { judgeCandidate } from '../policy/acceptance/acceptance.ts'
import type { RuleAnswer } from '../policy/rules/rule.ts'
import { openStoreUnlessHeld } from './machine.ts'
import { mirrorDirectory } from './serve.ts'
import { openMirror, openPgpVerifier, readingWith } from './tenant-policy.ts'

/** Throws HistoryFault or Problem where the repository cannot be reached or read. */
export async function examinePolicy(
  { name, policy }: TenantConfig,
  {
    config,
    secrets,
    at,
    searchPath,
  }: {
    readonly config: Config
    readonly secrets: Secrets
    readonly at: Date
    readonly searchPath: string
  },
): Promise<PolicyExamination> {
  const mirror = await openMirror(policy, { directory: mirrorDirectory(config, name), searchPath })
  const candidate = await mirror.fetch()
  const store = await openStoreUnlessHeld(config, secrets)
  const engine = openRuleEngine()
  try {
    const record = await store?.policyOf(name)
    const acceptance = await judgeCandidate({
      candidate,
      start: record ? { kind: 'accepted', state: record } : policy.pin,
      history: mirror,
      // Later than the service's own sightings, so what is refused here for its age may still be in force there.
      firstSeen: async (commits) => new Map(commits.map((commit) => [commit, at])),
      reading: readingWith(engine),
      verifyOpenPgp: openPgpVerifier({ searchPath }),
    })
    return { candidate, begunAt: record ? 'accepted' : 'pin', acceptance }
  } finally {
    await engine.close()
    await store?.close()
  }
}

/** An agent and evidence that do not exist: OPA's own log shows who asked. */
export async function askOpa(
  { name, policy: { opa } }: TenantConfig,
  { tenants }: Secrets,
): Promise<RuleAnswer> {
  if (!opa) return { fault: 'no OPA is configured' }
  const nobody = 'vouchsafe-doctor'
  return await remoteOpa({ ...opa, token: tenants.get(name)?.opaToken }).ask({
    tee: nobody,
    assurance: 'none',
    status: 'none',
    release: {
      environment: nobody,
      agent: nobody,
      version: '0',
      generation: 0,
      referenceValue: nobody,
    },
    request: { tenant: name, audience: '' },
    evidence: {},
    resource: { audience: '', scopes: [] },
    connection: { remoteAddress: '' },
  })
}
