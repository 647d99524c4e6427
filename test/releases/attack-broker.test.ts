/** The same attacks on the Key Broker face: rows that were rewritten, and a policy that is faster than the secret. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { putResource } from '#src/service/put-resource.ts'
import type { BrokerSession, KnownResource } from '#src/service/release-ports.ts'
import type { SettingsChange } from '#src/service/resource-settings.ts'
import { leaf } from '../adapters/store-records.ts'
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

test.each<[string, SettingsChange, Partial<KnownResource>]>([
  ['that brings it to this face', { brokerPath: undefined }, { brokerPath: PATH }],
  [
    'that takes samples, which nobody signed',
    { acceptsSimulated: false, brokerPath: PATH },
    { acceptsSimulated: true },
  ],
])('a row of the resource %s opens nothing', async (_, settings, change) => {
  const { store } = service.verifier
  const put = { tenant: 'default', name: 'secret:demo', by: 'sara' }
  const secret = new TextEncoder().encode(SECRET)
  const usual = await store.findResource('default', 'secret:demo')
  await store.revokeVersions('default', 'secret:demo', { versions: 'all', at: new Date() }, leaf())
  await putResource(service.verifier, { ...put, settings, secret }, service.clock.at)
  const row = await store.findResource('default', 'secret:demo')
  if (!row) throw new Error('it was not kept')
  const atPath = vi.spyOn(store, 'resourceAtBrokerPath')
  atPath.mockResolvedValue({ ...row, ...change })
  const recorded = vi.spyOn(store, 'recordRelease')
  expect((await agent.resource(PATH)).status).toBe(500)
  expect(recorded).not.toHaveBeenCalled()
  vi.restoreAllMocks()
  await store.revokeVersions('default', 'secret:demo', { versions: 'all', at: new Date() }, leaf())
  const { brokerPath = PATH, acceptsSimulated = true } = usual ?? {}
  const mended = { ...put, settings: { brokerPath, acceptsSimulated }, secret }
  await putResource(service.verifier, mended, service.clock.at)
  expect(await agent.secret(PATH)).toBe(SECRET)
})
