/** Many questions in one: whoever asks for one row while the database is busy, or at the same time as others, shares a statement. */
import { answered } from './sql-answered.ts'
import type { SqlEngine } from './sql-engine.ts'
import { groupCommit } from './sql-group-commit.ts'

interface GatherTerms<Found> {
  /** In one statement. */
  readonly most: number
  readonly mostWaiting: number
  /** Of those that there are, by id. */
  readonly read: (ids: readonly string[]) => Promise<ReadonlyMap<string, Found>>
}

/** Who asks is answered from a statement that begins after he asked: he sees whatever was committed before. */
export function gather<Found>(
  { concurrency: inFlight, gatherMs }: Pick<SqlEngine, 'concurrency' | 'gatherMs'>,
  { most, mostWaiting, read }: GatherTerms<Found>,
): (id: string) => Promise<Found | undefined> {
  const ask = groupCommit<string, { readonly found: Found | undefined }>({
    ...{ most, mostWaiting, inFlight, gatherMs },
    async write(ids) {
      const found = await read([...new Set(ids)])
      return ids.map((id) => ({ found: found.get(id) }))
    },
  })
  return (id) => answered(async () => (await ask(id)).found)
}
