/** Who answers an operator: the service behind `--url`, or the database of the settings where no service holds it. */
import type { z } from 'zod'
import { Mistake } from './arguments.ts'
import type { Files } from './files.ts'
import { askService, type ServiceQuestion } from './policy-service.ts'
import type { Flags } from './setting-options.ts'

export interface Access {
  readonly url: string | undefined
  readonly tokenFile: string | undefined
  readonly flags: Flags
}

/** `S`: what is done on the database itself, and closed afterwards. */
export interface EitherQuestion<T, S> {
  readonly question: ServiceQuestion
  readonly schema: z.ZodType<T>
  /** The same, where no service is asked. */
  readonly stored: (stored: S) => Promise<T>
}

export interface Either<S> {
  readonly files: Files
  readonly fetch: typeof globalThis.fetch
  /** Undefined where a running service holds the database. Throws Problem. */
  readonly open: (flags: Flags) => Promise<S | undefined>
}

interface Closing {
  readonly close: () => Promise<void>
}

/** Throws Mistake, and Problem. */
export async function askEither<T, S extends Closing>(
  { question, schema, stored }: EitherQuestion<T, S>,
  { url, tokenFile, flags }: Access,
  either: Either<S>,
): Promise<T> {
  if (url !== undefined) return await askService(question, schema, { url, tokenFile, deps: either })
  if (tokenFile !== undefined)
    throw new Mistake(
      '--token-file goes with --url: the database asks for no token.',
      'Name the service with --url, or leave --token-file out.',
    )
  return await withStored(
    { flags, open: either.open, next: 'Ask that service: --url URL --token-file FILE.' },
    stored,
  )
}

/** Throws Mistake where a running service holds the database, and Problem. `next`: what to do then. */
export async function withStored<T, S extends Closing>(
  { flags, open, next }: { readonly flags: Flags; readonly next: string } & Pick<Either<S>, 'open'>,
  work: (stored: S) => Promise<T>,
): Promise<T> {
  const stored = await open(flags)
  if (!stored) throw new Mistake('A running service holds the data directory.', next)
  try {
    return await work(stored)
  } finally {
    await stored.close()
  }
}
