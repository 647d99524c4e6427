/** A token that is ended before its time, over real HTTP: by whom, and by whom it is noticed when. */
import type { JSONWebKeySet } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openTokens } from '../../enclave/attestation.ts'
import { leaf } from '../adapters/store-records.ts'
import { statusOfToken } from '../token/status-list-reader.ts'
import { attestAt } from './attempt.ts'
import {
  AT,
  agentOf,
  bearer,
  get,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
} from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())
beforeEach(() => {
  service.clock.at = AT
})

interface Issued {
  readonly id: string
  readonly token: string
  readonly jti: string
  readonly issuer: string
  readonly status: { readonly uri: string; readonly index: number }
}

async function issued(at = service): Promise<Issued> {
  const { status, json } = await attestAt(at)
  if (status !== 200) throw new Error(JSON.stringify(json))
  const { keys } = await agentOf(at)
  const [opened] = await openTokens(json, keys)
  const [told] = json.tokens
  return { ...told, id: json.id, token: opened?.token ?? 'none' }
}

const form = async (
  body: string,
  role: 'viewer' | 'auditor' | 'operator' | 'enforcer' = 'viewer',
) =>
  await post(`${service.url}/v1/introspections`, body, {
    ...bearer(role),
    'content-type': 'application/x-www-form-urlencoded',
  })
const introspected = async ({ token }: Pick<Issued, 'token'>) =>
  (await form(new URLSearchParams({ token }).toString())).json
const revoke = async (body: unknown, role: 'viewer' | 'auditor' | 'operator' = 'operator') =>
  await post(`${service.url}/v1/revocations`, JSON.stringify(body), bearer(role))

/** By what anybody may fetch. */
async function listed({ status, issuer }: Issued): Promise<number> {
  const list = await fetch(status.uri)
  expect(list.headers.get('content-type')).toBe('application/statuslist+jwt')
  const { json: jwks } = await get(`${issuer}/.well-known/jwks.json`)
  return await statusOfToken(
    await list.text(),
    { uri: status.uri, idx: status.index },
    { jwks: jwks as JSONWebKeySet, at: service.clock.at },
  )
}

const pass = (seconds: number) => {
  service.clock.at = new Date(service.clock.at.getTime() + seconds * 1000)
}

describe('a token that is revoked', () => {
  test('is inactive at once, and in the list a second later', async () => {
    const token = await issued()
    const other = await issued()
    expect(await listed(token)).toBe(0)
    expect(await introspected(token)).toMatchObject({ active: true })
    const { status, json } = await revoke({ token: token.jti, detail: 'the laptop was stolen' })
    expect([status, json.revoked, json.tokens]).toEqual([200, 1, [token.jti]])
    expect(await introspected(token)).toEqual({ active: false })
    expect(await introspected(other)).toMatchObject({ active: true })
    pass(1)
    expect(await listed(token)).toBe(1)
    expect(await listed(other)).toBe(0)
  })

  test('is revoked once, whoever asks again', async () => {
    const { jti } = await issued()
    expect((await revoke({ token: jti })).json.revoked).toBe(1)
    const events = await service.verifier.store.lastEvent()
    expect((await revoke({ token: jti })).json).toMatchObject({ revoked: 0, tokens: [] })
    expect(await service.verifier.store.lastEvent()).toBe(events)
  })

  test('stands in the log of the service with who and why, without the token', async () => {
    const { jti, token } = await issued()
    await revoke({ token: jti, detail: 'because' })
    const known = await service.verifier.store.findToken(jti)
    expect(known?.revocation).toEqual({ at: AT, by: 'otto', reason: 'operator', detail: 'because' })
    expect(service.journal.at(-1)).toMatchObject({
      event: 'tokens.revoked',
      fields: { tenant: 'default', jti, by: 'otto', reason: 'operator', count: 1 },
    })
    expect(JSON.stringify(service.journal)).not.toContain(token)
  })
})

describe('a revocation', () => {
  test('of an appraisal, a key or an agent ends what belongs to it, and says what it does not do', async () => {
    const { keys, identity } = await agentOf(service)
    const { environment, agent } = identity
    const [a, b, c] = [await issued(), await issued(), await issued()]
    const first = await revoke({ appraisal: a.id })
    expect(first.json.tokens).toEqual([a.jti])
    expect(first.json.next).toContain('spec.agentKeys')
    const second = await revoke({ key: keys.sig.thumbprint })
    expect(second.json.tokens).toEqual(expect.arrayContaining([b.jti, c.jti]))
    expect(second.json.next).toContain(`{value: ${keys.sig.thumbprint}`)
    const d = await issued()
    const third = await revoke({ agent: { environment, agent } })
    expect(third.json).toMatchObject({ revoked: 1, tokens: [d.jti] })
    expect(third.json.next).toContain('agents/prod/invoice-bot.yaml')
  })

  test('of one tenant ends nothing of another’s', async () => {
    const { jti } = await issued()
    expect((await revoke({ tenant: 'acme', token: jti })).json.revoked).toBe(0)
    expect((await revoke({ tenant: 'nobody', token: jti })).json.code).toBe('tenant-unknown')
    expect((await revoke({ token: jti })).json.revoked).toBe(1)
  })

  test.each([
    [{}],
    [{ token: 'a', appraisal: 'b' }],
    [{ token: '' }],
    [{ appraisal: 'abc' }],
    [{ appraisal: '00000000-0000-4000-8000-00000000000A' }],
    [{ token: 'a', reason: 'policy' }],
    [{ key: 'short' }],
    [{ agent: { environment: 'prod' } }],
    [{ token: 'a', detail: 'two\nlines' }],
  ])('that says %j is refused', async (body) => {
    expect((await revoke(body)).json.code).toBe('request-malformed')
  })

  test('is for operators alone', async () => {
    expect((await revoke({ token: 'a' }, 'viewer')).json.code).toBe('operator-forbidden')
    expect((await revoke({ token: 'a' }, 'auditor')).json.code).toBe('operator-forbidden')
    const anybody = await post(`${service.url}/v1/revocations`, '{"token":"a"}')
    expect(anybody.json.code).toBe('operator-unauthenticated')
  })
})

describe('introspection (RFC 7662)', () => {
  test('answers with the claims of a token that is good, and how it is presented', async () => {
    const token = await issued()
    const { keys } = await agentOf(service)
    expect(await introspected(token)).toMatchObject({
      active: true,
      token_type: 'DPoP',
      iss: token.issuer,
      jti: token.jti,
      aud: 'kms.example',
      cnf: { jkt: keys.sig.thumbprint },
      status: { status_list: { uri: token.status.uri, idx: token.status.index } },
    })
  })

  test('takes JSON as well, an unknown hint, and both roles', async () => {
    const { token } = await issued()
    const asked = await post(
      `${service.url}/v1/introspections`,
      JSON.stringify({ token }),
      bearer('auditor'),
    )
    expect(asked.json.active).toBe(true)
    expect((await form(`token=${token}&token_type_hint=whatever&more=1`)).json.active).toBe(true)
  })

  test.each<[string, (token: string) => string]>([
    ['a token with another signature', (token) => `${token.slice(0, -4)}AAAA`],
    ['no token', () => 'nonsense'],
    ['three dots', () => '...'],
    ['a header that names no key', (token) => `e30.${token.split('.').slice(1).join('.')}`],
    ['a token without its signature', (token) => `${token.split('.').slice(0, 2).join('.')}.`],
  ])('%s is inactive, and that is all', async (_, change) => {
    const { token } = await issued()
    expect(await introspected({ token: change(token) })).toEqual({ active: false })
  })

  test('a token that has expired, or whose key was revoked, is inactive', async () => {
    const mine = await runService()
    try {
      const { token, issuer } = await issued(mine)
      const ask = async () =>
        (await post(`${mine.url}/v1/introspections`, JSON.stringify({ token }), bearer('viewer')))
          .json
      mine.clock.at = new Date(AT.getTime() + 239_000)
      expect(await ask()).toMatchObject({ active: true })
      mine.clock.at = new Date(AT.getTime() + 240_000)
      expect(await ask()).toEqual({ active: false })
      mine.clock.at = AT
      expect(await ask()).toMatchObject({ active: true })
      const purpose = `possession:${issuer}` as const
      const [key] = await mine.verifier.store.keysFor(purpose)
      await mine.verifier.store.revokeKey(purpose, key?.kid ?? '', {
        at: AT,
        leaf: leaf({ kind: 'keys' }),
      })
      await mine.chores('events')
      await expect.poll(ask).toEqual({ active: false })
    } finally {
      await mine.close()
    }
  })

  test('a token that was signed here and is not in the database is inactive', async () => {
    const { token, jti } = await issued()
    const { store } = service.verifier
    const { findToken } = store
    Object.assign(store, {
      findToken: async (asked: string) => (asked === jti ? undefined : await findToken(asked)),
    })
    expect(await introspected({ token })).toEqual({ active: false })
    Object.assign(store, { findToken })
  })

  test.each([
    ['a field twice', 'token=a&token=b', 'request-malformed'],
    ['no token', 'foo=bar', 'request-malformed'],
    ['a token that is too long', `token=${'a'.repeat(20_001)}`, 'request-malformed'],
    ['a body that is too long', `token=${'a'.repeat(40_000)}`, 'body-too-large'],
  ])('%s is refused', async (_, body, code) => {
    expect((await form(body)).json.code).toBe(code)
  })

  test('is for operators, and a form is for introspection only', async () => {
    expect((await form('token=a', 'enforcer')).json.code).toBe('operator-forbidden')
    const elsewhere = await post(`${service.url}/v1/revocations`, 'token=a', {
      ...bearer('operator'),
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(elsewhere.json.code).toBe('media-type-unsupported')
  })
})

describe('a status list', () => {
  test('may be read by a browser’s script and kept for seconds only', async () => {
    const { status } = await issued()
    const { headers } = await fetch(status.uri)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('cache-control')).toBe('public, max-age=5')
  })

  test.each([
    ['/simulated/status-lists/999', 'status-list-unknown'],
    ['/status-lists/1', 'status-list-unknown'],
    ['/t/acme/status-lists/1', 'status-list-unknown'],
    ['/simulated/status-lists/0', 'route-unknown'],
    ['/simulated/status-lists/01', 'route-unknown'],
    ['/simulated/status-lists/1e3', 'route-unknown'],
    ['/simulated/status-lists/1234567890', 'route-unknown'],
  ])('%s: %s', async (path, code) => {
    await issued()
    expect((await get(`${service.url}${path}`)).json.code).toBe(code)
  })
})

test('a policy that is accepted ends the tokens of what it refuses, at the next run of its chore', async () => {
  const mine = await runService()
  try {
    await mine.accept(await policyOf())
    await mine.chores()
    const { jti } = await issued(mine)
    const narrower = manifest((text) => text.replace('a1'.repeat(48), 'a9'.repeat(48)))
    await mine.accept(await policyOf(narrower, { commit: 'd'.repeat(40) }))
    await mine.chores()
    const known = await mine.verifier.store.findToken(jti)
    expect(known?.revocation).toMatchObject({ reason: 'policy', by: 'reappraisal' })
  } finally {
    await mine.close()
  }
})
