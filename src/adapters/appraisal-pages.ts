/** Pages of appraisals, in whichever store. */
import type { AppraisalPlace, AppraisalsFound } from '../service/ports.ts'

export const NOTHING_FOUND: AppraisalsFound = { records: [], unreadable: [], next: undefined }

/** A full page may have another after it. */
export function nextOf(page: readonly AppraisalPlace[], limit: number): AppraisalPlace | undefined {
  const last = page.length === limit ? page.at(-1) : undefined
  return last && { at: last.at, id: last.id }
}
