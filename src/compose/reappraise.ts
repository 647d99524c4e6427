/** What `vouchsafe reappraise` needs where no service is asked: the database, the policies as they were accepted, and the vendors. */
import { pinoJournal } from '../adapters/pino-journal.ts'
import { openRuleEngine } from '../adapters/rule-engine.ts'
import { simulatedAnchors } from '../adapters/simulated-anchors.ts'
import { systemClock, systemRandom } from '../adapters/system.ts'
import { openVendorEndorsements } from '../adapters/vendor-endorsements.ts'
import type { ReappraisalQuestion } from '../cli/reappraise.ts'
import type { Config, ConfigReading, Secrets, TenantConfig } from '../config.ts'
import { Problem } from '../problems.ts'
import { proofCache } from '../rats/proof-cache.ts'
import { broughtOnly } from '../service/brought-endorsements.ts'
import type { CollectEndorsements } from '../service/collect-endorsements.ts'
import { endorsementCollector } from '../service/collect-endorsements.ts'
import { eventFeed } from '../service/event-feed.ts'
import type { Journal, Store } from '../service/ports.ts'
import { issuerUrls } from '../service/publish-keys.ts'
import {
  type ReappraisalLine,
  type ReappraisedTenant,
  reappraiseTenants,
} from '../service/reappraise-tenants.ts'
import { anchorsWith, openStore, type Surroundings } from './machine.ts'
import { mirrorDirectory } from './serve.ts'
import { tenantPolicy } from './tenant-policy.ts'

const MOST_PROOFS = 10_000

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
    const collect = await collector(config, surroundings)
    const tenants: ReappraisedTenant[] = []
    for (const each of asked) tenants.push(await openTenant(each, { ...place, collect }))
    yield* reappraiseTenants({
      verifier: {
        store,
        random: systemRandom,
        journal: troubles(surroundings),
        events: await eventFeed(store),
        proofs: proofCache(MOST_PROOFS),
        pause: () => new Promise((resume) => setImmediate(resume)),
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

/** What is held on disk is taken as it is: only what is out of date is fetched. */
async function collector(config: Config, { err }: Surroundings): Promise<CollectEndorsements> {
  const vendors = await openVendorEndorsements(config, {
    whenDiskFails: 'report',
    report: (sentence) => err(`vouchsafe: ${sentence}\n`),
  })
  return endorsementCollector(vendors)
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
  { name, policy: repository, simulatedRoots }: TenantConfig,
  { config, store, engine, surroundings: { searchPath, err }, collect }: Place,
): Promise<ReappraisedTenant> {
  const simulated = simulatedRoots ? await simulatedAnchors(simulatedRoots) : []
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
  const urls = issuerUrls(config.publicUrl, name)
  return {
    name,
    anchors: await anchorsWith(simulated),
    collect: simulated.length > 0 ? broughtOnly : collect,
    issuers: {
      hardware: { url: urls.hardware },
      simulated: simulated.length > 0 ? { url: urls.simulated } : undefined,
    },
    policy: { accepted: () => policy },
  }
}
