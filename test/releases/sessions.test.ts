/** Secrets inside sessions: only to one that is ACTIVE at this moment, and to nobody outside where the resource says so. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openTokens } from '../../enclave/attestation.ts'
import { AT, policyOf } from '../http/running-service.ts'
import {
  later,
  type Speaker,
  speaker,
  unapprovedEvent,
  watchedManifest,
} from '../http/session-scene.ts'
import { type Agent, type ReleaseScene, refusal, releaseScene } from './scene.ts'

let scene: ReleaseScene
beforeAll(async () => {
  scene = await releaseScene()
  const { url } = scene.service
  const scopes = '["secret:db", "model:small"]'
  scene.service.policy.current = await policyOf(
    watchedManifest().replace(
      'kms.example\n      ttl: 240s',
      `${url}\n      ttl: 240s\n      scopes: ${scopes}`,
    ),
  )
  await scene.put('secret:db', { leaseSeconds: 60 })
  await scene.put('model:small', { requiresSession: true, leaseSeconds: 60 })
})
beforeEach(() => {
  scene.service.clock.at = AT
})
afterAll(() => scene.service.close())

interface InSession {
  readonly session: Speaker
  readonly holder: Agent
}

async function inSession(): Promise<InSession> {
  const session = await speaker(scene.service)
  const { status, json } = await session.open()
  if (status !== 200) throw new Error(JSON.stringify(json))
  const [opened] = await openTokens(json, session.keys)
  const holder = { keys: session.keys, token: opened?.token ?? '', jti: json.tokens[0].jti }
  return { session, holder: { ...holder, appraisal: json.id } }
}

const asked = async (by: Agent, resource = 'model:small') =>
  await scene.release(by, { body: { resource } })
const renewed = async (by: Agent, release: string) =>
  await scene.ask(`/v1/releases/${release}/renewals`, by, { body: {} })
const act = async ({ id }: Speaker, action: 'quarantine' | 'evict' | 'quote') => {
  const { actOnSession } = await import('#src/service/act-on-session.ts')
  const { verifier, clock } = scene.service
  await actOnSession(verifier, { id, action, reason: 'x', by: 'otto' }, clock.at)
}

describe('a resource that needs a session', () => {
  test('is released in one that is ACTIVE, and its lease is renewed there', async () => {
    const { holder } = await inSession()
    const released = await asked(holder)
    expect(released.status).toBe(200)
    expect(await renewed(holder, released.json.release)).toMatchObject({ status: 200 })
  })

  test('is not released to whoever attested alone, who has the other as before', async () => {
    const alone = await scene.agent()
    expect(await asked(alone)).toMatchObject(refusal(403, 'release-needs-session'))
    expect((await asked(alone, 'secret:db')).status).toBe(200)
  })

  test('whose settings came to need one ends the leases of whoever is in none', async () => {
    const alone = await scene.agent()
    const { json } = await asked(alone, 'secret:db')
    await scene.put('secret:db', { requiresSession: true, leaseSeconds: 60 })
    expect(await renewed(alone, json.release)).toMatchObject(refusal(403, 'release-needs-session'))
    await scene.revoke('secret:db', 'all')
    await scene.put('secret:db', { requiresSession: false, leaseSeconds: 60 })
  })
})

/** What may become of a session, and what its tokens are answered from then on: whatever resource is asked for. */
describe.each<[string, (of: InSession) => Promise<unknown>, string, string]>([
  ['LATE', async () => later(scene.service, 20), 'session-over', 'LATE'],
  ['SUSPENDED', async () => later(scene.service, 40), 'session-over', 'SUSPENDED'],
  [
    'QUARANTINED',
    async ({ session }) => await act(session, 'quarantine'),
    'possession-token-refused',
    '',
  ],
  [
    'brought down by what it did',
    async ({ session }) => await session.heartbeat({ measurement: [unapprovedEvent()] }),
    'possession-token-refused',
    '',
  ],
  ['REVOKED', async ({ session }) => await act(session, 'evict'), 'possession-token-refused', ''],
  ['CLOSED', async ({ session }) => await session.close(), 'possession-token-refused', ''],
])('a session that is %s', (_, befalls, code, says) => {
  test.each(['model:small', 'secret:db'])('is given no %s', async (resource) => {
    const both = await inSession()
    const { json: before } = await asked(both.holder, resource)
    await befalls(both)
    expect((await asked(both.holder, resource)).json).toMatchObject({
      code,
      detail: expect.stringContaining(says),
    })
    expect((await renewed(both.holder, before.release)).json.code).toBe(code)
  })
})

test('one that was late is given secrets again once it is heard', async () => {
  const { session, holder } = await inSession()
  later(scene.service, 25)
  expect((await asked(holder)).json.code).toBe('session-over')
  expect((await session.heartbeat()).status).toBe(200)
  expect((await asked(holder)).status).toBe(200)
})

test('one that is asked for a quote is given secrets meanwhile', async () => {
  const { session, holder } = await inSession()
  await act(session, 'quote')
  expect((await asked(holder)).status).toBe(200)
})

test('who attests alone and claims another’s session is given nothing for it', async () => {
  const { session } = await inSession()
  const thief = await scene.agent({ claims: { session: session.id } }).catch((cause) => cause)
  if (thief instanceof Error) return expect(thief.message).toMatch(/session/)
  expect((await asked(thief)).status).toBe(409)
})

test('a session that falls between the check and the record gives nothing away', async () => {
  const { session, holder } = await inSession()
  const { store } = scene.service.verifier
  const { recordRelease } = store
  Object.assign(store, {
    async recordRelease(...given: Parameters<typeof recordRelease>) {
      Object.assign(store, { recordRelease })
      const kept = await store.findSession(session.id)
      // Not by a change of standing, which would revoke the token as well.
      if (kept)
        await store.advanceSession({
          session: { ...kept, heardAt: new Date(AT.getTime() - 60_000) },
          delta: undefined,
        })
      return await recordRelease(...given)
    },
  })
  expect((await asked(holder)).json).toMatchObject({ code: 'session-over' })
})
