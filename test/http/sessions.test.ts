/** A session from its opening to its end, over real HTTP, with real signatures and simulated evidence. */
import { decodeJwt } from 'jose'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { bornKeys, openTokens } from '../../enclave/attestation.ts'
import { AT, attester, policyOf, runService } from './running-service.ts'
import {
  codeEvent,
  interval,
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

const opened = async (observed?: Parameters<Speaker['open']>[0]): Promise<Speaker> => {
  const agent = await speaker(service)
  expect((await agent.open(observed)).status).toBe(200)
  return agent
}
const codeOf = async (answered: Promise<{ readonly json: { readonly code: string } }>) =>
  (await answered).json.code
const stored = async ({ id }: Speaker) => await service.verifier.store.findSession(id)

describe('opening', () => {
  test('is answered with tokens of two minutes that name the session, and with its first nonce', async () => {
    const agent = await speaker(service)
    const { status, json } = await agent.open()
    expect(status).toBe(200)
    expect(json.session).toMatchObject({
      id: agent.id,
      state: 'ACTIVE',
      seq: 0,
      heartbeatSeconds: 10,
      leaseUntil: new Date(AT.getTime() + 20_000).toISOString(),
      quote: { demanded: null },
    })
    const [token] = await openTokens(json, agent.keys)
    const claims = decodeJwt(token?.token ?? '')
    expect(claims).toMatchObject({
      att_session: agent.id,
      att_measurements: `1:${agent.ledger.checkpoint.measurement.head}`,
    })
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(120)
    expect(await service.verifier.store.deltasOf(agent.id)).toEqual([
      { seq: 0, measurement: [codeEvent()] },
    ])
  })

  test.each([
    [['files', 'kernel-events'], 2],
    [['files'], 3],
  ] as const)('watched by %j says of executables %d', async (modes, executables) => {
    const agent = await speaker(service)
    const { json } = await agent.open({ measurement: [codeEvent()], modes })
    expect(json.trustVector.executables).toBe(executables)
    const [token] = await openTokens((await agent.tokens()).json, agent.keys)
    expect(JSON.stringify(decodeJwt(token?.token ?? '').submods)).toContain(
      `"executables":${executables}`,
    )
  })

  test('with the same bytes again is answered with the session', async () => {
    const agent = await speaker(service)
    const next = agent.said({ measurement: [codeEvent()] })
    const message = await agent.quoteOf(next.delta)
    const first = await agent.send(message)
    expect(first.status).toBe(200)
    expect((await agent.send(message)).json).toEqual({ session: first.json.session })
  })

  test('with the id of another session is refused', async () => {
    const agent = await opened()
    const other = await speaker(service)
    const delta = agent.said().delta
    const { delta: same } = { delta: { ...delta, statement: { ...delta.statement, seq: '0' } } }
    expect(await codeOf(agent.send(await other.quoteOf(same)))).toBe('session-exists')
  })

  test.each([
    ['seq', { seq: '1' }],
    ['previous', { previous: 'a'.repeat(96) }],
    ['measurement_head', { measurement_head: 'a'.repeat(96) }],
    ['measurements', { measurements: '2' }],
  ])('with a statement whose %s is another than the beginning’s is refused', async (_, wrong) => {
    const agent = await speaker(service)
    const { delta } = agent.said({ measurement: [codeEvent()] })
    const path = { ...delta, statement: { ...delta.statement, ...wrong } }
    const message = await agent.quoteOf(path)
    const { status, json } = await agent.send({ ...message, path: '/v1/sessions' })
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(await stored(agent)).toBeUndefined()
  })

  test('with an unapproved file is refused as evidence is, and opens nothing', async () => {
    const agent = await speaker(service)
    const { status, json } = await agent.open({ measurement: [unapprovedEvent()] })
    expect(status).toBe(403)
    expect(json).toMatchObject({
      code: 'evidence-rejected',
      stage: 'runtime',
      failing: ['runtime.code.approved'],
    })
    expect(await stored(agent)).toBeUndefined()
  })

  test('with another launch is refused, and opens nothing', async () => {
    const agent = await speaker(service)
    const { json } = await agent.open(undefined, attester(new Uint8Array(48).fill(0xee)))
    expect(json).toMatchObject({ code: 'evidence-rejected', stage: 'appraisal' })
    expect(await stored(agent)).toBeUndefined()
  })

  test('where the release has no section runtime is not offered', async () => {
    service.policy.current = await policyOf()
    expect(await codeOf((await speaker(service)).open())).toBe('session-not-offered')
  })

  test('is not what POST /v1/attestations does', async () => {
    const agent = await speaker(service)
    const message = await agent.quoteOf(agent.said().delta)
    const { transcript: _, ...oneShot } = JSON.parse(message.body)
    const { json } = await agent.send({
      ...message,
      path: '/v1/attestations',
      body: JSON.stringify(oneShot),
    })
    expect(json.code).toBe('request-malformed')
  })
})

describe('a heartbeat', () => {
  test('extends the lease and brings another nonce', async () => {
    const agent = await opened()
    const { nonce } = agent.answer
    later(service, 10)
    const { status, json } = await agent.heartbeat()
    expect(status).toBe(200)
    expect(json).toMatchObject({
      state: 'ACTIVE',
      seq: 1,
      leaseUntil: new Date(AT.getTime() + 30_000).toISOString(),
    })
    expect(json.nonce).not.toBe(nonce)
  })

  test('that measured something new asks for a quote, and until then there are no tokens', async () => {
    const agent = await opened()
    expect(
      (await agent.heartbeat({ measurement: [codeEvent('/app/more.js')] })).json.quote.demanded,
    ).toBe('growth')
    expect(await codeOf(agent.tokens())).toBe('session-evidence-needed')
    expect((await agent.quote()).json.session.quote.demanded).toBeNull()
    expect((await agent.tokens()).status).toBe(200)
  })

  test('with the same bytes again is answered as before, and counts once', async () => {
    const agent = await opened()
    const next = agent.said({ behaviour: [interval()] })
    const message = await agent.heartbeatOf(next.delta)
    const first = await agent.send(message)
    later(service, 5)
    const second = await agent.send(message)
    expect(second.json).toEqual(first.json)
    expect((await stored(agent))?.heardAt).toEqual(AT)
  })

  test('that says the same under another signature is no fork', async () => {
    const agent = await opened()
    const { delta } = agent.said()
    const first = await agent.send(await agent.heartbeatOf(delta))
    const second = await agent.send(await agent.heartbeatOf(delta))
    expect(second.json).toEqual(first.json)
  })

  test('of a forked session ends it, and its tokens', async () => {
    const agent = await opened()
    const fork = agent.said({ behaviour: [interval({ cpuMillis: 6 })] }).delta
    const message = await agent.heartbeatOf(fork)
    await agent.heartbeat()
    const { status, json } = await agent.send(message)
    expect(status).toBe(403)
    expect(json).toMatchObject({
      code: 'session-chain-broken',
      state: 'REVOKED',
      reason: 'broken_evidence_chain',
    })
    expect(await stored(agent)).toMatchObject({ standing: 'revoked', seq: 1 })
    expect(await codeOf(agent.heartbeat())).toBe('session-over')
    const page = { at: AT, selection: { session: agent.id }, limit: 10 }
    expect(await service.verifier.store.liveTokens('default', page)).toEqual([])
  })

  test.each([
    ['events that do not lead to the heads', { behaviour_head: 'a'.repeat(96) }, {}],
    ['a gap in the events', { behaviours: '7' }, {}],
    ['another statement before it', { previous: 'a'.repeat(96) }, {}],
    ['another boot', { boot: 'aaaaaaaa' }, {}],
    ['another collector', { collector: `sha256:${'ff'.repeat(32)}` }, {}],
    ['fewer lost events', { dropped: '1' }, { dropped: 2 }],
    ['less time since the boot', { uptime: '1' }, {}],
  ])('with %s breaks the chain', async (_, wrong, before) => {
    const agent = await opened({ measurement: [codeEvent()], ...before })
    const { delta } = agent.said({ behaviour: [interval()], dropped: 2 })
    const message = await agent.heartbeatOf({
      ...delta,
      statement: { ...delta.statement, ...wrong },
    })
    expect((await agent.send(message)).json.code).toBe('session-chain-broken')
    expect((await stored(agent))?.standing).toBe('revoked')
  })

  test('whose events are in another order breaks the chain', async () => {
    const agent = await opened()
    const behaviour = [interval({ cpuMillis: 1 }), interval({ cpuMillis: 2 })]
    const { delta } = agent.said({ behaviour })
    const message = await agent.heartbeatOf({ ...delta, behaviour: behaviour.toReversed() })
    expect((await agent.send(message)).json.code).toBe('session-chain-broken')
  })

  test('from before is refused and changes nothing', async () => {
    const agent = await opened()
    const old = await agent.heartbeatOf(agent.said().delta)
    await agent.send(old)
    agent.ledger = agent.said().accepted(agent.ledger.policy)
    agent.answer = (await agent.send(old)).json
    await agent.heartbeat()
    expect(await codeOf(agent.send(old))).toBe('session-nonce-refused')
    expect(await stored(agent)).toMatchObject({ standing: 'open', seq: 2 })
  })

  test('beyond the next is told what the service knows', async () => {
    const agent = await opened()
    agent.ledger = agent.said().accepted(agent.ledger.policy)
    const { json } = await agent.heartbeat()
    expect(json).toMatchObject({
      code: 'session-behind',
      checkpoint: { seq: 0, measurement: { count: 1 } },
    })
    expect((await stored(agent))?.standing).toBe('open')
  })

  test('with another nonce is refused, told the right one, and costs nothing', async () => {
    const agent = await opened()
    const message = await agent.heartbeatOf(agent.said().delta, 'A'.repeat(22))
    const { json } = await agent.send(message)
    expect(json).toMatchObject({
      code: 'session-nonce-refused',
      session: { nonce: agent.answer.nonce },
    })
    expect((await agent.heartbeat()).status).toBe(200)
  })

  test('by another key is refused and changes nothing', async () => {
    const agent = await opened()
    const thief = await speaker(service, { keys: await bornKeys() })
    const message = await thief.heartbeatOf(agent.said().delta, agent.answer.nonce)
    const { status, json } = await agent.send(message)
    expect([status, json.code]).toEqual([401, 'session-message-refused'])
    expect((await stored(agent))?.seq).toBe(0)
  })

  test('of another session, at another address or of another type is refused', async () => {
    const agent = await opened()
    const other = await opened()
    const message = await agent.heartbeatOf(agent.said().delta)
    for (const path of [
      `/v1/sessions/${other.id}/heartbeats`,
      `/v1/sessions/${agent.id}/tokens`,
      `/v1/sessions/${agent.id}/close`,
    ])
      expect(await codeOf(agent.send({ ...message, path }))).toBe('session-message-refused')
    const foreign = other.said().delta
    const within = { ...foreign, statement: { ...foreign.statement, session: other.id } }
    const wrong = await agent.heartbeatOf(within)
    expect(await codeOf(agent.send({ ...wrong, path: message.path }))).toBe(
      'session-message-refused',
    )
  })

  test('of no session is refused', async () => {
    const agent = await speaker(service)
    expect(await codeOf(agent.heartbeat())).toBe('session-unknown')
  })

  test.each([
    ['text', 'hello'],
    ['bytes', '\u0000\uffff'],
    ['a JWS without a signature', 'e30.e30.'],
    ['too much', 'a'.repeat(600 * 1024)],
  ])('that is %s is refused', async (_, body) => {
    const agent = await opened()
    const code = await codeOf(
      agent.send({ path: `/v1/sessions/${agent.id}/heartbeats`, body, headers: {} }),
    )
    expect(['session-message-refused', 'body-too-large']).toContain(code)
    expect((await stored(agent))?.seq).toBe(0)
  })

  test('with an unapproved file quarantines the session and revokes its tokens with a leaf and an event', async () => {
    const agent = await opened()
    const { status, json } = await agent.heartbeat({ measurement: [unapprovedEvent()] })
    expect(status).toBe(409)
    expect(json).toMatchObject({
      code: 'session-over',
      state: 'QUARANTINED',
      stage: 'runtime',
      failing: ['runtime.code.approved'],
    })
    const session = await stored(agent)
    expect(session).toMatchObject({ standing: 'quarantined', by: 'runtime-appraisal', seq: 1 })
    expect(session?.reason).toContain('runtime.code.approved')
    expect(session?.reason).toContain('ee'.repeat(32))
    const page = { at: AT, selection: { session: agent.id }, limit: 10 }
    expect(await service.verifier.store.liveTokens('default', page)).toEqual([])
    for (const answered of [agent.heartbeat(), agent.tokens(), agent.quote(), agent.close()])
      expect((await answered).json).toMatchObject({ code: 'session-over', state: 'QUARANTINED' })
    const events = await service.verifier.store.eventsAfter(0, 1000)
    expect(
      events
        .filter(({ fields }) => fields.session === agent.id)
        .map(({ kind, fields }) => [kind, fields.standing]),
    ).toEqual([['session.changed', 'quarantined']])
    expect(await service.verifier.store.deltasOf(agent.id)).toHaveLength(2)
  })

  test('that spent too much asks for a quote, and goes on', async () => {
    const agent = await opened()
    const { json } = await agent.heartbeat({ behaviour: [interval({ modelTokens: 9_000_000 })] })
    expect(json).toMatchObject({ state: 'ACTIVE', quote: { demanded: 'anomaly' } })
    expect(await codeOf(agent.tokens())).toBe('session-evidence-needed')
  })

  test('of a collector that lost too many events suspends the session, whose tokens hold', async () => {
    const agent = await opened()
    const { status, json } = await agent.heartbeat({ dropped: 6 })
    expect(status).toBe(200)
    expect(json).toMatchObject({ state: 'SUSPENDED', quote: { demanded: 'suspended' } })
    const page = { at: AT, selection: { session: agent.id }, limit: 10 }
    expect(await service.verifier.store.liveTokens('default', page)).toHaveLength(1)
  })

  test('is heard while the policy is silent, and there are no tokens', async () => {
    const agent = await opened()
    const silent = await policyOf(watchedManifest(), { heartbeat: { notAfter: AT } })
    service.policy.current = silent
    later(service, 2 * 24 * 3600)
    const other = await stored(agent)
    expect(other?.standing).toBe('open')
    expect(await codeOf(agent.heartbeat())).toBe('session-evidence-needed')
    expect(await codeOf(agent.tokens())).toBe('policy-stale')
  })

  test('after which the release is gone suspends the session', async () => {
    const agent = await opened()
    service.policy.current = await policyOf()
    expect((await agent.heartbeat()).json.state).toBe('SUSPENDED')
    expect((await stored(agent))?.reason).toContain('no section runtime')
  })

  test('of a hundred at once, all different, is accepted once', async () => {
    const agent = await opened()
    const messages = await Promise.all(
      Array.from(
        { length: 100 },
        async (_, n) =>
          await agent.heartbeatOf(agent.said({ behaviour: [interval({ cpuMillis: n })] }).delta),
      ),
    )
    const answers = await Promise.all(messages.map(agent.send))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await stored(agent)).toMatchObject({ standing: 'revoked', seq: 1 })
  })

  test('a hundred times at once is accepted once, and answered a hundred times', async () => {
    const agent = await opened()
    const message = await agent.heartbeatOf(
      agent.said({ measurement: [codeEvent('/app/b.js')] }).delta,
    )
    const answers = await Promise.all(
      Array.from({ length: 100 }, async () => await agent.send(message)),
    )
    expect(new Set(answers.map(({ json }) => JSON.stringify(json))).size).toBe(1)
    expect(await stored(agent)).toMatchObject({ standing: 'open', seq: 1, revision: 1 })
  })
})

describe('silence', () => {
  test('makes a session late at 20 s, which a heartbeat mends', async () => {
    const agent = await opened()
    later(service, 20)
    expect((await agent.tokens()).json).toMatchObject({ code: 'session-over', state: 'LATE' })
    expect((await agent.heartbeat()).json.state).toBe('ACTIVE')
    expect((await agent.tokens()).status).toBe(200)
  })

  test('suspends it at 40 s, which only a full quote mends', async () => {
    const agent = await opened()
    later(service, 40)
    expect((await agent.heartbeat()).json).toMatchObject({
      code: 'session-evidence-needed',
      session: { state: 'SUSPENDED', quote: { demanded: 'suspended' } },
    })
    expect((await agent.quote()).json.session.state).toBe('ACTIVE')
    expect((await agent.heartbeat()).status).toBe(200)
  })

  test('before a clock that was set back makes it late and not better', async () => {
    const agent = await opened()
    later(service, -3600)
    expect((await agent.tokens()).json).toMatchObject({ code: 'session-over', state: 'LATE' })
    expect((await agent.heartbeat()).json.state).toBe('ACTIVE')
    expect((await agent.tokens()).status).toBe(200)
  })
})

describe('a new quote', () => {
  test('over a transcript that was told before is answered with the session', async () => {
    const agent = await opened()
    const next = agent.said()
    const message = await agent.quoteOf(next.delta)
    const first = await agent.send(message)
    expect((await agent.send(message)).json).toEqual({ session: first.json.session })
    const anew = await agent.quoteOf(next.delta)
    expect((await agent.send(anew)).json).toEqual({ session: first.json.session })
  })

  test('for a challenge that was used before is refused, and changes nothing', async () => {
    const agent = await opened()
    const other = await opened()
    const message = await agent.quoteOf(agent.said().delta)
    await agent.send(message)
    const { runtimeClaims } = JSON.parse(message.body)
    const stale = JSON.parse((await other.quoteOf(other.said().delta)).body)
    expect(runtimeClaims.nonce).not.toBe(stale.runtimeClaims.nonce)
    later(service, 3600)
    const late = await other.quoteOf(other.said().delta)
    later(service, 3600)
    expect(await codeOf(other.send(late))).toBe('challenge-expired')
    expect((await stored(other))?.seq).toBe(0)
  })

  test('that is refused for its launch leaves the session as it was', async () => {
    const agent = await opened()
    const { json } = await agent.quote({}, attester(new Uint8Array(48).fill(0xee)))
    expect(json.code).toBe('evidence-rejected')
    expect(await stored(agent)).toMatchObject({ standing: 'open', seq: 0 })
    expect((await agent.heartbeat()).status).toBe(200)
  })

  test('with an unapproved file is refused and quarantines the session', async () => {
    const agent = await opened()
    const { json } = await agent.quote({ measurement: [unapprovedEvent()] })
    expect(json).toMatchObject({ code: 'evidence-rejected', failing: ['runtime.code.approved'] })
    expect((await stored(agent))?.standing).toBe('quarantined')
  })

  test('of another key, or that forks the history, is not taken', async () => {
    const agent = await opened()
    const thief = await speaker(service, { keys: await bornKeys() })
    expect(await codeOf(agent.send(await thief.quoteOf(agent.said().delta)))).toBe(
      'session-message-refused',
    )
    expect((await stored(agent))?.standing).toBe('open')
    const fork = await agent.quoteOf(agent.said({ behaviour: [interval()] }).delta)
    await agent.heartbeat({})
    expect(await codeOf(agent.send(fork))).toBe('session-chain-broken')
    expect((await stored(agent))?.standing).toBe('revoked')
  })

  test('signed by another key is not taken, even for the same encryption key', async () => {
    const agent = await opened()
    const { sig } = await bornKeys()
    const thief = await speaker(service, { keys: { ...agent.keys, sig } })
    expect(await codeOf(agent.send(await thief.quoteOf(agent.said().delta)))).toBe(
      'session-message-refused',
    )
    expect((await stored(agent))?.seq).toBe(0)
  })

  test('whose claims bind another transcript is refused', async () => {
    const agent = await opened()
    const message = await agent.quoteOf(agent.said({ behaviour: [interval()] }).delta)
    const body = JSON.parse(message.body)
    body.transcript = agent.said().delta
    // Signed anew, as whoever relays it could not.
    const { signProof } = await import('../../enclave/attestation.ts')
    const text = JSON.stringify(body)
    const proof = await signProof(text, {
      claims: body.runtimeClaims,
      service: service.url,
      path: message.path,
      key: agent.keys.sig,
    })
    const { json } = await agent.send({
      ...message,
      body: text,
      headers: { 'attestation-proof': proof },
    })
    expect([json.code, json.detail]).toEqual([
      'request-malformed',
      expect.stringContaining('runtimeClaims.transcript'),
    ])
    expect((await stored(agent))?.seq).toBe(0)
  })
})

describe('another policy', () => {
  const changed = async (runtime: (text: string) => string) => {
    service.policy.current = await policyOf(watchedManifest(runtime), { commit: 'd'.repeat(40) })
  }

  test('asks for a quote and gives no tokens before', async () => {
    const agent = await opened()
    await changed((text) => text.replace('mostDropped: 5', 'mostDropped: 4'))
    expect(await codeOf(agent.tokens())).toBe('session-evidence-needed')
    const { json } = await agent.heartbeat()
    expect(json).toMatchObject({
      quote: { demanded: 'policy' },
      policy: { commit: 'd'.repeat(40) },
    })
    expect((await agent.quote()).json.session.quote.demanded).toBeNull()
    expect((await agent.tokens()).status).toBe(200)
  })

  test('that says the same about this agent asks for nothing', async () => {
    const agent = await opened()
    const heartbeat = { notAfter: new Date(AT.getTime() + 3600_000) }
    service.policy.current = await policyOf(watchedManifest(), { heartbeat })
    expect((await agent.tokens()).status).toBe(200)
    const { json } = await agent.heartbeat()
    expect(json.quote.demanded).toBeNull()
    expect(json.policy.digest).toBe(service.policy.current.digest)
    expect((await stored(agent))?.policyDigest).toBe(service.policy.current.digest)
  })

  test('judges everything that was measured before, with the next quote', async () => {
    const agent = await opened()
    await changed((text) => text.replaceAll('11'.repeat(32), '22'.repeat(32)))
    expect((await agent.heartbeat()).status).toBe(200)
    expect((await agent.quote()).json).toMatchObject({
      code: 'evidence-rejected',
      failing: ['runtime.code.approved'],
    })
    expect((await stored(agent))?.standing).toBe('quarantined')
  })
})

describe('tokens', () => {
  test('rest on the last quote, name the session, and are sealed to its key', async () => {
    const agent = await opened()
    later(service, 10)
    await agent.heartbeat()
    const { status, json } = await agent.tokens()
    expect(status).toBe(200)
    const [token] = await openTokens(json, agent.keys)
    const claims = decodeJwt(token?.token ?? '')
    const { appraisal } = (await stored(agent)) ?? {}
    expect(claims).toMatchObject({
      att_session: agent.id,
      att_appraisal: appraisal,
      cnf: { jkt: agent.keys.sig.thumbprint },
    })
    expect(claims.iat).toBe(AT.getTime() / 1000 + 10)
    expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(120)
    expect(await service.verifier.store.findToken(String(claims.jti))).toMatchObject({
      session: agent.id,
    })
    expect(await service.verifier.store.leafPlace(Buffer.from(json.logLeaf, 'hex'))).toBeDefined()
  })

  test('need the nonce of the last answer', async () => {
    const agent = await opened()
    const { nonce } = agent.answer
    await agent.heartbeat()
    expect(await codeOf(agent.tokens(nonce))).toBe('session-nonce-refused')
  })

  test('need a quote that is not older than two intervals', async () => {
    const agent = await opened()
    for (let beat = 0; beat < 59; beat++) {
      later(service, 10)
      expect((await agent.heartbeat()).status).toBe(200)
    }
    expect(agent.answer.quote.demanded).toBe('schedule')
    expect((await agent.tokens()).status).toBe(200)
    later(service, 10)
    await agent.heartbeat()
    expect(await codeOf(agent.tokens())).toBe('session-evidence-needed')
  })

  test('are refused where the evidence would be refused now', async () => {
    const agent = await opened()
    const revoked = `apiVersion: vouchsafe.dev/v1alpha1\nkind: RevocationList\n`
    expect(revoked).toContain('Revocation')
    service.policy.current = await policyOf(
      watchedManifest().replace(`sha384:${'a1'.repeat(48)}`, `sha384:${'a2'.repeat(48)}`),
    )
    expect(await codeOf(agent.tokens())).toBe('session-evidence-needed')
  })
})

describe('closing', () => {
  test('revokes the tokens, and nothing follows', async () => {
    const agent = await opened()
    expect((await agent.close()).json.state).toBe('CLOSED')
    expect((await agent.close()).json.state).toBe('CLOSED')
    const page = { at: AT, selection: { session: agent.id }, limit: 10 }
    expect(await service.verifier.store.liveTokens('default', page)).toEqual([])
    expect(await codeOf(agent.heartbeat())).toBe('session-over')
    expect(await codeOf(agent.quote())).toBe('session-over')
    expect(await codeOf(agent.tokens())).toBe('session-over')
  })

  test('needs the nonce of the last answer', async () => {
    const agent = await opened()
    expect(await codeOf(agent.close('A'.repeat(22)))).toBe('session-nonce-refused')
  })
})
