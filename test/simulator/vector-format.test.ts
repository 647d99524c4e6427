/** Does the vector format read back what was written, and refuse everything else with a Malformed? */
import { describe, expect, test } from 'vitest'
import { encodeVector, type VectorFields } from '../../enclave/simulator/vector.ts'
import { Malformed } from '../../src/bytes/malformed.ts'
import { decodeVector } from '../../src/rats/vector.ts'

const bytes = (...octets: readonly number[]) => new Uint8Array(octets)
const full: VectorFields = {
  header: {
    tee: 'tdx',
    expect: 'tdx.quote.signature',
    at: new Date('2026-06-01T00:00:00Z'),
    comment: 'one: fact = this',
    profile: 'strict',
    waivers: new Map([['revocation', 'a=b: c']]),
    expectations: new Map([['mrTd', bytes(0, 255)]]),
    reference: { minimumTcb: { snp: 1 }, chipIds: [bytes(1)], mitigations: 1n << 63n, name: 'x' },
  },
  evidence: { quote: new Uint8Array(200).fill(7), auxblob: bytes(), eventLog: bytes(9) },
  parts: {
    certificates: [bytes(1), bytes(2)],
    crls: [bytes(3)],
    tcbInfos: [
      { body: bytes(4), signature: bytes(5), issuerChain: [bytes(6), bytes(7)] },
      { body: bytes(8), signature: bytes(9), issuerChain: [] },
    ],
    qeIdentities: [{ body: bytes(10), signature: bytes(11), issuerChain: [bytes(12)] }],
  },
  anchors: [
    { der: bytes(13), product: 'Milan' },
    { der: bytes(14), product: undefined },
  ],
}
const text = encodeVector(full)

test('what was written is read back', () => expect(decodeVector(text)).toEqual(full))

test('what is optional may be absent', () => {
  const { tee, expect: id, at, comment } = full.header
  const small = {
    header: { tee, expect: id, at, comment },
    evidence: { quote: bytes(1) },
    anchors: [],
  }
  const { header, evidence, parts } = decodeVector(encodeVector(small))
  expect(header).toMatchObject({ profile: undefined, reference: {} })
  expect(header.waivers.size + header.expectations.size).toBe(0)
  expect(evidence).toEqual({ quote: bytes(1) })
  expect(Object.values(parts).flat()).toEqual([])
})

describe('refused', () => {
  const edits: readonly (readonly [string, string | RegExp, string])[] = [
    ['an unknown header line', 'profile:', 'profiel:'],
    ['a line that is no pair', 'profile: strict', 'profile'],
    ['a missing instant', /at: .*\n/, ''],
    ['an instant with an offset', '00:00Z', '00:00+01:00'],
    ['an instant that is not one', '2026-06-01T', '2026-13-01T'],
    ['a second comment', 'comment: ', 'comment: a\ncomment: '],
    ['a field twice', 'expect-field: mrTd=00ff', 'expect-field: mrTd=00\nexpect-field: mrTd=00'],
    ['an expectation that is not hex', 'mrTd=00ff', 'mrTd=00f'],
    ['a waiver without a check', 'waive: revocation=', 'waive: ='],
    ['a reference that is a list', /reference: .*/, 'reference: [1]'],
    ['a reference that is no JSON', /reference: .*/, 'reference: {'],
    ['a reference with bad hex', /reference: .*/, 'reference: {"a":"hex:0"}'],
    ['a reference with a bad integer', /reference: .*/, 'reference: {"a":"u64:1"}'],
    ['no blank line', '\n\n', '\n'],
    ['text before the first section', '--- quote', 'x\n--- quote'],
    ['an unknown section', '--- crl', '--- crls'],
    ['two quotes', '--- quote', '--- quote\nAQ==\n--- quote'],
    ['no quote', '--- quote', '--- crl'],
    ['base64 that is not canonical', 'AQ==', 'AR=='],
    ['base64 without padding', 'AQ==', 'AQ'],
    ['a document without signature', '--- signature', '--- crl'],
    [
      'an issuer without document',
      '--- anchor',
      '--- issuer\nAQ==\n--- anchor Milan\nAQ==\n--- issuer',
    ],
  ]
  test.each(edits)('%s', (_, from, to) => {
    const edited = text.replace(from, to)
    expect(edited).not.toBe(text)
    expect(() => decodeVector(edited)).toThrow(Malformed)
  })

  test.each([
    ['a control character in place of any byte', '\u0000'],
    ['a blank line in place of any line', '\n'],
  ])('nothing but Malformed comes of %s', (_, with_) => {
    for (let at = 0; at < text.length; at++) {
      try {
        decodeVector(text.slice(0, at) + with_ + text.slice(at + 1))
      } catch (cause) {
        expect(cause).toBeInstanceOf(Malformed)
      }
    }
  })
})
