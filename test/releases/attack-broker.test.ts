/** The same attacks on the Key Broker face: rows that were rewritten, and a policy that is faster than the secret. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { BrokerSession } from '#src/service/release-ports.ts'
import { policyOf, type RunningService } from '../http/running-service.ts'
import { brokerManifest, brokerService, PATH, SECRET } from '../kbs/broker-scene.ts'
import { clientKey, StockClient } from '../kbs/stock-client.ts'

let service: RunningService
let agent: StockClient
beforeAll(async () => {
  service = await brokerService()
}, 30_000)
afterAll(() => service.close())
beforeEach(async () => {
  service.policy.current = await policyOf(brokerManifest())
  agent = new StockClient({ url: service.url })
  await agent.handshake()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const OWN = JSON.stringify(clientKey('P-256').jwk)

test.each<[string, (attested: NonNullable<BrokerSession['attested']>) => object]>([
  ['another key', () => ({ teePublicKey: OWN })],
  ['another agent', () => ({ agent: 'other-bot' })],
  ['evidence that is kept no more', () => ({ appraisal: 'another' })],
])('a handshake whose row was written to name %s gets nothing', async (_, change) => {
  const { store } = service.verifier
  const { findBrokerSession } = store
  vi.spyOn(store, 'findBrokerSession').mockImplementation(async (id) => {
    const session = await findBrokerSession(id)
    if (!session?.attested) return session
    return { ...session, attested: { ...session.attested, ...change(session.attested) } }
  })
  expect((await agent.resource(PATH)).status).toBe(403)
  vi.restoreAllMocks()
  expect(await agent.secret(PATH)).toBe(SECRET)
})

test.each(['sealedVersion', 'recordRelease'] as const)(
  'a policy that comes into force during %s counts',
  async (method) => {
    const { store } = service.verifier
    const asked: (...given: never[]) => Promise<unknown> = store[method]
    const tightened = await policyOf(
      brokerManifest((text) => text.replace('secret:demo', 'secret:else')),
      { commit: 'd'.repeat(40) },
    )
    vi.spyOn(store, method).mockImplementation((async (...given: never[]) => {
      const answer = await asked(...given)
      service.policy.current = tightened
      return answer
    }) as never)
    expect((await agent.resource(PATH)).status).toBe(403)
  },
)
