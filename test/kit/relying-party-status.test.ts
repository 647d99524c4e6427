/** When does the kit notice that a token was revoked, and what does it say when nobody can tell? */
import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { signJwt } from '#src/token/issuer.ts'
import { importPublicKey } from '../../kit/relying-party/compact-jws.ts'
import type { RelyingPartyOptions } from '../../kit/relying-party/relying-party.ts'
import { statusCache } from '../../kit/relying-party/status-cache.ts'
import { AT } from '../http/running-service.ts'
import { entryOf, ISSUER, outcome, type RelyingScene, relyingScene } from './relying-scene.ts'

let scene: RelyingScene
beforeAll(async () => {
  scene = await relyingScene()
})
beforeEach(() => {
  scene.fetched.length = 0
  scene.from.service.clock.at = AT
})
afterAll(() => scene.close())

type Answer = (url: string) => Response | undefined | Promise<Response | undefined>

/** Lists are answered by `answer` where it does. */
function partyWith(answer: Answer, options: Partial<RelyingPartyOptions> = {}) {
  return scene.party({
    fetch: async (url, init) => {
      scene.fetched.push(url)
      return (isList(url) ? await answer(url) : undefined) ?? (await scene.from.fetch(url, init))
    },
    ...options,
  })
}

type Party = ReturnType<typeof partyWith>

const isList = (url: string) => url.includes('/status-lists/')
const lists = () => scene.fetched.filter(isList)

async function asked(party: Party, token = scene.good.federation) {
  return outcome(await party.verifyWithoutProof({ token }))
}

describe('a status list', () => {
  test('is fetched once for all who ask, and counts for its ttl', async () => {
    const party = partyWith(() => undefined)
    await Promise.all(Array.from({ length: 20 }, () => asked(party)))
    expect(lists()).toHaveLength(1)
    scene.wait(14)
    expect(await asked(party)).toBe('accepted')
    expect(lists()).toHaveLength(1)
  })

  test('is fetched again at half its ttl, and nobody waits for it', async () => {
    let answer = (_: Response) => {}
    let isSlow = false
    const party = partyWith(() => {
      if (!isSlow) return undefined
      return new Promise((resolve) => {
        answer = resolve
      })
    })
    await asked(party)
    isSlow = true
    scene.wait(15)
    expect(await asked(party)).toBe('accepted')
    await expect.poll(() => lists().length).toBe(2)
    answer(new Response('', { status: 503 }))
  })

  test('is one of 64 that are kept: the one that nobody asked for the longest goes first', async () => {
    const party = partyWith(async (url) => new Response(await listAt(url)))
    const askedOf = async (number: number) => {
      const uri = `${ISSUER}/status-lists/${number}`
      const status = { status_list: { uri, idx: 5 } }
      return await asked(party, await scene.signed('federation', { status }))
    }
    for (let number = 1; number <= 65; number++) expect(await askedOf(number)).toBe('accepted')
    expect(lists()).toHaveLength(65)
    await askedOf(65)
    expect(lists()).toHaveLength(65)
    await askedOf(1)
    expect(lists()).toHaveLength(66)
  })

  test('says that a token was revoked, once its ttl is over', async () => {
    const token = await scene.fresh()
    const party = partyWith(() => undefined)
    expect(await asked(party, token)).toBe('accepted')
    await scene.revoke(token)
    expect(await asked(party, token)).toBe('accepted')
    scene.wait(30)
    expect(await asked(party, token)).toBe('token-revoked')
    expect(await asked(party)).toBe('accepted')
  })

  test.each([10, 60])(
    'says so to the last second that a clock may differ by: %i',
    async (clockSkewSeconds) => {
      const token = await scene.fresh()
      await scene.revoke(token)
      scene.wait(300 + clockSkewSeconds - 1)
      const party = partyWith(() => undefined, { clockSkewSeconds })
      expect(await asked(party, token)).toBe('token-revoked')
      scene.wait(1)
      expect(await asked(party, token)).toBe('token-expired')
    },
  )

  test('counts for the grace when no newer one is to be had, and no longer', async () => {
    let isDown = false
    const answer: Answer = () => (isDown ? new Response('', { status: 503 }) : undefined)
    const [patient, strict] = [partyWith(answer), partyWith(answer, { statusGraceSeconds: 0 })]
    const both = async () => [await asked(patient), await asked(strict)]
    expect(await both()).toEqual(['accepted', 'accepted'])
    isDown = true
    scene.wait(29)
    expect(await both()).toEqual(['accepted', 'accepted'])
    scene.wait(2)
    expect(await both()).toEqual(['accepted', 'status-unavailable'])
    scene.wait(29)
    expect(await both()).toEqual(['status-unavailable', 'status-unavailable'])
    isDown = false
    scene.wait(1)
    expect(await both()).toEqual(['accepted', 'accepted'])
  })

  test('counts never after its own end, whatever the grace', async () => {
    let isDown = false
    const answer: Answer = () => (isDown ? new Response('', { status: 503 }) : undefined)
    const party = partyWith(answer, { statusGraceSeconds: 300, clockSkewSeconds: 0 })
    expect(await asked(party)).toBe('accepted')
    isDown = true
    scene.wait(60)
    expect(await asked(party)).toBe('status-unavailable')
  })

  test('that does not come is asked for once a second', async () => {
    const party = partyWith(() => new Response('', { status: 500 }))
    for (let i = 0; i < 10; i++) expect(await asked(party)).toBe('status-unavailable')
    expect(lists()).toHaveLength(1)
    scene.wait(1)
    expect(await asked(party)).toBe('status-unavailable')
    expect(lists()).toHaveLength(2)
  })

  test('is not looked at where the operator says so', async () => {
    const party = partyWith(() => new Response('', { status: 500 }), { statusList: 'ignored' })
    expect(await asked(party)).toBe('accepted')
    expect(lists()).toEqual([])
  })

  test('that is older than the one that is held takes nothing back', async () => {
    const token = await scene.fresh()
    const party = partyWith((url) => older?.get(url)?.clone())
    let older: Map<string, Response> | undefined
    const { uri } = entryOf(token)
    const before = await scene.from.fetch(uri)
    scene.wait(15)
    await scene.revoke(token)
    expect(await asked(party, token)).toBe('token-revoked')
    older = new Map([[uri, before]])
    scene.wait(30)
    expect(await asked(party, token)).toBe('token-revoked')
  })
})

/** A list in which nobody is revoked. */
async function listAt(uri: string): Promise<string> {
  const iat = Math.floor(AT.getTime() / 1000)
  const lst = deflateSync(new Uint8Array(128)).toString('base64url')
  const claims = { sub: uri, iat, exp: iat + 60, ttl: 30, status_list: { bits: 1, lst } }
  return await signJwt(scene.issuer.signer('possession', AT), 'statuslist+jwt', claims)
}

test('what was heard of is remembered for longer than any token lives, and not for ever', async () => {
  let at = AT.getTime()
  const list = await listAt(`${ISSUER}/status-lists/1`)
  const statuses = statusCache({
    issuer: ISSUER,
    fetch: async () => new Response(list),
    keys: { keyFor: async () => await keyOf(scene.issuer.signer('possession', AT).jwk) },
    now: () => at,
    skewSeconds: 60,
    graceSeconds: 0,
  })
  const uri = `${ISSUER}/status-lists/1`
  statuses.revoked(uri, 1)
  for (let index = 2; index <= 50_000; index++) statuses.revoked(uri, index % 1_000)
  expect(await statuses.statusOf(uri, 1)).toBe('revoked')
  at += 20 * 60_000
  statuses.revoked(uri, 2)
  at = AT.getTime()
  expect(await statuses.statusOf(uri, 1)).toBe('valid')
  expect(await statuses.statusOf(uri, 2)).toBe('revoked')
})

async function keyOf(jwk: object) {
  const key = await importPublicKey({ ...jwk })
  if (!key) throw new Error('no key')
  return key
}

describe('what is no list of this issuer says nothing', () => {
  const second = (ahead: number) => Math.floor(AT.getTime() / 1000) + ahead
  const bits = (bytes: Uint8Array) => deflateSync(bytes).toString('base64url')
  const zeroes = new Uint8Array(131_072)
  const { uri } = { uri: `${ISSUER}/status-lists/1` }
  const list = (claims: object = {}) => ({
    sub: uri,
    iat: second(0),
    exp: second(60),
    ttl: 30,
    status_list: { bits: 1, lst: bits(zeroes) },
    ...claims,
  })
  const key = (form: 'possession' | 'workload' = 'possession') => scene.issuer.signer(form, AT)

  test.each<[string, string, () => Promise<string>]>([
    ['a list as it should be', 'accepted', () => signJwt(key(), 'statuslist+jwt', list())],
    [
      'entries of two bits',
      'accepted',
      () =>
        signJwt(
          key(),
          'statuslist+jwt',
          list({ status_list: { bits: 2, lst: bits(new Uint8Array(262_144)) } }),
        ),
    ],
    [
      'entries of eight bits that say something',
      'token-revoked',
      () =>
        signJwt(
          key(),
          'statuslist+jwt',
          list({ status_list: { bits: 8, lst: bits(new Uint8Array(1024 * 1024).fill(2)) } }),
        ),
    ],
    [
      'a list about another',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ sub: `${uri}1` })),
    ],
    ['a token', 'status-unavailable', () => signJwt(key(), 'at+jwt', list())],
    [
      'a list signed by a key of WIT-SVIDs',
      'status-unavailable',
      () => signJwt(key('workload'), 'statuslist+jwt', list()),
    ],
    [
      'a list that was altered',
      'status-unavailable',
      async () => (await signJwt(key(), 'statuslist+jwt', list())).replace(/.{4}$/, 'AAAA'),
    ],
    [
      'a list of before',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ exp: second(-10) })),
    ],
    [
      'a list of tomorrow',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ iat: second(11) })),
    ],
    [
      'a list without end',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ exp: undefined })),
    ],
    [
      'a ttl of text',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ ttl: '30' })),
    ],
    [
      'entries of three bits',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ status_list: { bits: 3, lst: bits(zeroes) } })),
    ],
    [
      'a list without entries',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ status_list: { bits: 1 } })),
    ],
    [
      'a list that ends before the token’s entry',
      'status-unavailable',
      () =>
        signJwt(
          key(),
          'statuslist+jwt',
          list({ status_list: { bits: 1, lst: bits(new Uint8Array()) } }),
        ),
    ],
    [
      'what cannot be inflated',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ status_list: { bits: 1, lst: 'AAAA' } })),
    ],
    [
      'a thousand times as much as came',
      'status-unavailable',
      () =>
        signJwt(
          key(),
          'statuslist+jwt',
          list({ status_list: { bits: 1, lst: bits(new Uint8Array(64 * 1024 * 1024)) } }),
        ),
    ],
    [
      '600,000 characters',
      'status-unavailable',
      () => signJwt(key(), 'statuslist+jwt', list({ x: 'x'.repeat(450_000) })),
    ],
    ['an HTML page', 'status-unavailable', async () => '<html>'],
  ])('%s: %s', async (_, expected, made) => {
    const answer = await made()
    const party = partyWith(() => new Response(answer))
    const token = await scene.signed('federation', { status: { status_list: { uri, idx: 5 } } })
    expect(await asked(party, token)).toBe(expected)
  })

  test.each([
    'https://evil.example/status-lists/1',
    `${ISSUER}/status-lists/../v1/keys`,
    `${ISSUER}/status-lists/1?x=1`,
    `${ISSUER}/status-lists/`,
    `${ISSUER}.evil.example/status-lists/1`,
  ])('%s is fetched by nobody', async (address) => {
    const party = partyWith(() => undefined)
    const token = await scene.signed('federation', {
      status: { status_list: { uri: address, idx: 5 } },
    })
    expect(await asked(party, token)).toBe('status-unavailable')
    expect(lists()).toEqual([])
  })
})
