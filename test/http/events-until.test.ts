/** How long is an operator told what happens? As long as his identity provider vouches for him, and not as long as he reads. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { attestAt } from './attempt.ts'
import { readEvents } from './event-reader.ts'
import { AT, bearer, get, post, type RunningService, runService } from './running-service.ts'

const until = new Date(AT.getTime() + 60_000)

let service: RunningService
beforeAll(async () => {
  service = await runService({
    identityProvider: {
      operatorOf: async (token, at) =>
        token === 'zoe' && at < until ? { name: 'oidc:zoe', roles: ['viewer'], until } : undefined,
    },
  })
})
afterAll(() => service.close())

async function revokeOne(): Promise<string> {
  const { json } = await attestAt(service)
  const body = JSON.stringify({ token: json.tokens[0].jti })
  await post(`${service.url}/v1/revocations`, body, bearer('operator'))
  return json.tokens[0].jti
}

const zoe = { authorization: 'Bearer zoe' }

test('a stream ends with the token that opened it, and tells nothing of what comes after', async () => {
  service.clock.at = AT
  const reader = await readEvents(`${service.url}/v1/events`, zoe)
  const file = await readEvents(`${service.url}/v1/events`, bearer('viewer'))
  const jti = await revokeOne()
  expect(await reader.next()).toMatchObject({ data: { jti } })
  expect(await file.next()).toMatchObject({ data: { jti } })
  service.clock.at = until
  expect((await get(`${service.url}/v1/policies`, zoe)).status).toBe(401)
  const later = await revokeOne()
  expect(await reader.next()).toBeUndefined()
  expect(await file.next()).toMatchObject({ data: { jti: later } })
  await Promise.all([reader.close(), file.close()])
  await expect.poll(service.streams.count).toBe(0)
})
