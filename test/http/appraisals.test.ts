/** Why did it end so? Asked afterwards: by operators, who are told everything, and by the agent, who is told its own verdict. */
import { createHash, randomUUID } from 'node:crypto'
import { compactDecrypt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  appraisalListResponse,
  explainedResponse,
  ownVerdictResponse,
} from '#src/http/appraisal-responses.ts'
import { type AgentKeys, bornKeys } from '../../enclave/attestation.ts'
import { attestAt } from './attempt.ts'
import {
  agentOf,
  attester,
  bearer,
  get,
  type RunningService,
  runService,
} from './running-service.ts'

let service: RunningService
let issued: Awaited<ReturnType<typeof attestAt>>
let refused: Awaited<ReturnType<typeof attestAt>>
beforeAll(async () => {
  service = await runService({ explainRefusals: false })
  issued = await attestAt(service)
  refused = await attestAt(service, { attester: attester(new Uint8Array(48).fill(0xee)) })
})
afterAll(() => service.close())

const appraisal = (id: string, headers: Readonly<Record<string, string>> = bearer('viewer')) =>
  get(`${service.url}/v1/appraisals/${id}`, headers)

describe('to an operator', () => {
  test.each(['viewer', 'auditor', 'operator'] as const)(
    'as %s, a refusal is explained in full',
    async (role) => {
      const { status, json } = await appraisal(refused.json.appraisal, bearer(role))
      expect(status).toBe(200)
      expect(explainedResponse.parse(json)).toMatchObject({
        verdict: 'refused',
        requestId: refused.headers.get('x-request-id'),
        refusal: {
          stage: 'appraisal',
          failing: ['snp.measurement.expected'],
          fields: [
            {
              field: 'measurement',
              line: 17,
              observed: 'ee'.repeat(48),
              expected: 'a1'.repeat(48),
            },
          ],
        },
        policy: { file: 'agents/prod/invoice-bot.yaml', line: 17 },
        referenceValue: { id: 'current', isMatched: false },
        tokens: [],
        log: { leaf: refused.json.logLeaf, place: { in: 'waiting' } },
      })
      const failed = json.findings.find(({ outcome }: { outcome: string }) => outcome === 'fail')
      expect(failed).toMatchObject({ id: 'snp.measurement.expected', cites: expect.any(String) })
    },
  )

  test('an appraisal is found by the id of its request, and by no other', async () => {
    const byRequest = await appraisal(refused.headers.get('x-request-id') ?? '')
    expect(byRequest.json.id).toBe(refused.json.appraisal)
    const other = await appraisal('AAAAAAAAAAAAAAAA')
    expect([other.status, other.json.code]).toEqual([404, 'appraisal-unknown'])
  })

  test('a verdict that gave tokens says which, and what became of them', async () => {
    const { store } = service.verifier
    const before = (await appraisal(issued.json.id)).json
    expect(explainedResponse.parse(before)).toMatchObject({ verdict: 'issued', refusal: null })
    expect(before.tokens).toHaveLength(issued.json.tokens.length)
    const [{ jti }] = before.tokens
    const { revokeSelection } = await import('#src/service/revoke.ts')
    await revokeSelection(
      service.verifier,
      {
        tenant: 'default',
        selection: { jti },
        reason: 'operator',
        detail: 'lost',
        by: 'otto',
      },
      service.clock.at,
    )
    expect((await store.findToken(jti))?.revocation).toBeDefined()
    const after = (await appraisal(issued.json.id)).json
    expect(after.tokens[0].revocation).toMatchObject({ reason: 'operator', by: 'otto' })
    // The log numbers what waits.
    issued = await attestAt(service)
  })

  test('evidence is named by its digest and not told', async () => {
    const { json } = await appraisal(refused.json.appraisal)
    const record = await service.verifier.store.findAppraisal(refused.json.appraisal)
    const { quote } = record?.evidence ?? { quote: new Uint8Array() }
    expect(json.evidence.sha256).toBe(createHash('sha256').update(quote).digest('hex'))
    expect(JSON.stringify(json)).not.toContain(Buffer.from(quote).toString('base64').slice(0, 100))
  })

  test('it is listed, the newest first, a page at a time', async () => {
    for (let n = 0; n < 3; n++) {
      service.clock.at = new Date(service.clock.at.getTime() + 1000)
      await attestAt(service)
    }
    const seen: string[] = []
    let before: string | null = ''
    while (before !== null) {
      const query: string = before === '' ? '' : `&before=${encodeURIComponent(before)}`
      const { status, json } = await get(
        `${service.url}/v1/appraisals?tenant=default&limit=2${query}`,
        bearer('viewer'),
      )
      expect(status).toBe(200)
      const page = appraisalListResponse.parse(json)
      expect(page.appraisals.length).toBeLessThanOrEqual(2)
      seen.push(...page.appraisals.map(({ id }) => id))
      before = page.next
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toHaveLength(6)
    expect(seen.slice(3)).toContain(refused.json.appraisal)
    const empty = await get(`${service.url}/v1/appraisals?tenant=acme`, bearer('viewer'))
    expect(empty.json).toEqual({ appraisals: [], unreadable: [], next: null })
  })

  test.each([
    ['limit=0', 400],
    ['limit=101', 400],
    ['limit=1e2', 400],
    ['tenant=default&tenant=acme', 400],
    ['tennant=acme', 400],
    ['since=yesterday', 400],
    ['before=2026-01-01T00:00:00.000Z', 400],
    ['before=2026-99-99T00:00:00.000Z~00000000-0000-4000-8000-000000000001', 400],
    ['before=2026-01-01T00:00:00.000Z~abc', 400],
    ['tenant=__proto__', 400],
    ['tenant=nobody', 404],
  ])('?%s is refused: %i', async (query, expected) => {
    const { status } = await get(`${service.url}/v1/appraisals?${query}`, bearer('viewer'))
    expect(status).toBe(expected)
  })
})

describe('to nobody else', () => {
  test.each([
    ['nobody', {}, 401],
    ['a stranger', { authorization: 'Bearer stranger' }, 401],
    ['an enforcer', bearer('enforcer'), 403],
    ['an agent without a token', { authorization: 'DPoP ' }, 401],
    ['an agent with a token that is none', { authorization: 'DPoP a.b.c', dpop: 'a.b.c' }, 401],
  ])('%s', async (_, headers, expected) => {
    for (const path of ['', `/${refused.json.appraisal}`, '/unknown']) {
      const { status } = await get(`${service.url}/v1/appraisals${path}`, headers)
      expect(status).toBe(path === '' && expected === 403 ? 403 : expected)
    }
  })
})

describe('to the agent itself', () => {
  async function possession(token: string, keys: AgentKeys, id: string, claims = {}) {
    const proof = await new SignJWT({
      jti: randomUUID(),
      htm: 'GET',
      htu: `${service.url}/v1/appraisals/${id}`,
      iat: Math.floor(service.clock.at.getTime() / 1000),
      ath: createHash('sha256').update(token).digest('base64url'),
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: { ...keys.sig.publicKey } })
      .sign(keys.sig.privateKey)
    return { authorization: `DPoP ${token}`, dpop: proof }
  }

  async function tokenFor(keys: AgentKeys) {
    const answer = await attestAt(service, { keys })
    const { token, encoding } = answer.json.tokens[0]
    if (encoding === 'jwt') return { token, id: answer.json.id }
    const { plaintext } = await compactDecrypt(token, keys.enc.privateKey)
    return { token: new TextDecoder().decode(plaintext), id: answer.json.id }
  }

  test('its own verdict is told, refusals of the same key included, and nothing of the policy', async () => {
    const { keys } = await agentOf(service)
    const { token, id } = await tokenFor(keys)
    const own = await appraisal(id, await possession(token, keys, id))
    expect(own.status).toBe(200)
    expect(ownVerdictResponse.parse(own.json)).toMatchObject({ verdict: 'issued', refusal: null })

    const denied = refused.json.appraisal
    const told = await appraisal(denied, await possession(token, keys, denied))
    expect(ownVerdictResponse.parse(told.json)).toMatchObject({
      verdict: 'refused',
      refusal: { stage: 'appraisal', failing: ['snp.measurement.expected'] },
    })
    expect(JSON.stringify(told.json)).not.toMatch(/(?:a1){8}|e{16}|agents\/prod|alice/)
  })

  test('another agent’s is not, and neither is whether there is one', async () => {
    const keys = await bornKeys()
    const { token } = await tokenFor(keys)
    const { appraisal: id } = refused.json
    const others = await appraisal(id, await possession(token, keys, id))
    const nobodys = await appraisal('unknown', await possession(token, keys, 'unknown'))
    expect([others.status, others.json.code]).toEqual([404, 'appraisal-unknown'])
    expect({ ...others.json, requestId: '' }).toEqual({ ...nobodys.json, requestId: '' })
  })

  test('a proof counts once, and for this address only', async () => {
    const { keys } = await agentOf(service)
    const { token, id } = await tokenFor(keys)
    const proof = await possession(token, keys, id)
    expect((await appraisal(id, proof)).status).toBe(200)
    expect((await appraisal(id, proof)).json.code).toBe('possession-proof-refused')
    const elsewhere = await possession(token, keys, id, { htu: `${service.url}/v1/appraisals/x` })
    expect((await appraisal(id, elsewhere)).status).toBe(401)
  })

  test('the list is no agent’s business', async () => {
    const { keys } = await agentOf(service)
    const { token } = await tokenFor(keys)
    const { status } = await get(
      `${service.url}/v1/appraisals`,
      await possession(token, keys, '', { htu: `${service.url}/v1/appraisals` }),
    )
    expect(status).toBe(401)
  })
})
