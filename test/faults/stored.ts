/** What stands in the database itself, once nobody is writing: counted there, not asked of the service. */
import { expect } from 'vitest'
import type { SqlEngine } from '#src/adapters/sql-engine.ts'
import type { Attempt } from './attesting-clients.ts'

/** Resolves to how many attestations are stored. Closes the engine. */
export async function expectStoredOnce(
  engine: SqlEngine,
  attempts: readonly Attempt[],
): Promise<number> {
  try {
    const counted = await engine.rows({
      text: `select record->'runtimeClaims'->>'nonce' as nonce, count(*)::int as times
        from appraisals group by 1`,
    })
    const times = new Map(counted.map((row) => [String(row.nonce), Number(row.times)]))
    for (const { nonce, answers } of attempts) {
      const known = times.get(nonce) ?? 0
      expect(known, nonce).toBeLessThanOrEqual(1)
      // Issued to somebody, or issued and cut off before he heard of it: either way it was the one time.
      const wasUsed = answers.some(
        ({ status, json }) => status === 200 || json?.code === 'challenge-used',
      )
      if (wasUsed) expect(known, nonce).toBe(1)
    }
    const [sums] = await engine.rows({ text: sumsText })
    expect(sums).toMatchObject({ twice: 0, recordless: 0, leafless: 0 })
    expect(sums?.tokens).toBe(sums?.appraisals)
    return counted.length
  } finally {
    await engine.close()
  }
}

/** Every one of these approvals is one token, for one audience. */
const sumsText = `
  select
    (select count(*)::int from appraisals) as appraisals,
    (select count(*)::int from tokens) as tokens,
    (select count(*)::int from (
      select 1 from tokens group by issuer, list, index having count(*) > 1) as same) as twice,
    (select count(*)::int from tokens
      where not exists (select 1 from appraisals where id = tokens.appraisal)) as recordless,
    (select count(*)::int from appraisals
      where not exists (select 1 from log_entries where log_entries.leaf_hash = appraisals.leaf_hash)
        and not exists (select 1 from log_waiting where log_waiting.leaf_hash = appraisals.leaf_hash)
    ) as leafless`
