/** Who answers for the keys: the service behind `--url`, or the database of the settings where no service holds it. */
import type { KeysDeps, StoredKeys } from './keys-deps.ts'
import { type Access, askEither, type EitherQuestion, withStored } from './service-or-database.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'

export const accessOptions = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  ...settingOptions,
} as const

export const accessHelp = accessHelpFor('role operator')

/** `role`: which operators may ask, in words. */
export function accessHelpFor(role: string): string {
  return `  --url URL              address of a running service, which is then asked
  --token-file FILE      holds your operator token (${role}); with --url
                         Without --url the settings of \`vouchsafe serve\` (variables, --config or flags) name the
                         database, and the key-encryption key`
}

export function accessOf(values: Readonly<Record<string, unknown>>): Access {
  const { url, 'token-file': tokenFile } = values
  return {
    url: typeof url === 'string' ? url : undefined,
    tokenFile: typeof tokenFile === 'string' ? tokenFile : undefined,
    flags: flagsOf(values),
  }
}

/** Throws Mistake, and Problem. */
export async function askKeys<T>(
  question: EitherQuestion<T, StoredKeys>,
  access: Access,
  deps: KeysDeps,
): Promise<T> {
  return await askEither(question, access, { ...deps, open: deps.openKeys })
}

/** Throws Mistake where a running service holds the database, and Problem. */
export async function withStoredKeys<T>(
  { flags, deps }: { readonly flags: Flags; readonly deps: Pick<KeysDeps, 'openKeys'> },
  work: (keys: StoredKeys) => Promise<T>,
): Promise<T> {
  const next = 'Ask that service: --url URL --token-file FILE. To rewrap, stop it first.'
  return await withStored({ flags, open: deps.openKeys, next }, work)
}
