/** What a database that does not do as asked looks like to everybody else. */
import { DrizzleQueryError } from 'drizzle-orm'
import { Problem } from '../problems.ts'

/** Throws Problem('storage-unavailable'). The database's own error stays the cause, for the log; nothing of it is shown. */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    // Drizzle's wrapper quotes every parameter in its message: evidence, challenges, sealed keys.
    const cause = error instanceof DrizzleQueryError ? error.cause : error
    throw new Problem('storage-unavailable', 'the database did not do as asked', {
      cause,
      retryAfterSeconds: 5,
    })
  }
}
