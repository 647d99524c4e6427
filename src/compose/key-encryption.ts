/** Who holds the key-encryption key, by the settings: the one that seals first, then the one before. */
import { readFileSync } from 'node:fs'
import { keyEncryptionByCommand } from '../adapters/key-encryption-command.ts'
import { keyEncryptionRemembered } from '../adapters/key-encryption-remembered.ts'
import { keyEncryptionBySecret } from '../adapters/key-encryption-secret.ts'
import { keyEncryptionByTransit } from '../adapters/key-encryption-transit.ts'
import type { KeyEncryptionSetting, KeyEncryptionSettings } from '../config/key-settings.ts'
import type { KeyEncryption, KeyEncryptions } from '../service/key-encryption.ts'

/** `env`: of this process, for a program that holds the key. */
export function keyEncryptionsOf(
  { keyEncryption, previousKeyEncryption }: KeyEncryptionSettings,
  env: Readonly<Record<string, string | undefined>>,
): KeyEncryptions {
  const current = encryptionOf(keyEncryption, env)
  return previousKeyEncryption ? [current, encryptionOf(previousKeyEncryption, env)] : [current]
}

function encryptionOf(
  setting: KeyEncryptionSetting,
  env: Readonly<Record<string, string | undefined>>,
): KeyEncryption {
  switch (setting.kind) {
    case 'secret':
      return keyEncryptionBySecret(setting.from, setting.secret)
    case 'command':
      return keyEncryptionRemembered(keyEncryptionByCommand({ ...setting, env: withoutOurs(env) }))
    case 'transit':
      return keyEncryptionRemembered(
        keyEncryptionByTransit({
          ...setting,
          token: () => readFileSync(setting.tokenFile, 'utf8'),
        }),
      )
  }
}

/** What the program finds its device by, and none of our own settings: some hold secrets as values. */
function withoutOurs(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !name.startsWith('VOUCHSAFE_') && name !== 'DATABASE_URL',
    ),
  )
}
