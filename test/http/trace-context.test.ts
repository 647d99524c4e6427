/** W3C Trace Context: which headers are taken, and that a trace ends with its request. */
import { expect, test } from 'vitest'
import { traces } from '#src/http/trace-context.ts'
import type { JournalEntry } from '#src/service/ports.ts'

const at = new Date('2026-06-01T00:00:00Z')
const traceId = '0af7651916cd43dd8448eb211c80319c'
const parentId = 'b7ad6b7169203331'

function recorded(header: string | null) {
  const entries: JournalEntry[] = []
  const traced = traces({ record: (entry) => entries.push(entry) })
  const over = traced.begin({ requestId: 'r1', method: 'GET', route: '/', traceparent: header })
  traced.journal.record({ event: 'request.refused', at, requestId: 'r1', fields: { code: 'x' } })
  traced.journal.record({ event: 'request.refused', at, requestId: 'r2' })
  over(200)
  traced.journal.record({ event: 'request.refused', at, requestId: 'r1' })
  return entries.map(({ fields }) => fields)
}

test.each([
  `00-${traceId}-${parentId}-01`,
  `00-${traceId}-${parentId}-00`,
  // A later version, which may say more.
  `01-${traceId}-${parentId}-01-more`,
])('%s is taken, for this request and while it lasts', (header) =>
  expect(recorded(header)).toEqual([{ code: 'x', traceId, parentId }, undefined, undefined]),
)

test.each([
  null,
  '',
  `ff-${traceId}-${parentId}-01`,
  `00-${traceId}-${parentId}-01-more`,
  `00-${traceId.toUpperCase()}-${parentId}-01`,
  `00-${'0'.repeat(32)}-${parentId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId}-${parentId}`,
  `00-${traceId}-${parentId}-01\n{"level":"error"}`,
  `01-${traceId}-${parentId}-01-${'x'.repeat(1000)}`,
])('%j is not', (header) => expect(recorded(header)).toEqual([{ code: 'x' }, undefined, undefined]))
