/** What is measured where nothing is known: every family is there, and none has a sample. */
import type { Measured } from '#src/http/metric-families.ts'

export const nothingMeasured: Measured = {
  build: 'vouchsafe/1',
  at: new Date('2026-06-01T00:00:00Z'),
  policies: [],
  verdicts: [],
  sessions: [],
  webhooks: [],
  requests: undefined,
  admission: undefined,
  tokens: undefined,
  releases: undefined,
  messages: [],
  keys: [],
  log: undefined,
  database: undefined,
  collateral: [],
  process: undefined,
}
