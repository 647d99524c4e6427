/**
 * The store on PGlite, PostgreSQL inside this process: what a single machine needs, in one directory. It survives the death
 * of the process at any moment; it has not been shown to survive a power cut, for which there is PostgreSQL.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { drizzle } from 'drizzle-orm/pglite'
import { migrate } from 'drizzle-orm/pglite/migrator'
import { Problem } from '../problems.ts'
import type { Store } from '../service/ports.ts'
import { lockDataDirectory } from './data-directory-lock.ts'
import { sqlStore } from './sql-store.ts'

const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url))

/** Opens, and brings the tables up to date. Throws Problem('configuration-invalid'). */
export async function openPgliteStore(directory: string): Promise<Store> {
  const lock = await lockDataDirectory(directory)
  try {
    const client = await PGlite.create(join(directory, 'database'))
    const database = drizzle(client)
    await migrate(database, { migrationsFolder })
    return sqlStore(database, async () => {
      if (client.closed) return
      await client.close()
      await lock.release()
    })
  } catch (cause) {
    await lock.release()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Problem(
      'configuration-invalid',
      `the database in ${directory} does not open: ${reason}`,
      { cause },
    )
  }
}
