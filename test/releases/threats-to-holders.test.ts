/**
 * The threats of docs/threat-model.md to whoever holds a token, each as an attacker would try it over HTTP: what he has, what he
 * does with it, and what he hears. None of them gets the secret.
 */
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { toBase64Url } from '#src/bytes/encoding.ts'
import { bornKeys } from '../../enclave/attestation.ts'
import { AT, agentOf, anchorsOf, bearer, platform, post } from '../http/running-service.ts'
import { type Agent, OTHER_AUDIENCE, type ReleaseScene, refusal, releaseScene } from './scene.ts'

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
afterEach(async () => {
  scene.service.policy.current = await scene.policy()
})

describe('a proof that was seen on its way', () => {
  const proof = { jti: 'seen by somebody' }

  test('is good once', async () => {
    const own = { jti: `${agent.jti} once` }
    expect((await scene.release(agent, { proof: own })).status).toBe(200)
    expect(await scene.release(agent, { proof: own })).toMatchObject(
      refusal(401, 'possession-proof-refused', 'its jti was used before'),
    )
  })

  test('is good once, however many bring it at the same time', async () => {
    const asked = await Promise.all(
      Array.from({ length: 12 }, async () => await scene.release(agent, { proof })),
    )
    const statuses = asked.map(({ status }) => status).toSorted()
    expect(statuses).toEqual([200, ...Array(11).fill(401)])
  })

  test.each([
    ['for another resource', { bodySha256: toBase64Url(new Uint8Array(32)) }, 'bodySha256'],
    ['for another path', { htu: 'https://attest.example/v1/operations' }, 'its htu is not'],
    ['with another token', { ath: toBase64Url(new Uint8Array(32)) }, 'its ath is not'],
    ['two minutes later', { iat: AT.getTime() / 1000 - 120 }, 'its iat is not within'],
    ['without the body that it proved', { bodySha256: undefined }, 'bodySha256'],
  ])('is worth nothing %s', async (_, change, says) => {
    expect(await scene.release(agent, { proof: change })).toMatchObject(
      refusal(401, 'possession-proof-refused', says),
    )
  })
})

describe('a token that was stolen', () => {
  test('is worth nothing without its key', async () => {
    const thief = await bornKeys()
    expect(await scene.release(agent, { provedBy: thief.sig })).toMatchObject(
      refusal(401, 'possession-proof-refused', 'its key is not the one'),
    )
  })

  test('is worth nothing as a bearer token', async () => {
    const body = JSON.stringify({ resource: 'secret:db', encJwk: agent.keys.enc.publicKey })
    const asked = async (headers: Readonly<Record<string, string>>) =>
      await post(`${scene.service.url}/v1/releases`, body, headers)
    expect(await asked({ authorization: `Bearer ${agent.token}` })).toMatchObject(
      refusal(401, 'possession-required'),
    )
    expect(await asked({ authorization: `DPoP ${agent.token}` })).toMatchObject(
      refusal(401, 'possession-proof-refused', 'no DPoP header'),
    )
  })

  test('of another agent does not come by one’s own key', async () => {
    const other = await scene.agent()
    expect(await scene.release(other, { token: agent.token })).toMatchObject(
      refusal(401, 'possession-proof-refused', 'its key is not the one'),
    )
  })
})

test('a token for federation releases nothing, even with its key', async () => {
  const hardware = await releaseScene({ anchors: anchorsOf(platform.anchors, 'hardware') })
  try {
    // Hardware needs nobody to accept it.
    await hardware.put('secret:db', { acceptsSimulated: false })
    hardware.service.policy.current = await hardware.policy(
      (text) =>
        `${text}    - audience: sts.example\n      token: federation\n      ttl: 300s\n      scopes: ["secret:db"]\n`,
    )
    const keys = (await agentOf(hardware.service)).keys
    const claims = { verifier: hardware.service.url }
    const bearerOf = await hardware.agent({ keys, claims, audience: 'sts.example' })
    expect(await hardware.release(bearerOf)).toMatchObject(
      refusal(401, 'possession-token-refused', 'not a token of possession'),
    )
    const possessing = await hardware.agent({ keys, claims })
    expect((await hardware.release(possessing)).status).toBe(200)
  } finally {
    await hardware.service.close()
  }
})

test('a token for another audience releases nothing, whatever its scopes', async () => {
  const other = await scene.agent({ audience: OTHER_AUDIENCE })
  expect(decodeJwt(other.token).scope).toContain('secret:db')
  expect(await scene.release(other)).toMatchObject(
    refusal(401, 'possession-token-refused', `it is for ${OTHER_AUDIENCE}`),
  )
})

test('a revoked token releases nothing from that moment on, whatever status lists still say', async () => {
  expect((await scene.release(agent)).status).toBe(200)
  const list = decodeJwt<{ status: { status_list: { uri: string } } }>(agent.token).status
  const before = await fetch(list.status_list.uri)
  const { json } = await post(
    `${scene.service.url}/v1/revocations`,
    JSON.stringify({ token: agent.jti }),
    bearer('operator'),
  )
  expect(json.revoked).toBe(1)
  expect(before.headers.get('cache-control')).toMatch(/max-age=\d+/)
  expect(await scene.release(agent)).toMatchObject(
    refusal(401, 'possession-token-refused', 'it was revoked at'),
  )
})

describe('a policy that was tightened after the token was issued', () => {
  test.each<[string, (text: string) => string, string?]>([
    ['takes the scope away', (text) => text.replaceAll('"secret:db", ', '')],
    ['wants another measurement', (text) => text.replace('a1'.repeat(48), 'a2'.repeat(48))],
    [
      'gives what it gave to another audience',
      (text) => text.replace(/audience: http.*/, 'audience: https://else.example'),
    ],
    [
      'has ended',
      (text) =>
        text
          .replace('notAfter: 2027', 'notAfter: 2026')
          .replace('2026-01-01T00:00:00Z\nspec', '2026-05-31T00:00:00Z\nspec'),
    ],
  ])('%s: at once, and the agent is not told why', async (_, change) => {
    expect((await scene.release(agent)).status).toBe(200)
    scene.service.policy.current = await tightened(change)
    expect(await scene.release(agent)).toMatchObject(
      refusal(403, 'release-refused', 'prod/invoice-bot may not have secret:db now'),
    )
    const line = scene.service.journal.findLast(({ event }) => event === 'release.refused')
    expect(line?.fields?.reason).toBeTypeOf('string')
  })

  test('knows the agent no more: at once', async () => {
    scene.service.policy.current = { ...(await scene.policy()), releaseOf: () => undefined }
    expect(await scene.release(agent)).toMatchObject(refusal(403, 'release-refused'))
  })

  test('revokes the key: at once', async () => {
    scene.service.policy.current = await scene.policy(
      undefined,
      'd'.repeat(40),
      `apiVersion: vouchsafe.dev/v1alpha1\nkind: Revocations\nmetadata: {generation: 1}\nspec:\n  agentKeys: [{value: "${agent.keys.sig.thumbprint}", reason: lost}]\n`,
    )
    expect(await scene.release(agent)).toMatchObject(refusal(403, 'release-refused'))
  })

  test('is none any more: nothing is released', async () => {
    scene.service.policy.current = undefined
    expect(await scene.release(agent)).toMatchObject(refusal(503, 'policy-unavailable'))
  })

  test('ends a lease no later than its own length: it is not renewed', async () => {
    const { json } = await scene.release(agent)
    scene.service.policy.current = await tightened((text) => text.replaceAll('"secret:db", ', ''))
    const path = `/v1/releases/${json.release}/renewals`
    expect(await scene.ask(path, agent, { body: {} })).toMatchObject(
      refusal(403, 'release-refused'),
    )
  })
})

describe('evidence that nobody could judge again', () => {
  test('releases nothing', async () => {
    await scene.service.verifier.store.pruneEvidence(new Date(AT.getTime() + 1))
    expect(await scene.release(agent)).toMatchObject(refusal(403, 'release-refused'))
  })
})

async function tightened(change: (text: string) => string) {
  return await scene.policy(change, 'd'.repeat(40))
}
