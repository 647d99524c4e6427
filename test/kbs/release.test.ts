/** Which resources the Key Broker face gives to whom: those that opted in, and whatever policy and evidence say at that moment. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { explainAppraisal } from '#src/service/explain-appraisal.ts'
import { revokeResource } from '#src/service/revoke-resource.ts'
import { AT, policyOf, type RunningService } from '../http/running-service.ts'
import { brokerManifest, brokerService, PATH, put, SECRET } from './broker-scene.ts'
import { StockClient } from './stock-client.ts'

let service: RunningService
let agent: StockClient
beforeAll(async () => {
  const scopes =
    '["secret:demo", "secret:watched", "secret:guarded", "secret:inside", "secret:rare", "secret:two", "secret:hard"]'
  service = await brokerService({
    manifestText: brokerManifest((text) => text.replace('["secret:demo"]', scopes)),
  })
  agent = new StockClient({ url: service.url })
  await agent.handshake()
})
afterAll(async () => {
  await service.close()
})

const refusal = (status: number, variant: string) => ({
  status,
  json: {
    type: `https://github.com/confidential-containers/kbs/errors/${variant}`,
    detail: expect.any(String),
  },
})

describe('a resource', () => {
  test('that is not there, or did not opt in, is not found: the client gives up at once', async () => {
    await put(service, 'secret:hidden', {})
    for (const path of ['default/key/2', 'secret/hidden/x', 'a/b/secret:hidden'])
      expect((await agent.resource(path)).status).toBe(404)
    expect(await agent.resource('default/key/2')).toMatchObject(refusal(404, 'ResourceNotFound'))
  })

  test.each(['default/key', 'default/key/1/2', 'default/.hidden/1', 'default/key/a%2Fb', 'x/y/ä'])(
    'has a path of three segments, which %s is not',
    async (path) => {
      const { status, json } = await agent.resource(path)
      expect(status).toBe(404)
      // What the client's own type for errors has: both are there, whoever answers.
      expect(json).toMatchObject({ type: expect.any(String), detail: expect.any(String) })
    },
  )

  test.each([
    ['that needs a watched session', 'secret:watched', { requiresSession: true }],
    ['that operators must agree to', 'secret:guarded', { approvals: 1 }],
    ['whose key never leaves', 'secret:inside', { use: 'decrypt' as const }],
  ])('%s is refused on this face, and the client does not try again', async (_, name, settings) => {
    const path = `default/${name.slice(7)}/1`
    await put(service, name, { ...settings, brokerPath: path }, 'k'.repeat(32))
    expect(await agent.resource(path)).toMatchObject(refusal(403, 'PolicyDeny'))
    expect(
      service.journal.filter(({ event }) => event === 'release.refused').at(-1)?.fields,
    ).toMatchObject({
      resource: name,
      face: 'key-broker',
    })
  })

  test('that is not for simulated evidence is refused, and says what it takes', async () => {
    await put(service, 'secret:hard', { brokerPath: 'default/hard/1', acceptsSimulated: false })
    const refused = await agent.resource('default/hard/1')
    expect(refused).toMatchObject(refusal(403, 'PolicyDeny'))
    const says = 'secret:hard is given only to evidence of hardware, and this evidence is simulated'
    expect(refused.json.detail).toBe(`release-needs-hardware: ${says}`)
    const told = service.journal.findLast(({ event }) => event === 'release.refused')
    expect(told?.fields).toMatchObject({ resource: 'secret:hard', reason: says })
  })

  test('that no scope of the release names is refused', async () => {
    await put(service, 'secret:other', { brokerPath: 'default/other/1' })
    expect(await agent.resource('default/other/1')).toMatchObject(refusal(403, 'PolicyDeny'))
  })

  test('is given in its newest version that is not revoked, and not at all when none is left', async () => {
    await put(service, 'secret:two', { brokerPath: 'default/two/1' }, 'first')
    await put(service, 'secret:two', {}, 'second')
    expect(await agent.secret('default/two/1')).toBe('second')
    const revoke = async (versions: readonly number[]) =>
      await revokeResource(
        service.verifier,
        { tenant: 'default', name: 'secret:two', versions, by: 'sara' },
        AT,
      )
    await revoke([2])
    expect(await agent.secret('default/two/1')).toBe('first')
    await revoke([1])
    expect(await agent.resource('default/two/1')).toMatchObject(refusal(404, 'ResourceNotFound'))
  })

  test('that is given out too often is answered 429, which the client takes for an error at once', async () => {
    await put(service, 'secret:rare', { brokerPath: 'default/rare/1', releasesPerMinute: 1 })
    expect(await agent.secret('default/rare/1')).toBe(SECRET)
    const again = await agent.resource('default/rare/1')
    expect(again).toMatchObject(refusal(429, 'TooManyRequests'))
    expect(again.headers.get('retry-after')).toBe('60')
  })
})

test('every release is kept, with the leaf of the log that answers for it, and no secret in it', async () => {
  await agent.secret(PATH)
  const waiting = await service.verifier.store.countWaitingLeaves()
  await agent.secret(PATH)
  expect(await service.verifier.store.countWaitingLeaves()).toBe(waiting + 1)
  expect(JSON.stringify(service.journal)).not.toContain(SECRET)
  const granted = service.journal.filter(({ event }) => event === 'release.granted').at(-1)
  expect(granted?.fields).toMatchObject({ resource: 'secret:demo', version: 1, face: 'key-broker' })
})

test('an operator is told why evidence was refused, by the request id of the answer', async () => {
  const stranger = new StockClient({
    url: service.url,
    evidence: (digest) => JSON.stringify({ svn: '7', report_data: digest.toString('base64') }),
  })
  const { headers, json } = await stranger.handshake()
  const request = headers.get('x-request-id') ?? ''
  expect(json.detail).toContain(`vouchsafe explain ${request}`)
  const explained = await explainAppraisal(service.verifier, request)
  expect(explained.refusal).toMatchObject({ stage: 'appraisal', failing: ['sample.svn.expected'] })
  expect(explained.record).toMatchObject({
    environment: 'prod',
    agent: 'invoice-bot',
    tee: 'sample',
    binding: { protocol: '0.4.0', reportData: expect.stringMatching(/^[0-9a-f]{96}0{32}$/) },
  })
})

describe('what changed since the handshake counts:', () => {
  async function answerAfter(change: (other: RunningService) => Promise<void>) {
    const other = await brokerService()
    try {
      const late = new StockClient({ url: other.url })
      await late.handshake()
      expect(await late.secret(PATH)).toBe(SECRET)
      await change(other)
      return await late.resource(PATH)
    } finally {
      await other.close()
    }
  }

  test('a policy that takes the scope away', async () => {
    const text = brokerManifest((before) => before.replace('secret:demo', 'secret:else'))
    const answer = await answerAfter(async (other) =>
      other.accept(await policyOf(text, { commit: 'd'.repeat(40) })),
    )
    expect(answer).toMatchObject(refusal(403, 'PolicyDeny'))
  })

  test('a policy that accepts the evidence no more', async () => {
    const text = brokerManifest((before) => before.replace('svn: "1"', 'svn: "2"'))
    const answer = await answerAfter(async (other) =>
      other.accept(await policyOf(text, { commit: 'd'.repeat(40) })),
    )
    expect(answer).toMatchObject(refusal(403, 'PolicyDeny'))
  })

  test('the key, when it is revoked', async () => {
    const { thumbprintOf } = await import('#src/service/broker-key.ts')
    const { teePublicKey } = await import('#src/http/kbs/messages.ts')
    const other = await brokerService()
    try {
      const late = new StockClient({ url: other.url })
      await late.handshake()
      const jkt = thumbprintOf(teePublicKey.parse(late.key.jwk))
      const revoked = `apiVersion: vouchsafe.dev/v1alpha1\nkind: Revocations\nmetadata: {generation: 1}\nspec:\n  agentKeys:\n    - {value: ${jkt}, reason: stolen}\n`
      await other.accept(await policyOf(brokerManifest(), { commit: 'd'.repeat(40), revoked }))
      expect(await late.resource(PATH)).toMatchObject(refusal(403, 'PolicyDeny'))
    } finally {
      await other.close()
    }
  })

  test('no policy at all', async () => {
    const answer = await answerAfter(async (other) => {
      other.policy.current = undefined
    })
    expect(answer).toMatchObject(refusal(503, 'PolicyEngineError'))
  })

  test('the resource, when it is changed to need more', async () => {
    const answer = await answerAfter(async (other) =>
      put(other, 'secret:demo', { requiresSession: true }),
    )
    expect(answer).toMatchObject(refusal(403, 'PolicyDeny'))
  })
})
