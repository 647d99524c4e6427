/** Is a lease longer only where its issuer says so, of this release and in answer to this very question? Each case changes one thing. */
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  type ExpectedStatement,
  openLeaseStatement,
  type RenewedLease,
  stateLease,
} from '#src/seal/lease-statement.ts'
import { EnvelopeRefused } from '#src/seal/release-envelope.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const renewed: RenewedLease = {
  issuer: 'https://attest.example',
  release: '00000000-0000-4000-8000-000000000001',
  at: AT,
  resource: 'secret:db-ro',
  version: 3,
  token: 'jti of the token',
  policy: 'sha256:aa',
  proof: 'jti of the proof',
  lease: {
    expiresAt: new Date('2026-06-01T00:05:00.900Z'),
    renewBy: new Date('2026-06-01T00:03:20.600Z'),
  },
}

let service: Signer
let tokenKey: Signer

beforeAll(async () => {
  service = await signer('service', 'vouchsafe-release')
  tokenKey = await signer('tokens', 'sig')
})

test('a statement opens for whom it was made, with a lease in whole seconds', async () => {
  expect(await openLeaseStatement(await stated(), expected())).toEqual({
    expiresAt: new Date('2026-06-01T00:05:00Z'),
    renewBy: new Date('2026-06-01T00:03:20Z'),
  })
})

test('it has exactly these members', async () => {
  const [header, payload] = (await stated()).split('.').slice(0, 2).map(jsonOf)
  const iat = AT.getTime() / 1000
  expect(header).toEqual({ alg: 'ES256', kid: 'service', typ: 'vouchsafe-lease+jwt' })
  const { release, resource, version, token, policy, proof } = renewed
  expect(payload).toEqual({
    ...{ iss: renewed.issuer, iat, exp: iat + 60, release, resource, version },
    ...{ token, policy, proof, lease: { exp: iat + 300, renew: iat + 200 } },
  })
})

describe('an agent refuses a statement', () => {
  test.each<[string, Partial<ExpectedStatement>, RegExp]>([
    ['of another issuer', { issuer: 'https://other.example' }, /its iss is/],
    ['of another release', { release: 'another' }, /its release is/],
    ['of another resource', { resource: 'secret:other' }, /its resource is/],
    ['of another version', { version: 2 }, /its version is/],
    ['for another token', { token: 'another' }, /its token is/],
    ['for another proof', { proof: 'another' }, /its proof is/],
    ['that is over', { at: new Date(AT.getTime() + 121_000) }, /it holds from/],
    ['that is yet to come', { at: new Date(AT.getTime() - 61_000) }, /it holds from/],
    ['of an issuer without keys', { keys: [] }, /no key of the pinned issuer/],
  ])('%s', async (_, change, says) => {
    await expect(openLeaseStatement(await stated(), { ...expected(), ...change })).rejects.toThrow(
      says,
    )
  })

  test('that a stranger signed, or a key for tokens', async () => {
    for (const by of [await signer('service', 'vouchsafe-release'), tokenKey])
      await expect(openLeaseStatement(await stated(by), expected())).rejects.toThrow(
        'no key of the pinned issuer',
      )
  })

  test.each(['vouchsafe-release+jwt', 'at+jwt', 'JWT'])('of typ %s', async (typ) => {
    const claims = jsonOf((await stated()).split('.')[1] ?? '')
    const signed = await service.sign(typ, claims)
    await expect(openLeaseStatement(signed, expected())).rejects.toThrow(
      'no key of the pinned issuer',
    )
  })

  test.each([
    ['a further member', { aud: 'x' }],
    ['no lease', { lease: undefined }],
    ['a lease in text', { lease: { exp: '2099-01-01T00:00:00Z', renew: 1 } }],
  ])('that says %s', async (_, change) => {
    const claims = jsonOf((await stated()).split('.')[1] ?? '')
    const signed = await service.sign('vouchsafe-lease+jwt', { ...claims, ...change })
    await expect(openLeaseStatement(signed, expected())).rejects.toThrow('does not say what')
  })

  test('of which any part was changed, or that is too long', async () => {
    const statement = await stated()
    // But the last letter, which has four bits that nothing reads.
    for (let at = 0; at < statement.length - 1; at += 7) {
      const letter = statement[at] === 'A' ? 'B' : 'A'
      const changed = `${statement.slice(0, at)}${letter}${statement.slice(at + 1)}`
      await expect(openLeaseStatement(changed, expected()), `at ${at}`).rejects.toThrow(
        EnvelopeRefused,
      )
    }
    await expect(openLeaseStatement('a'.repeat(20_000), expected())).rejects.toThrow('too long')
  })
})

interface Signer {
  readonly sign: (typ: string, claims: Readonly<Record<string, unknown>>) => Promise<string>
  readonly jwk: Readonly<Record<string, unknown>>
}

async function signer(kid: string, use: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, use, alg: 'ES256' },
    sign: async (typ, claims) =>
      await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader({ alg: 'ES256', kid, typ })
        .sign(privateKey),
  }
}

async function stated(by = service): Promise<string> {
  return await stateLease(renewed, by.sign)
}

function expected(): ExpectedStatement {
  const { issuer, release, resource, version, token, proof } = renewed
  const keys = [tokenKey.jwk, service.jwk]
  return { keys, issuer, release, resource, version, token, proof, at: AT }
}

function jsonOf(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}
