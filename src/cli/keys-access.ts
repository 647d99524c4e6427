/** Who answers for the keys: the service behind `--url`, or the database of the settings where no service holds it. */
import type { z } from 'zod'
import { Mistake } from './arguments.ts'
import type { KeysDeps, StoredKeys } from './keys-deps.ts'
import { askService, type ServiceQuestion } from './policy-service.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'

export const accessOptions = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  ...settingOptions,
} as const

export const accessHelp = `  --url URL              address of a running service, which is then asked
  --token-file FILE      holds your operator token (role operator); with --url
                         Without --url the settings of \`vouchsafe serve\` (variables, --config or flags) name the
                         database, and the key-encryption key`

export interface Access {
  readonly url: string | undefined
  readonly tokenFile: string | undefined
  readonly flags: Flags
}

export function accessOf(values: Readonly<Record<string, unknown>>): Access {
  const { url, 'token-file': tokenFile } = values
  return {
    url: typeof url === 'string' ? url : undefined,
    tokenFile: typeof tokenFile === 'string' ? tokenFile : undefined,
    flags: flagsOf(values),
  }
}

export interface KeyQuestion<T> {
  readonly question: ServiceQuestion
  readonly schema: z.ZodType<T>
  /** The same, where no service is asked. */
  readonly stored: (keys: StoredKeys) => Promise<T>
}

/** Throws Mistake, and Problem. */
export async function askKeys<T>(
  { question, schema, stored }: KeyQuestion<T>,
  { url, tokenFile, flags }: Access,
  deps: KeysDeps,
): Promise<T> {
  if (url !== undefined) return await askService(question, schema, { url, tokenFile, deps })
  if (tokenFile !== undefined)
    throw new Mistake(
      '--token-file goes with --url: the database asks for no token.',
      'Name the service with --url, or leave --token-file out.',
    )
  return await withStoredKeys({ flags, deps }, stored)
}

/** Throws Mistake where a running service holds the database, and Problem. */
export async function withStoredKeys<T>(
  { flags, deps }: { readonly flags: Flags; readonly deps: Pick<KeysDeps, 'openKeys'> },
  work: (keys: StoredKeys) => Promise<T>,
): Promise<T> {
  const keys = await deps.openKeys(flags)
  if (!keys)
    throw new Mistake(
      'A running service holds the data directory.',
      'Ask that service: --url URL --token-file FILE. To rewrap, stop it first.',
    )
  try {
    return await work(keys)
  } finally {
    await keys.close()
  }
}
