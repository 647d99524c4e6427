/** Where the Key Broker face is, for whom, how much of it, and what it says when something else is wrong. */
import { describe, expect, test } from 'vitest'
import { guardDefaults } from '#src/config/guard-settings.ts'
import { revokeResource } from '#src/service/revoke-resource.ts'
import { AT, bearer, get, post, runService } from '../http/running-service.ts'
import { brokerService, PATH, put, SECRET } from './broker-scene.ts'
import { StockClient } from './stock-client.ts'

test('a service that was not told to speaks no Key Broker protocol', async () => {
  const service = await runService()
  try {
    const { status, json } = await new StockClient({ url: service.url }).auth()
    expect({ status, code: json.code }).toEqual({ status: 404, code: 'route-unknown' })
    expect((await post(`${service.url}/attestation`, '{}', bearer('enforcer'))).status).toBe(404)
    const { json: contract } = await get(`${service.url}/openapi.json`)
    expect(Object.keys(contract.paths).filter((path) => path.includes('kbs'))).toEqual([])
  } finally {
    await service.close()
  }
})

describe('another tenant', () => {
  test('speaks it below its own path, and a handshake of one tenant is none of another', async () => {
    const service = await brokerService()
    try {
      const agent = new StockClient({ url: service.url })
      await agent.handshake()
      const { host } = new URL(service.url)
      const there = await fetch(`http://${host}/t/acme/kbs/v0/resource/${PATH}`, {
        headers: { cookie: agent.cookie ?? '', authorization: `Bearer ${agent.token}` },
      })
      expect(there.status).toBe(401)
      const acme = new StockClient({ url: `${service.url}/t/acme`, tee: 'snp' })
      const { status, headers } = await acme.auth()
      expect(status).toBe(200)
      expect(headers.getSetCookie()[0]).toContain('; Path=/t/acme/kbs/v0;')
    } finally {
      await service.close()
    }
  })
})

test('whoever asks too often is answered 429 in the form of the protocol, and told when to come again', async () => {
  const rateLimits = { ...guardDefaults.rateLimits, handshakes: 1, releases: 1 }
  const service = await brokerService({ guard: { rateLimits } })
  try {
    const agent = new StockClient({ url: service.url })
    await agent.auth()
    const { status, headers, json } = await agent.auth()
    expect({ status, json }).toEqual({
      status: 429,
      json: {
        type: 'https://github.com/confidential-containers/kbs/errors/TooManyRequests',
        detail: expect.any(String),
      },
    })
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    await agent.resource(PATH)
    expect((await agent.resource(PATH)).status).toBe(429)
  } finally {
    await service.close()
  }
})

describe('a request that is not of the documented form', () => {
  const answers: readonly (readonly [string, string, string, number])[] = [
    ['what is no JSON', '/auth', '{', 400],
    ['a name twice', '/auth', '{"version":"0.4.0","version":"0.2.0","tee":"sample"}', 400],
    ['no TEE', '/auth', '{"version":"0.4.0"}', 400],
    ['an attestation without evidence', '/attest', '{"runtime-data":{}}', 400],
    ['an attestation that is a list', '/attest', '[]', 400],
    ['what is too deep', '/attest', `${'['.repeat(40)}${']'.repeat(40)}`, 400],
    ['too much', '/auth', JSON.stringify({ version: 'x'.repeat(20_000), tee: '' }), 413],
  ]

  test('is refused in the form of the protocol', async () => {
    const service = await brokerService()
    try {
      for (const [what, path, body, expected] of answers) {
        const { status, json } = await post(`${service.url}/kbs/v0${path}`, body)
        expect({ what, status }).toEqual({ what, status: expected })
        expect(Object.keys(json).toSorted()).toEqual(['detail', 'type'])
        expect(json.type).toMatch(/^https:\/\/github\.com\/confidential-containers\/kbs\/errors\//)
      }
    } finally {
      await service.close()
    }
  })

  test.each([
    ['an RSA key of 1024 bits', { bits: 1024 }, /2048 to 4096/],
    ['RSA1_5', { alg: 'RSA1_5' }, /RSA1_5/],
    ['an experimental kind of key', { kty: 'AKP', alg: 'ML-KEM-768+A192KW', pub: 'AA' }, /AKP/],
    ['a point that is not on the curve', { y: 'A'.repeat(43) }, /a point on/],
    ['another spelling of a coordinate', { x: `${'A'.repeat(42)}B` }, /base64url/],
    ['a private key', { d: 'A'.repeat(43) }, /tee-pubkey/],
  ])('%s is no key to seal to', async (_, change, detail) => {
    const { clientKey } = await import('./stock-client.ts')
    const service = await brokerService()
    try {
      const isRsa = 'bits' in change || ('alg' in change && change.alg === 'RSA1_5')
      const made = clientKey(isRsa ? 'RSA' : 'P-256', 'bits' in change ? change.bits : 2048)
      const { bits: _bits, ...members } = { bits: 0, ...change }
      const jwk = 'kty' in change ? (change as Record<string, string>) : { ...made.jwk, ...members }
      const agent = new StockClient({ url: service.url, key: { ...made, jwk } })
      const attested = await agent.handshake()
      expect(attested.status).toBe(400)
      expect(attested.json.detail).toMatch(detail)
    } finally {
      await service.close()
    }
  })
})

describe('an operator who puts a secret as kbs-client does', () => {
  const bytes = new Uint8Array([0, 1, 2, 0xff])
  const send = async (url: string, headers: Readonly<Record<string, string>>) =>
    await fetch(url, {
      method: 'POST',
      body: bytes,
      headers: { 'content-type': 'application/octet-stream', ...headers },
    })

  test('has it kept under a name that scopes can have, and given to whom a rule names it for', async () => {
    const { brokerManifest } = await import('./broker-scene.ts')
    const service = await brokerService({
      manifestText: brokerManifest((text) => text.replace('secret:demo', 'secret:default.key.2')),
    })
    try {
      const url = `${service.url}/kbs/v0/resource/default/key/2`
      expect((await send(url, bearer('secret-admin'))).status).toBe(200)
      const kept = await service.verifier.store.findResource('default', 'secret:default.key.2')
      expect(kept).toMatchObject({ brokerPath: 'default/key/2', use: 'release', approvals: 0 })
      const agent = new StockClient({ url: service.url })
      await agent.handshake()
      const { openJwe } = await import('./stock-client.ts')
      // Nobody said that clients without hardware may have it, for which the protocol has no word.
      const { status, json: refused } = await agent.resource('default/key/2')
      expect([status, refused.detail]).toEqual([403, expect.stringMatching(/^release-needs-hard/)])
      const all = { tenant: 'default', name: 'secret:default.key.2', versions: 'all' } as const
      await revokeResource(service.verifier, { ...all, by: 'sara' }, AT)
      await put(service, all.name, { acceptsSimulated: true })
      expect((await send(url, bearer('secret-admin'))).status).toBe(200)
      const { json } = await agent.resource('default/key/2')
      expect(new Uint8Array(openJwe(json, agent.key))).toEqual(bytes)
    } finally {
      await service.close()
    }
  })

  test('puts another version where a resource has that path already, whatever it is called', async () => {
    const service = await brokerService()
    try {
      expect(
        (await send(`${service.url}/kbs/v0/resource/${PATH}`, bearer('secret-admin'))).status,
      ).toBe(200)
      const kept = await service.verifier.store.findResource('default', 'secret:demo')
      expect(kept?.versions.map(({ version }) => version)).toEqual([2, 1])
    } finally {
      await service.close()
    }
  })

  test('needs the role secret-admin: no token, another role, or an agent’s own token will not do', async () => {
    const service = await brokerService()
    try {
      const url = `${service.url}/kbs/v0/resource/${PATH}`
      const agent = new StockClient({ url: service.url })
      await agent.handshake()
      const refused = await Promise.all([
        send(url, {}),
        send(url, bearer('operator')),
        send(url, { authorization: `Bearer ${agent.token}` }),
        send(url, { cookie: agent.cookie ?? '' }),
      ])
      expect(refused.map(({ status }) => status)).toEqual([401, 403, 401, 401])
      expect(await refused[0]?.json()).toEqual({
        type: 'https://github.com/confidential-containers/kbs/errors/AdminAuthAccess',
        detail: expect.any(String),
      })
      expect(await agent.secret(PATH)).toBe(SECRET)
      await put(service, 'secret:demo', {}, 'unchanged')
    } finally {
      await service.close()
    }
  })
})
