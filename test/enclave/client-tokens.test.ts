/** Does the agent's client have a token that holds, whatever network, clock and service do meanwhile? */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { attestedClient } from '../../enclave/client/attested-client.ts'
import {
  AT,
  attester,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { agentAt } from './agent-scene.ts'
import { broken, refusal } from './faulty-network.ts'

let service: RunningService
let other: RunningService
beforeAll(async () => {
  ;[service, other] = await Promise.all([runService(), runService()])
})
afterAll(async () => {
  await Promise.all([service.close(), other.close()])
})
beforeEach(() => {
  service.clock.at = AT
})

const ATTESTATION = ['POST /v1/challenges', 'POST /v1/attestations']
const KEYS = 'GET /simulated/.well-known/jwks.json'

describe('a token', () => {
  test('is asked for once, however many need it at the same time, and kept', async () => {
    const { client, network } = await agentAt(service)
    const [one, two] = await Promise.all([client.tokens(), client.tokens()])
    expect(one.possession.jti).toBe(two.possession.jti)
    expect((await client.tokens()).possession.jti).toBe(one.possession.jti)
    expect(network.asked).toEqual([...ATTESTATION, KEYS])
  })

  test('is replaced at half of its life, without anybody asking', async () => {
    const { client, network, clock } = await agentAt(service)
    const first = await client.tokens()
    expect(first.possession.lifetimeSeconds).toBe(240)
    await clock.pass(119_000)
    expect(network.asked).toHaveLength(3)
    service.clock.at = new Date(AT.getTime() + 121_000)
    await clock.pass(2_000)
    await expect
      .poll(async () => (await client.tokens()).possession.jti)
      .not.toBe(first.possession.jti)
    expect(network.asked).toEqual([...ATTESTATION, KEYS, ...ATTESTATION])
  })

  test('of before is used while the service is away, and renewed when it is back', async () => {
    const { client, network, clock } = await agentAt(service)
    const first = await client.tokens()
    for (let times = 0; times < 5; times++) network.next(/challenges/, broken)
    await clock.pass(121_000)
    expect((await client.tokens()).possession.jti).toBe(first.possession.jti)
    service.clock.at = new Date(AT.getTime() + 140_000)
    await clock.pass(20_000)
    await expect
      .poll(async () => (await client.tokens()).possession.jti)
      .not.toBe(first.possession.jti)
  })

  test('that ended while the guest stood still is not used, though its own clock did not run', async () => {
    const { client, clock } = await agentAt(service)
    const first = await client.tokens()
    clock.skewMs = 300_000
    expect((await client.tokens()).possession.jti).not.toBe(first.possession.jti)
  })

  test('is used on by an agent whose wall clock is set back', async () => {
    const { client, network, clock } = await agentAt(service)
    await client.tokens()
    clock.skewMs = -86_400_000
    await client.tokens()
    expect(network.asked).toHaveLength(3)
  })

  test('that has ended is not used by an agent whose wall clock is set back', async () => {
    const { client, network, clock } = await agentAt(service)
    const first = await client.tokens()
    clock.skewMs = -86_400_000
    network.down(/challenges/)
    await clock.pass(300_000)
    network.letBe()
    service.clock.at = new Date(AT.getTime() + 300_000)
    expect((await client.tokens()).possession.jti).not.toBe(first.possession.jti)
  })

  test('that is about to end is not used', async () => {
    const { client, clock } = await agentAt(service)
    const first = await client.tokens()
    clock.skewMs = 236_000
    expect((await client.tokens()).possession.jti).not.toBe(first.possession.jti)
  })

  test('of a closed client is gone', async () => {
    const { client } = await agentAt(service)
    await client.tokens()
    client.close()
    await expect(client.tokens()).rejects.toThrow('closed')
  })
})

describe('headers for a relying party', () => {
  const two = (text: string) =>
    text.replace('ttl: 240s', 'ttl: 240s\n    - audience: ledger.example\n      ttl: 60s')

  test('carry the token for its audience, and a proof that nobody has seen before', async () => {
    service.policy.current = await policyOf(manifest(two))
    const { client } = await agentAt(service, { otherAudiences: ['ledger.example'] })
    const asked = { method: 'POST', address: 'https://ledger.example/bookings', body: '{}' }
    const [one, other, again] = await Promise.all([
      client.headersFor(asked),
      client.headersFor({ ...asked, audience: 'ledger.example' }),
      client.headersFor({ ...asked, audience: 'ledger.example' }),
    ])
    const tokenOf = ({ authorization = '' }) => authorization.replace(/^DPoP /, '')
    expect(decodeJwt(tokenOf(one)).aud).toBe('kms.example')
    expect(decodeJwt(tokenOf(other)).aud).toBe('ledger.example')
    expect(other.dpop).not.toBe(again.dpop)
    expect(decodeJwt(`${other.dpop}`)).toMatchObject({
      htm: 'POST',
      htu: asked.address,
      iat: AT.getTime() / 1000,
    })
    await expect(client.headersFor({ ...asked, audience: 'nobody.example' })).rejects.toThrow(
      RangeError,
    )
    service.policy.current = await policyOf()
  })
})

describe('asking again', () => {
  test('a service that is away is asked again, later each time', async () => {
    const { client, network, clock } = await agentAt(service)
    for (let times = 0; times < 3; times++) network.next(/challenges/, broken)
    await client.tokens()
    expect(clock.waited.slice(0, 3)).toEqual([250, 500, 1000])
  })

  test('a challenge that is not good any more is replaced', async () => {
    const { client, network } = await agentAt(service)
    network.next(/attestations/, refusal(403, 'challenge-expired'))
    await client.tokens()
    expect(network.asked).toEqual([...ATTESTATION, ...ATTESTATION, KEYS])
  })

  test('a lost answer costs a challenge and nothing else', async () => {
    const { client, network } = await agentAt(service)
    network.next(/attestations/, async (pass) => {
      expect((await pass()).status).toBe(200)
      return await broken()
    })
    await client.tokens()
    expect(network.asked.filter((each) => each.includes('challenges'))).toHaveLength(2)
  })

  test('Retry-After is waited for, and not much longer', async () => {
    const { client, network, clock } = await agentAt(service)
    network.next(/attestations/, refusal(503, 'overloaded', { 'retry-after': '7' }))
    await client.tokens()
    expect(clock.waited[0]).toBeGreaterThanOrEqual(7_000)
    expect(clock.waited[0]).toBeLessThan(9_000)
  })

  test('who is to wait too long hears for how long, at once', async () => {
    const { client, network, clock } = await agentAt(service)
    network.next(/challenges/, refusal(429, 'too-many-requests', { 'retry-after': '600' }))
    await expect(client.tokens()).rejects.toMatchObject({
      name: 'ServiceRefusal',
      code: 'too-many-requests',
      retryAfterSeconds: 600,
    })
    expect(clock.waited).toEqual([])
  })

  test('it ends: five times, and the fault is told', async () => {
    const { client, network } = await agentAt(service)
    for (let times = 0; times < 9; times++) network.next(/challenges/, broken)
    await expect(client.tokens()).rejects.toMatchObject({ name: 'ServiceUnreachable' })
    expect(network.asked).toHaveLength(5)
  })

  test('a refusal of the evidence is final, and names the checks', async () => {
    const tampered = attester(new Uint8Array(48).fill(0xee))
    const { client, network } = await agentAt(service, { attester: tampered })
    await expect(client.tokens()).rejects.toMatchObject({
      name: 'ServiceRefusal',
      status: 403,
      code: 'evidence-rejected',
      failing: ['snp.measurement.expected'],
    })
    expect(network.asked).toEqual(ATTESTATION)
  })
})

describe('what is not believed', () => {
  test('a token of another issuer, whose keys another address has', async () => {
    // The service of somebody else, which the host puts in the place of the pinned one.
    const { client } = await agentAt({ url: other.url, simulated: service.simulated })
    await expect(client.tokens()).rejects.toMatchObject({ name: 'ServiceRefusal' })
    const deceived = await agentAt({ url: other.url, simulated: other.simulated })
    deceived.network.change(/jwks/, () => ({ keys: [] }))
    await expect(deceived.client.tokens()).rejects.toThrow(
      'no key of the pinned issuer has its kid',
    )
  })

  test('a token that a key for something else signed', async () => {
    const { client, network } = await agentAt(service)
    network.change(/jwks/, ({ keys }: { keys: object[] }) => ({
      keys: keys.map((key) => ({ ...key, use: 'vouchsafe-release' })),
    }))
    await expect(client.tokens()).rejects.toThrow('no key of the pinned issuer has its kid')
  })

  test('whatever another address says that the service would be found at', async () => {
    const elsewhere = createServer((_, response) => {
      response.writeHead(307, { location: `${service.url}/v1/challenges` }).end()
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    const { port } = elsewhere.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const { client } = await agentAt({ url, simulated: service.simulated })
    await expect(client.tokens()).rejects.toMatchObject({ name: 'ServiceUnreachable' })
    elsewhere.close()
  })

  test('a token that another agent’s key would have to open', async () => {
    const { client, network } = await agentAt(service)
    const { tokens } = await theirs()
    network.change(/attestations/, (answer) => ({ ...answer, tokens }))
    await expect(client.tokens()).rejects.toMatchObject({
      name: 'AnswerDistrusted',
      message: 'a token came that was not encrypted to this agent’s key',
    })
  })

  test('a token of another agent that comes unencrypted', async () => {
    const { client, network } = await agentAt(service)
    const held = await (await agentAt(service)).client.tokens()
    const plain = held.tokens.map((token) => ({ ...token, encoding: 'jwt' }))
    network.change(/attestations/, (answer) => ({ ...answer, tokens: plain }))
    await expect(client.tokens()).rejects.toThrow('its cnf.jkt is ')
  })

  test('an answer without a token, one that is no JSON, and one without end', async () => {
    const none = await agentAt(service)
    none.network.change(/attestations/, () => ({}))
    await expect(none.client.tokens()).rejects.toThrow(
      'the answer has no token of possession for kms.example',
    )

    const page = await agentAt(service)
    for (let times = 0; times < 5; times++)
      page.network.next(/challenges/, () => new Response('<html>'))
    await expect(page.client.tokens()).rejects.toThrow('its answer is no JSON object')

    const endless = await agentAt(service)
    for (let times = 0; times < 5; times++)
      endless.network.next(/challenges/, () => new Response(new Uint8Array(2 * 1024 * 1024)))
    await expect(endless.client.tokens()).rejects.toThrow('more than 1048576 bytes')
  })

  test.each([
    'http://attest.example.com',
    'http://10.0.0.1:8080',
    'ftp://127.0.0.1',
    'https://attest.example.com/',
    'https://attest.example.com?a=b',
    'attest.example.com',
  ])('%s as the issuer', async (issuer) => {
    await expect(
      attestedClient({
        service: service.url,
        issuer,
        attester: attester(),
        claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
      }),
    ).rejects.toThrow(TypeError)
  })
})

/** What the service answers to somebody else. */
async function theirs() {
  let tokens: unknown
  const { client, network } = await agentAt(service)
  network.change(/attestations/, (answer) => {
    tokens = answer.tokens
    return answer
  })
  await client.tokens()
  return { tokens }
}
