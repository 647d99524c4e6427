/** A key-encryption key in the transit engine of Vault or OpenBao: asked as their documentation says, and when they do not answer. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keyEncryptionRemembered } from '#src/adapters/key-encryption-remembered.ts'
import { keyEncryptionByTransit, type TransitKey } from '#src/adapters/key-encryption-transit.ts'
import { systemRandom } from '#src/adapters/system.ts'
import { Problem } from '#src/problems.ts'
import { openSealed, sealResource } from '#src/service/sealed-resource.ts'
import { selfSigned } from '../self-signed.ts'
import { type TransitServer, transitServer } from './transit-server.ts'

const dataKey = new Uint8Array(32).map((_, place) => place)
const TOKEN = 'hvs.transit-token'

let server: TransitServer
beforeEach(async () => {
  server = await transitServer()
})
afterEach(() => server.close())

const by = (change: Partial<TransitKey> = {}) =>
  keyEncryptionByTransit({
    url: server.url,
    mount: 'transit',
    key: 'vouchsafe',
    namespace: undefined,
    authorities: undefined,
    token: () => `${TOKEN}\n`,
    ...change,
  })

/** The Problem that it ends in. */
const faultOf = async (work: Promise<unknown>): Promise<Problem> => {
  const cause = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (cause instanceof Problem) return cause
  throw new Error(`no Problem: ${String(cause)}`)
}

describe('a transit engine that answers', () => {
  test('unwraps what it wrapped, and is asked as the documentation says', async () => {
    const kek = by({ namespace: 'team-a' })
    const wrapped = await kek.wrap(dataKey)
    expect(Buffer.from(wrapped).toString()).toMatch(/^bvault:v1:[A-Za-z0-9+/]+=*$/)
    expect(await kek.unwrap(wrapped)).toEqual(dataKey)
    const [encrypt, ...others] = server.requests
    expect(encrypt).toEqual({
      path: '/v1/transit/encrypt/vouchsafe',
      token: TOKEN,
      namespace: 'team-a',
      body: {
        plaintext: Buffer.from(dataKey).toString('base64'),
        associated_data: Buffer.from('vouchsafe/data-key/v1').toString('base64'),
      },
    })
    expect(others.map(({ path }) => path)).toEqual(Array(3).fill('/v1/transit/decrypt/vouchsafe'))
  })

  test('under another mount, key and token is asked there', async () => {
    await server.close()
    server = await transitServer({ mount: 'teams/a/transit' })
    server.mood.keys = { 'kek-2': [Buffer.alloc(32, 5)] }
    server.mood.token = 'other'
    const kek = by({ mount: 'teams/a/transit', key: 'kek-2', token: () => 'other' })
    expect(await kek.unwrap(await kek.wrap(dataKey))).toEqual(dataKey)
  })

  test('still opens what an older version of its key wrapped, until that is retired', async () => {
    const kek = by()
    const wrapped = await kek.wrap(dataKey)
    server.mood.keys.vouchsafe?.push(Buffer.alloc(32, 9))
    expect(Buffer.from(await kek.wrap(dataKey)).toString()).toMatch(/^bvault:v2:/)
    expect(await kek.unwrap(wrapped)).toEqual(dataKey)
    server.mood.minDecryptionVersion = 2
    await expect(kek.unwrap(wrapped)).rejects.toThrow('that version of the key is retired')
  })

  test('gives nothing for what was changed, cut, or encrypted for another purpose', async () => {
    const kek = by()
    const wrapped = await kek.wrap(dataKey)
    const changes = [1, 12, 30, wrapped.length - 3].map((at) =>
      wrapped.with(at, wrapped[at] === 65 ? 66 : 65),
    )
    for (const other of [...changes, wrapped.subarray(0, 20), new Uint8Array(0)])
      await expect(kek.unwrap(other), Buffer.from(other).toString()).rejects.toThrow(/transit/)
    // The same token may encrypt without a purpose: marked as such, or as one of ours, it opens nothing that is bound.
    const unmarked = Buffer.from(`u${Buffer.from(wrapped).toString().slice(1)}`)
    await expect(kek.unwrap(unmarked)).rejects.toThrow('this is not what the key wrapped')
  })

  test('that ignores associated data is noticed, and what it wrapped opens after its upgrade', async () => {
    server.mood.ignoresAssociatedData = true
    const wrapped = await by().wrap(dataKey)
    expect(Buffer.from(wrapped).toString()).toMatch(/^uvault:v1:/)
    expect(await by().unwrap(wrapped)).toEqual(dataKey)
    server.mood.ignoresAssociatedData = false
    expect(await by().unwrap(wrapped)).toEqual(dataKey)
    expect(Buffer.from(await by().wrap(dataKey)).toString()).toMatch(/^bvault:v1:/)
  })

  test('that is upgraded meanwhile seals nothing that would not open', async () => {
    const kek = by()
    server.mood.ignoresAssociatedData = true
    await kek.wrap(dataKey)
    server.mood.ignoresAssociatedData = false
    expect((await faultOf(kek.wrap(dataKey))).detail).toContain('does not give back')
    expect(await kek.unwrap(await kek.wrap(dataKey))).toEqual(dataKey)
  })

  test('is known by namespace, mount and key, wherever it is reached', () => {
    const { id, name } = by()
    expect([id.length, name]).toEqual([8, 'transit:transit/vouchsafe'])
    expect(by({ url: 'https://elsewhere.example' }).id).toEqual(id)
    for (const other of [{ key: 'k2' }, { mount: 'm' }, { namespace: 'n' }])
      expect(by(other).id).not.toEqual(id)
  })

  test('holds what secrets are sealed under', async () => {
    const name = { tenant: 'default', name: 'secret:db', version: 1 }
    const content = { secret: Buffer.from('hunter2'), settings: undefined }
    const sealed = await sealResource(name, content, { encryption: by(), random: systemRandom })
    const { secret } = await openSealed(name, sealed, [by()])
    expect(Buffer.from(secret).toString()).toBe('hunter2')
    server.mood.sealed = true
    expect((await faultOf(openSealed(name, sealed, [by()]))).code).toBe(
      'key-encryption-unavailable',
    )
  })
})

describe('a transit engine that does not', () => {
  const wrong: readonly (readonly [string, () => void, string])[] = [
    [
      'is sealed',
      () => {
        server.mood.sealed = true
      },
      'answered 503: it is sealed',
    ],
    [
      'knows another token',
      () => {
        server.mood.token = 'another'
      },
      'answered 403: the token may not do this, or is over',
    ],
    [
      'may encrypt and not decrypt',
      () => {
        server.mood.forbidden = ['decrypt/vouchsafe']
      },
      'answered 403: the token may not do this, or is over',
    ],
    [
      'has no such key',
      () => {
        server.mood.keys = {}
      },
      'answered 403: the token may not do this, or is over, or there is no key of this name',
    ],
    [
      'is a standby elsewhere',
      () => {
        server.mood.answer = (_, response) =>
          response.writeHead(307, { location: 'https://active.example/v1' }).end()
      },
      'answered 307: it is a standby',
    ],
    [
      'repeats what it was asked',
      () => {
        server.mood.answer = (request, response) =>
          response.writeHead(500).end(JSON.stringify({ errors: [JSON.stringify(request)] }))
      },
      'answered 500: for a reason that is not known here',
    ],
    [
      'is no transit engine',
      () => {
        server.mood.answer = (_, response) => response.writeHead(200).end('<html>hello</html>')
      },
      'answered 200 with something that is no answer',
    ],
    [
      'gives a ciphertext of another form',
      () => {
        server.mood.answer = (_, response) =>
          response.writeHead(200).end(JSON.stringify({ data: { ciphertext: 'vault:v1:' } }))
      },
      'answered without a ciphertext',
    ],
    [
      'gives back other bytes',
      () => {
        const other = Buffer.alloc(32).toString('base64')
        const ciphertext = `vault:v1:${Buffer.alloc(40).toString('base64')}`
        server.mood.answer = (_, response) =>
          response.writeHead(200).end(JSON.stringify({ data: { ciphertext, plaintext: other } }))
      },
      'does not give back what it wrapped',
    ],
    [
      'answers without end',
      () => {
        server.mood.answer = (_, response) => {
          response.writeHead(200)
          const more = () => {
            while (response.write('x'.repeat(16_384)));
            response.once('drain', more)
          }
          more()
        }
      },
      'answered more than 65536 bytes',
    ],
    [
      'breaks off',
      () => {
        server.mood.answer = (_, response) => response.destroy()
      },
      'cannot be reached (ECONNRESET)',
    ],
    [
      'is silent',
      () => {
        server.mood.answer = () => {}
      },
      'did not answer within 0.3 s',
    ],
    [
      'answers a byte at a time',
      () => {
        server.mood.answer = (_, response) => {
          response.writeHead(200)
          const timer = setInterval(() => response.write(' '), 50)
          response.on('close', () => clearInterval(timer))
        }
      },
      'did not answer within 0.3 s',
    ],
  ]
  test.each(wrong)('because it %s: a problem that names no secret', async (_, make, sentence) => {
    make()
    const problem = await faultOf(by({ timeoutMs: 300 }).wrap(dataKey))
    expect([problem.code, problem.retryAfterSeconds]).toEqual(['key-encryption-unavailable', 5])
    expect(problem.detail).toContain(`the transit engine ${sentence}`)
    const told = `${problem.stack} ${JSON.stringify(problem)} ${String(problem.cause)}`
    for (const secret of [TOKEN, Buffer.from(dataKey).toString('base64'), server.url])
      expect(told).not.toContain(secret)
  })

  test('because nobody listens: a problem', async () => {
    const kek = by()
    await server.close()
    expect((await faultOf(kek.wrap(dataKey))).detail).toContain('cannot be reached (ECONNREFUSED)')
  })

  test.each<[string, () => string, string]>([
    [
      'cannot be read',
      () => {
        throw new Error(`ENOENT ${TOKEN}`)
      },
      'cannot be read',
    ],
    ['is empty', () => '', 'does not hold one'],
    ['holds two lines', () => `${TOKEN}\n${TOKEN}`, 'does not hold one'],
  ])('because the file of its token %s: a problem, and no request', async (_, token, sentence) => {
    const problem = await faultOf(by({ token }).wrap(dataKey))
    expect(problem.detail).toContain(sentence)
    expect(problem.detail).not.toContain(TOKEN)
    expect(server.requests).toEqual([])
  })
})

test('over TLS it is believed by the roots of the settings, and by no others', async () => {
  const { key, cert: authorities } = await selfSigned()
  const secure = await transitServer({ tls: { key, cert: authorities } })
  const kek = by({ url: secure.url, authorities })
  expect(await kek.unwrap(await kek.wrap(dataKey))).toEqual(dataKey)
  const strange = await faultOf(by({ url: secure.url }).wrap(dataKey))
  expect(strange.detail).toContain('cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT)')
  await secure.close()
})

describe('data keys that were unwrapped lately', () => {
  test('are known for a minute, and asked for once however many want them', async () => {
    let at = 0
    const kek = keyEncryptionRemembered(by(), () => at)
    const wrapped = await kek.wrap(dataKey)
    const before = server.requests.length
    const all = await Promise.all([1, 2, 3].map(() => kek.unwrap(wrapped)))
    // Whoever wipes what he was given wipes his own.
    all[0]?.fill(0)
    expect(await kek.unwrap(wrapped)).toEqual(dataKey)
    expect(server.requests.length - before).toBe(1)
    at = 60_000
    server.mood.sealed = true
    expect((await faultOf(kek.unwrap(wrapped))).detail).toContain('sealed')
    server.mood.sealed = false
    expect(await kek.unwrap(wrapped)).toEqual(dataKey)
  })
})
