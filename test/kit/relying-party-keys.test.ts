/** How does the kit come by the issuer's keys, how often, and what is it like when they cannot be had? */
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RelyingPartyOptions } from '../../kit/relying-party/relying-party.ts'
import { AT } from '../http/running-service.ts'
import { ISSUER, outcome, type RelyingScene, relyingScene } from './relying-scene.ts'

let scene: RelyingScene
beforeAll(async () => {
  scene = await relyingScene()
})
beforeEach(() => {
  scene.fetched.length = 0
  scene.from.service.clock.at = AT
})
afterAll(() => scene.close())

const JWKS = `${ISSUER}/.well-known/jwks.json`
const DISCOVERY = `${ISSUER}/.well-known/openid-configuration`

type Answer = (url: string) => Response | undefined | Promise<Response | undefined>

/** A party to whom the service answers but where `answer` does; lists do not matter here. */
function partyWith(answer: Answer, options: Partial<RelyingPartyOptions> = {}) {
  return scene.party({
    statusList: 'ignored',
    fetch: async (url, init) => {
      scene.fetched.push(url)
      return (await answer(url)) ?? (await scene.from.fetch(url, init))
    },
    ...options,
  })
}

async function asked(party: ReturnType<typeof partyWith>, token = scene.good.federation) {
  return outcome(await party.verifyWithoutProof({ token }))
}

function wait(seconds: number): void {
  const { clock } = scene.from.service
  clock.at = new Date(clock.at.getTime() + seconds * 1000)
}

const times = (url: string) => scene.fetched.filter((each) => each === url).length

/** Good for as long as these tests move the clock. */
const lasting = () => {
  const iat = Math.floor(scene.from.service.clock.at.getTime() / 1000)
  return scene.signed('federation', { iat, nbf: iat, exp: iat + 300 })
}

describe('fetching', () => {
  test('is done once for all who ask at the same time', async () => {
    const party = partyWith(() => undefined)
    const answers = await Promise.all(Array.from({ length: 20 }, () => asked(party)))
    expect(new Set(answers)).toEqual(new Set(['accepted']))
    expect(scene.fetched).toEqual([DISCOVERY, JWKS])
  })

  test('goes to the address that is given, without discovery', async () => {
    expect(await asked(partyWith(() => undefined, { jwksUri: JWKS }))).toBe('accepted')
    expect(scene.fetched).toEqual([JWKS])
  })

  test('asks for no redirect, and has an end', async () => {
    const inits: RequestInit[] = []
    await asked(
      partyWith(() => undefined, {
        fetch: async (url, init) => {
          inits.push(init)
          return await scene.from.fetch(url, init)
        },
      }),
    )
    expect(inits.length).toBeGreaterThan(0)
    for (const { redirect, signal } of inits) {
      expect(redirect).toBe('error')
      expect(signal).toBeInstanceOf(AbortSignal)
    }
  })

  test('however many key ids are invented, one a ten seconds is looked for', async () => {
    const party = partyWith(() => undefined)
    await asked(party)
    for (let i = 0; i < 50; i++) {
      const token = await scene.headed('federation', { kid: `invented-${i}` })
      expect(await asked(party, token)).toBe('key-unknown')
    }
    expect(times(JWKS)).toBe(1)
    wait(10)
    for (let i = 0; i < 50; i++) {
      const token = await scene.headed('federation', { kid: `later-${i}` })
      expect(await asked(party, token)).toBe('key-unknown')
    }
    expect(times(JWKS)).toBe(2)
    expect(await asked(party)).toBe('accepted')
  })

  test('a key that is new is found by the first token that it signed', async () => {
    let isPublished = false
    const party = partyWith((url) =>
      url === JWKS && !isPublished ? Response.json({ keys: [] }) : undefined,
    )
    expect(await asked(party)).toBe('key-unknown')
    isPublished = true
    wait(10)
    expect(await asked(party)).toBe('accepted')
  })

  test('a key that is withdrawn is believed for no longer than the set is kept', async () => {
    let isWithdrawn = false
    const { kid } = decodeProtectedHeader(scene.good.federation)
    const party = partyWith(async (url) => {
      if (url !== JWKS || !isWithdrawn) return undefined
      const { keys } = (await scene.from.json(JWKS)) as { keys: { kid: string }[] }
      return Response.json({ keys: keys.filter((key) => key.kid !== kid) })
    })
    expect(await asked(party, await lasting())).toBe('accepted')
    isWithdrawn = true
    wait(149)
    expect(await asked(party, await lasting())).toBe('accepted')
    wait(151)
    expect(await asked(party, await lasting())).toBe('key-unknown')
  })

  test('half a lifetime later it is fetched again, and nobody waits for it', async () => {
    let answer = (_: Response) => {}
    let isSlow = false
    const party = partyWith((url) =>
      isSlow && url === JWKS
        ? new Promise((resolve) => {
            answer = resolve
          })
        : undefined,
    )
    await asked(party)
    isSlow = true
    wait(151)
    expect(await asked(party, await lasting())).toBe('accepted')
    await expect.poll(() => times(JWKS)).toBe(2)
    answer(Response.json({ keys: [] }))
  })
})

describe('an issuer that does not answer', () => {
  test('is asked once a second at most, and nothing counts meanwhile', async () => {
    const party = partyWith(() => Promise.reject(new TypeError('fetch failed')))
    for (let i = 0; i < 20; i++) expect(await asked(party)).toBe('keys-unavailable')
    expect(scene.fetched).toEqual([DISCOVERY])
    wait(1)
    expect(await asked(party)).toBe('keys-unavailable')
    expect(scene.fetched).toEqual([DISCOVERY, DISCOVERY])
  })

  test('leaves its keys good for the grace, and no longer', async () => {
    let isDown = false
    const party = partyWith(() => (isDown ? new Response('', { status: 503 }) : undefined))
    expect(await asked(party, await lasting())).toBe('accepted')
    isDown = true
    wait(599)
    expect(await asked(party, await lasting())).toBe('accepted')
    wait(1)
    expect(await asked(party, await lasting())).toBe('keys-unavailable')
    isDown = false
    wait(1)
    expect(await asked(party, await lasting())).toBe('accepted')
  })

  test('has no grace where none is given', async () => {
    let isDown = false
    const answer: Answer = () => (isDown ? new Response('', { status: 503 }) : undefined)
    const party = partyWith(answer, { keysGraceSeconds: 0 })
    expect(await asked(party, await lasting())).toBe('accepted')
    isDown = true
    wait(300)
    expect(await asked(party, await lasting())).toBe('keys-unavailable')
  })
})

describe('what is no key set of this issuer means that there is none', () => {
  const key = async () => {
    const { keys } = (await scene.from.json(JWKS)) as { keys: Record<string, unknown>[] }
    const { kid } = decodeProtectedHeader(scene.good.federation)
    const found = keys.find((each) => each.kid === kid)
    if (!found) throw new Error('not published')
    return found
  }
  const padding = (count: number) => Array.from({ length: count }, (_, i) => ({ kid: `${i}` }))

  test.each<[string, string, () => unknown | Promise<unknown>, string?]>([
    ['a set as it should be', 'accepted', async () => ({ keys: [await key()] })],
    [
      'a set with keys that others use',
      'accepted',
      async () => ({ keys: [{ kty: 'OKP', kid: 'x' }, 7, await key()] }),
    ],
    ['64 keys', 'accepted', async () => ({ keys: [await key(), ...padding(63)] })],
    ['65 keys', 'keys-unavailable', async () => ({ keys: [await key(), ...padding(64)] })],
    ['two keys of one id', 'keys-unavailable', async () => ({ keys: [await key(), await key()] })],
    ['no list', 'keys-unavailable', () => ({ keys: {} })],
    ['no object', 'keys-unavailable', () => []],
    [
      '70,000 bytes',
      'keys-unavailable',
      async () => ({ keys: [await key()], x: 'x'.repeat(70_000) }),
    ],
    [
      'a key for another use',
      'key-unknown',
      async () => ({ keys: [{ ...(await key()), use: 'enc' }] }),
    ],
    [
      'a key for another algorithm',
      'key-unknown',
      async () => ({ keys: [{ ...(await key()), alg: 'PS256' }] }),
    ],
    ['a small key', 'key-unknown', async () => ({ keys: [{ ...(await key()), n: 'AQAB' }] })],
    ['another exponent', 'key-unknown', async () => ({ keys: [{ ...(await key()), e: 'Aw' }] })],
    [
      'discovery of another issuer',
      'keys-unavailable',
      () => ({ issuer: `${ISSUER}/x`, jwks_uri: JWKS }),
      DISCOVERY,
    ],
    ['discovery without keys', 'keys-unavailable', () => ({ issuer: ISSUER }), DISCOVERY],
    [
      'keys over plain HTTP',
      'keys-unavailable',
      () => ({ issuer: ISSUER, jwks_uri: JWKS.replace('https', 'http') }),
      DISCOVERY,
    ],
  ])('%s: %s', async (_, expected, document, url = JWKS) => {
    const answer = await document()
    const party = partyWith((each) => (each === url ? Response.json(answer) : undefined))
    expect(await asked(party)).toBe(expected)
  })

  test('keys of another origin are fetched by nobody, however good they are', async () => {
    const elsewhere = 'https://evil.example/jwks.json'
    const party = partyWith(async (url) => {
      if (url === DISCOVERY) return Response.json({ issuer: ISSUER, jwks_uri: elsewhere })
      return url === elsewhere ? Response.json(await scene.from.json(JWKS)) : undefined
    })
    expect(await asked(party)).toBe('keys-unavailable')
    expect(scene.fetched).toEqual([DISCOVERY])
  })

  test.each<[string, () => Response]>([
    ['an answer without end', () => new Response(endless())],
    ['no JSON', () => new Response('<html>')],
    ['bytes that are no text', () => new Response(new Uint8Array([0xff, 0xfe]))],
    ['an error', () => Response.json({ keys: [] }, { status: 404 })],
  ])('%s', async (_, answer) => {
    const party = partyWith((url) => (url === JWKS ? answer() : undefined))
    expect(await asked(party)).toBe('keys-unavailable')
  })
})

function endless(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(10_000)) })
}
