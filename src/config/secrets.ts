/** What nobody else may know, read from the files that the settings name. Nothing of it is ever quoted in a mistake. */
import { asObject, type ConfigSources, type Given, messageOf } from './given.ts'
import { DATABASE_URLS, settingNamed } from './settings.ts'

export interface TenantSecrets {
  readonly webhookSecret: string | undefined
  readonly opaToken: string | undefined
}

/** Shorter ones are guessed: a webhook's sender may try as often as it likes. */
const SHORTEST_WEBHOOK_SECRET = 16
const LONGEST_SECRET = 4096

/**
 * The address of a PostgreSQL, with its password; undefined where none is given, and the database is in the data folder. Two
 * that are not the same are a mistake: the service would write into one database while somebody backs up the other.
 */
export function databaseUrlOf(
  { env, readText }: ConfigSources,
  { databaseUrlFile: file }: Given,
  mistakes: string[],
): string | undefined {
  const given = DATABASE_URLS.flatMap((name) => {
    const text = env[name]?.trim()
    return text ? [{ name: name as string, text }] : []
  })
  if (typeof file === 'string' && file !== '')
    try {
      given.push({ name: settingNamed('databaseUrlFile'), text: readText(file).trim() })
    } catch (cause) {
      mistakes.push(
        `${settingNamed('databaseUrlFile')}: ${file} cannot be read: ${messageOf(cause)}`,
      )
    }
  const [first, ...others] = given
  if (!first) return undefined
  const other = others.find(({ text }) => text !== first.text)
  if (other) mistakes.push(`${first.name} and ${other.name} are both given and differ: choose one`)
  if (isPostgresAddress(first.text)) return first.text
  mistakes.push(
    `${first.name} must be the address of a PostgreSQL, as in postgres://user:password@host:5432/database`,
  )
  return undefined
}

function isPostgresAddress(text: string): boolean {
  if (!/^[\x21-\x7e]{1,4096}$/.test(text) || !URL.canParse(text)) return false
  return /^postgres(ql)?:\/\//.test(text) && new URL(text).pathname.length > 1
}

/** The one line that a file holds, trimmed; undefined where a mistake says why. */
export function lineIn(
  { readText }: ConfigSources,
  setting: string,
  file: string,
  mistakes: string[],
): string | undefined {
  try {
    const line = readText(file).trim()
    if (/^[\x21-\x7e]+$/.test(line) && line.length <= LONGEST_SECRET) return line
    mistakes.push(
      `${settingNamed(setting)}: the file must hold one line of 1 to ${LONGEST_SECRET} printable characters without spaces`,
    )
  } catch (cause) {
    mistakes.push(`${settingNamed(setting)}: ${file} cannot be read: ${messageOf(cause)}`)
  }
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
