/** Does a batch continue the log that is there? A log that forks or skips is worse than one that stands still. */
import type { LogBatch, LogHead } from '../service/log-ports.ts'

/** Throws where it does not. Not checked: hashes, which are the business of whoever made them. */
export function refuseGap(head: LogHead | undefined, batch: LogBatch): void {
  const size = head?.size ?? 0
  const expected = size + batch.entries.length
  if (batch.head.size !== expected)
    throw new Error(
      `a batch of ${batch.entries.length} after ${size} entries makes ${expected}, not ${batch.head.size}`,
    )
  batch.entries.forEach(({ index }, n) => {
    if (index !== size + n) throw new Error(`entry ${index} stands where ${size + n} belongs`)
  })
}
