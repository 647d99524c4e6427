/** The store on SQL: every aggregate changes in one transaction or one statement, never by reading first and writing then. */
import type { Store } from '../service/ports.ts'
import { answered } from './sql-answered.ts'
import { sqlAppraisals } from './sql-appraisals.ts'
import { recentContents } from './sql-contents.ts'
import type { SqlEngine } from './sql-engine.ts'
import { sqlEvents } from './sql-events.ts'
import { sqlKeys } from './sql-keys.ts'
import { sqlLog } from './sql-log.ts'
import { sqlPolicies } from './sql-policies.ts'
import { sqlReleases } from './sql-releases.ts'
import { sqlSessions } from './sql-sessions.ts'
import { sqlTokens } from './sql-tokens.ts'

/** Every method throws Problem('storage-unavailable') when the database does not do as asked. */
export function sqlStore(engine: SqlEngine): Store {
  const recent = recentContents()
  return {
    ...sqlAppraisals(engine, recent),
    ...sqlPolicies(engine),
    ...sqlKeys(engine),
    ...sqlTokens(engine),
    ...sqlEvents(engine),
    ...sqlLog(engine),
    ...sqlReleases(engine),
    ...sqlSessions(engine, recent),
    ping: () =>
      answered(async () => {
        await engine.rows({ text: 'select 1' })
      }),
    close: engine.close,
  }
}
