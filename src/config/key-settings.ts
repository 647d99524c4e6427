/** Who holds the key-encryption key, who held the one before, and how long does a signing key sign? Nothing of a key is ever quoted in a mistake. */
import { z } from 'zod'
import { asObject, type ConfigSources, type Given, messageOf } from './given.ts'
import { lineIn } from './secrets.ts'
import { KEY_ENCRYPTION_KEY, settingNamed } from './settings.ts'
import { address, path, wholeNumber } from './values.ts'

export type KeyEncryptionSetting =
  | {
      readonly kind: 'secret'
      readonly from: 'file' | 'environment'
      /** 32 bytes. */
      readonly secret: Uint8Array
    }
  | {
      readonly kind: 'command'
      readonly program: string
      /** What the program knows the key by: never a secret. */
      readonly handle: string
    }
  | {
      readonly kind: 'transit'
      readonly url: string
      readonly mount: string
      readonly key: string
      readonly namespace: string | undefined
      /** Read again for every question, so that a token may change. */
      readonly tokenFile: string
      /** PEM. */
      readonly authorities: string | undefined
    }

/** More than a year is no rotation; less than a day would leave more keys retired than in use. */
const ROTATION = 'must be a number of days from 1 to 366'
const HANDLE = 'must be 1 to 128 letters, digits and any of ._:@/=-, and not begin with a hyphen'

const TRANSIT_KEY = 'must be 1 to 128 letters, digits and any of _.- within'
const TRANSIT_PATH = 'must be a path of letters, digits and any of _.- with / between'
const transitPath = z
  .string(TRANSIT_PATH)
  .max(256, TRANSIT_PATH)
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/, TRANSIT_PATH)

/** The transit engine of HashiCorp Vault or OpenBao. */
const transit = z.strictObject({
  url: address,
  key: z
    .string(TRANSIT_KEY)
    .regex(/^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,126}[A-Za-z0-9_])?$/, TRANSIT_KEY),
  tokenFile: path,
  mount: transitPath.default('transit'),
  namespace: transitPath.exactOptional(),
  authoritiesFile: path.exactOptional(),
})

const program = path.refine((text) => text.startsWith('/'), 'must be an absolute path')
const handle = z.string(HANDLE).regex(/^[A-Za-z0-9._:@/=][A-Za-z0-9._:@/=-]{0,127}$/, HANDLE)

export const keySettings = {
  keyEncryptionKeyFile: path.exactOptional(),
  keyEncryptionCommand: program.exactOptional(),
  keyEncryptionHandle: handle.exactOptional(),
  transit: transit.exactOptional(),
  previousKeyEncryptionKeyFile: path.exactOptional(),
  previousKeyEncryptionCommand: program.exactOptional(),
  previousKeyEncryptionHandle: handle.exactOptional(),
  previousTransit: transit.exactOptional(),
  keyRotationDays: wholeNumber(ROTATION)
    .refine((days) => days >= 1 && days <= 366, ROTATION)
    .default(30),
}

/** Under which names each way of holding a key is given. */
const present = {
  file: 'keyEncryptionKeyFile',
  command: 'keyEncryptionCommand',
  handle: 'keyEncryptionHandle',
  engine: 'transit',
  /** A variable alone. */
  value: KEY_ENCRYPTION_KEY,
} as const
const previous = {
  file: 'previousKeyEncryptionKeyFile',
  command: 'previousKeyEncryptionCommand',
  handle: 'previousKeyEncryptionHandle',
  engine: 'previousTransit',
  value: undefined,
} as const
type Names = typeof present | typeof previous

export interface KeyEncryptionSettings {
  /** What seals. */
  readonly keyEncryption: KeyEncryptionSetting
  /** Still opens what it sealed; undefined where nothing is stored under a key of before. */
  readonly previousKeyEncryption: KeyEncryptionSetting | undefined
}

/** Undefined where a mistake says why. */
export function keyEncryptionsOf(
  sources: ConfigSources,
  given: Given,
  mistakes: string[],
): KeyEncryptionSettings | undefined {
  const keyEncryption = holderOf({ sources, given, names: present }, mistakes)
  if (keyEncryption === 'none')
    mistakes.push(
      'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE is missing: signing keys are stored encrypted under it; make one with `openssl rand -hex 32`',
    )
  const before = holderOf({ sources, given, names: previous }, mistakes)
  if (!keyEncryption || keyEncryption === 'none' || !before) return undefined
  if (before === 'none') return { keyEncryption, previousKeyEncryption: undefined }
  const known = knownBy(keyEncryption)
  if (known.is === knownBy(before).is)
    mistakes.push(
      `the previous key-encryption key is the present one too: what is stored tells them apart by ${known.by}`,
    )
  return { keyEncryption, previousKeyEncryption: before }
}

/** Undefined where a mistake says why. */
function holderOf(
  {
    sources,
    given,
    names,
  }: { readonly sources: ConfigSources; readonly given: Given; readonly names: Names },
  mistakes: string[],
): KeyEncryptionSetting | 'none' | undefined {
  const value = names.value && sources.env[names.value]
  const file = given[names.file]
  const command = given[names.command]
  const known = given[names.handle]
  const engine = given[names.engine]
  const ways = [
    ...(names.value === undefined || value === undefined ? [] : [names.value]),
    ...[names.file, names.command, names.engine].filter((name) => given[name] !== undefined),
  ]
  const [first, second] = ways
  if (command === undefined && known !== undefined)
    mistakes.push(
      `${settingNamed(names.command)} is missing: ${settingNamed(names.handle)} is what it is asked for`,
    )
  else if (second !== undefined) mistakes.push(`${first} and ${second} are both given: choose one`)
  else if (first === undefined) return 'none'
  else if (names.value !== undefined && value !== undefined)
    return secretOf('environment', decodedKey(names.value, value, mistakes))
  else if (typeof file === 'string')
    return secretOf('file', keyIn(sources, names.file, file, mistakes))
  else if (engine !== undefined) return transitOf(sources, { engine, at: names.engine }, mistakes)
  else if (typeof command === 'string') {
    if (typeof known === 'string') return { kind: 'command', program: command, handle: known }
    mistakes.push(
      `${settingNamed(names.handle)} is missing: ${settingNamed(names.command)} is asked for a key by its name`,
    )
  }
  return undefined
}

/** As the id of a stored row has it (src/adapters/key-encryption-*.ts): not by the program, and not by the address. */
function knownBy(setting: KeyEncryptionSetting): { readonly is: string; readonly by: string } {
  switch (setting.kind) {
    case 'secret':
      return {
        is: `secret ${Buffer.from(setting.secret).toString('hex')}`,
        by: 'what the file holds, so make another key',
      }
    case 'command':
      return {
        is: `command ${setting.handle}`,
        by: 'the handle alone, whichever program is asked, so give the new key another',
      }
    case 'transit':
      return {
        is: `transit ${setting.namespace ?? ''} ${setting.mount} ${setting.key}`,
        by: 'namespace, mount and name, wherever the engine is, so give the new key another name',
      }
  }
}

/** What is not of its form is told by who judges the settings as a whole; here only what the files hold. */
function transitOf(
  sources: ConfigSources,
  { engine, at }: { readonly engine: unknown; readonly at: Names['engine'] },
  mistakes: string[],
): KeyEncryptionSetting | undefined {
  const { tokenFile, authoritiesFile: file } = asObject(engine)
  if (typeof tokenFile === 'string') lineIn(sources, `${at}.tokenFile`, tokenFile, mistakes)
  const authorities = authoritiesIn(sources, { file, at }, mistakes)
  const parsed = transit.safeParse(engine)
  if (!parsed.success) return undefined
  const { authoritiesFile: _, namespace, ...rest } = parsed.data
  return { kind: 'transit', ...rest, namespace, authorities }
}

function authoritiesIn(
  { readText }: ConfigSources,
  { file, at }: { readonly file: unknown; readonly at: Names['engine'] },
  mistakes: string[],
): string | undefined {
  if (typeof file !== 'string' || file === '') return undefined
  const named = settingNamed(`${at}.authoritiesFile`)
  try {
    const text = readText(file)
    // Node takes a file without any for no roots at all, and every connection then fails.
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    mistakes.push(`${named}: ${file} must hold certificates in PEM`)
  } catch (cause) {
    mistakes.push(`${named}: ${file} cannot be read: ${messageOf(cause)}`)
  }
  return undefined
}

function secretOf(
  from: 'file' | 'environment',
  secret: Uint8Array | undefined,
): KeyEncryptionSetting | undefined {
  return secret && { kind: 'secret', from, secret }
}

function keyIn(
  { readText }: ConfigSources,
  setting: string,
  file: string,
  mistakes: string[],
): Uint8Array | undefined {
  try {
    return decodedKey(setting, readText(file), mistakes)
  } catch (cause) {
    mistakes.push(`${setting}: ${file} cannot be read: ${messageOf(cause)}`)
    return undefined
  }
}

/** 32 bytes, as `openssl rand -hex 32` or `openssl rand -base64 32` prints them. Never quotes what it was given. */
export function decodedKey(
  setting: string,
  text: string,
  mistakes: string[],
): Uint8Array | undefined {
  const trimmed = text.trim()
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, 'hex'))
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return new Uint8Array(Buffer.from(trimmed, 'base64'))
  mistakes.push(`${setting} must be 32 bytes in hex or base64, as \`openssl rand -hex 32\` prints`)
  return undefined
}
