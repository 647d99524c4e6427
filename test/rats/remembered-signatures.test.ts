/** A signature that was found genuine is not verified again; any other key, message or signature is. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { ecdsaP384Sha384 as scheme } from '#src/pki/scheme.ts'
import {
  rememberedSignatures,
  type SignatureQuestion,
  verifySignature,
} from '#src/rats/signature-answers.ts'

const [signer, other] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-384' }))
if (!signer || !other) throw new Error('there are no keys')
const message = new TextEncoder().encode('a report')
const signed = (text: Uint8Array) => new Uint8Array(sign('sha384', text, signer.privateKey))
const genuine: SignatureQuestion = {
  scheme,
  key: signer.publicKey,
  message,
  signature: signed(message),
}

function counting(most: number) {
  const asked: SignatureQuestion[] = []
  const verify = rememberedSignatures(most, (question) => {
    asked.push(question)
    return verifySignature(question)
  })
  return { verify, asked }
}

test('what is genuine is verified once', () => {
  const { verify, asked } = counting(100)
  const copies = { ...genuine, message: message.slice(), signature: genuine.signature.slice() }
  expect([verify(genuine), verify(genuine), verify(copies)]).toEqual([true, true, true])
  expect(asked).toHaveLength(1)
})

test.each<[string, Partial<SignatureQuestion>]>([
  ['another key', { key: other.publicKey }],
  ['another message', { message: new TextEncoder().encode('a rep0rt') }],
  ['another signature', { signature: signed(new Uint8Array(1)) }],
])('%s is refused after it, each time', (_, change) => {
  const { verify, asked } = counting(100)
  verify(genuine)
  const forged = { ...genuine, ...change }
  expect([verify(forged), verify(forged)]).toEqual([false, false])
  expect(asked).toHaveLength(3)
})

test('no more than so many are remembered, and what is asked for is not forgotten', () => {
  const { verify, asked } = counting(4)
  const many = Array.from({ length: 8 }, (_, n) => {
    const each = new Uint8Array([n])
    return { ...genuine, message: each, signature: signed(each) }
  })
  verify(genuine)
  for (const each of many) expect([verify(each), verify(genuine)]).toEqual([true, true])
  expect(asked).toHaveLength(1 + many.length)
  for (const each of many.slice(0, 4)) verify(each)
  expect(asked).toHaveLength(1 + many.length + 4)
})
