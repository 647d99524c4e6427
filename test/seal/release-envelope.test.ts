/** Does an agent take a secret only from its issuer, for its own request? Each case changes one thing. */
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { toBase64Url } from '#src/bytes/encoding.ts'
import type { PublicKey } from '#src/rats/public-key.ts'
import { hpkeSeal } from '#src/seal/hpke.ts'
import {
  EnvelopeRefused,
  type ExpectedRelease,
  openRelease,
  type SealedRelease,
  sealRelease,
} from '#src/seal/release-envelope.ts'
import { type AgentKey, bornKeys } from '../../enclave/attestation.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const secret = new TextEncoder().encode('the secret')
const names: SealedRelease = {
  issuer: 'https://attest.example',
  release: '00000000-0000-4000-8000-000000000001',
  at: AT,
  resource: 'secret:db-ro',
  version: 3,
  token: 'jti of the token',
  policy: 'sha256:aa',
  proof: 'jti of the proof',
  // Rounded down, so that nobody who reads it uses it for longer.
  lease: {
    expiresAt: new Date('2026-06-01T00:05:00.900Z'),
    renewBy: new Date('2026-06-01T00:03:20.600Z'),
  },
  logLeaf: '1f'.repeat(32),
}
const lease = {
  expiresAt: new Date('2026-06-01T00:05:00Z'),
  renewBy: new Date('2026-06-01T00:03:20Z'),
}

let agent: AgentKey
let other: AgentKey
let service: Signer
let tokenKey: Signer

beforeAll(async () => {
  agent = (await bornKeys()).enc
  other = (await bornKeys()).enc
  service = await signer('service', 'vouchsafe-release')
  tokenKey = await signer('tokens', 'sig')
})

describe('an envelope', () => {
  test('opens for whom it was sealed, and says what it is', async () => {
    const { resource, version, token, policy, proof, release } = names
    expect(await openRelease(await sealed(), expected())).toEqual({
      resource,
      version,
      token,
      policy,
      proof,
      release,
      lease,
      logLeaf: names.logLeaf,
      secret,
    })
  })

  test('of an operation has no lease', async () => {
    const sign = service.sign
    const envelope = await sealRelease({ ...names, lease: undefined }, secret, {
      recipient: agent.publicKey,
      sign,
    })
    expect(jsonOf(envelope.split('.')[1] ?? '')).not.toHaveProperty('lease')
    expect((await openRelease(envelope, expected())).lease).toBeUndefined()
  })

  test('has exactly these members', async () => {
    const [header, payload] = (await sealed()).split('.').slice(0, 2).map(jsonOf)
    expect(header).toEqual({ alg: 'ES256', kid: 'service', typ: 'vouchsafe-release+jwt' })
    expect(payload).toEqual({
      iss: names.issuer,
      iat: AT.getTime() / 1000,
      exp: AT.getTime() / 1000 + 60,
      jti: names.release,
      resource: 'secret:db-ro',
      version: 3,
      token: names.token,
      policy: 'sha256:aa',
      proof: names.proof,
      enc_jkt: agent.thumbprint,
      lease: { exp: lease.expiresAt.getTime() / 1000, renew: lease.renewBy.getTime() / 1000 },
      att_log: { leaf: names.logLeaf },
      hpke: { enc: expect.stringMatching(/^[\w-]{87}$/), ct: expect.any(String) },
    })
  })
})

describe('an agent refuses an envelope', () => {
  test.each<[string, Partial<ExpectedRelease>, RegExp]>([
    ['of another issuer', { issuer: 'https://other.example' }, /its iss is/],
    ['of another resource', { resource: 'secret:other' }, /its resource is/],
    ['for another token', { token: 'another' }, /its token is/],
    ['for another proof', { proof: 'another' }, /its proof is/],
    ['of a version before the one it needs', { minimumVersion: 4 }, /version 3, and at least 4/],
    ['that is over', { at: new Date(AT.getTime() + 121_000) }, /it holds from/],
    ['that is yet to come', { at: new Date(AT.getTime() - 61_000) }, /it holds from/],
    ['of an issuer without keys', { keys: [] }, /no key of the pinned issuer/],
  ])('%s', async (_, change, says) => {
    await expect(openRelease(await sealed(), { ...expected(), ...change })).rejects.toThrow(says)
  })

  test('that somebody else sealed and signed, under the key id of the issuer', async () => {
    const stranger = await signer('service', 'vouchsafe-release')
    await expect(openRelease(await sealed({ by: stranger }), expected())).rejects.toThrow(
      'no key of the pinned issuer',
    )
  })

  test('that a key for tokens signed', async () => {
    await expect(openRelease(await sealed({ by: tokenKey }), expected())).rejects.toThrow(
      'no key of the pinned issuer',
    )
  })

  test('of which what is sealed is somebody else’s, though all of it is about this request', async () => {
    const claims = jsonOf((await sealed()).split('.')[1] ?? '')
    const mallory = await hpkeSeal(agent.publicKey, secret, {
      info: new TextEncoder().encode('vouchsafe/release/v1'),
      aad: new Uint8Array(),
    })
    const hpke = { enc: toBase64Url(mallory.enc), ct: toBase64Url(mallory.ct) }
    const envelope = await service.sign('vouchsafe-release+jwt', { ...claims, hpke })
    await expect(openRelease(envelope, expected())).rejects.toThrow('does not open')
  })

  test('for another key than its own', async () => {
    await expect(openRelease(await sealed({ to: other.publicKey }), expected())).rejects.toThrow(
      /its enc_jkt is/,
    )
    const claims = jsonOf((await sealed({ to: other.publicKey })).split('.')[1] ?? '')
    const forged = await service.sign('vouchsafe-release+jwt', {
      ...claims,
      enc_jkt: agent.thumbprint,
    })
    await expect(openRelease(forged, expected())).rejects.toThrow('does not open')
  })

  test.each([
    ['a further member', { aud: 'x' }],
    ['no version', { version: undefined }],
    ['a version that is no number', { version: '3' }],
    ['no leaf of the log', { att_log: undefined }],
    ['a lease without an end', { lease: { renew: 1 } }],
    ['a lease that never ends', { lease: { exp: Number.MAX_SAFE_INTEGER, renew: 1 } }],
  ])('that says %s', async (_, change) => {
    const claims = jsonOf((await sealed()).split('.')[1] ?? '')
    const envelope = await service.sign('vouchsafe-release+jwt', { ...claims, ...change })
    await expect(openRelease(envelope, expected())).rejects.toThrow('does not say what')
  })

  /** Signed anew, so that only the AAD can notice. */
  test.each([
    ['resource', 'secret:other'],
    ['version', 4],
    ['token', 'another'],
    ['policy', 'sha256:bb'],
    ['proof', 'another'],
  ])('of which the %s is not what was sealed', async (name, value) => {
    const claims = jsonOf((await sealed()).split('.')[1] ?? '')
    const envelope = await service.sign('vouchsafe-release+jwt', { ...claims, [name]: value })
    const asked = { ...expected(), ...(name in expected() && { [name]: value }) }
    await expect(openRelease(envelope, asked)).rejects.toThrow('does not open')
  })

  test.each(['JWT', 'at+jwt', 'vouchsafe-lease+jwt'])(
    'whose typ is that of something else: %s',
    async (typ) => {
      const claims = jsonOf((await sealed()).split('.')[1] ?? '')
      await expect(openRelease(await service.sign(typ, claims), expected())).rejects.toThrow(
        'no key of the pinned issuer',
      )
    },
  )

  test('of which any part was changed', async () => {
    const envelope = await sealed()
    // But the last letter, which has four bits that nothing reads.
    for (let at = 0; at < envelope.length - 1; at += 7) {
      const letter = envelope[at] === 'A' ? 'B' : 'A'
      const changed = `${envelope.slice(0, at)}${letter}${envelope.slice(at + 1)}`
      await expect(openRelease(changed, expected()), `at ${at}`).rejects.toThrow(EnvelopeRefused)
    }
  })

  test('without a word of what was sealed', async () => {
    const asked = { ...expected(), recipient: other, proof: names.proof }
    const refused = await openRelease(await sealed(), asked).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(EnvelopeRefused)
    expect(JSON.stringify(refused, Object.getOwnPropertyNames(refused))).not.toContain('the secret')
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

async function sealed({
  by = service,
  to = agent.publicKey,
}: {
  readonly by?: Signer
  readonly to?: PublicKey
} = {}) {
  return await sealRelease(names, secret, { recipient: to, sign: by.sign })
}

function expected(): ExpectedRelease {
  const { issuer, resource, token, proof } = names
  const keys = [tokenKey.jwk, service.jwk]
  return { keys, issuer, resource, token, proof, recipient: agent, at: AT }
}

function jsonOf(part: string): Readonly<Record<string, unknown>> {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}
