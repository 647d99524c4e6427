/** What `vouchsafe keys` does where no service is asked: the database of the settings, and the key-encryption key. */
import { keyEncryptionBySecret } from '../adapters/key-encryption-secret.ts'
import { systemClock, systemRandom } from '../adapters/system.ts'
import { toHex } from '../bytes/encoding.ts'
import type { StoredKeys } from '../cli/keys-deps.ts'
import type { KeyEncryptionSettings } from '../config/key-settings.ts'
import type { Config, ConfigReading } from '../config.ts'
import { Problem } from '../problems.ts'
import { keysJson, revokedJson, rotatedJson } from '../service/key-report.ts'
import { isRotated, type RotationRoom, revokeKey, rotateKeys } from '../service/key-rotation.ts'
import { listKeys } from '../service/list-keys.ts'
import type { Store } from '../service/ports.ts'
import { resealKeys } from '../service/reseal-keys.ts'
import { resealResources } from '../service/reseal-resources.ts'
import type { KeyPurpose } from '../service/token-ports.ts'
import { keyEncryptionsOf } from './key-encryption.ts'
import { openStoreUnlessHeld, type Surroundings } from './machine.ts'

/** For the journal of the service there is none here: the command says what was done. */
const BY = 'the command line'

/** Undefined where a running service holds the database. Throws Problem. */
export async function openStoredKeys(
  reading: ConfigReading,
  { env }: Pick<Surroundings, 'env'>,
): Promise<StoredKeys | undefined> {
  if ('mistakes' in reading) throw new Problem('configuration-invalid', reading.mistakes.join('; '))
  const store = await openStoreUnlessHeld(reading.config, reading.secrets)
  return store && storedKeys(store, { ...reading, env })
}

interface KeySettings {
  readonly config: Pick<Config, 'keyRotationDays' | 'tenants'>
  readonly secrets: KeyEncryptionSettings
  readonly env: Surroundings['env']
}

/** The store is theirs from now on. */
export function storedKeys(store: Store, { config, secrets, env }: KeySettings): StoredKeys {
  const room: RotationRoom = {
    store,
    clock: systemClock,
    random: systemRandom,
    journal: { record: () => {} },
    keyEncryption: keyEncryptionsOf(secrets, env),
    keyRotationDays: config.keyRotationDays,
  }
  return {
    list: async () => keysJson(await listKeys(store, systemClock.now())),
    rotate: async (names) =>
      rotatedJson(await rotateKeys(room, { purposes: await purposesOf(room, names), by: BY })),
    revoke: async (kid) => revokedJson(await revokeKey(room, { kid, by: BY })),
    async reseal(secret) {
      const [current] = room.keyEncryption
      const target = secret ? keyEncryptionBySecret('file', secret) : current
      const keys = await resealKeys(room, target)
      const tenants = config.tenants.map(({ name }) => name)
      const resources = await resealResources(room, tenants, target)
      return { ...keys, resources, sealedUnder: toHex(target.id) }
    },
    close: store.close,
  }
}

/** Throws Problem('key-unknown'). */
async function purposesOf(
  { store }: RotationRoom,
  names: readonly string[] | undefined,
): Promise<readonly KeyPurpose[]> {
  const known = new Set((await store.allKeys()).map(({ purpose }) => purpose).filter(isRotated))
  const stray = names?.find((name) => ![...known].some((purpose) => purpose === name))
  if (stray !== undefined) throw new Problem('key-unknown', `there are no keys for ${stray}`)
  return [...known].filter((purpose) => names?.includes(purpose) ?? true)
}
