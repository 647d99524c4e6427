/** What `vouchsafe serve` starts: every tenant of the configuration, with its anchors, vendors and policy. */
import { join } from 'node:path'
import { jsonJournal } from '../adapters/json-journal.ts'
import { remoteOpa } from '../adapters/remote-opa.ts'
import { openRuleEngine } from '../adapters/rule-engine.ts'
import { simulatedAnchors } from '../adapters/simulated-anchors.ts'
import { systemClock } from '../adapters/system.ts'
import { openVendorEndorsements } from '../adapters/vendor-endorsements.ts'
import type { TenantSecrets } from '../config/secrets.ts'
import type { Config, Secrets, TenantConfig } from '../config.ts'
import type { RunningService, ServiceTenant } from '../http/run-service.ts'
import { broughtOnly } from '../service/brought-endorsements.ts'
import { endorsementCollector } from '../service/collect-endorsements.ts'
import { driftWatch } from '../service/drift-watch.ts'
import { anchorsWith, openStore, replicaName, type Surroundings, startService } from './machine.ts'
import { type TenantPolicy, tenantPolicy } from './tenant-policy.ts'

export async function startServe(
  config: Config,
  secrets: Secrets,
  { searchPath, out, err }: Surroundings,
): Promise<RunningService> {
  const journal = jsonJournal(out)
  const vendors = await openVendorEndorsements(config, {
    whenDiskFails: 'report',
    report: (sentence) => err(`vouchsafe: ${sentence}\n`),
  })
  const collect = endorsementCollector(vendors)
  const grounds = new Map(
    await Promise.all(
      config.tenants.map(
        async (tenant) =>
          [
            tenant.name,
            await groundOf(tenant, { collect, ...secrets.tenants.get(tenant.name) }),
          ] as const,
      ),
    ),
  )
  // From here on something must be closed: whoever holds the store must also close it.
  const store = await openStore(config.dataDirectory)
  const engine = openRuleEngine()
  const drift = driftWatch()
  const policies = new Map<string, TenantPolicy>()
  const tenants = config.tenants.map((tenant): ServiceTenant => {
    const { name, policy } = tenant
    const own = tenantPolicy({
      tenant: name,
      config: policy,
      directory: mirrorDirectory(config, name),
      engine,
      store,
      clock: systemClock,
      journal,
      replica: replicaName(config.port),
      searchPath,
      onAccepted: drift.accepted,
    })
    policies.set(name, own)
    return {
      name,
      ...(grounds.get(name) ?? missing(name)),
      policy: own.source,
      pollSeconds: policy.pollSeconds,
      webhookSecret: secrets.tenants.get(name)?.webhookSecret,
    }
  })
  return await startService({
    ...config,
    publicUrl: () => config.publicUrl,
    keyEncryptionKey: secrets.keyEncryptionKey,
    operators: secrets.operators,
    tenants,
    store,
    journal,
    drift,
    archive: {
      policyOf: async (name, commit) =>
        await (policies.get(name) ?? missing(name)).policyOf(commit),
    },
    housekeeping: async () => {
      await vendors.refresh()
    },
    release: async () => await engine.close(),
  })
}

/** Each tenant's clone is its own: what one repository holds, another's commits cannot name. */
export function mirrorDirectory({ dataDirectory }: Pick<Config, 'dataDirectory'>, name: string) {
  return join(dataDirectory, 'policy', name)
}

/** What a tenant needs beside its policy. Throws for roots that cannot be read. */
async function groundOf(
  { simulatedRoots, policy: { opa } }: TenantConfig,
  { collect, opaToken }: Pick<ServiceTenant, 'collect'> & Partial<TenantSecrets>,
): Promise<Pick<ServiceTenant, 'anchors' | 'collect' | 'remotePolicy'>> {
  const simulated = simulatedRoots ? await simulatedAnchors(simulatedRoots) : []
  return {
    anchors: await anchorsWith(simulated),
    collect: simulated.length > 0 ? broughtOnly : collect,
    ...(opa && { remotePolicy: remoteOpa({ ...opa, token: opaToken }) }),
  }
}

/** Every tenant has one: they are made from the same list. */
function missing(name: string): never {
  throw new Error(`nothing was prepared for the tenant ${name}`)
}
