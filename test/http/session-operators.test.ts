/** What operators see of sessions and decide about them, over HTTP, with agents that attest for real. */
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { attestAt } from './attempt.ts'
import { readEvents } from './event-reader.ts'
import { AT, bearer, get, policyOf, post, runService } from './running-service.ts'
import {
  codeEvent,
  later,
  type Speaker,
  speaker,
  unapprovedEvent,
  watchedManifest,
} from './session-scene.ts'

const service = await runService({ policy: await policyOf(watchedManifest()) })
const policy = service.policy.current
afterAll(service.close)
beforeEach(() => {
  service.clock.at = AT
  service.policy.current = policy
})

const opened = async (): Promise<Speaker> => {
  const agent = await speaker(service)
  expect((await agent.open()).status).toBe(200)
  return agent
}
const at = (path: string) => `${service.url}${path}`
const seen = async (path: string, role: Parameters<typeof bearer>[0] = 'viewer') =>
  await get(at(path), bearer(role))
const did = async (path: string, body: unknown, role: Parameters<typeof bearer>[0] = 'operator') =>
  await post(at(path), JSON.stringify(body), bearer(role))
const act = async ({ id }: Speaker, action: string) =>
  await did(`/v1/sessions/${id}/actions`, { action, reason: 'ticket 42' })
const liveTokens = async ({ id: session }: Speaker) =>
  (
    await service.verifier.store.liveTokens('default', {
      at: service.clock.at,
      selection: { session },
      limit: 10,
    })
  ).length

describe('what is told', () => {
  test('of all of them: each with its state at this moment', async () => {
    const [one, two] = [await opened(), await opened()]
    later(service, 25)
    await two.heartbeat()
    const { status, json } = await seen(
      '/v1/sessions?agent=invoice-bot&environment=prod&standing=open',
    )
    expect(status).toBe(200)
    const states = new Map(
      json.sessions.map((each: { id: string; state: string }) => [each.id, each.state]),
    )
    expect([states.get(one.id), states.get(two.id)]).toEqual(['LATE', 'ACTIVE'])
    expect(JSON.stringify(json)).not.toMatch(/"(nonce|jwk)"/)
    expect((await seen('/v1/sessions?agent=another')).json).toEqual({ sessions: [], after: null })
  })

  test('in pages, by their ids', async () => {
    const { json } = await seen('/v1/sessions')
    const ids = json.sessions.map(({ id }: { id: string }) => id)
    expect(ids).toEqual(ids.toSorted())
    const { json: rest } = await seen(`/v1/sessions?after=${ids[0]}`)
    expect(rest.sessions.map(({ id }: { id: string }) => id)).toEqual(ids.slice(1))
  })

  test('of one: what it measured, and what the policy of now does not approve of it', async () => {
    const agent = await opened()
    const { json } = await seen(`/v1/sessions/${agent.id}`)
    expect(json).toMatchObject({
      state: 'ACTIVE',
      measured: { kinds: { code: 1 }, newest: [JSON.parse(codeEvent())] },
      findings: [],
    })
    service.policy.current = await policyOf(
      watchedManifest((text) => text.replace('11'.repeat(32), '22'.repeat(32))),
      { commit: 'd'.repeat(40) },
    )
    const { json: then } = await seen(`/v1/sessions/${agent.id}`, 'auditor')
    expect(then.findings.map(({ id }: { id: string }) => id)).toEqual(['runtime.code.approved'])
  })

  test('of one that brought itself down: by which check', async () => {
    const agent = await opened()
    expect((await agent.heartbeat({ measurement: [unapprovedEvent()] })).status).not.toBe(200)
    const { json } = await seen(`/v1/sessions/${agent.id}`)
    expect(json).toMatchObject({ state: 'QUARANTINED', by: 'runtime-appraisal' })
    expect(json.reason).toMatch(/^runtime\.code\.approved: /)
    expect(json.findings.map(({ id }: { id: string }) => id)).toEqual(['runtime.code.approved'])
  })

  test('in sum: how many are in which state, and what watching them costs', async () => {
    const mine = await runService({ policy })
    try {
      for (let n = 0; n < 3; n++) await (await speaker(mine)).open()
      const { json } = await get(`${mine.url}/v1/session-summary`, bearer('viewer'))
      expect(json).toMatchObject({
        sessions: 3,
        states: { ACTIVE: 3, LATE: 0 },
        heartbeatsPerMinute: 18,
        quotesPerMinute: 0.6,
        agents: [
          { agent: 'invoice-bot', sessions: 3, heartbeatSeconds: 10, attestEverySeconds: 300 },
        ],
      })
    } finally {
      await mine.close()
    }
  })

  test.each([
    ['/v1/sessions?tenant=nobody', 'tenant-unknown'],
    ['/v1/sessions?standing=LATE', 'request-malformed'],
    [`/v1/sessions/${'x'.repeat(22)}`, 'session-unknown'],
    ['/v1/sessions/short', 'route-unknown'],
    ['/v1/session-summary?tenant=nobody', 'tenant-unknown'],
    ['/v1/bans?tenant=nobody', 'tenant-unknown'],
  ])('%s: %s', async (path, code) => expect((await seen(path)).json.code).toBe(code))

  test('is for operators, and to act for those who act', async () => {
    const agent = await opened()
    const path = `/v1/sessions/${agent.id}/actions`
    expect((await get(at('/v1/sessions'))).json.code).toBe('operator-unauthenticated')
    expect((await seen('/v1/sessions', 'enforcer')).json.code).toBe('operator-forbidden')
    const body = { action: 'evict', reason: 'x' }
    expect((await did(path, body, 'viewer')).json.code).toBe('operator-forbidden')
    expect((await did('/v1/bans', {}, 'auditor')).json.code).toBe('operator-forbidden')
  })
})

describe('an operator', () => {
  test('quarantines: tokens end with a leaf and events, nothing goes on, and once is enough', async () => {
    const agent = await opened()
    const stream = await readEvents(at('/v1/events'), bearer('viewer'))
    expect(await liveTokens(agent)).toBe(1)
    const { status, json } = await act(agent, 'quarantine')
    expect([status, json.state, json.by, json.reason]).toEqual([
      200,
      'QUARANTINED',
      'otto',
      'ticket 42',
    ])
    expect(await liveTokens(agent)).toBe(0)
    const events = [await stream.next(), await stream.next()]
    expect(new Set(events.map((each) => each?.event))).toEqual(
      new Set(['session.changed', 'token.revoked']),
    )
    expect(events.find((each) => each?.event === 'session.changed')?.data).toMatchObject({
      session: agent.id,
      standing: 'quarantined',
      by: 'otto',
    })
    await stream.close()
    expect((await agent.heartbeat()).json).toMatchObject({
      code: 'session-over',
      state: 'QUARANTINED',
    })
    expect((await agent.tokens()).json.code).toBe('session-over')
    expect((await agent.quote()).json.code).toBe('session-over')
    const before = await service.verifier.store.findSession(agent.id)
    expect((await act(agent, 'quarantine')).status).toBe(200)
    expect(await service.verifier.store.findSession(agent.id)).toEqual(before)
  })

  test('releases: it is suspended, and goes on with a full quote', async () => {
    const agent = await opened()
    await act(agent, 'quarantine')
    expect((await act(agent, 'release')).json).toMatchObject({
      state: 'SUSPENDED',
      demanded: 'operator',
    })
    expect((await agent.heartbeat()).json.code).toBe('session-evidence-needed')
    expect((await agent.quote()).json.session.state).toBe('ACTIVE')
    expect((await agent.tokens()).status).toBe(200)
  })

  test('evicts: it is over for good, and its agent opens another', async () => {
    const agent = await opened()
    expect((await act(agent, 'evict')).json.state).toBe('REVOKED')
    expect(await liveTokens(agent)).toBe(0)
    expect((await agent.quote()).json.code).toBe('session-over')
    for (const action of ['release', 'quarantine', 'quote'])
      expect((await act(agent, action)).json.code).toBe('session-action-refused')
    expect((await act(agent, 'evict')).status).toBe(200)
    await opened()
  })

  test('asks for a quote: it holds on, is told so, and has answered by one', async () => {
    const agent = await opened()
    expect((await act(agent, 'quote')).json).toMatchObject({
      state: 'ACTIVE',
      demanded: 'operator',
    })
    const { json } = await agent.heartbeat()
    expect(json.quote.demanded).toBe('operator')
    expect((await agent.quote()).json.session.quote.demanded).toBeNull()
  })

  test('acts while the agent goes on sending, and neither is lost', async () => {
    const agent = await opened()
    const beats = (async () => {
      for (let n = 0; n < 10; n++) await agent.heartbeat()
    })()
    expect((await act(agent, 'quarantine')).status).toBe(200)
    await beats
    expect((await seen(`/v1/sessions/${agent.id}`)).json.state).toBe('QUARANTINED')
  })

  test('is asked for a reason, and an action that there is', async () => {
    const { id } = await opened()
    const path = `/v1/sessions/${id}/actions`
    expect((await did(path, { action: 'quarantine' })).json.code).toBe('request-malformed')
    expect((await did(path, { action: 'delete', reason: 'x' })).json.code).toBe('request-malformed')
    expect((await did(path, { action: 'evict', reason: 'a\nb' })).json.code).toBe(
      'request-malformed',
    )
    const unknown = `/v1/sessions/${'x'.repeat(22)}/actions`
    expect((await did(unknown, { action: 'evict', reason: 'x' })).json.code).toBe('session-unknown')
  })
})

describe('a ban', () => {
  const platformOf = async (agent: Speaker) =>
    (await seen(`/v1/sessions/${agent.id}`)).json.platforms as string[]

  test('ends the sessions of the machine, refuses it by a check that says why, and is lifted again', async () => {
    const agent = await opened()
    const platforms = await platformOf(agent)
    const { status, json } = await did('/v1/bans', { session: agent.id, reason: 'stolen blade' })
    expect(status).toBe(200)
    expect(json.bans.map((each: { platform: string }) => each.platform)).toEqual(platforms)
    expect(json.sessions).toBeGreaterThan(0)
    expect((await seen(`/v1/sessions/${agent.id}`)).json).toMatchObject({
      state: 'REVOKED',
      by: 'otto',
      reason: expect.stringContaining('stolen blade'),
    })
    const again = await speaker(service)
    const refused = await again.open()
    expect([refused.status, refused.json.code]).toEqual([403, 'evidence-rejected'])
    expect(
      refused.json.findings.find(({ id }: { id: string }) => id === 'revoked.ban'),
    ).toMatchObject({
      outcome: 'fail',
      detail: expect.stringMatching(/banned by otto at .*stolen blade.*vouchsafe session unban/),
    })
    const alone = await attestAt(service)
    expect(alone.json.code).toBe('evidence-rejected')
    expect((await seen('/v1/bans')).json.bans).toMatchObject(
      platforms.map((each) => ({ platform: each, agent: null, by: 'otto' })),
    )
    for (const each of platforms)
      expect((await did('/v1/bans/lifts', { platform: each, reason: 'found' })).status).toBe(200)
    expect((await seen('/v1/bans')).json.bans).toEqual([])
    await opened()
    const [first] = platforms
    expect((await did('/v1/bans/lifts', { platform: first, reason: 'x' })).json.code).toBe(
      'ban-unknown',
    )
  })

  test('for another agent does not touch this one', async () => {
    const agent = await opened()
    const [machine] = await platformOf(agent)
    const ban = { platform: machine, agent: { environment: 'prod', agent: 'other-bot' } }
    expect((await did('/v1/bans', { ...ban, reason: 'x' })).json.sessions).toBe(0)
    expect((await agent.heartbeat()).status).toBe(200)
    await opened()
    expect((await did('/v1/bans/lifts', { ...ban, reason: 'x' })).status).toBe(200)
  })

  test('revokes the tokens of one-shot attestations on the machine, at the next run of its chore', async () => {
    const issued = await attestAt(service)
    expect(issued.status).toBe(200)
    const jti = async () =>
      (await service.verifier.store.tokensOf(issued.json.id)).map(
        ({ revocation }) => revocation?.by,
      )
    const [machine] = await platformOf(await opened())
    await did('/v1/bans', { platform: machine, reason: 'x' })
    await service.chores('bans default')
    expect(await jti()).toEqual(['bans'])
    await did('/v1/bans/lifts', { platform: machine, reason: 'x' })
  })

  test('that cannot be read lets nobody pass until it can', async () => {
    const { store } = service.verifier
    const { bansOf } = store
    const agent = await opened()
    const [machine] = await platformOf(agent)
    Object.assign(store, {
      bansOf: async () => {
        throw new Error('gone')
      },
    })
    await store.ban(
      {
        tenant: 'default',
        platform: machine ?? '',
        environment: undefined,
        agent: undefined,
        reason: 'x',
        by: 'otto',
        at: AT,
      },
      (await import('../adapters/store-records.ts')).leaf({ subject: 'b' }),
    )
    await service.chores('events')
    const refused = await (await speaker(service)).open()
    expect(refused.json.code).toBe('storage-unavailable')
    Object.assign(store, { bansOf })
    await service.chores('bans default')
    expect((await (await speaker(service)).open()).json.code).toBe('evidence-rejected')
    expect((await seen(`/v1/sessions/${agent.id}`)).json.state).toBe('REVOKED')
    await did('/v1/bans/lifts', { platform: machine, reason: 'x' })
  })

  test.each([
    ['nothing', { reason: 'x' }],
    ['both', { platform: 'ab'.repeat(64), session: 'x'.repeat(22), reason: 'x' }],
    ['no hex', { platform: 'AB'.repeat(64), reason: 'x' }],
    ['no reason', { platform: 'ab'.repeat(64) }],
  ])('of %s is refused', async (_, body) =>
    expect((await did('/v1/bans', body)).json.code).toBe('request-malformed'),
  )
})
