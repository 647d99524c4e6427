/** When is a session heard again, whatever the answer says, which the host may have written? */
import { expect, test } from 'vitest'
import type { Latest } from '../../enclave/session/conversation.ts'
import { sessionSchedule } from '../../enclave/session/session-schedule.ts'
import type { SessionAnswer } from '../../src/rats/session-message.ts'

const AT = Date.parse('2026-01-01T00:00:00Z')
const answer: SessionAnswer = {
  ...{ id: 'A'.repeat(22), state: 'ACTIVE', seq: 0, nonce: 'A'.repeat(22) },
  ...{ leaseUntil: '', heartbeatSeconds: 10 },
  quote: { dueAt: '2026-01-01T00:05:00Z', demanded: null },
  policy: { commit: '', digest: '' },
}

function dueInMs(heartbeatSeconds: number): number {
  const surroundings = {
    fetch: () => Promise.reject(new Error('nobody asks')),
    ...{ monotonicMs: () => 0, wallMs: () => 0, fraction: () => 1 },
    wait: async () => {},
  }
  const latest: Latest = {
    ...{ answer: { ...answer, heartbeatSeconds }, age: () => 0, isComplete: true, isQuote: false },
    counts: { measurement: 0, behaviour: 0 },
  }
  return sessionSchedule(surroundings, () => AT).dueInMs(latest)
}

test.each([
  ['as the answer says', 10, 10_000],
  ['not at once, and not again and again', 0, 250],
  ['not at once where the interval lies before now', -1, 250],
  ['within five minutes, which a timer can wait', 5_000_000, 300_000],
  ['within five minutes for ever', Number.MAX_SAFE_INTEGER, 300_000],
])('%s', (_, seconds, ms) => {
  expect(dueInMs(seconds)).toBe(ms)
})
