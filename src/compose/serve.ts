/** What `vouchsafe serve` starts: every tenant of the configuration, with its anchors, vendors and policy. */
import { createSecretKey } from 'node:crypto'
import { join } from 'node:path'
import { httpWebhook } from '../adapters/http-webhook.ts'
import { httpWitness } from '../adapters/log-witness.ts'
import { oidcOperators } from '../adapters/oidc-operators.ts'
import { pinoJournal } from '../adapters/pino-journal.ts'
import { watchProcess } from '../adapters/process-figures.ts'
import { remoteOpa } from '../adapters/remote-opa.ts'
import { openRuleEngine } from '../adapters/rule-engine.ts'
import { systemClock, systemRandom } from '../adapters/system.ts'
import type { TenantSecrets } from '../config/secrets.ts'
import type { TracesConfig } from '../config/traces-settings.ts'
import type { Config, Secrets, TenantConfig } from '../config.ts'
import type { RunningService, ServiceTenant } from '../http/run-service.ts'
import { endorsementCollector } from '../service/collect-endorsements.ts'
import { driftWatch } from '../service/drift-watch.ts'
import { keyEncryptionsOf } from './key-encryption.ts'
import { openStore, replicaName, type Surroundings, startService, version } from './machine.ts'
import { keyCustody, machineAttester } from './self-attester.ts'
import { collectFor, openVendors, tenantAnchors } from './tenant-evidence.ts'
import { type TenantPolicy, tenantPolicy } from './tenant-policy.ts'

const STDOUT = 1

export async function startServe(
  config: Config,
  secrets: Secrets,
  { searchPath, env, err }: Surroundings,
): Promise<RunningService> {
  const journal = pinoJournal({ level: config.logLevel, to: STDOUT })
  const vendors = await openVendors(config, { err })
  const collect = endorsementCollector(vendors)
  const self = { attester: await machineAttester(collect), keys: keyCustody(secrets) }
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
  const spans = config.traces && (await spansTo(config.traces, config.port))
  // From here on something must be closed: whoever holds the store must also close it.
  const store = await openServedStore(config, secrets, err)
  const engine = openRuleEngine()
  const watch = watchProcess()
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
      random: systemRandom,
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
      ...(tenant.keyBroker && { broker: tenant.keyBroker }),
      pollSeconds: policy.pollSeconds,
      webhookSecret: secrets.tenants.get(name)?.webhookSecret,
    }
  })
  return await startService({
    ...config,
    publicUrl: () => config.publicUrl,
    keyEncryption: keyEncryptionsOf(secrets, env),
    operators: secrets.operators,
    identityProvider: config.identityProvider && oidcOperators(config.identityProvider),
    tenants,
    store,
    journal,
    drift,
    witnesses: config.logWitnesses.map(httpWitness),
    webhooks: config.webhooks.map(({ name, url, tenant, events }) => ({
      ...{ name, tenant, events, send: httpWebhook(url) },
      secret: createSecretKey(secrets.webhooks.get(name) ?? missing(name)),
    })),
    self,
    spans,
    archive: {
      policyOf: async (name, commit) =>
        await (policies.get(name) ?? missing(name)).policyOf(commit),
    },
    figures: {
      collateral: vendors.holdings,
      process: () => ({ ...watch.figures(), droppedLogLines: journal.dropped() }),
    },
    housekeeping: async () => {
      await vendors.refresh()
    },
    release: async () => {
      watch.stop()
      await engine.close()
    },
  })
}

/** The packages are loaded for whoever wants traces, and for nobody else. */
async function spansTo(traces: TracesConfig, port: number) {
  const { otlpSpans } = await import('../adapters/otlp-spans.ts')
  return await otlpSpans({ ...traces, build: `vouchsafe/${version()}`, replica: replicaName(port) })
}

/**
 * An empty PostgreSQL gets its tables; one that has some is changed by `vouchsafe migrate` alone, after a backup, since the
 * version before does not run on it any more.
 */
async function openServedStore(config: Config, secrets: Secrets, err: Surroundings['err']) {
  const { databaseUrl } = secrets
  if (databaseUrl === undefined) {
    const { pgliteWarning } = await import('../adapters/pglite-store.ts')
    err(`vouchsafe serve: ${pgliteWarning}\n`)
    return await openStore(config, secrets)
  }
  return await openStore(config, secrets, (await isEmpty(databaseUrl)) ? 'apply' : 'refuse')
}

/** One that does not answer is told by who opens it. */
async function isEmpty(databaseUrl: string): Promise<boolean> {
  const { probePostgres } = await import('../adapters/postgres-probe.ts')
  try {
    return (await probePostgres(databaseUrl)).schema === 'none'
  } catch {
    return false
  }
}

/** Each tenant's clone is its own: what one repository holds, another's commits cannot name. */
export function mirrorDirectory({ dataDirectory }: Pick<Config, 'dataDirectory'>, name: string) {
  return join(dataDirectory, 'policy', name)
}

/** What a tenant needs beside its policy. Throws for roots that cannot be read. */
async function groundOf(
  tenant: TenantConfig,
  { collect, opaToken }: Pick<ServiceTenant, 'collect'> & Partial<TenantSecrets>,
): Promise<Pick<ServiceTenant, 'anchors' | 'collect' | 'remotePolicy'>> {
  const { opa } = tenant.policy
  const anchors = await tenantAnchors(tenant)
  return {
    anchors,
    collect: collectFor(anchors, collect),
    ...(opa && { remotePolicy: remoteOpa({ ...opa, token: opaToken }) }),
  }
}

/** Every tenant has one: they are made from the same list. */
function missing(name: string): never {
  throw new Error(`nothing was prepared for the tenant ${name}`)
}
