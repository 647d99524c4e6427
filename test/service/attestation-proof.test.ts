/** A proof says exactly what it must, signed by the key that came with it, and nothing more. */
import { CompactSign } from 'jose'
import { describe, expect, test } from 'vitest'
import { assertProof } from '#src/service/attestation-proof.ts'
import { bornKeys } from '../../enclave/attestation.ts'

const { sig } = await bornKeys()
const said = { nonce: 'n', bodySha256: 'b', htu: 'https://verifier.example/v1/attestations' }
const usual = { alg: 'ES256', typ: 'vouchsafe-proof+jwt' }

async function proof(payload: object = said, header: object = usual): Promise<string> {
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'ES256', ...header })
    .sign(sig.privateKey)
}
const judged = (text: string, jwk = sig.publicKey) => assertProof(text, { ...said, jwk })

test('a proof is taken', async () => expect(judged(await proof())).toBeUndefined())

describe('refused is a proof', () => {
  test.each<[string, () => Promise<string>, string]>([
    ['of another typ', () => proof(said, { typ: 'dpop+jwt' }), 'its header'],
    ['without typ', () => proof(said, { typ: undefined }), 'its header'],
    ['with a key in its header', () => proof(said, { ...usual, jwk: sig.publicKey }), 'its header'],
    ['with a further claim', () => proof({ ...said, aud: 'x' }), 'its payload'],
    ['without htu', () => proof({ nonce: 'n', bodySha256: 'b' }), 'its payload'],
    ['of another nonce', () => proof({ ...said, nonce: 'm' }), 'its nonce'],
    ['of another body', () => proof({ ...said, bodySha256: 'c' }), 'its bodySha256'],
    ['of another address', () => proof({ ...said, htu: 'https://x' }), 'its htu'],
    ['that is not JSON inside', () => raw('not json'), 'not a compact JWS'],
    ['with padding', async () => `${await proof()}=`, 'not a compact JWS'],
    ['with a fourth part', async () => `${await proof()}.`, 'not a compact JWS'],
    ['whose signature is cut', async () => (await proof()).slice(0, -8), 'not a compact JWS'],
  ])('%s', async (_, made, says) => {
    const text = await made()
    expect(() => judged(text)).toThrow(says)
  })

  test('that another key signed', async () => {
    const text = await proof()
    const other = (await bornKeys()).sig.publicKey
    expect(() => judged(text, other)).toThrow('not a compact JWS')
  })

  test.each([
    ['no point of the curve', { y: sig.publicKey.x }],
    ['longer than a coordinate', { x: `AA${sig.publicKey.x}` }],
    ['another spelling of one', { x: `${sig.publicKey.x}=` }],
  ])('for a key that is %s', async (_, change) => {
    const text = await proof()
    expect(() => judged(text, { ...sig.publicKey, ...change })).toThrow('not a point on P-256')
  })
})

async function raw(payload: string): Promise<string> {
  return await new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader(usual)
    .sign(sig.privateKey)
}
