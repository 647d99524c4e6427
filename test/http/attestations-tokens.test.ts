/** Which tokens does one attestation yield, over real HTTP: by audience, by form, in which names, and for which evidence? */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attestationResponse } from '#src/http/responses.ts'
import { openTokens } from '../../enclave/attestation.ts'
import { audiences, ISSUER, type Issuing, issuing } from '../relying-parties/issuing.ts'
import { attestAt } from './attempt.ts'
import {
  agentOf,
  attester,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from './running-service.ts'

const { possession, federation, workload } = audiences

describe('hardware evidence', () => {
  let from: Issuing
  beforeAll(async () => {
    from = await issuing()
  }, 30_000)
  afterAll(() => from.close())

  test('yields one token for each audience, in the order in which they were asked for', async () => {
    const audience = [workload, federation, possession]
    const { status, json } = await from.attest({ audience })
    expect(status).toBe(200)
    expect(attestationResponse.safeParse(json).error).toBeUndefined()
    expect(json.tokens).toMatchObject([
      { form: 'workload', audience: workload, type: 'wit+jwt' },
      { form: 'federation', audience: federation, type: 'JWT' },
      { form: 'possession', audience: possession, type: 'at+jwt' },
    ])
    const opened = await openTokens(json, (await agentOf(from.service)).keys)
    expect(opened.map(({ token }) => decodeProtectedHeader(token))).toMatchObject([
      { alg: 'ES256', typ: 'wit+jwt' },
      { alg: 'RS256', typ: 'JWT' },
      { alg: 'ES256', typ: 'at+jwt' },
    ])
    for (const [place, { token }] of opened.entries()) {
      const claims = decodeJwt(token)
      const told = json.tokens[place]
      expect(claims).toMatchObject({
        jti: told.jti,
        sub: told.subject,
        exp: Date.parse(told.expiresAt) / 1000,
        att_log: { leaf: json.logLeaf },
        status: { status_list: { idx: told.status.index, uri: told.status.uri } },
      })
    }
    const distinct = (of: (token: { jti: string; status: { index: number } }) => unknown) =>
      new Set(json.tokens.map(of)).size
    expect([distinct(({ jti }) => jti), distinct(({ status: { index } }) => index)]).toEqual([3, 3])
    const kept = await from.service.verifier.store.tokensOf(json.id)
    expect(kept.map(({ audience: to }) => to).toSorted()).toEqual(audience.toSorted())
    expect(kept.every(({ revocation, issuer }) => !revocation && issuer === ISSUER)).toBe(true)
    expect((await from.service.verifier.store.findAppraisal(json.id))?.audiences).toEqual(audience)
  })

  test.each([
    ['one twice', [possession, possession], 'twice'],
    ['none in a list', [], 'audience'],
    ['five', ['a', 'b', 'c', 'd', 'e'], 'audience'],
    ['an empty one', '', 'audience'],
    ['a number', 7, 'audience'],
  ])('is not looked at for %s', async (_, audience, says) => {
    const { status, json } = await from.attest({ audience: audience as string })
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain(says)
  })

  test('yields nothing when one of its audiences is not allowed', async () => {
    const { status, json } = await from.attest({ audience: [possession, 'x.example'] })
    expect([status, json.failing]).toEqual([403, ['release.audience']])
    expect(json.detail).toContain('x.example')
    expect(json).not.toHaveProperty('tokens')
  })

  test.each([
    ['possession', possession],
    ['federation', federation],
  ])('yields a token of form %s in the names of 2023 on request', async (_, audience) => {
    const [opened] = await from.tokens({ audience, query: '?ear=legacy' })
    const claims = decodeJwt(opened?.token ?? '')
    expect(claims.eat_profile).toBe('tag:github.com,2023:veraison/ear')
    expect(claims.submods).toMatchObject({ cpu0: { 'ear.status': 'affirming' } })
  })

  test.each(['?ear=modern', '?ear=', '?ear=legacy&ear=legacy', '?audience=x'])(
    'is not looked at with the query %s',
    async (query) => {
      const { status, json } = await from.attest({ audience: possession, query })
      expect([status, json.code]).toEqual([400, 'request-malformed'])
    },
  )

  test('gives a relying party its nonce back', async () => {
    const eat_nonce = Buffer.alloc(64, 7).toString('base64url')
    const [opened] = await from.tokens({ audience: possession, body: { eat_nonce } })
    expect(decodeJwt(opened?.token ?? '').eat_nonce).toBe(eat_nonce)
    for (const wrong of ['short', `${eat_nonce}A`, 'not base64url!']) {
      const { json } = await from.attest({ audience: possession, body: { eat_nonce: wrong } })
      expect(json.detail).toContain('eat_nonce')
    }
  })
})

describe('simulated evidence', () => {
  let service: RunningService
  beforeAll(async () => {
    service = await runService({
      policy: await policyOf(
        manifest(
          (text) =>
            `${text}    - {audience: sts, token: federation, ttl: 60s}\n    - {audience: wit, token: workload, ttl: 15m}\n`,
        ),
      ),
    })
  })
  afterAll(() => service.close())

  test.each([['sts'], [['kms.example', 'sts']]])(
    'never yields a federation token, and nothing beside it (%s)',
    async (audience) => {
      const { status, json } = await attestAt(service, { body: (body) => ({ ...body, audience }) })
      expect([status, json.stage, json.failing]).toEqual([403, 'release', ['release.federation']])
      expect(json).not.toHaveProperty('tokens')
      const kept = await service.verifier.store.findAppraisal(json.appraisal)
      expect(kept).toMatchObject({ verdict: 'refused', leafHash: json.logLeaf })
      expect(await service.verifier.store.tokensOf(json.appraisal)).toEqual([])
    },
  )

  test('yields the other forms under its own issuer, with a subject that is no SPIFFE ID', async () => {
    const { json } = await attestAt(service, {
      body: (body) => ({ ...body, audience: ['wit', 'kms.example'] }),
    })
    expect(json.tokens).toMatchObject([
      {
        form: 'workload',
        issuer: service.simulated,
        subject: expect.stringMatching('^simulated:'),
      },
      { form: 'possession', issuer: service.simulated },
    ])
  })

  test('that names a session is refused: sessions are opened elsewhere', async () => {
    const { status, json } = await attestAt(service, {
      claims: { session: 'one' },
      body: (body) => ({ ...body, audience: 'kms.example' }),
    })
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(json.detail).toContain('POST /v1/sessions')
  })

  test('that is refused has a leaf of the log as well', async () => {
    const { json } = await attestAt(service, {
      attester: attester(new Uint8Array(48).fill(0xee)),
      body: (body) => ({ ...body, audience: 'kms.example' }),
    })
    expect(json.logLeaf).toMatch(/^[0-9a-f]{64}$/)
    expect(await service.verifier.store.leafPlace(Buffer.from(json.logLeaf, 'hex'))).toBeDefined()
  })
})
