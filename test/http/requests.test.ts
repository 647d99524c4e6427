/** Every request is written by an attacker: what is no request of ours is refused in its own words, and never a 500. */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appraisalResponse, problemSchema, readinessResponse } from '#src/http/responses.ts'
import { decodeVector } from '#src/rats/vector.ts'
import { selfTestOf } from '#src/service/readiness.ts'
import { bornKeys, claimsFor, signedAttestation } from '../../enclave/attestation.ts'
import {
  anchorsOf,
  attester,
  challenge,
  get,
  platform,
  post,
  type RunningService,
  runService,
} from './running-service.ts'

const vector = decodeVector(
  readFileSync(join(import.meta.dirname, '../../fixtures/sev-snp/milan-v3-good.vector'), 'utf8'),
)

let service: RunningService
beforeAll(async () => {
  service = await runService({
    explainRefusals: false,
    anchors: anchorsOf([...platform.anchors, ...vector.anchors]),
    selfTest: selfTestOf(vector),
  })
})
afterAll(() => service.close())

const challenges = () => `${service.url}/v1/challenges`
const appraisals = () => `${service.url}/v1/appraisals`
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

describe('a body', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['that is empty', '', 'not JSON'],
    ['that is no JSON', '{tenant: default}', 'not JSON'],
    ['that ends early', '{"tenant":', 'not JSON'],
    ['that is not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 'not JSON'],
    ['with a byte order mark', '\ufeff{}', 'not JSON'],
    ['that is a list', '[]', 'expected object'],
    ['that is null', 'null', 'expected object'],
    ['with a name twice', '{"tenant":"default","tenant":"acme"}', '"tenant" appears twice'],
    ['with a name twice, once escaped', '{"tenant":"a","\\u0074enant":"b"}', 'appears twice'],
    ['with an unknown field', '{"tenant":"default","admin":true}', 'unknown fields "admin"'],
    ['with a prototype', '{"__proto__":{"tenant":"acme"}}', '"__proto__" is not allowed'],
    ['with a constructor', '{"constructor":{}}', 'unknown fields "constructor"'],
    ['with a number for a name', '{"tenant":1}', 'tenant: Invalid input'],
    ['with a list for a name', '{"tenant":["default"]}', 'tenant: Invalid input'],
    ['with an empty name', '{"tenant":""}', 'tenant: must be'],
    ['with a name of 64 letters', `{"tenant":"${'a'.repeat(64)}"}`, 'tenant: must be'],
    ['with a line end in a name', '{"tenant":"default\\n"}', 'tenant: must be'],
    ['with a tenant nobody knows', '{"tenant":"nobody"}', 'no such tenant'],
    ['with a tenant of every object', '{"tenant":"constructor"}', 'no such tenant'],
    ['nested nine deep', `{"a":${'['.repeat(9)}${']'.repeat(9)}}`, 'nested above 8 deep'],
    ['nested 4,000 deep', '['.repeat(4_000), 'not JSON'],
  ])('%s', async (_, body, says) => {
    const { status, json } = await post(challenges(), body)
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
    expect(problemSchema.safeParse(json).error).toBeUndefined()
  })

  test('of more than 512 KiB is too large, before it is parsed', async () => {
    const whole = `{"tenant":"${'a'.repeat(512 * 1024 - 13)}"}`
    expect((await post(appraisals(), whole)).status).toBe(400)
    const { status, headers, json } = await post(appraisals(), ` ${whole}`)
    expect([status, json.code]).toEqual([413, 'body-too-large'])
    // What was not read stays on the connection.
    expect(headers.get('connection')).toBe('close')
  })

  test('that asks for a challenge may have 4 KiB', async () => {
    expect((await post(challenges(), ' '.repeat(4096 - 2).concat('{}'))).status).toBe(200)
    expect((await post(challenges(), ' '.repeat(4096 - 1).concat('{}'))).status).toBe(413)
  })

  test('that grows without saying how long it is, is cut off', async () => {
    const chunk = new TextEncoder().encode(' '.repeat(64 * 1024))
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ < 1000) controller.enqueue(chunk)
        else controller.close()
      },
    })
    const answer = fetch(challenges(), {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { 'content-type': 'application/json' },
    } as RequestInit)
    // The client may see the answer, or the connection that closes under what it still sends.
    const status = await answer.then(
      (response) => response.status,
      () => 413,
    )
    expect(status).toBe(413)
    expect(sent).toBeLessThan(200)
    expect((await post(challenges(), '{}')).status).toBe(200)
  })

  test('that stops in the middle costs nobody anything', async () => {
    const { port } = new URL(service.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(
      'POST /v1/challenges HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"ten',
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    socket.destroy()
    expect((await post(challenges(), '{}')).status).toBe(200)
  })
})

describe('a media type', () => {
  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', 'json', ''])(
    'of %j is not taken',
    async (type) => {
      const { status, json } = await post(challenges(), '{}', { 'content-type': type })
      expect([status, json.code]).toEqual([415, 'media-type-unsupported'])
    },
  )

  test.each(['application/json', 'Application/JSON; charset=UTF-8'])('of %j is', async (type) =>
    expect((await post(challenges(), '{}', { 'content-type': type })).status).toBe(200),
  )

  test('is not undone when compressed', async () =>
    expect((await post(challenges(), '{}', { 'content-encoding': 'gzip' })).status).toBe(415))
})

describe('what is no route', () => {
  test.each([
    '/',
    '/v1',
    '/v1/challenges/',
    '/v1/Challenges',
    '/v1//challenges',
    '/__proto__',
    '/v1/policies/',
    '/v1/policies/default/',
    '/v1/policies/default/other',
    '/v1/schemas/',
    '/v1/schemas/Nothing',
    '/v1/schemas/%2e%2e',
    '/v1/schemas/%E0%A4%A',
    '/v1/schemas/AgentRelease/1',
  ])('GET %s is not found', async (path) => {
    const response = await fetch(`${service.url}${path}`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'route-unknown' })
  })

  test.each([
    ['GET', '/v1/challenges', 'POST'],
    ['PUT', '/v1/attestations', 'POST'],
    ['OPTIONS', '/v1/appraisals', 'POST, GET, HEAD'],
    ['DELETE', '/.well-known/jwks.json', 'GET, HEAD'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['POST', '/v1/policies', 'GET, HEAD'],
    ['DELETE', '/v1/policies/default', 'GET, HEAD'],
    ['PUT', '/v1/policies/nobody', 'GET, HEAD'],
    ['GET', '/v1/policies/default/diff', 'POST'],
    ['GET', '/v1/policies/default/enforcement', 'POST'],
    ['GET', '/v1/webhooks/policy/default', 'POST'],
    ['OPTIONS', '/v1/schemas/AgentRelease', 'GET, HEAD'],
  ])('%s %s is not allowed', async (method, path, allow) => {
    const response = await fetch(`${service.url}${path}`, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe(allow)
    const document = await response.json()
    expect(document).toMatchObject({
      code: 'method-unknown',
      requestId: response.headers.get('x-request-id'),
    })
  })
})

describe('every answer', () => {
  test('has a request id of ours, whatever the caller calls himself', async () => {
    const first = await post(challenges(), '{}', { 'x-request-id': 'mine' })
    const second = await post(challenges(), '{}')
    expect(first.headers.get('x-request-id')).toMatch(/^[A-Za-z0-9_-]{16}$/)
    expect(first.headers.get('x-request-id')).not.toBe(second.headers.get('x-request-id'))
  })

  test.each([
    ['/.well-known/jwks.json', 'public, max-age=300'],
    ['/.well-known/openid-configuration', 'public, max-age=300'],
    ['/openapi.json', 'public, max-age=300'],
    ['/readyz', 'no-store'],
    ['/healthz', 'no-store'],
    ['/nowhere', 'no-store'],
  ])('%s may be kept: %s', async (path, cacheControl) => {
    const response = await fetch(`${service.url}${path}`)
    await response.text()
    expect(response.headers.get('cache-control')).toBe(cacheControl)
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('a refusal, to a caller nobody knows', () => {
  test('has the stage and the failing ids, and nothing that policy or evidence hold', async () => {
    const keys = await bornKeys()
    const identity = {
      tenant: 'default',
      environment: 'prod',
      agent: 'invoice-bot',
      verifier: service.simulated,
    }
    const claims = claimsFor(identity, keys, await challenge(service))
    const made = { service: service.url, keys, attester: attester(new Uint8Array(48).fill(0xee)) }
    const { body, proof } = await signedAttestation(claims, made)
    const { status, json } = await post(`${service.url}/v1/attestations`, body, {
      'attestation-proof': proof,
    })
    expect(status).toBe(403)
    expect(Object.keys(json).toSorted()).toEqual([
      'appraisal',
      'code',
      'detail',
      'failing',
      'logLeaf',
      'next',
      'requestId',
      'stage',
      'status',
      'title',
      'type',
    ])
    expect(json.failing).toEqual(['snp.measurement.expected'])
    expect(JSON.stringify(json)).not.toMatch(/a1a1|eeee|agents\/prod/)
  })
})

describe('keys and discovery', () => {
  test('each issuer publishes its own keys, without private parts', async () => {
    const kids = new Set<string>()
    for (const path of ['', '/simulated', '/t/acme']) {
      const { json: document } = await get(`${service.url}${path}/.well-known/openid-configuration`)
      expect(document.issuer).toBe(`${service.url}${path}`)
      const { keys } = (await get(document.jwks_uri)).json
      expect(keys.length).toBeGreaterThan(0)
      for (const key of keys) {
        const members = key.kty === 'EC' ? ['crv', 'x', 'y'] : ['e', 'n']
        expect(Object.keys(key).toSorted()).toEqual(
          [...members, 'alg', 'kid', 'kty', 'use'].toSorted(),
        )
        expect(kids.has(key.kid)).toBe(false)
        kids.add(key.kid)
      }
    }
  })

  test('a tenant that takes no simulated evidence has no such issuer', async () => {
    const response = await fetch(`${service.url}/t/acme/simulated/.well-known/jwks.json`)
    expect(response.status).toBe(404)
  })
})

describe('/openapi.json', () => {
  test('describes every route with the schemas that judge requests', async () => {
    const { json: document } = await get(`${service.url}/openapi.json`)
    expect(document.openapi).toBe('3.1.1')
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v1/challenges',
        '/v1/attestations',
        '/v1/appraisals',
        '/v1/appraisals/{id}',
        '/v1/policies/{tenant}/diff',
        '/v1/webhooks/policy/{tenant}',
        '/v1/schemas/{name}',
        '/healthz',
        '/readyz',
      ]),
    )
    const { post: attestations } = document.paths['/v1/attestations']
    const schema = attestations.requestBody.content['application/json'].schema
    expect(schema.additionalProperties).toBe(false)
    expect(schema.required).toEqual(['evidence', 'runtimeClaims', 'jwk'])
    expect(Object.keys(attestations.responses)).toEqual([
      '200',
      '400',
      '403',
      '409',
      '413',
      '415',
      '429',
      '500',
      '503',
    ])
    expect(attestations.parameters.map(({ name }: { name: string }) => name)).toEqual([
      'ear',
      'Attestation-Proof',
    ])
    expect(attestations.security).toEqual([{}, { operator: [] }])
    expect(document.paths['/v1/challenges'].post.operationId).toBe('postV1Challenges')
    expect(document.paths['/v1/challenges'].post.security).toEqual([])
  })

  test('describes parameters of paths, who may ask, and what else may be answered', async () => {
    const { json: document } = await get(`${service.url}/openapi.json`)
    expect(document.components.securitySchemes.operator).toMatchObject({
      type: 'http',
      scheme: 'bearer',
    })
    const { post: diff } = document.paths['/v1/policies/{tenant}/diff']
    expect(diff).toMatchObject({
      operationId: 'postV1PoliciesTenantDiff',
      summary: expect.stringContaining('(role: viewer)'),
      security: [{ operator: [] }],
      parameters: [{ name: 'tenant', in: 'path', required: true, schema: { type: 'string' } }],
    })
    expect(Object.keys(diff.responses)).toEqual(
      expect.arrayContaining(['200', '400', '401', '403', '404', '422', '429', '500', '503']),
    )
    const { post: webhook } = document.paths['/v1/webhooks/policy/{tenant}']
    expect(Object.keys(webhook.responses)).toContain('202')
    expect(webhook).not.toHaveProperty('requestBody')
    const { get: schema } = document.paths['/v1/schemas/{name}']
    expect(schema.responses['200'].content).toHaveProperty(['application/schema+json'])
    const ids = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap(
      (path) => Object.values(path).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('refers to nothing that is not in it, and says of each operation who may ask', async () => {
    const { json: document } = await get(`${service.url}/openapi.json`)
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)]
    expect(new Set(references.map(([, to]) => to))).toEqual(
      new Set(['#/components/schemas/Problem']),
    )
    for (const path of Object.values<Record<string, Record<string, unknown>>>(document.paths))
      for (const operation of Object.values(path)) {
        expect(operation).toHaveProperty('security')
        expect(operation).toHaveProperty('tags')
      }
  })
})

describe('/readyz', () => {
  test('says yes when known evidence gets its known verdict', async () => {
    const { status, json } = await get(`${service.url}/readyz`)
    expect(readinessResponse.safeParse(json).error).toBeUndefined()
    expect([status, json.ready]).toEqual([200, true])
  })

  test.each([
    ['there is no policy', { policy: undefined }, 'policy.default'],
    ['a verdict is wrong', { selfTest: () => false }, 'appraisal'],
    [
      'the judge throws',
      {
        selfTest: () => {
          throw new Error('x')
        },
      },
      'appraisal',
    ],
  ])('says no when %s', async (_, how, name) => {
    const other = await runService(how)
    const { status, json } = await get(`${other.url}/readyz`)
    await other.close()
    expect(status).toBe(503)
    expect(json.checks.find((check: { name: string }) => check.name === name).ok).toBe(false)
  })
})

describe('/v1/appraisals', () => {
  const evidence = { quote: base64(vector.evidence.quote) }
  const endorsements = {
    certificates: vector.parts.certificates.map(base64),
    crls: vector.parts.crls.map(base64),
  }
  const at = '2026-06-01T00:00:00Z'
  const ask = (body: Record<string, unknown>) =>
    post(appraisals(), JSON.stringify({ evidence, endorsements, at, ...body }))

  test('findings and claims for evidence as of its own day, and no token', async () => {
    service.clock.at = new Date('2030-01-01T00:00:00Z')
    const { status, json } = await ask({})
    expect(status).toBe(200)
    expect(appraisalResponse.safeParse(json).error).toBeUndefined()
    expect(json).toMatchObject({
      tee: 'sev-snp',
      at: '2026-06-01T00:00:00.000Z',
      assurance: 'simulated',
    })
    expect(json.findings.filter(({ outcome }: { outcome: string }) => outcome === 'fail')).toEqual(
      [],
    )
    expect(json).not.toHaveProperty('token')
  })

  test('the same evidence now, years later, is refused for its age', async () => {
    const { json } = await ask({ at: undefined })
    const failing = json.findings.filter(({ outcome }: { outcome: string }) => outcome === 'fail')
    expect(failing).toHaveLength(1)
    expect(json.status).toBe('contraindicated')
  })

  test('what is expected is compared', async () => {
    const { json } = await ask({ expect: { measurement: '00'.repeat(48) } })
    const finding = json.findings.find(
      ({ id }: { id: string }) => id === 'snp.measurement.expected',
    )
    expect(finding.outcome).toBe('fail')
  })

  test('a freshness that is waived shows its reason', async () => {
    const { json } = await ask({
      endorsements: { ...endorsements, crls: [] },
      waive: { revocation: 'replay' },
    })
    const waived = json.findings.filter(({ outcome }: { outcome: string }) => outcome === 'waived')
    expect(waived[0].detail).toContain('replay')
  })

  test('simulated evidence is nothing to a tenant that does not take it', async () => {
    const { json } = await ask({ tenant: 'acme' })
    expect(json.assurance).toBeNull()
    expect(json.claims).toEqual({})
  })

  test.each<[string, Record<string, unknown>, string]>([
    [
      'a signature that nobody may waive',
      { waive: { 'snp.report.signature': 'x' } },
      'may not be waived',
    ],
    ['a field that SNP has not', { expect: { mrTd: '00' } }, 'expect.mrTd'],
    ['a field of every object', { expect: { constructor: '00' } }, 'expect.constructor'],
    ['a field a byte short', { expect: { measurement: '00'.repeat(47) } }, '47 bytes long'],
    ['an odd digit', { expect: { measurement: '0' } }, 'is not hex'],
    ['a profile nobody has', { profile: 'oracle' }, 'profile:'],
    ['a profile of every object', { profile: 'constructor' }, 'profile:'],
    ['a day that is none', { at: '2026-02-30T00:00:00Z' }, 'not in the calendar'],
    ['evidence that is no base64', { evidence: { quote: '!' } }, 'evidence.quote: is not base64'],
    ['evidence of no bytes', { evidence: { quote: '==' } }, 'evidence.quote'],
    [
      'nine certificates',
      { endorsements: { certificates: Array(9).fill('AAAA') } },
      'certificates',
    ],
    [
      'a thousand waivers',
      { waive: Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`a${n}`, 'x'])) },
      'more than 32',
    ],
  ])('%s', async (_, body, says) => {
    const { status, json } = await ask(body)
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
  })

  test.each([
    ['bytes of no TEE', { evidence: { quote: base64(new Uint8Array(100).fill(0xff)) } }],
    ['a TEE nobody knows', { tee: 'trustzone' }],
  ])('%s', async (_, body) => {
    const { status, json } = await ask(body)
    expect([status, json.code]).toEqual([400, 'evidence-unrecognised'])
  })

  test('collateral that cannot be read is named', async () => {
    const { status, json } = await ask({ endorsements: { collateral: { tcb_info: '{' } } })
    expect([status, json.code]).toEqual([400, 'endorsement-unreadable'])
  })

  test('a certificate that cannot be read is a finding, since it came as evidence', async () => {
    const { status, json } = await ask({ endorsements: { certificates: ['AAAA'] } })
    expect(status).toBe(200)
    expect(json.status).toBe('contraindicated')
  })
})
