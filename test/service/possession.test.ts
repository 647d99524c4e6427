/** Who may present a token of possession, and which tokens are none? Proofs have a file of their own. */
import { generateKeyPairSync } from 'node:crypto'
import { SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { problemResponse } from '#src/http/problem-response.ts'
import { Problem } from '#src/problems.ts'
import { provePossession } from '#src/service/possession.ts'
import { signJwt, signToken } from '#src/token/issuer.ts'
import { attestAt } from '../http/attempt.ts'
import { AT, get } from '../http/running-service.ts'
import { changed, PATH, presenting, sha256, tokenRefused, unsecured } from './presenting.ts'

const scene = presenting()

describe('the holder of token and key', () => {
  test('is told apart by what was kept when the token was issued', async () => {
    expect(await scene.prove()).toMatchObject({
      tenant: { name: 'default' },
      issuer: { url: scene.service.simulated },
      record: {
        jti: scene.jti,
        form: 'possession',
        audience: 'kms.example',
        jkt: scene.keys.sig.thumbprint,
      },
      encryptionJkt: scene.keys.enc.thumbprint,
    })
  })

  test.each([
    ['a query in htu', { htu: `${'URL'}${PATH}?x=1` }],
    ['a fragment in htu', { htu: `${'URL'}${PATH}#x` }],
    ['an upper-case host in htu', { htu: `HTTP://127.0.0.1:PORT${PATH}` }],
    ['further claims', { nonce: 'n', extra: { a: 1 } }],
    ['an iat a minute ago', { iat: AT.getTime() / 1000 - 60 }],
    ['an iat a minute ahead', { iat: AT.getTime() / 1000 + 60 }],
  ])('may bring a proof with %s', async (_, claims) => {
    const text = JSON.stringify(claims)
      .replace('URL', scene.service.url)
      .replace('PORT', new URL(scene.service.url).port)
    expect(
      await scene.prove({ proof: await scene.proof({ claims: JSON.parse(text) }) }),
    ).toBeDefined()
  })

  test('may say more about its public key', async () => {
    const jwk = { ...scene.keys.sig.publicKey, alg: 'ES256', use: 'sig', kid: 'mine' }
    expect(await scene.prove({ proof: await scene.proof({ header: { jwk } }) })).toBeDefined()
  })

  test('proves a body as well', async () => {
    const bodySha256 = sha256('{}')
    expect(
      await scene.prove({ bodySha256, proof: await scene.proof({ claims: { bodySha256 } }) }),
    ).toBeDefined()
  })
})

describe('a token is refused', () => {
  const presenting = async (presented: string) =>
    await scene.prove({
      token: presented,
      proof: await scene.proof({ claims: { ath: sha256(presented) } }),
    })

  test('when there is none', async () => {
    await expect(scene.prove({ token: undefined })).rejects.toMatchObject({
      code: 'possession-required',
    })
  })

  test.each<[string, () => Promise<string> | string, string]>([
    [
      'that is still encrypted',
      async () => (await attestAt(scene.service)).json.tokens[0].token,
      'opened first',
    ],
    ['that is no JWT', () => 'token', 'opened first'],
    ['of which one bit was changed', () => changed(scene.token), 'no key of this service'],
    ['of another typ', () => resigned({ typ: 'JWT' }, {}), 'not a token of possession'],
    ['of another algorithm', () => unsecured(scene.token), 'not a token of possession'],
    [
      'with more in its header',
      () => resigned({ jku: 'https://x' }, {}),
      'not a token of possession',
    ],
    ['that somebody else signed under our name', () => resigned({}, {}), 'no key of this service'],
    ['of an issuer that is not here', () => resigned({}, { iss: 'https://x.example' }), 'no key'],
    ['without its key', () => resigned({}, { cnf: {} }), 'lacks'],
    ['that never ends', () => resigned({}, { exp: undefined }), 'lacks'],
  ])('%s', async (_, made, says) => {
    const presented = await made()
    await expect(presenting(presented)).rejects.toEqual(tokenRefused(says))
  })

  test.each([
    [239, undefined],
    [240, 'it ended at'],
  ])('after its end: %i s', async (seconds, says) => {
    const at = new Date(AT.getTime() + seconds * 1000)
    const asked = scene.prove(
      { proof: await scene.proof({ claims: { iat: at.getTime() / 1000 } }) },
      at,
    )
    if (says === undefined) expect(await asked).toBeDefined()
    else await expect(asked).rejects.toEqual(tokenRefused(says))
  })

  test('for another audience, where only this service’s names count', async () => {
    await expect(scene.prove({ audiences: [scene.service.url] })).rejects.toEqual(
      tokenRefused('it is for kms.example'),
    )
    await expect(
      provePossession(
        scene.service.verifier,
        { token: scene.token, proof: await scene.proof(), method: 'POST', url: `https://x${PATH}` },
        { at: AT },
      ),
    ).rejects.toEqual(tokenRefused('it is for kms.example'))
    expect(await scene.prove({ audiences: ['kms.example'] })).toBeDefined()
  })

  test('when it was revoked', async () => {
    const { store } = scene.service.verifier
    const { revocationLeaf } = await import('#src/service/log-leaves.ts')
    const revocation = { at: AT, reason: 'operator', detail: 'lost', by: 'otto' } as const
    await store.revokeTokens([scene.jti], revocation, (each) =>
      revocationLeaf(each, revocation, scene.service.verifier.random),
    )
    await expect(scene.prove()).rejects.toEqual(tokenRefused('it was revoked at'))
  })

  test.each<[string, 'default' | 'acme', Readonly<Record<string, unknown>>]>([
    ['another audience', 'default', { aud: 'other.example' }],
    ['a later end', 'default', { exp: AT.getTime() / 1000 + 100_000 }],
    ['another issuer of this service', 'acme', {}],
    ['an id that was never given', 'default', { jti: '00000000-0000-4000-8000-000000000000' }],
  ])('that a stolen key of ours signed with %s', async (_, tenant, change) => {
    const { issuers } = scene.service.verifier.tenants.get(tenant) ?? {}
    const issuer = tenant === 'acme' ? issuers?.hardware : issuers?.simulated
    if (!issuer) throw new Error('no such issuer')
    const payload = JSON.parse(
      Buffer.from(scene.token.split('.')[1] ?? '', 'base64url').toString('utf8'),
    )
    const presented = await signToken(issuer, {
      form: 'possession',
      claims: { ...payload, iss: issuer.url, ...change },
      at: AT,
    })
    await expect(presenting(presented)).rejects.toEqual(tokenRefused('no record'))
  })

  test.each(['at+jwt', 'vouchsafe-release+jwt'])(
    'that a key for envelopes signed, with the typ %s',
    async (typ) => {
      const { issuers } = scene.service.verifier.tenants.get('default') ?? {}
      const key = issuers?.simulated?.signer('release', AT)
      if (!key) throw new Error('no such issuer')
      const payload = JSON.parse(
        Buffer.from(scene.token.split('.')[1] ?? '', 'base64url').toString('utf8'),
      )
      await expect(presenting(await signJwt(key, typ, payload))).rejects.toEqual(
        tokenRefused(typ === 'at+jwt' ? 'no key of this service' : 'not a token of possession'),
      )
    },
  )

  test('when this service has no record of it', async () => {
    const store = { ...scene.service.verifier.store, findToken: async () => undefined }
    await expect(
      provePossession(
        { ...scene.service.verifier, store },
        {
          token: scene.token,
          proof: await scene.proof(),
          method: 'POST',
          url: `https://x${PATH}`,
          audiences: 'any',
        },
        { at: AT },
      ),
    ).rejects.toEqual(tokenRefused('no record'))
  })
})

describe('over HTTP a refusal is called', () => {
  const asked = async (headers: Readonly<Record<string, string>>) =>
    await get(`${scene.service.url}/v1/appraisals/none`, headers)

  test.each([
    ['invalid_token', 'DPoP x', 'x'],
    ['invalid_dpop_proof', 'DPoP TOKEN', 'x'],
  ])('%s, as the standard has it', async (error, authorization, dpop) => {
    const { status, headers } = await asked({
      authorization: authorization.replace('TOKEN', scene.token),
      dpop,
    })
    expect([status, headers.get('www-authenticate')]).toEqual([
      401,
      `DPoP realm="vouchsafe", error="${error}", algs="ES256"`,
    ])
  })

  test('nothing, where no token was presented', () => {
    const { headers } = problemResponse(new Problem('possession-required', 'x'), 'id')
    expect(headers.get('www-authenticate')).toBe('DPoP realm="vouchsafe", algs="ES256"')
  })
})

/** The same claims under a stranger's key, which says that it is ours. */
async function resigned(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const [own = '', payload = ''] = scene.token.split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return await new SignJWT(JSON.parse(JSON.stringify({ ...read(payload), ...claims })))
    .setProtectedHeader({ ...read(own), ...header })
    .sign(privateKey)
}
