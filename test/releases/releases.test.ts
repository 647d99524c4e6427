/** What does an agent get that may have a secret, and what is left behind of it? */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { approveRelease } from '#src/service/approve-release.ts'
import { approvalLeaf } from '#src/service/log-leaves.ts'
import { putResource } from '#src/service/put-resource.ts'
import { type Agent, type ReleaseScene, releaseScene, SECRET } from './scene.ts'

let scene: ReleaseScene
let agent: Agent

beforeAll(async () => {
  scene = await releaseScene()
  await scene.put('secret:db')
}, 30_000)
afterAll(() => scene.service.close())
beforeEach(async () => {
  agent = await scene.agent()
})

describe('a release', () => {
  test('is the secret, sealed to the attested key and signed by the issuer', async () => {
    const answer = await scene.release(agent)
    expect(answer.status).toBe(200)
    const at = scene.service.clock.at.getTime()
    expect(answer.json).toEqual({
      release: expect.stringMatching(/^[0-9a-f-]{36}$/),
      resource: 'secret:db',
      version: 1,
      use: 'release',
      envelope: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      lease: {
        expiresAt: new Date(at + 300_000).toISOString(),
        renewBy: new Date(at + 200_000).toISOString(),
      },
      logLeaf: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const opened = await scene.open(answer, agent)
    expect(opened.secret).toEqual(SECRET)
    expect(opened).toMatchObject({
      lease: { expiresAt: new Date(at + 300_000), renewBy: new Date(at + 200_000) },
      logLeaf: answer.json.logLeaf,
      version: 1,
      release: answer.json.release,
      policy: scene.service.policy.current?.digest,
    })
  })

  test('is kept, and is a leaf of the log that says nothing of the secret', async () => {
    const { json } = await scene.release(agent)
    const { store } = scene.service.verifier
    expect(await store.findRelease(json.release)).toMatchObject({
      resource: 'secret:db',
      jti: agent.jti,
      jkt: agent.keys.sig.thumbprint,
      face: 'releases',
      leafHash: json.logLeaf,
      policyCommit: 'c'.repeat(40),
    })
    await scene.service.chores('log')
    const leafHash = Buffer.from(json.logLeaf, 'hex')
    expect(await store.leafPlace(leafHash)).toMatchObject({ in: 'log' })
    const body = await store.leafBody(leafHash)
    expect(JSON.parse(new TextDecoder().decode(body?.record))).toMatchObject({
      kind: 'vouchsafe/release/v1',
      release: json.release,
      token: agent.jti,
      version: '1',
    })
  })

  test('is told of in the journal, under the request, without token or secret', async () => {
    const { headers, json } = await scene.release(agent)
    const lines = scene.service.journal.filter(({ event }) => event === 'release.granted')
    expect(lines.at(-1)).toMatchObject({
      requestId: headers.get('x-request-id') ?? expect.any(String),
      fields: { release: json.release, agent: 'invoice-bot', resource: 'secret:db', version: 1 },
    })
    const all = JSON.stringify(scene.service.journal)
    for (const hidden of [agent.token, new TextDecoder().decode(SECRET)])
      expect(all).not.toContain(hidden)
  })

  test('is of the newest version, of the one that is asked for, or refused', async () => {
    await scene.put('secret:other', {}, new TextEncoder().encode('first'))
    await scene.put('secret:other', {}, new TextEncoder().encode('second'))
    const asked = async (change: object) =>
      await scene.release(agent, { body: { resource: 'secret:other', ...change } })
    const text = async (change: object) =>
      new TextDecoder().decode((await scene.open(await asked(change), agent)).secret)
    expect(await text({})).toBe('second')
    expect(await text({ version: 1 })).toBe('first')
    expect(await text({ minimumVersion: 2 })).toBe('second')
    expect((await asked({ minimumVersion: 3 })).json.code).toBe('resource-version-unavailable')
    await scene.put('secret:other', {}, new TextEncoder().encode('third'))
    expect(await text({})).toBe('third')
  })

  test('of a resource that nobody put is none', async () => {
    expect((await scene.release(agent, { body: { resource: 'model:small' } })).json.code).toBe(
      'resource-unknown',
    )
  })

  test.each([
    ['resource', { resource: 'db' }],
    ['version', { resource: 'secret:db', version: 0 }],
    ['extra', { resource: 'secret:db', extra: 1 }],
    ['encJwk', { resource: 'secret:db', encJwk: undefined }],
  ])('is not asked for with a wrong %s', async (says, body) => {
    const { status, json } = await scene.release(agent, { body })
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
  })

  test('beyond what the resource allows in a minute is 429, and says when to come back', async () => {
    await scene.put('secret:key', { releasesPerMinute: 2 })
    const asked = async () => await scene.release(agent, { body: { resource: 'secret:key' } })
    expect([(await asked()).status, (await asked()).status]).toEqual([200, 200])
    const { status, headers, json } = await asked()
    expect([status, json.code]).toEqual([429, 'too-many-requests'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  })

  test('of what needs a session is none for whoever attested alone', async () => {
    await scene.put('model:small', { requiresSession: true })
    const { status, json } = await scene.release(agent, { body: { resource: 'model:small' } })
    expect([status, json.code]).toEqual([403, 'release-needs-session'])
  })
})

/** The agent's evidence is simulated, and the tenant takes that. */
describe('what is not for simulated evidence', () => {
  test.each([
    ['not released', '/v1/releases', 'release', {}],
    ['no key to use', '/v1/operations', 'decrypt', { operation: 'decrypt', input: '' }],
  ] as const)('is %s, and the refusal says what it takes', async (_, path, use, more) => {
    const name = `secret:${use === 'release' ? 'other' : 'key'}`
    await scene.revoke(name, 'all')
    await scene.put(name, { use, acceptsSimulated: false }, new Uint8Array(32))
    const { status, json } = await scene.ask(path, agent, { body: { resource: name, ...more } })
    expect([status, json.code]).toEqual([403, 'release-needs-hardware'])
    expect(json.detail).toBe(
      `${name} is given only to evidence of hardware, and this evidence is simulated`,
    )
    expect(json.next).toContain('--simulated accepted')
    await scene.revoke(name, 'all')
    await scene.put(name, { use: 'release', acceptsSimulated: true })
  })

  test('is refused by default, and whoever has it as a scope alone hears why', async () => {
    const put = { tenant: 'default', name: 'secret:hidden', settings: {}, secret: SECRET, by: 's' }
    await putResource(scene.service.verifier, put, scene.service.clock.at)
    expect(await scene.service.verifier.store.findResource('default', put.name)).toMatchObject({
      acceptsSimulated: false,
    })
    const { json } = await scene.release(agent, { body: { resource: put.name } })
    expect(json.code).toBe('release-refused')
  })

  test('has its leases renewed no more once it came to be so', async () => {
    const { json } = await scene.release(agent, { body: { resource: 'secret:other' } })
    await scene.put('secret:other', { acceptsSimulated: false })
    const path = `/v1/releases/${json.release}/renewals`
    const refused = await scene.ask(path, agent, { body: {} })
    expect([refused.status, refused.json.code]).toEqual([403, 'release-needs-hardware'])
    await scene.revoke('secret:other', 'all')
    await scene.put('secret:other', { acceptsSimulated: true })
  })
})

describe('a lease', () => {
  const renew = async (by: Agent, release: string) =>
    await scene.ask(`/v1/releases/${release}/renewals`, by, { body: {} })

  test('is renewed from the moment of asking, also with another token of the same key', async () => {
    const { json } = await scene.release(agent)
    const { clock } = scene.service
    const before = clock.at
    clock.at = new Date(before.getTime() + 100_000)
    const again = await scene.agent({ keys: agent.keys })
    const { status, json: renewed } = await renew(again, json.release)
    expect([status, renewed]).toEqual([
      200,
      {
        release: json.release,
        lease: {
          expiresAt: new Date(before.getTime() + 400_000).toISOString(),
          renewBy: new Date(before.getTime() + 300_000).toISOString(),
        },
        statement: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      },
    ])
    clock.at = before
  })

  test('of another key is unknown, and so is none', async () => {
    const { json } = await scene.release(agent)
    const other = await scene.agent()
    expect((await renew(other, json.release)).json.code).toBe('lease-unknown')
    expect((await renew(agent, '00000000-0000-4000-8000-000000000000')).json.code).toBe(
      'lease-unknown',
    )
    expect((await renew(agent, 'x')).json.code).toBe('route-unknown')
  })

  test('that is over is not renewed', async () => {
    const { json } = await scene.release(agent)
    const { clock } = scene.service
    const before = clock.at
    clock.at = new Date(before.getTime() + 300_001)
    const again = await scene.agent({ keys: agent.keys })
    expect((await renew(again, json.release)).json).toMatchObject({
      status: 409,
      code: 'lease-over',
    })
    clock.at = before
  })

  test('of a version that was revoked is not renewed', async () => {
    const version = await scene.put('secret:other')
    const { json } = await scene.release(agent, { body: { resource: 'secret:other' } })
    await scene.revoke('secret:other', [version])
    expect((await renew(agent, json.release)).json.code).toBe('resource-version-unavailable')
  })
})

describe('a resource that operators decide on', () => {
  test('is given to the key that enough of them agreed to, and to no other', async () => {
    await scene.put('secret:marked', { approvals: 2 })
    const asked = async (by: Agent) =>
      await scene.release(by, { body: { resource: 'secret:marked' } })
    const { status, json } = await asked(agent)
    expect([status, json]).toEqual([
      403,
      expect.objectContaining({
        code: 'release-approval-needed',
        approval: expect.stringMatching(/^[0-9a-f]{64}$/),
        needed: 2,
        agreed: 0,
        version: 1,
        approvers: expect.stringContaining('secret-admin'),
      }),
    ])
    const agree = async (operator: string) =>
      await scene.service.verifier.store.approveRelease(
        json.approval,
        { operator, at: scene.service.clock.at },
        approvalLeaf(
          { ...json, id: json.approval, tenant: 'default', resource: 'secret:marked' },
          { operator, at: scene.service.clock.at },
          scene.service.verifier.random,
        ),
      )
    const { verifier, clock } = scene.service
    await approveRelease(verifier, { id: json.approval, operator: 'theo' }, clock.at)
    expect((await asked(agent)).json).toMatchObject({ approval: json.approval, agreed: 1 })
    // She put it there: whatever the store counts, her word is not counted here.
    await agree('sara')
    expect((await asked(agent)).json).toMatchObject({ agreed: 1 })
    await approveRelease(verifier, { id: json.approval, operator: 'ursula' }, clock.at)
    const given = await asked(agent)
    expect((await scene.open(given, agent)).secret).toEqual(SECRET)
    const other = await scene.agent()
    expect((await asked(other)).json).toMatchObject({ agreed: 0 })
  })

  test('costs a proof for each question', async () => {
    await scene.put('secret:marked', { approvals: 2 })
    const body = { resource: 'secret:marked' }
    const proof = { jti: 'the same twice' }
    expect((await scene.release(agent, { body, proof })).json.code).toBe('release-approval-needed')
    expect((await scene.release(agent, { body, proof })).json.code).toBe('possession-proof-refused')
  })
})
