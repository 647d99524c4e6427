/** What a database that does not do as asked looks like to everybody else. */
import { DrizzleQueryError } from 'drizzle-orm'
import { Problem } from '../problems.ts'

/** Throws Problem('storage-unavailable'). The database's own error stays the cause, for the log; nothing of it is shown. */
export async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('storage-unavailable', 'the database did not do as asked', {
      cause: withoutParameters(error),
      retryAfterSeconds: 5,
    })
  }
}

/** Drizzle's wrapper quotes every parameter in its message, and `detail` of an error quotes the row: evidence, sealed keys. */
function withoutParameters(error: unknown): unknown {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  if (!(cause instanceof Error)) return cause
  const bare = new Error(cause.message)
  bare.name = cause.name
  if (cause.stack !== undefined) bare.stack = cause.stack
  const code = sqlState(cause)
  return code === undefined ? bare : Object.assign(bare, { code })
}

/** Five characters of PostgreSQL, Appendix A, or a code of Node's. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined
}
