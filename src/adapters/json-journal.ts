/** The operator's log: one JSON object per line, for people with `jq` and for collectors. */
import type { Journal, JournalEntry } from '../service/ports.ts'

/** `write` takes whole lines. */
export function jsonJournal(write: (line: string) => void): Journal {
  return { record: (entry) => write(`${JSON.stringify(lineOf(entry))}\n`) }
}

function lineOf({ at, event, requestId, fields, cause }: JournalEntry): Record<string, unknown> {
  return {
    at: at.toISOString(),
    level: event === 'request.failed' ? 'error' : 'info',
    event,
    ...(requestId !== undefined && { requestId }),
    ...fields,
    ...(cause !== undefined && { cause: causeOf(cause) }),
  }
}

/** The stack and nothing else: a library's error may carry what it was given (a query's parameters, a request's body). */
function causeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return typeof cause
  return (cause.stack ?? cause.message).slice(0, 4000)
}
