/**
 * What costs a healthy agent nothing though it looks like an attack, and what an attacker gains nothing by though it looks healthy:
 * found by trying.
 */
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { MOST_MEASUREMENTS } from '#src/rats/session-message.ts'
import type { SessionRecord } from '#src/service/session-ports.ts'
import { bornKeys } from '../../enclave/attestation.ts'
import { simulatedSnp } from '../../enclave/simulator/agent.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import {
  AT,
  anchorsOf,
  bearer,
  goodMeasurement,
  platform,
  policyOf,
  post,
  runService,
} from './running-service.ts'
import {
  codeEvent,
  interval,
  later,
  type Speaker,
  speaker,
  unapprovedEvent,
  watchedManifest,
} from './session-scene.ts'

const elsewhere = simulatedSnp({
  chance: seededChance('another machine'),
  issued: new Date('2026-01-01T00:00:00Z'),
})

const store = memoryStore()
/** What somebody who can write to the database makes of a session. */
let altered: (session: SessionRecord) => SessionRecord = (session) => session
const costly = watchedManifest((text) => text.replace('tokensPerMinute: 1000', 'usdPerDay: 1'))
const service = await runService({
  policy: await policyOf(costly),
  anchors: anchorsOf([...platform.anchors, ...elsewhere.anchors]),
  store: {
    ...store,
    async findSession(id) {
      const session = await store.findSession(id)
      return session && altered(session)
    },
  },
})
const policy = service.policy.current
afterAll(service.close)
beforeEach(() => {
  service.clock.at = AT
  service.policy.current = policy
  altered = (session) => session
})

const opened = async (given: Parameters<typeof speaker>[1] = {}): Promise<Speaker> => {
  const agent = await speaker(service, given)
  expect((await agent.open()).status).toBe(200)
  return agent
}
const stored = async ({ id }: Speaker) => await store.findSession(id)
const digestOf = (byte: string) => `sha256:${byte.repeat(32)}`

describe('a healthy agent', () => {
  test('whose quote told of too much spent is suspended, and goes on the next day', async () => {
    const agent = await opened()
    const refused = await agent.quote({ behaviour: [interval({ modelMicroUsd: 2_000_000 })] })
    expect(refused.json).toMatchObject({ failing: ['runtime.model-costs.within-budget'] })
    expect(await stored(agent)).toMatchObject({ standing: 'suspended', seq: 0 })
    later(service, 24 * 3600)
    const { status, json } = await agent.quote({ behaviour: [interval()] })
    expect([status, json.session?.state]).toEqual([200, 'ACTIVE'])
  })

  test.each([
    ['opening', async () => await speaker(service)],
    ['quote', async () => await opened()],
  ] as const)(
    'that sends its %s again while the first is judged hears both times that it was accepted',
    async (_, made) => {
      const agent = await made()
      const next = agent.said({ measurement: agent.ledger.seq === 0 ? [codeEvent()] : [] })
      const message = await agent.quoteOf(next.delta)
      const answers = await Promise.all(Array.from({ length: 5 }, () => agent.send(message)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
      expect(answers.filter(({ json }) => json.tokens !== undefined)).toHaveLength(1)
      expect(new Set(answers.map(({ json }) => json.session.nonce)).size).toBe(1)
    },
  )
})

describe('an agent in quarantine', () => {
  test('gets nothing in another session of its boot, open before or not, until an operator releases it', async () => {
    const boot = { boot: 'a1b2c3d4-0000-4000-8000-000000000001' }
    const [one, other] = [await opened(boot), await opened(boot)]
    await one.heartbeat({ measurement: [unapprovedEvent()] })
    expect((await stored(one))?.standing).toBe('quarantined')
    const over = { status: 409, json: { code: 'session-over', state: 'QUARANTINED' } }
    expect(await other.tokens()).toMatchObject(over)
    expect(await other.quote()).toMatchObject(over)
    expect(await (await speaker(service, boot)).open()).toMatchObject(over)
    const elsewhere = await speaker(service, { boot: 'a1b2c3d4-0000-4000-8000-000000000002' })
    expect((await elsewhere.open()).status).toBe(200)
    const release = JSON.stringify({ action: 'release', reason: 'looked at' })
    await post(`${service.url}/v1/sessions/${one.id}/actions`, release, bearer('operator'))
    expect((await other.quote()).status).toBe(200)
  })
})

describe('whoever writes to the database', () => {
  test('can put no key of his own into a session: neither its messages nor its tokens become his', async () => {
    const [own, his] = [await bornKeys(), await bornKeys()]
    const agent = await opened({ keys: own })
    const thief = await speaker(service, { keys: his, id: agent.id })
    altered = (session) => ({
      ...session,
      jwk: his.sig.publicKey,
      encryptionJwk: his.enc.publicKey,
    })
    expect((await thief.tokens(agent.answer.nonce)).json.code).toBe('session-message-refused')
    altered = (session) => ({ ...session, encryptionJwk: his.enc.publicKey })
    expect((await agent.tokens()).json.code).toBe('session-evidence-needed')
    altered = (session) => ({ ...session, encryptionJwk: undefined })
    expect((await agent.tokens()).json.code).toBe('session-evidence-needed')
  })
})

describe('an agent that was taken over', () => {
  test('and released, while what it loaded is still not approved, does not go on', async () => {
    const agent = await opened()
    const next = agent.said({ measurement: [unapprovedEvent()] })
    expect((await agent.send(await agent.heartbeatOf(next.delta))).json.state).toBe('QUARANTINED')
    const release = JSON.stringify({ action: 'release', reason: 'known' })
    await post(`${service.url}/v1/sessions/${agent.id}/actions`, release, bearer('operator'))
    expect((await stored(agent))?.standing).toBe('suspended')
    agent.ledger = next.accepted(agent.answer.policy.digest)
    expect((await agent.quote()).json).toMatchObject({ failing: ['runtime.code.approved'] })
    expect((await stored(agent))?.standing).toBe('quarantined')
  })

  test('cannot measure without end', async () => {
    const agent = await opened()
    const { delta } = agent.said({ measurement: [codeEvent()] })
    const statement = { ...delta.statement, measurements: String(MOST_MEASUREMENTS + 1) }
    const { json } = await agent.send(await agent.heartbeatOf({ ...delta, statement }))
    expect(json).toMatchObject({ code: 'session-message-refused' })
    expect(json.detail).toContain('measurements')
    expect(await stored(agent)).toMatchObject({ standing: 'open', seq: 0 })
  })

  test('cannot have what it measured be kept with kilobytes of nothing between', async () => {
    const agent = await opened()
    const padded = codeEvent().replace('{', `{${' '.repeat(4096)}`)
    const { json } = await agent.heartbeat({ measurement: [padded] })
    expect(json).toMatchObject({ state: 'QUARANTINED', failing: ['runtime.events.well-formed'] })
  })

  test('and whose key was carried to another machine is found on both, by whoever bans one', async () => {
    const agent = await opened()
    const before = (await stored(agent))?.platforms ?? []
    const { status } = await agent.quote(
      {},
      {
        attest: (reportData) =>
          elsewhere.attest({ reportData, measurement: goodMeasurement, fields: {} }),
        endorsements: elsewhere.endorsements,
      },
    )
    expect(status).toBe(200)
    const after = (await stored(agent))?.platforms ?? []
    expect(after).toEqual([...before, expect.any(String), expect.any(String)])
  })
})

describe('during a roll-out', () => {
  const fresh = codeEvent('/app/new.js', digestOf('22'))
  const wider = watchedManifest((text) =>
    text.replace('    budget', `      - {kind: code, digest: "${digestOf('22')}"}\n    budget`),
  )

  test('a replica that has not heard of the policy yet costs nobody a session that loads what it approves', async () => {
    const agent = await opened()
    const newer = await policyOf(wider, { commit: 'd'.repeat(40) })
    await service.accept(newer)
    service.policy.current = policy
    const message = await agent.heartbeatOf(agent.said({ measurement: [fresh] }).delta)
    const early = await agent.send(message)
    expect([early.status, early.json.code]).toEqual([503, 'policy-unavailable'])
    expect(early.headers.get('retry-after')).not.toBeNull()
    service.policy.current = newer
    expect((await agent.send(message)).status).toBe(200)
  })

  test('a replica that does not hear of it for longer judges by what it has', async () => {
    const agent = await opened()
    await service.accept(await policyOf(wider, { commit: 'e'.repeat(40) }))
    service.policy.current = policy
    later(service, 15)
    const { json } = await agent.heartbeat({ measurement: [fresh] })
    expect(json).toMatchObject({ state: 'QUARANTINED', failing: ['runtime.code.approved'] })
  })
})
