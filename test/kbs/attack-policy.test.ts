/** What a policy allows by its rules, and what it allows no more, cannot be had by asking in another way or with another token. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { signJwt } from '#src/token/issuer.ts'
import { AT, policyOf, type RunningService } from '../http/running-service.ts'
import { brokerManifest, brokerService, PATH, SECRET } from './broker-scene.ts'
import { StockClient } from './stock-client.ts'

let service: RunningService
beforeAll(async () => {
  service = await brokerService()
})
afterEach(async () => {
  service.policy.current = await policyOf(brokerManifest())
})
afterAll(async () => {
  await service.close()
})

test.each(['workload', 'federation'])(
  'a release whose only rule is of the form %s attests nobody here, whatever its audience is called',
  async (form) => {
    for (const audience of ['key-broker', 'a rule of possession']) {
      const text = brokerManifest((manifest) =>
        manifest
          .replace('audience: kms.example', `audience: ${audience}\n      token: ${form}`)
          .replace('      scopes: ["secret:demo"]\n', ''),
      )
      service.policy.current = await policyOf(text)
      const { status, json } = await new StockClient({ url: service.url }).handshake()
      expect({ status, detail: json.detail }).toMatchObject({
        status: 401,
        detail: expect.stringMatching(/release\.audience/),
      })
    }
  },
)

const claimsOf = (agent: StockClient) =>
  JSON.parse(Buffer.from(agent.token?.split('.')[1] ?? '', 'base64url').toString())

describe('after an agent was attested, it gets nothing more once', () => {
  test.each<[string, () => Promise<Awaited<ReturnType<typeof policyOf>> | undefined>, number]>([
    [
      'its scope is taken away',
      async () => await policyOf(brokerManifest((text) => text.replace('secret:demo', 'secret:x'))),
      403,
    ],
    [
      'its reference value is another',
      async () => await policyOf(brokerManifest((text) => text.replace('svn: "1"', 'svn: "2"'))),
      403,
    ],
    [
      'its release is over',
      async () =>
        await policyOf(
          brokerManifest((text) => text.replace('2027-01-01T00:00:00Z', '2026-05-31T00:00:00Z')),
        ),
      403,
    ],
    ['there is no policy', async () => undefined, 503],
  ])('%s', async (_, changed, status) => {
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    expect(await agent.secret(PATH)).toBe(SECRET)
    expect(claimsOf(agent).att_assurance).toBe('simulated')
    service.policy.current = await changed()
    for (const by of ['cookie', 'token'] as const)
      expect((await agent.resource(PATH, by)).status).toBe(status)
  })

  test('its key is revoked in the policy', async () => {
    const { thumbprintOf } = await import('#src/service/broker-key.ts')
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    const jkt = thumbprintOf(agent.key.jwk as unknown as Parameters<typeof thumbprintOf>[0])
    service.policy.current = await policyOf(brokerManifest(), {
      revoked: `apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata: {generation: 1}
spec:
  agentKeys:
    - {value: ${jkt}, reason: stolen}
`,
    })
    expect((await agent.resource(PATH)).status).toBe(403)
    const again = new StockClient({ url: service.url, key: agent.key })
    expect((await again.handshake()).status).toBe(401)
  })
})

describe('no bearer token here is', () => {
  const at = Math.floor(AT.getTime() / 1000)

  test('which is seen, since one of the very same claims, of its form and by its key, is', async () => {
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    const handshake = agent.cookie?.split('=')[1] ?? ''
    const { simulated } = service.verifier.tenants.get('default')?.issuers ?? {}
    if (!simulated) throw new Error('the tenant takes no simulated evidence')
    agent.token = await signJwt(simulated.signer('possession', AT), 'vouchsafe-broker+jwt', {
      iss: simulated.url,
      jti: claimsOf(agent).jti,
      att_handshake: handshake,
      iat: at,
      exp: at + 100,
    })
    expect((await agent.resource(PATH, 'token')).status).toBe(200)
  })

  /** Signed by keys of the issuer itself, about a handshake that is attested: only its form is another. */
  test.each([
    ['a token of possession', 'possession', 'at+jwt'],
    ['a WIT-SVID', 'workload', 'wit+jwt'],
    ['an envelope of a release', 'release', 'vouchsafe-release+jwt'],
    ['a status list', 'possession', 'statuslist+jwt'],
    ['one of its own form that another form’s key signed', 'workload', 'vouchsafe-broker+jwt'],
    ['one of its own form that the key of envelopes signed', 'release', 'vouchsafe-broker+jwt'],
  ] as const)('%s', async (_, form, typ) => {
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    const handshake = agent.cookie?.split('=')[1] ?? ''
    const { simulated } = service.verifier.tenants.get('default')?.issuers ?? {}
    if (!simulated) throw new Error('the tenant takes no simulated evidence')
    agent.token = await signJwt(simulated.signer(form, AT), typ, {
      iss: simulated.url,
      jti: claimsOf(agent).jti,
      att_handshake: handshake,
      iat: at,
      exp: at + 100,
    })
    expect((await agent.resource(PATH, 'token')).status).toBe(401)
  })

  test('one of its own form and key, of the other issuer of the tenant’s own making', async () => {
    const agent = new StockClient({ url: service.url })
    await agent.handshake()
    const handshake = agent.cookie?.split('=')[1] ?? ''
    const { simulated, hardware } = service.verifier.tenants.get('default')?.issuers ?? {}
    if (!simulated || !hardware) throw new Error('no issuers')
    const claims = { jti: claimsOf(agent).jti, att_handshake: handshake, iat: at, exp: at + 100 }
    const sign = async (url: string) =>
      await signJwt(hardware.signer('possession', AT), 'vouchsafe-broker+jwt', {
        ...claims,
        iss: url,
      })
    agent.token = await sign(simulated.url)
    expect((await agent.resource(PATH, 'token')).status).toBe(401)
  })
})
