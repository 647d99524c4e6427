/** What `vouchsafe release` does where no service is asked: the database of the settings, and the key-encryption key. */
import { systemClock, systemRandom } from '../adapters/system.ts'
import type { StoredResources } from '../cli/release-deps.ts'
import type { KeyEncryptionSettings } from '../config/key-settings.ts'
import type { Config, ConfigReading } from '../config.ts'
import { Problem } from '../problems.ts'
import type { Store } from '../service/ports.ts'
import { putResource } from '../service/put-resource.ts'
import {
  approvalsJson,
  putJson,
  resourceJson,
  resourceRevokedJson,
  resourcesJson,
} from '../service/resource-report.ts'
import { revokeResource } from '../service/revoke-resource.ts'
import { keyEncryptionsOf } from './key-encryption.ts'
import { openStoreUnlessHeld, type Surroundings } from './machine.ts'

/** For the journal of the service there is none here: the command says what was done, and the log who did it. */
const BY = 'the command line'
const PAGE = 100
const MOST_APPROVALS_SHOWN = 1000

/** Undefined where a running service holds the database. Throws Problem. */
export async function openStoredResources(
  reading: ConfigReading,
  { env }: Pick<Surroundings, 'env'>,
): Promise<StoredResources | undefined> {
  if ('mistakes' in reading) throw new Problem('configuration-invalid', reading.mistakes.join('; '))
  const store = await openStoreUnlessHeld(reading.config, reading.secrets)
  return store && storedResources(store, { ...reading, env })
}

interface ResourceSurroundings {
  readonly config: Pick<Config, 'tenants'>
  readonly secrets: KeyEncryptionSettings
  readonly env: Surroundings['env']
}

/** The store is theirs from now on. */
export function storedResources(
  store: Store,
  { config, secrets, env }: ResourceSurroundings,
): StoredResources {
  const room = {
    store,
    random: systemRandom,
    journal: { record: () => {} },
    keyEncryption: keyEncryptionsOf(secrets, env),
  }
  const { now } = systemClock
  const known = (tenant: string) => {
    if (!config.tenants.some(({ name }) => name === tenant))
      throw new Problem('tenant-unknown', `the settings have no tenant ${tenant}`)
    return tenant
  }
  return {
    list: async (tenant, after) =>
      resourcesJson(await store.resourcesOf(known(tenant), { limit: PAGE, after }), PAGE),
    async show(tenant, name) {
      const found = await store.findResource(known(tenant), name)
      if (found) return resourceJson(found)
      throw new Problem('resource-unknown', `there is no ${name} in ${tenant}`)
    },
    put: async (tenant, put) =>
      putJson(await putResource(room, { tenant: known(tenant), by: BY, ...put }, now())),
    revoke: async (tenant, name, versions) =>
      resourceRevokedJson(
        { tenant, name },
        await revokeResource(room, { tenant: known(tenant), name, versions, by: BY }, now()),
      ),
    async approvals(tenant) {
      const page = { at: now(), limit: MOST_APPROVALS_SHOWN }
      const open = await store.approvalsOf(known(tenant), page)
      return approvalsJson(
        await Promise.all(
          open.map(async (approval) => ({
            approval,
            needed: (await store.findResource(tenant, approval.resource))?.approvals,
          })),
        ),
      )
    },
    close: store.close,
  }
}
