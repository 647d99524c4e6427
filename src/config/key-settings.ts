/** Who holds the key-encryption key, and how long does a signing key sign? Nothing of a key is ever quoted in a mistake. */
import { z } from 'zod'
import { type ConfigSources, type Given, messageOf } from './given.ts'
import { KEY_ENCRYPTION_KEY, settingNamed } from './settings.ts'
import { path, wholeNumber } from './values.ts'

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

/** More than a year is no rotation; less than a day would leave more keys retired than in use. */
const ROTATION = 'must be a number of days from 1 to 366'
const HANDLE = 'must be 1 to 128 letters, digits and any of ._:@/=-, and not begin with a hyphen'

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
  const { [FILE]: file, [COMMAND]: program, keyEncryptionHandle: handle } = given
  const ways = [
    ...(direct === undefined ? [] : [KEY_ENCRYPTION_KEY]),
    ...(file === undefined ? [] : [FILE]),
    ...(program === undefined ? [] : [COMMAND]),
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
  else if (typeof program === 'string') {
    if (typeof handle === 'string') return { kind: 'command', program, handle }
    mistakes.push(
      `${settingNamed('keyEncryptionHandle')} is missing: ${settingNamed(COMMAND)} is asked for a key by its name`,
    )
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
