/** RFC 9449 section 4.3, rule by rule: each is here as a proof that lacks nothing else. Rule 10 is about a nonce, which this service does not ask for. */
import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { bornKeys, openTokens } from '../../enclave/attestation.ts'
import { attestAt } from '../http/attempt.ts'
import { AT } from '../http/running-service.ts'
import { changed, PATH, presenting, proofRefused, sha256, unsecured } from './presenting.ts'

const scene = presenting()

describe('RFC 9449 section 4.3 refuses a proof', () => {
  test.each<[string, () => Promise<string>, string]>([
    [
      '1: that is one of two',
      async () => `${await scene.proof()}, ${await scene.proof()}`,
      'one compact JWT',
    ],
    ['2: that is no JWT', async () => 'x.y', 'one compact JWT'],
    ['2: with padding', async () => `${await scene.proof()}=`, 'one compact JWT'],
    [
      '2: of any length',
      async () => scene.proof({ claims: { pad: 'x'.repeat(4096) } }),
      'one compact JWT',
    ],
    ...['jti', 'htm', 'htu', 'iat', 'ath'].map((name): [string, () => Promise<string>, string] => [
      `3: without ${name}`,
      async () => scene.proof({ claims: { [name]: undefined } }),
      `${name} is missing`,
    ]),
    [
      '3: with a jti that is no text',
      async () => scene.proof({ claims: { jti: 'a\ud800' } }),
      'jti is',
    ],
    ['3: with an empty jti', async () => scene.proof({ claims: { jti: '' } }), 'jti is missing'],
    [
      '3: with a jti of 257',
      async () => scene.proof({ claims: { jti: 'x'.repeat(257) } }),
      'jti is',
    ],
    ['4: of another typ', async () => scene.proof({ header: { typ: 'JWT' } }), 'typ is not'],
    ['5: that is unsecured', async () => unsecured(await scene.proof()), 'alg is not'],
    ['5: under a shared secret', async () => symmetric(), 'alg is not'],
    [
      '6: whose key did not sign it',
      async () => scene.proof({ key: (await bornKeys()).sig.privateKey }),
      'own key did not sign',
    ],
    ['6: that was changed', async () => changed(await scene.proof()), 'own key did not sign'],
    ['7: with the private key', async () => withPrivateKey(), 'further member of jwk'],
    ['7: without a key', async () => scene.proof({ header: { jwk: undefined } }), 'jwk is not'],
    ['8: for another method', async () => scene.proof({ claims: { htm: 'GET' } }), 'htm'],
    [
      '8: for a method in other letters',
      async () => scene.proof({ claims: { htm: 'post' } }),
      'htm',
    ],
    [
      '9: for another path',
      async () => scene.proof({ claims: { htu: `${scene.service.url}/v1/other` } }),
      'htu',
    ],
    [
      '9: for the host that the sender chose',
      async () => scene.proof({ claims: { htu: `https://chosen-by-the-sender.example${PATH}` } }),
      'htu',
    ],
    [
      '9: for a user at the host',
      async () =>
        scene.proof({ claims: { htu: `${scene.service.url.replace('//', '//u@')}${PATH}` } }),
      'htu',
    ],
    [
      '11: of 61 s ago',
      async () => scene.proof({ claims: { iat: AT.getTime() / 1000 - 61 } }),
      'iat',
    ],
    [
      '11: of 61 s ahead',
      async () => scene.proof({ claims: { iat: AT.getTime() / 1000 + 61 } }),
      'iat',
    ],
    [
      '12: for another token',
      async () => scene.proof({ claims: { ath: sha256(`${scene.token}x`) } }),
      'ath',
    ],
    ['12: by another key, properly signed', async () => byAnotherKey(), 'cnf.jkt'],
    [
      'and one with a header that is not looked at',
      async () => scene.proof({ header: { x5u: 'https://x' } }),
      'a further member',
    ],
    [
      'and one over a body, where there is none',
      async () => scene.proof({ claims: { bodySha256: sha256('') } }),
      'has no body',
    ],
  ])('%s', async (_, made, says) => {
    await expect(scene.prove({ proof: await made() })).rejects.toEqual(proofRefused(says))
  })

  test('that is missing', async () => {
    await expect(scene.prove({ proof: undefined })).rejects.toEqual(proofRefused('no DPoP header'))
  })

  test.each([
    ['another body', { bodySha256: sha256('{"a":1}') }],
    ['no body', {}],
  ])('over %s than came', async (_, claims) => {
    await expect(
      scene.prove({ bodySha256: sha256('{}'), proof: await scene.proof({ claims }) }),
    ).rejects.toEqual(proofRefused('bodySha256'))
  })

  test('section 11.1: that was used before', async () => {
    const once = await scene.proof()
    await scene.prove({ proof: once })
    await expect(scene.prove({ proof: once })).rejects.toEqual(proofRefused('used before'))
    await expect(scene.prove({ proof: once }, new Date(AT.getTime() + 59_000))).rejects.toEqual(
      proofRefused('used before'),
    )
  })

  test('section 11.1: whose jti was used before, in another proof; of fifty at once one wins', async () => {
    const claims = { jti: randomUUID() }
    const proofs = await Promise.all(Array.from({ length: 50 }, () => scene.proof({ claims })))
    const outcomes = await Promise.allSettled(proofs.map((each) => scene.prove({ proof: each })))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('section 11.1: and not because another key used that jti', async () => {
    const claims = { jti: randomUUID() }
    const { token: otherToken, keys: other } = await another()
    await scene.prove({
      token: otherToken,
      proof: await scene.proof({
        claims: { ...claims, ath: sha256(otherToken) },
        header: { jwk: { ...other.sig.publicKey } },
        key: other.sig.privateKey,
      }),
    })
    expect(await scene.prove({ proof: await scene.proof({ claims }) })).toBeDefined()
  })

  test('section 11.1: that was used before, for as long as it could be used again', async () => {
    const early = await scene.proof({ claims: { iat: AT.getTime() / 1000 + 60 } })
    await scene.prove({ proof: early })
    const last = new Date(AT.getTime() + 120_000)
    await scene.service.verifier.store.pruneTokens(last)
    await expect(scene.prove({ proof: early }, last)).rejects.toEqual(proofRefused('used before'))
  })

  test('without using up its jti', async () => {
    const claims = { jti: randomUUID() }
    await expect(
      scene.prove({ proof: await scene.proof({ claims: { ...claims, htm: 'GET' } }) }),
    ).rejects.toThrow()
    expect(await scene.prove({ proof: await scene.proof({ claims }) })).toBeDefined()
  })
})

async function another() {
  const other = await bornKeys()
  const { json } = await attestAt(scene.service, { keys: other })
  return { token: (await openTokens(json, other))[0]?.token ?? 'none', keys: other }
}

async function byAnotherKey(): Promise<string> {
  const { sig } = await bornKeys()
  return await scene.proof({ header: { jwk: { ...sig.publicKey } }, key: sig.privateKey })
}

async function withPrivateKey(): Promise<string> {
  const pair = await generateKeyPair('ES256', { extractable: true })
  return await scene.proof({
    header: { jwk: await exportJWK(pair.privateKey) },
    key: pair.privateKey,
  })
}

async function symmetric(): Promise<string> {
  const header = { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } }
  return await scene.proof({ header, key: new Uint8Array(32).fill(1) })
}
