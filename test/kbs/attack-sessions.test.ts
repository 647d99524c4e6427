/** What remains of handshakes: how many a stranger may begin, how soon they are forgotten, and how an operator ends them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { guardDefaults } from '#src/config/guard-settings.ts'
import { forgetUnlessStepped } from '#src/service/forget-unless-stepped.ts'
import { steadyClock } from '#src/service/steady-clock.ts'
import { AT, bearer, post, type RunningService } from '../http/running-service.ts'
import { brokerService, PATH, SECRET } from './broker-scene.ts'
import { StockClient } from './stock-client.ts'

let service: RunningService
beforeEach(async () => {
  service = await brokerService()
})
afterEach(async () => {
  await service.close()
})

const later = (seconds: number) => new Date(AT.getTime() + seconds * 1000)
const idOf = (client: StockClient) => client.cookie?.split('=')[1] ?? ''

/** Of a process that was just started, and forgets nothing else by age yet. */
async function housekeeping(seconds: number): Promise<void> {
  const { store } = service.verifier
  const begun = { elapsedMs: () => 0, at: AT, newest: AT }
  const clock = { now: () => later(seconds) }
  const journal = { record: () => {} }
  await forgetUnlessStepped({ store, clock, journal, steady: steadyClock(begun) })
}

describe('a handshake that nobody attested', () => {
  test('is forgotten minutes after its end, and not only after a day', async () => {
    const { store } = service.verifier
    const [stranger, agent] = [service, service].map(({ url }) => new StockClient({ url }))
    await stranger?.auth()
    await agent?.handshake()
    const [nobodys = '', attested = ''] = [stranger, agent].map((each) => each && idOf(each))
    await housekeeping(299)
    expect(await store.findBrokerSession(nobodys)).toBeDefined()
    expect(await store.findBrokerSession(attested)).toBeDefined()
    await housekeeping(300 + 600 + 1)
    expect(await store.findBrokerSession(nobodys)).toBeUndefined()
    expect(await store.findBrokerSession(attested)).toBeUndefined()
  })

  test('is one of so many that a caller may begin while the first is kept', async () => {
    const limited = await brokerService({
      guard: { rateLimits: { ...guardDefaults.rateLimits, handshakes: 3 } },
      store: memoryStore(),
    })
    try {
      const statuses: number[] = []
      for (let each = 0; each < 5; each++)
        statuses.push((await new StockClient({ url: limited.url }).auth()).status)
      expect(statuses).toEqual([200, 200, 200, 429, 429])
      // Others' challenges are counted apart.
      expect(
        (await post(`${limited.url}/v1/challenges`, JSON.stringify({ tenant: 'default' }))).status,
      ).toBe(200)
    } finally {
      await limited.close()
    }
  })
})

describe('an operator who revokes', () => {
  const revoke = async (body: object) =>
    await post(`${service.url}/v1/revocations`, JSON.stringify(body), bearer('operator'))

  const attested = async () => {
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    expect(await agent.secret(PATH)).toBe(SECRET)
    return agent
  }
  const claimsOf = (token = '') =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

  test.each([
    ['an agent', () => ({ agent: { environment: 'prod', agent: 'invoice-bot' } })],
    ['a token', (token?: string) => ({ token: claimsOf(token).jti })],
    ['an attestation', (token?: string) => ({ appraisal: claimsOf(token).att_appraisal })],
  ])(
    '%s ends its handshakes too: neither cookie nor token fetches a secret',
    async (_, selection) => {
      const agent = await attested()
      const other = await attested()
      const { status, json } = await revoke(selection(agent.token))
      expect({ status, json }).toMatchObject({ status: 200, json: { revoked: expect.any(Number) } })
      expect(json.tokens).toContain(claimsOf(agent.token).jti)
      // Who reads what was revoked, or a record, has no handshake thereby.
      expect(json.tokens).not.toContain(idOf(agent))
      for (const by of ['cookie', 'token'] as const)
        expect((await agent.resource(PATH, by)).status).toBe(401)
      const isAgent = 'agent' in selection(agent.token)
      expect((await other.resource(PATH)).status).toBe(isAgent ? 401 : 200)
      expect((await revoke(selection(agent.token))).json.revoked).toBe(0)
    },
  )

  test('of another tenant ends nothing here', async () => {
    const agent = await attested()
    const { json } = await revoke({
      tenant: 'acme',
      agent: { environment: 'prod', agent: 'invoice-bot' },
    })
    expect(json.revoked).toBe(0)
    expect(await agent.secret(PATH)).toBe(SECRET)
  })
})

test('evidence that nobody signs fetches nothing once its switch is off, whatever it was attested by', async () => {
  const store = memoryStore()
  const before = await brokerService({ store, publicUrl: 'http://attest.example' })
  const agent = new StockClient({ url: before.address })
  await agent.handshake()
  expect(await agent.secret(PATH)).toBe(SECRET)
  await before.close()
  const { runService, policyOf } = await import('../http/running-service.ts')
  const { brokerManifest } = await import('./broker-scene.ts')
  const after = await runService({
    store,
    publicUrl: 'http://attest.example',
    policy: await policyOf(brokerManifest()),
    broker: { keyBroker: true, sample: false, attestationService: false },
  })
  try {
    const again = new StockClient({ url: after.address })
    again.cookie = agent.cookie
    expect((await again.resource(PATH)).status).toBe(401)
  } finally {
    await after.close()
  }
})
