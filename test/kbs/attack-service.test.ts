/** What the Attestation Service's face may not be made to say, and what an operator's path may not be made to mean. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, get, post, type RunningService } from '../http/running-service.ts'
import { brokerManifest, brokerService, PATH, put } from './broker-scene.ts'
import { clientKey, jcs, openJwe, StockClient, sampleEvidence } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService({
    manifestText: brokerManifest((text) =>
      text.replace('["secret:demo"]', '["secret:demo", "secret:default.own.1"]'),
    ),
  })
})
afterAll(async () => {
  await service.close()
})

const base64Url = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')
const { jwk } = clientKey('P-256')

async function asked(runtimeData: object, bound: string) {
  const digest = createHash('sha384').update(bound).digest()
  const response = await fetch(`${service.url}/attestation`, {
    method: 'POST',
    body: JSON.stringify({
      verification_requests: [
        { tee: 'sample', evidence: base64Url(sampleEvidence(digest)), runtime_data: runtimeData },
      ],
      policy_ids: [],
    }),
    headers: { 'content-type': 'application/json', ...bearer('enforcer') },
  })
  return { status: response.status, text: await response.text() }
}

describe('no token is given for', () => {
  // Its report data is the same for everybody and for ever: the attestation agent's own coco_as token asks so.
  test.each([
    ['evidence that is bound to no bytes', { raw: '' }, ''],
    ['evidence that is bound to an object of nothing', { structured: {} }, '{}'],
  ])('%s', async (_, runtimeData, bound) => {
    const { status, text } = await asked(runtimeData, bound)
    expect(status, text).toBe(400)
    expect(text).toMatch(/bound to nothing/)
  })

  test('a nonce that is no short text', async () => {
    for (const nonce of ['\0', 'x'.repeat(2000), 'ä']) {
      const structured = { nonce, 'tee-pubkey': jwk, 'additional-evidence': '' }
      expect((await asked({ structured }, jcs(structured))).status).toBe(400)
    }
  })

  test('devices that nobody here judged, though the evidence was bound to them', async () => {
    const structured = { nonce: 'bm9u', 'tee-pubkey': jwk, 'additional-evidence': '{"nvidia":{}}' }
    const { status, text } = await asked({ structured }, jcs(structured))
    expect(status, text).toBe(400)
    expect(text).toMatch(/additional-evidence/)
  })
})

test('its token is of no handshake, and fetches no secret', async () => {
  const structured = { nonce: 'bm9uY2U=', 'tee-pubkey': jwk, 'additional-evidence': '' }
  const { status, text } = await asked({ structured }, jcs(structured))
  expect(status, text).toBe(200)
  const { status: refused } = await get(`${service.url}/kbs/v0/resource/${PATH}`, {
    authorization: `Bearer ${text}`,
  })
  expect(refused).toBe(401)
})

describe('a path under which an operator puts a secret', () => {
  const send = async (path: string, secret: string) =>
    await fetch(`${service.url}/kbs/v0/resource/${path}`, {
      method: 'POST',
      body: secret,
      headers: bearer('secret-admin'),
    })

  test('is never taken for another path whose name is made of the same words', async () => {
    expect((await send('a.b/c/d', 'first')).status).toBe(200)
    const taken = await send('a/b.c/d', 'second')
    expect(taken.status).toBe(409)
    const kept = await service.verifier.store.findResource('default', 'secret:a.b.c.d')
    expect(kept).toMatchObject({ brokerPath: 'a.b/c/d', versions: [{ version: 1 }] })
  })

  test('makes no secret public that was never to be had here', async () => {
    await put(service, 'secret:default.own.1', {}, 'inside')
    const taken = await send('default/own/1', 'guessed')
    expect(taken.status).toBe(409)
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    expect((await agent.resource('default/own/1')).status).toBe(404)
    const { json } = await agent.resource(PATH)
    expect(openJwe(json, agent.key).toString()).not.toBe('')
  })
})

test('other tenants’ operators’ paths, dots and escapes lead nowhere', async () => {
  for (const path of [
    '../../v1/x',
    '%2e%2e/a/b',
    'a/%2e%2e/b',
    'a/b/%00',
    'a/b/c%2F..%2Fd',
    'a//b',
  ])
    expect(
      (await post(`${service.url}/kbs/v0/resource/${path}`, 'x', bearer('secret-admin'))).status,
    ).toBe(404)
})
