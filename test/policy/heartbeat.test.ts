/** heartbeat.yaml: one promise and nothing else. */
import { describe, expect, test } from 'vitest'
import { readHeartbeat } from '#src/policy/documents/heartbeat.ts'

const valid = `apiVersion: vouchsafe.dev/v1alpha1
kind: Heartbeat
metadata: {}
spec:
  notAfter: 2026-06-01T00:00:00Z
`

function read(text: string) {
  return readHeartbeat(new TextEncoder().encode(text), { graceSeconds: 60 })
}

test.each([
  ['with empty metadata', valid],
  ['without metadata', valid.replace('metadata: {}\n', '')],
])('a heartbeat %s says until when the policy is known to be the newest', (_, text) =>
  expect(read(text)).toEqual({
    heartbeat: { notAfter: new Date('2026-06-01T00:00:00Z'), graceSeconds: 60 },
  }),
)

describe('refused', () => {
  test.each([
    ['no promise', '  notAfter: 2026-06-01T00:00:00Z', '  {}', 'spec.notAfter is missing'],
    ['a day that is none', '06-01T', '06-31T', '5:13 spec.notAfter: 2026-06-31'],
    ['a generation, which it has not', 'metadata: {}', 'metadata: {generation: 1}', 'not a known'],
    ['another kind', 'kind: Heartbeat', 'kind: Pulse', '2:7 kind'],
  ])('%s', (_, from, to, says) => {
    expect(valid).toContain(from)
    const reading = read(valid.replace(from, to))
    const said = 'mistakes' in reading ? reading.mistakes : []
    expect(
      said.map(({ line, column, message }) => `${line}:${column} ${message}`).join('\n'),
    ).toContain(says)
  })
})
