/** Who holds the key-encryption key, and how long does a signing key sign? Nothing of a key is ever quoted in a mistake. */
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

export const keySettings = {
  keyEncryptionKeyFile: path.exactOptional(),
  previousKeyEncryptionKeyFile: path.exactOptional(),
  keyEncryptionCommand: path
    .refine((text) => text.startsWith('/'), 'must be an absolute path')
    .exactOptional(),
  keyEncryptionHandle: z
    .string(HANDLE)
    .regex(/^[A-Za-z0-9._:@/=][A-Za-z0-9._:@/=-]{0,127}$/, HANDLE)
    .exactOptional(),
  transit: transit.exactOptional(),
  keyRotationDays: wholeNumber(ROTATION)
    .refine((days) => days >= 1 && days <= 366, ROTATION)
    .default(30),
}

const COMMAND = 'keyEncryptionCommand'
const FILE = 'keyEncryptionKeyFile'

/** Undefined where a mistake says why. */
export function keyEncryptionOf(
  sources: ConfigSources,
  given: Given,
  mistakes: string[],
): KeyEncryptionSetting | undefined {
  const direct = sources.env[KEY_ENCRYPTION_KEY]
  const { [FILE]: file, [COMMAND]: program, keyEncryptionHandle: handle, transit: engine } = given
  const ways = [
    ...(direct === undefined ? [] : [KEY_ENCRYPTION_KEY]),
    ...(file === undefined ? [] : [FILE]),
    ...(program === undefined ? [] : [COMMAND]),
    ...(engine === undefined ? [] : ['transit']),
  ]
  const [first, second] = ways
  if (second !== undefined) mistakes.push(`${first} and ${second} are both given: choose one`)
  else if (first === undefined)
    mistakes.push(
      'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE is missing: signing keys are stored encrypted under it; make one with `openssl rand -hex 32`',
    )
  else if (direct !== undefined)
    return secretOf('environment', decodedKey(KEY_ENCRYPTION_KEY, direct, mistakes))
  else if (typeof file === 'string') return secretOf('file', keyIn(sources, FILE, file, mistakes))
  else if (engine !== undefined) return transitOf(sources, engine, mistakes)
  else if (typeof program === 'string') {
    if (typeof handle === 'string') return { kind: 'command', program, handle }
    mistakes.push(
      `${settingNamed('keyEncryptionHandle')} is missing: ${settingNamed(COMMAND)} is asked for a key by its name`,
    )
  }
  return undefined
}

/** What is not of its form is told by who judges the settings as a whole; here only what the files hold. */
function transitOf(
  sources: ConfigSources,
  given: unknown,
  mistakes: string[],
): KeyEncryptionSetting | undefined {
  const { tokenFile, authoritiesFile } = asObject(given)
  if (typeof tokenFile === 'string') lineIn(sources, 'transit.tokenFile', tokenFile, mistakes)
  const authorities = authoritiesIn(sources, authoritiesFile, mistakes)
  const parsed = transit.safeParse(given)
  if (!parsed.success) return undefined
  const { authoritiesFile: _, namespace, ...rest } = parsed.data
  return { kind: 'transit', ...rest, namespace, authorities }
}

function authoritiesIn(
  { readText }: ConfigSources,
  file: unknown,
  mistakes: string[],
): string | undefined {
  if (typeof file !== 'string' || file === '') return undefined
  const named = settingNamed('transit.authoritiesFile')
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

/** Undefined where none is given: nothing is stored under a key of before. */
export function previousKeyOf(
  sources: ConfigSources,
  { previousKeyEncryptionKeyFile: file }: Given,
  mistakes: string[],
): Uint8Array | undefined {
  return typeof file === 'string'
    ? keyIn(sources, 'previousKeyEncryptionKeyFile', file, mistakes)
    : undefined
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
