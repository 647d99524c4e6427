/** Does the HPKE of Go's standard library open our envelopes, and do we open what it seals? */
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { fromBase64Url, toBase64Url } from '#src/bytes/encoding.ts'
import type { PublicKey } from '#src/rats/public-key.ts'
import { hpkeOpen } from '#src/seal/hpke.ts'
import { type SealedRelease, sealRelease } from '#src/seal/release-envelope.ts'
import { goHpke } from './go-hpke.ts'

const { missing, ask } = goHpke()
const names: SealedRelease = {
  issuer: 'https://attest.example',
  release: '00000000-0000-4000-8000-000000000001',
  at: new Date('2026-06-01T00:00:00Z'),
  resource: 'secret:db-ro',
  version: 12,
  token: '0b6e4f0c-0000-4000-8000-000000000002',
  policy: `sha256:${'ab'.repeat(32)}`,
  proof: 'chosen by the agent',
  lease: {
    expiresAt: new Date('2026-06-01T00:05:00Z'),
    renewBy: new Date('2026-06-01T00:03:20Z'),
  },
  logLeaf: 'cd'.repeat(32),
}

describe.skipIf(missing)(`Go${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test('opens our envelopes, whatever their size', async () => {
    const sizes = [1, 32, 4096, 64 * 1024]
    const made = await Promise.all(sizes.map(async (size) => await envelopeOf(size)))
    const answers = ask(made.map(({ question }) => question))
    expect(answers.map(({ error }) => error)).toEqual(sizes.map(() => ''))
    expect(answers.map(({ secret }) => secret)).toEqual(
      made.map(({ secret }) => toBase64Url(secret)),
    )
  })

  test('opens none for another key, nor one of which the AAD is another', async () => {
    const [one, other] = [await envelopeOf(32), await envelopeOf(32)]
    const changed = await envelopeOf(32, { version: 13 })
    const answers = ask([
      { ...one.question, d: other.question.d },
      { ...one.question, x: other.question.x, y: other.question.y },
      changed.question,
    ])
    expect(answers.map(({ error, secret }) => [error !== '', secret])).toEqual([
      [true, ''],
      [true, ''],
      [true, ''],
    ])
  })

  test('seals what we open', async () => {
    const { privateKey, publicKey } = await bornKey()
    const [x, y] = [fromBase64Url(publicKey.x), fromBase64Url(publicKey.y)]
    if (!x || !y) throw new Error('no point')
    const [info, aad, plaintext] = ['info', 'aad', 'from Go'].map((text) => Buffer.from(text))
    if (!info || !aad || !plaintext) throw new Error('no text')
    const [answer] = ask([
      {
        recipient: toBase64Url(Buffer.concat([Buffer.of(4), x, y])),
        info: toBase64Url(info),
        aad: toBase64Url(aad),
        plaintext: toBase64Url(plaintext),
      },
    ])
    const [enc, ct] = [fromBase64Url(answer?.enc ?? ''), fromBase64Url(answer?.ct ?? '')]
    if (!enc || !ct) throw new Error(answer?.error)
    const opened = await hpkeOpen({ privateKey, publicKey }, { enc, ct }, { info, aad })
    expect(new TextDecoder().decode(opened)).toBe('from Go')
  })
})

/** `claims`: changed after sealing, and signed all the same. */
async function envelopeOf(size: number, claims: Readonly<Record<string, unknown>> = {}) {
  const signer = await generateKeyPair('ES256', { extractable: true })
  const { x = '', y = '' } = await exportJWK(signer.publicKey)
  const { privateKey, publicKey } = await bornKey()
  const { d = '' } = await exportJWK(privateKey)
  const secret = new Uint8Array(size).map((_, at) => at % 251)
  const envelope = await sealRelease(names, secret, {
    recipient: publicKey,
    sign: async (typ, sealed) =>
      await new CompactSign(new TextEncoder().encode(JSON.stringify({ ...sealed, ...claims })))
        .setProtectedHeader({ alg: 'ES256', kid: 'k', typ })
        .sign(signer.privateKey),
  })
  return { secret, question: { envelope, x, y, d } }
}

async function bornKey() {
  const { privateKey, publicKey } = await generateKeyPair('ECDH-ES', {
    crv: 'P-256',
    extractable: true,
  })
  const { x = '', y = '' } = await exportJWK(publicKey)
  const jwk: PublicKey = { kty: 'EC', crv: 'P-256', x, y }
  return { privateKey, publicKey: jwk }
}
