/** What the memory store says where a database's constraint would not hold. */
import { Problem } from '../problems.ts'

/** As `answered` of sql-answered.ts makes it of a database's error. */
export function fault(reason: string): Problem {
  return new Problem('storage-unavailable', 'the database did not do as asked', {
    cause: new Error(reason),
    retryAfterSeconds: 5,
  })
}
