/** What changes between the judgement and the moment in which a secret leaves: an operator is faster than the attacker. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { putResource } from '#src/service/put-resource.ts'
import type { SettingsChange } from '#src/service/resource-settings.ts'
import { revokeResource } from '#src/service/revoke-resource.ts'
import { acceptedPolicy, leaf } from '../adapters/store-records.ts'
import { type Agent, type ReleaseScene, refusal, releaseScene, SECRET } from './scene.ts'

/** The bytes themselves, as they are afterwards. */
const { opened } = vi.hoisted(() => ({ opened: [] as Uint8Array[] }))
vi.mock(import('#src/service/sealed-resource.ts'), async (original) => {
  const parts = await original()
  return {
    ...parts,
    async openResource(...asked) {
      const resource = await parts.openResource(...asked)
      opened.push(resource.secret)
      return resource
    },
  }
})

let scene: ReleaseScene
let agent: Agent

beforeAll(async () => {
  scene = await releaseScene()
  await scene.put('secret:db')
}, 30_000)
afterAll(() => scene.service.close())
beforeEach(async () => {
  scene.service.policy.current = await scene.policy()
  agent = await scene.agent()
})
afterEach(() => {
  vi.restoreAllMocks()
})

const withoutIt = async () =>
  await scene.policy((text) => text.replaceAll('"secret:db", ', ''), 'd'.repeat(40))

/** The policy that comes into force while the store is asked this. */
async function duringIts(
  method: 'findResource' | 'sealedVersion' | 'recordRelease' | 'renewLease',
) {
  const { store } = scene.service.verifier
  const tightened = await withoutIt()
  const asked: (...given: never[]) => Promise<unknown> = store[method]
  vi.spyOn(store, method).mockImplementation((async (...given: never[]) => {
    const answer = await asked(...given)
    scene.service.policy.current = tightened
    return answer
  }) as never)
  scene.service.verifier.resources.forget('default', 'secret:db')
}

test.each(['findResource', 'sealedVersion', 'recordRelease'] as const)(
  'a policy that comes into force during %s: nothing leaves',
  async (method) => {
    await duringIts(method)
    expect(await scene.release(agent)).toMatchObject(refusal(403, 'release-refused'))
    const granted = scene.service.journal.filter(
      ({ event, fields }) => event === 'release.granted' && fields?.policyCommit === 'd'.repeat(40),
    )
    expect(granted).toEqual([])
  },
)

test('a policy that comes into force before it is recorded: nothing is recorded', async () => {
  await duringIts('sealedVersion')
  const { store } = scene.service.verifier
  const recorded = vi.spyOn(store, 'recordRelease')
  expect(await scene.release(agent)).toMatchObject(refusal(403, 'release-refused'))
  expect(recorded).not.toHaveBeenCalled()
})

test('a policy that comes into force while a lease is renewed: no time is granted', async () => {
  const { json } = await scene.release(agent)
  await duringIts('renewLease')
  const path = `/v1/releases/${json.release}/renewals`
  expect(await scene.ask(path, agent, { body: {} })).toMatchObject(refusal(403, 'release-refused'))
})

test('a secret that is revoked while its settings are changed does not come back under another number', async () => {
  await scene.put('secret:other')
  const { store } = scene.service.verifier
  const { at } = scene.service.clock
  const { sealedVersion } = store
  const racing = vi.spyOn(store, 'sealedVersion').mockImplementation(async (...asked) => {
    const kept = await sealedVersion(...asked)
    racing.mockRestore()
    const revocation = {
      tenant: 'default',
      name: 'secret:other',
      versions: 'all',
      by: 'theo',
    } as const
    await revokeResource(scene.service.verifier, revocation, at)
    return kept
  })
  const change = {
    tenant: 'default',
    name: 'secret:other',
    settings: { leaseSeconds: 60 },
    secret: undefined,
    by: 'mallory',
  }
  await expect(putResource(scene.service.verifier, change, at)).rejects.toMatchObject({
    code: 'request-malformed',
    detail: expect.stringContaining('is revoked'),
  })
  const known = await store.findResource('default', 'secret:other')
  expect(known?.versions.map(({ revokedAt }) => revokedAt !== undefined)).toEqual([true])
})

test.each<[string, string, SettingsChange, Uint8Array, object]>([
  ['secret', 'secret:db', {}, SECRET, {}],
  ['key', 'secret:key', { use: 'decrypt' }, new Uint8Array(32).fill(7), { operation: 'decrypt' }],
])('a %s is overwritten once it was used', async (_, resource, settings, secret, asked) => {
  await scene.put(resource, settings, secret)
  opened.length = 0
  if ('operation' in asked) {
    const input = Buffer.alloc(40).toString('base64url')
    const body = { resource, ...asked, input }
    expect(await scene.ask('/v1/operations', agent, { body })).toMatchObject(
      refusal(422, 'operation-refused'),
    )
  } else expect((await scene.release(agent, { body: { resource } })).status).toBe(200)
  // What was held of it was of before, so that it may have been opened twice.
  expect(opened.length).toBeGreaterThan(0)
  for (const bytes of opened) expect(bytes).toEqual(new Uint8Array(secret.length))
})

/** The last one: what a database accepted it keeps. */
test('a policy that another replica accepted, and this one has not read: nothing leaves until it has', async () => {
  const { store } = scene.service.verifier
  const commit = 'e'.repeat(40)
  await store.acceptPolicy(undefined, acceptedPolicy(1, { tenant: 'default', commit }), leaf())
  const before = scene.service.journal.length
  expect(await scene.release(agent)).toMatchObject(refusal(503, 'policy-unavailable'))
  const told = scene.service.journal.slice(before)
  expect(told.filter(({ event }) => event === 'release.granted')).toEqual([])
  scene.service.policy.current = await scene.policy((text) => text, commit)
  expect(await scene.release(agent)).toMatchObject({ status: 200 })
})
