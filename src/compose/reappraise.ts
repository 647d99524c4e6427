/** What `vouchsafe reappraise` needs where no service is asked: the database, the policies as they were accepted, and the vendors. */
import { pinoJournal } from '../adapters/pino-journal.ts'
import { openRuleEngine } from '../adapters/rule-engine.ts'
import { systemClock, systemRandom } from '../adapters/system.ts'
import type { ReappraisalQuestion } from '../cli/reappraise.ts'
import type { Config, ConfigReading, Secrets, TenantConfig } from '../config.ts'
import { Problem } from '../problems.ts'
import { proofCache } from '../rats/proof-cache.ts'
import type { CollectEndorsements } from '../service/collect-endorsements.ts'
import { endorsementCollector } from '../service/collect-endorsements.ts'
import { eventFeed } from '../service/event-feed.ts'
import { issuerNames } from '../service/issuer-names.ts'
import type { Journal, Store } from '../service/ports.ts'
import {
  type ReappraisalLine,
  type ReappraisedTenant,
  reappraiseTenants,
} from '../service/reappraise-tenants.ts'
import { MOST_PROOFS, openStore, type Surroundings } from './machine.ts'
import { mirrorDirectory } from './serve.ts'
import { collectFor, openVendors, tenantAnchors } from './tenant-evidence.ts'
import { pause, tenantPolicy } from './tenant-policy.ts'

/** Throws Problem: the settings are wrong, a running service holds the data, or an accepted policy is not at hand. */
export async function* reappraiseDirectly(
  { tenant: name, since, dryRun }: ReappraisalQuestion,
  reading: ConfigReading,
  surroundings: Surroundings,
): AsyncGenerator<ReappraisalLine> {
  if ('mistakes' in reading) throw new Problem('configuration-invalid', reading.mistakes.join('; '))
  const { config, secrets } = reading
  const asked = config.tenants.filter((each) => name === undefined || each.name === name)
  if (asked.length === 0)
    throw new Problem('configuration-invalid', `the settings name no tenant ${name}`)
  const store = await openStore(config, secrets)
  const engine = openRuleEngine()
  try {
    const place = { config, secrets, store, engine, surroundings }
    const collect = endorsementCollector(await openVendors(config, surroundings))
    const tenants: ReappraisedTenant[] = []
    for (const each of asked) tenants.push(await openTenant(each, { ...place, collect }))
    yield* reappraiseTenants({
      verifier: {
        store,
        random: systemRandom,
        journal: troubles(surroundings),
        events: await eventFeed(store),
        proofs: proofCache(MOST_PROOFS),
        pause,
      },
      tenants,
      scope: since ?? 'live',
      isDryRun: dryRun,
      by: 'vouchsafe reappraise',
      at: systemClock.now(),
    })
  } finally {
    await engine.close()
    await store.close()
  }
}

/** What was revoked is told on the other stream, as the answer. */
function troubles({ err }: Pick<Surroundings, 'err'>): Journal {
  return pinoJournal({ level: 'error', to: { write: err } })
}

interface Place {
  readonly config: Config
  readonly secrets: Secrets
  readonly store: Store
  readonly engine: ReturnType<typeof openRuleEngine>
  readonly surroundings: Surroundings
  readonly collect: CollectEndorsements
}

/** By the policy that the database says is accepted: nothing is fetched here, and nothing new accepted. */
async function openTenant(
  tenant: TenantConfig,
  { config, store, engine, surroundings: { searchPath, err }, collect }: Place,
): Promise<ReappraisedTenant> {
  const { name, policy: repository } = tenant
  const anchors = await tenantAnchors(tenant)
  const { policyOf } = tenantPolicy({
    tenant: name,
    config: repository,
    directory: mirrorDirectory(config, name),
    engine,
    store,
    clock: systemClock,
    random: systemRandom,
    journal: troubles({ err }),
    replica: 'vouchsafe reappraise',
    searchPath,
  })
  const accepted = await store.policyOf(name)
  const policy = accepted && (await policyOf(accepted.commit))
  return {
    name,
    anchors,
    collect: collectFor(anchors, collect),
    issuers: issuerNames(config.publicUrl, { name, anchors }),
    policy: { accepted: () => policy },
  }
}
