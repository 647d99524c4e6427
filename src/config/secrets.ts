/** What nobody else may know, read from the files that the settings name. Nothing of it is ever quoted in a mistake. */
import { asObject, type ConfigSources, type Given, messageOf } from './given.ts'
import { KEY_ENCRYPTION_KEY, settingNamed } from './settings.ts'

export interface TenantSecrets {
  readonly webhookSecret: string | undefined
  readonly opaToken: string | undefined
}

/** Shorter ones are guessed: a webhook's sender may try as often as it likes. */
const SHORTEST_WEBHOOK_SECRET = 16
const LONGEST_SECRET = 4096

/** 32 bytes, as `openssl rand -hex 32` or `openssl rand -base64 32` prints them. */
export function keyEncryptionKeyOf(
  { env, readText }: ConfigSources,
  { keyEncryptionKeyFile: file }: Given,
  mistakes: string[],
): Uint8Array | undefined {
  const direct = env[KEY_ENCRYPTION_KEY]
  if (direct !== undefined && file !== undefined)
    mistakes.push(`${KEY_ENCRYPTION_KEY} and keyEncryptionKeyFile are both given: choose one`)
  else if (direct !== undefined) return decodedKey(KEY_ENCRYPTION_KEY, direct, mistakes)
  else if (typeof file === 'string')
    try {
      return decodedKey('keyEncryptionKeyFile', readText(file), mistakes)
    } catch (cause) {
      mistakes.push(`keyEncryptionKeyFile: ${file} cannot be read: ${messageOf(cause)}`)
    }
  else
    mistakes.push(
      'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE is missing: signing keys are stored encrypted under it; make one with `openssl rand -hex 32`',
    )
  return undefined
}

/** `at`: where the policy stands in the file, with a dot at its end. */
export function tenantSecretsOf(
  { readText }: ConfigSources,
  { policy: given, at }: { readonly policy: unknown; readonly at: string },
  mistakes: string[],
): TenantSecrets {
  const policy = asObject(given)
  const textOf = (member: string): string | undefined => {
    const file = policy[member]
    if (typeof file !== 'string' || file === '') return undefined
    try {
      return readText(file)
    } catch (cause) {
      mistakes.push(`${settingNamed(at + member)}: ${file} cannot be read: ${messageOf(cause)}`)
      return undefined
    }
  }
  const secretOf = (member: string, shortest: number): string | undefined => {
    const secret = textOf(member)?.trim()
    if (secret === undefined) return undefined
    const isLine = /^[\x21-\x7e]*$/.test(secret)
    if (isLine && secret.length >= shortest && secret.length <= LONGEST_SECRET) return secret
    mistakes.push(
      `${settingNamed(at + member)}: the file must hold one line of ${shortest} to ${LONGEST_SECRET} printable characters without spaces`,
    )
    return undefined
  }
  // Git's own are read again for every fetch; here only whether they can be.
  secretOf('tokenFile', 1)
  textOf('authoritiesFile')
  textOf('sshKeyFile')
  textOf('knownHostsFile')
  return {
    webhookSecret: secretOf('webhookSecretFile', SHORTEST_WEBHOOK_SECRET),
    opaToken: secretOf('opaTokenFile', 1),
  }
}

/** Never quotes what it was given. */
function decodedKey(setting: string, text: string, mistakes: string[]): Uint8Array | undefined {
  const trimmed = text.trim()
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, 'hex'))
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, 'base64'))
  mistakes.push(`${setting} must be 32 bytes in hex or base64, as \`openssl rand -hex 32\` prints`)
  return undefined
}
