/** docs/revocation.md says figures, and the code has them. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HEARTBEAT_MS } from '#src/http/event-stream.ts'
import { MOST_NAMED } from '#src/service/revoke.ts'
import { STATUS_LIFETIME_SECONDS, STATUS_TTL_SECONDS } from '#src/service/status-lists.ts'
import { STATUS_BLOCK, STATUS_LIST_CAPACITY } from '#src/service/status-slots.ts'
import { lifetimeSeconds } from '#src/token/lifetime.ts'

const page = readFileSync(new URL('../../docs/revocation.md', import.meta.url), 'utf8')
const longest = { ruleSeconds: 1e9, session: '' }

test.each([
  `ttl of ${STATUS_TTL_SECONDS} s`,
  `${STATUS_LIFETIME_SECONDS} s after it was signed`,
  `a comment every ${HEARTBEAT_MS / 1000} s`,
  `the first ${MOST_NAMED.toLocaleString('en')} by`,
  `2^${Math.log2(STATUS_LIST_CAPACITY)} entries`,
  `blocks of ${STATUS_BLOCK.toLocaleString('en')}`,
  `${lifetimeSeconds('federation', longest)} s for federation tokens`,
  `${lifetimeSeconds('possession', longest) / 60} min for the others`,
])('%s', (sentence) => expect(page).toContain(sentence))
