/** Is an operator who asks from the year 0 on told so, and not that the database failed? */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { bearer, get, post, type RunningService, runService } from './running-service.ts'

let scratch: string
let service: RunningService
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'year-zero-'))
  service = await runService({ store: await openPgliteStore(join(scratch, 'data')) })
}, 120_000)
afterAll(async () => {
  await service.close()
  await service.verifier.store.close()
  await rm(scratch, { recursive: true })
})

test.each([
  'since=0000-01-01T00:00:00Z',
  'before=0000-01-01T00:00:00.000Z~00000000-0000-0000-0000-000000000000',
])('GET /v1/appraisals?%s', async (query) => {
  const { status, json } = await get(`${service.url}/v1/appraisals?${query}`, bearer('viewer'))
  expect([status, json.code]).toEqual([400, 'request-malformed'])
})

test('POST /v1/reappraisals', async () => {
  const body = JSON.stringify({ since: '0000-01-01T00:00:00Z' })
  const { status, json } = await post(`${service.url}/v1/reappraisals`, body, bearer('operator'))
  expect([status, json.code]).toEqual([400, 'request-malformed'])
})

test.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z'])('%s is a time', async (since) => {
  const { status } = await get(`${service.url}/v1/appraisals?since=${since}`, bearer('viewer'))
  expect(status).toBe(200)
})
