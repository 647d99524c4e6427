/** Does evidence whose slow signature was verified aside get the findings that it gets otherwise? */
import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { ecdsaP384Sha384 } from '#src/pki/scheme.ts'
import { authenticate, authenticateAside } from '#src/rats/authentication.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import { verifiedAhead } from '#src/rats/signature-answers.ts'
import { conditionsOf, fixtures } from '../vectors/fixture.ts'

test('every fixture of a TEE with slow signatures has the same findings both ways, on a machine seen before', async () => {
  const slow = fixtures.filter(({ tee }) => tee.slowSignature)
  const differing: string[] = []
  let aside = 0
  for (const fixture of slow) {
    const { tee, vector, name } = fixture
    const { conditions } = conditionsOf(fixture)
    const proofs = proofCache(10)
    // What this proves is there for whoever comes with the same machine.
    const expected = authenticate(tee, vector.evidence, { ...conditions, proofs })
    const counted = {
      ...tee,
      slowSignature: (...asked: Parameters<NonNullable<typeof tee.slowSignature>>) => {
        const question = tee.slowSignature?.(...asked)
        if (question) aside++
        return question
      },
    }
    const seen = await authenticateAside(counted, vector.evidence, { ...conditions, proofs })
    const isSame =
      JSON.stringify(seen.findings) === JSON.stringify(expected.findings) &&
      (seen.authentic === undefined) === (expected.authentic === undefined)
    if (!isSame) differing.push(name)
  }
  expect(differing).toEqual([])
  // Otherwise nothing was shown.
  expect(aside).toBeGreaterThan(30)
})

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
const message = new Uint8Array([1, 2, 3])
const signature = new Uint8Array(sign('sha384', message, privateKey))
const question = { scheme: ecdsaP384Sha384, key: publicKey, message, signature }

test.each([
  ['the same question', {}, true],
  ['another message', { message: new Uint8Array([1, 2, 4]) }, false],
  ['a message that goes on', { message: new Uint8Array([1, 2, 3, 0]) }, false],
  ['another key', { key: other }, false],
  ['another signature', { signature: signature.toReversed() }, false],
])(
  'an answer that was had ahead counts for %s as if it were computed',
  async (_, change, genuine) => {
    const verify = await verifiedAhead(question)
    expect(verify({ ...question, ...change })).toBe(genuine)
  },
)

test('an answer of no is an answer too, and counts for nothing else', async () => {
  const forged = { ...question, message: new Uint8Array([9]) }
  const verify = await verifiedAhead(forged)
  expect([verify(forged), verify(question)]).toEqual([false, true])
})
