/** Secrets and model keys over HTTP, as operators see them: put, rotated, guarded, revoked, and approved by others. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { JournalEntry } from '#src/service/ports.ts'
import type { ReleaseApproval } from '#src/service/release-ports.ts'
import { openSealed } from '#src/service/sealed-resource.ts'
import { AT, bearer, get, post, type RunningService, runService } from './running-service.ts'

let service: RunningService
let memory = memoryStore()
let told: () => readonly JournalEntry[]
beforeAll(async () => {
  // Every test begins with nothing, and with the keys of the first: making them takes longest.
  const store = new Proxy(memory, { get: (_, name) => Reflect.get(memory, name) })
  service = await runService({ store })
})
beforeEach(() => {
  memory = memoryStore()
  service.clock.at = AT
  const before = service.journal.length
  told = () => service.journal.slice(before)
})
afterAll(() => service.close())

const SECRET = 'correct horse battery staple'
const base64 = (text: string) => Buffer.from(text).toString('base64')

const put = async (
  body: Record<string, unknown>,
  role: Parameters<typeof bearer>[0] = 'secret-admin',
) => await post(`${service.url}/v1/resources`, JSON.stringify(body), bearer(role))
const db = { name: 'secret:db-ro', secret: base64(SECRET) }
const at = (path: string) => `${service.url}/v1/resources${path}`
const show = async () => await get(at('/secret:db-ro'), bearer('viewer'))
const revoke = async (versions: unknown) =>
  await post(
    at('/secret:db-ro/revocations'),
    JSON.stringify({ versions }),
    bearer('other-secret-admin'),
  )

const opened = async (version: number) => {
  const name = { tenant: 'default', name: 'secret:db-ro', version }
  const kept = await service.verifier.store.sealedVersion('default', name.name, version)
  if (!kept) throw new Error('not kept')
  return Buffer.from(
    (await openSealed(name, kept.sealed, service.verifier.keyEncryption)).secret,
  ).toString()
}

/** What the log's records about resources say, the oldest first. */
const leaves = async () => {
  const { store } = service.verifier
  const said: unknown[] = []
  await store.sequenceLog(100, async ({ waiting }) => {
    for (const { kind, leafHash } of waiting)
      if (kind === 'resource') {
        const body = await store.leafBody(leafHash)
        said.push(JSON.parse(Buffer.from(body?.record ?? []).toString()))
      }
    return undefined
  })
  return said
}

describe('a secret that is put', () => {
  test('is kept sealed, and shown by name, number and who put it', async () => {
    const { status, json } = await put({ ...db, approvals: 2, leaseSeconds: 60 })
    expect(status).toBe(200)
    expect(json).toMatchObject({ name: 'secret:db-ro', version: 1, change: 'added', approvals: 2 })
    expect(json.next).toContain('release rule')
    const shown = await show()
    expect(shown.json).toEqual({
      tenant: 'default',
      name: 'secret:db-ro',
      use: 'release',
      approvals: 2,
      leaseSeconds: 60,
      releasesPerMinute: null,
      brokerPath: null,
      requiresSession: false,
      acceptsSimulated: false,
      versions: [{ version: 1, createdAt: AT.toISOString(), createdBy: 'sara', revokedAt: null }],
    })
    expect((await get(at(''), bearer('viewer'))).json).toEqual({
      resources: [shown.json],
      after: null,
    })
    expect(await opened(1)).toBe(SECRET)
    expect(JSON.stringify([json, shown.json, told()])).not.toContain(db.secret)
  })

  test('is rotated by being put again, with its settings as they were', async () => {
    await put({ ...db, leaseSeconds: 60 })
    const { json } = await put({ ...db, secret: base64('another') }, 'other-secret-admin')
    expect(json).toMatchObject({ version: 2, change: 'rotated', leaseSeconds: 60 })
    expect([await opened(1), await opened(2)]).toEqual([SECRET, 'another'])
  })

  test('is had in another way without being given again', async () => {
    await put({ ...db, brokerPath: 'default/db/1', releasesPerMinute: 10 })
    const { json } = await put({ name: db.name, brokerPath: null, leaseSeconds: 900 })
    expect(json).toMatchObject({
      version: 2,
      change: 'changed',
      brokerPath: null,
      releasesPerMinute: 10,
    })
    expect(await opened(2)).toBe(SECRET)
  })

  test('is told of in the log: who, when and which, and how it may be had', async () => {
    await put({ ...db, approvals: 1 })
    await revoke('all')
    expect(await leaves()).toEqual([
      {
        at: AT.toISOString(),
        by: 'sara',
        change: 'added',
        kind: 'vouchsafe/resource/v1',
        resource: 'secret:db-ro',
        settings: {
          acceptsSimulated: 'false',
          approvals: '1',
          leaseSeconds: '300',
          requiresSession: 'false',
          use: 'release',
        },
        tenant: 'default',
        versions: ['1'],
      },
      expect.objectContaining({ by: 'theo', change: 'revoked', versions: ['all'] }),
    ])
    expect(told().map(({ event }) => event)).toEqual(['resource.put', 'resource.revoked'])
  })
})

describe('nobody loosens alone', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['fewer approvals', { approvals: 1 }, 'when 2 operators agree, and 1 would be fewer'],
    ['fewer approvals with another secret', { ...db, approvals: 0 }, 'and 0 would be fewer'],
    ['a key that signs let out', { use: 'sign' }, 'is there to release, and not to sign'],
    ['to nobody who is watched', { requiresSession: false }, 'only inside a session, and would be'],
    [
      'to simulated evidence',
      { acceptsSimulated: true },
      'only to evidence of hardware, and would',
    ],
    [
      'two at once',
      { approvals: 0, leaseSeconds: 301 },
      'secret:db-ro is given out when 2 operators agree, and 0 would be fewer; and it is leased for 300 s',
    ],
  ])('%s', async (_, body, sentence) => {
    await put({ ...db, approvals: 2, requiresSession: true })
    const { status, json } = await put({ name: db.name, ...body }, 'other-secret-admin')
    expect([status, json.code]).toEqual([409, 'resource-guarded'])
    expect(json.detail).toContain(sentence)
    expect(json.next).toContain('vouchsafe release revoke NAME --all')
    expect((await show()).json).toMatchObject({ approvals: 2, use: 'release' })
  })

  test('but once every version is revoked there is nothing left to guard', async () => {
    await put({ ...db, approvals: 2 })
    await revoke('all')
    const key = base64('k'.repeat(32))
    const { json } = await put({ ...db, secret: key, approvals: 0, use: 'decrypt' })
    expect(json).toMatchObject({ version: 2, approvals: 0, use: 'decrypt' })
  })

  test('and more approvals are taken at once', async () => {
    await put(db)
    expect((await put({ name: db.name, approvals: 2 })).json).toMatchObject({ approvals: 2 })
  })
})

describe('what is put wrongly', () => {
  test.each<[string, Record<string, unknown>, number, string, string]>([
    ['no secret at all', { name: 'secret:new' }, 404, 'resource-unknown', 'no secret was given'],
    ['an empty secret', { ...db, secret: '' }, 400, 'request-malformed', 'secret'],
    ['no base64', { ...db, secret: 'S3cret!' }, 400, 'request-malformed', 'secret: is not base64'],
    ['no key to sign with', { ...db, use: 'sign' }, 400, 'request-malformed', 'a signing key is'],
    ['a short key', { ...db, use: 'decrypt' }, 400, 'request-malformed', 'this has 28'],
    ['a large one', { ...db, secret: base64('a'.repeat(65_537)) }, 400, 'request-malformed', ''],
    ['a name of no kind', { ...db, name: 'db-ro' }, 400, 'request-malformed', 'name: must be'],
    ['a name with a path', { ...db, name: 'secret:a/b' }, 400, 'request-malformed', 'name:'],
    ['two segments', { ...db, brokerPath: 'a/b' }, 400, 'request-malformed', 'three segments'],
    ['a hidden segment', { ...db, brokerPath: 'a/../b' }, 400, 'request-malformed', 'three'],
    ['no lease', { ...db, leaseSeconds: 1 }, 400, 'request-malformed', 'leaseSeconds'],
    ['too many approvals', { ...db, approvals: 9 }, 400, 'request-malformed', 'approvals'],
    ['a tenant that is none', { ...db, tenant: 'nobody' }, 404, 'tenant-unknown', 'nobody'],
    ['an unknown member', { ...db, plain: 1 }, 400, 'request-malformed', 'unknown fields "plain"'],
    ['a version that is not there', { ...db, after: 1 }, 409, 'resource-superseded', 'is none'],
  ])('%s', async (_, body, status, code, sentence) => {
    const { status: answered, json } = await put(body)
    expect([answered, json.code]).toEqual([status, code])
    expect(json.detail).toContain(sentence)
    expect(JSON.stringify(json)).not.toContain('S3cret')
    expect((await get(at(''), bearer('viewer'))).json.resources).toEqual([])
  })

  test('a secret of exactly 64 KiB is kept', async () => {
    const { status } = await put({ ...db, secret: base64('a'.repeat(65_536)) })
    expect(status).toBe(200)
    expect((await opened(1)).length).toBe(65_536)
  })

  test('a path that another resource has', async () => {
    await put({ ...db, brokerPath: 'default/db/1' })
    const { json } = await put({ ...db, name: 'secret:other', brokerPath: 'default/db/1' })
    expect(json.code).toBe('broker-path-taken')
  })

  test('settings that hold already, and a revoked secret to be kept', async () => {
    await put(db)
    const same = await put({ name: db.name, approvals: 0 })
    expect([same.status, same.json.detail]).toEqual([
      400,
      'secret: secret:db-ro has these settings already',
    ])
    await revoke([1])
    const dead = await put({ name: db.name, approvals: 1 })
    expect(dead.json.detail).toContain('version 1 of secret:db-ro is revoked')
  })

  test('of two that put at once each has a version of its own', async () => {
    const all = await Promise.all([put(db), put(db), put(db)])
    expect(all.map(({ json }) => json.version).toSorted()).toEqual([1, 2, 3])
    const both = await Promise.all([put({ ...db, after: 3 }), put({ ...db, after: 3 })])
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409])
  })
})

describe('versions that are revoked', () => {
  test('are named, once', async () => {
    await put(db)
    await put(db)
    expect((await revoke([1])).json).toMatchObject({ revoked: [1] })
    expect((await revoke('all')).json).toMatchObject({ revoked: [2] })
    expect((await revoke('all')).json).toMatchObject({ revoked: [] })
    const { json } = await show()
    expect(json.versions.map((each: { revokedAt: string }) => each.revokedAt)).toEqual([
      AT.toISOString(),
      AT.toISOString(),
    ])
  })

  test.each<[unknown, number, string]>([
    [[7], 404, 'resource-unknown'],
    [[0], 400, 'request-malformed'],
    [[], 400, 'request-malformed'],
    ['some', 400, 'request-malformed'],
  ])('%j is refused', async (versions, status, code) => {
    await put(db)
    const { status: answered, json } = await revoke(versions)
    expect([answered, json.code]).toEqual([status, code])
  })
})

const question: ReleaseApproval = {
  id: 'a1'.repeat(32),
  tenant: 'default',
  resource: 'secret:db-ro',
  version: 1,
  environment: 'prod',
  agent: 'invoice-bot',
  jkt: 'k'.repeat(43),
  requestedAt: AT,
  expiresAt: new Date(AT.getTime() + 3600_000),
  approvedBy: [],
}

describe('a release that others must agree to', () => {
  const approve = async (
    role: Parameters<typeof bearer>[0] = 'other-secret-admin',
    id = question.id,
  ) => await post(`${service.url}/v1/release-approvals/${id}`, '{}', bearer(role))
  const open = async () =>
    (await get(`${service.url}/v1/release-approvals`, bearer('viewer'))).json.approvals
  beforeEach(async () => {
    await put({ ...db, approvals: 2 })
    await service.verifier.store.askApproval(question)
  })

  test('is listed with who agreed and how many must', async () => {
    expect(await open()).toEqual([
      {
        ...question,
        requestedAt: AT.toISOString(),
        expiresAt: question.expiresAt.toISOString(),
        needed: 2,
      },
    ])
  })

  test('is agreed to by an operator once, whatever he does, and the log has it once', async () => {
    const first = await approve()
    expect(first.status).toBe(200)
    expect(first.json.approval.approvedBy).toEqual([{ operator: 'theo', at: AT.toISOString() }])
    expect(first.json.next).toContain('1 more of the operators')
    expect((await approve()).json.approval).toEqual(first.json.approval)
    expect((await leaves()).slice(1)).toEqual([
      expect.objectContaining({ by: 'theo', kind: 'vouchsafe/release-approval/v1', version: '1' }),
    ])
  })

  test('is nothing for who put the version, whatever is the newest', async () => {
    expect((await approve('secret-admin')).json.code).toBe('approval-own-version')
    await put({ ...db, secret: base64('new') }, 'other-secret-admin')
    const { status, json } = await approve('secret-admin')
    expect([status, json.code]).toEqual([403, 'approval-own-version'])
    expect((await open())[0].approvedBy).toEqual([])
  })

  test('is nothing for who put a newer one', async () => {
    await put({ ...db, secret: base64('new') }, 'other-secret-admin')
    const { json } = await approve('other-secret-admin')
    expect(json.detail).toBe('theo put version 2 of secret:db-ro')
    expect((await open())[0].approvedBy).toEqual([])
  })

  test('is unknown when its time is over, its version revoked, or nobody asked', async () => {
    expect((await approve('other-secret-admin', 'b2'.repeat(32))).json.code).toBe(
      'approval-unknown',
    )
    await revoke([1])
    expect((await approve()).json.code).toBe('approval-unknown')
    service.clock.at = question.expiresAt
    expect((await approve()).json.code).toBe('approval-unknown')
    expect(await open()).toEqual([])
  })
})

describe('only who may', () => {
  const acts: readonly (readonly [string, string, unknown])[] = [
    ['put', '/v1/resources', db],
    ['revoke', '/v1/resources/secret:db-ro/revocations', { versions: 'all' }],
    ['approve', `/v1/release-approvals/${question.id}`, {}],
  ]
  test.each(acts)('secret-admins %s; nobody else does', async (_, path, body) => {
    for (const role of ['viewer', 'auditor', 'operator', 'enforcer'] as const) {
      const { status, json } = await post(
        `${service.url}${path}`,
        JSON.stringify(body),
        bearer(role),
      )
      expect([role, status, json.code]).toEqual([role, 403, 'operator-forbidden'])
    }
    expect((await post(`${service.url}${path}`, JSON.stringify(body))).status).toBe(401)
    expect((await get(at(''), bearer('viewer'))).json.resources).toEqual([])
  })

  test.each(['/v1/resources', '/v1/resources/secret:db-ro', '/v1/release-approvals'])(
    'everybody but enforcers and strangers sees %s',
    async (path) => {
      await put(db)
      for (const role of ['viewer', 'auditor', 'operator', 'secret-admin'] as const)
        expect((await get(`${service.url}${path}`, bearer(role))).status, role).toBe(200)
      expect((await get(`${service.url}${path}`, bearer('enforcer'))).status).toBe(403)
      expect((await get(`${service.url}${path}`)).status).toBe(401)
    },
  )

  test('each tenant has its own', async () => {
    await put({ ...db, tenant: 'acme' })
    expect((await get(at('?tenant=acme'), bearer('viewer'))).json.resources).toHaveLength(1)
    expect((await get(at(''), bearer('viewer'))).json.resources).toEqual([])
    expect((await show()).json.code).toBe('resource-unknown')
    expect((await get(at('?tenant=none'), bearer('viewer'))).json.code).toBe('tenant-unknown')
  })

  test('a long list comes in pages', async () => {
    for (let n = 100; n < 203; n++) await put({ ...db, name: `secret:n${n}` })
    const first = (await get(at(''), bearer('viewer'))).json
    expect([first.resources.length, first.after]).toEqual([100, 'secret:n199'])
    const rest = (await get(at('?after=secret%3An199'), bearer('viewer'))).json
    expect([rest.resources.length, rest.after]).toEqual([3, null])
  })
})
