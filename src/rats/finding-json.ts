/** A finding as it leaves the house, on the command line and over HTTP alike: every key is there, and what does not apply is null. */
import type { Datum, Finding } from './check.ts'

export interface FindingJson extends Omit<Finding, 'detail' | 'observed' | 'expected'> {
  readonly detail: string | null
  readonly observed: Datum
  readonly expected: Datum
}

export function findingJson(finding: Finding): FindingJson {
  const { id, outcome, detail, observed, expected, cites, informs } = finding
  return {
    id,
    outcome,
    detail: detail ?? null,
    observed: observed ?? null,
    expected: expected ?? null,
    cites,
    informs,
  }
}
