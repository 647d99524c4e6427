/** Are the bytes that Intel signed cut out of its answers exactly, and out of nothing else? */
import { verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memberSlices } from '../../src/adapters/intel-pcs-json.ts'
import { Malformed } from '../../src/bytes/malformed.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { derFromBigEndian } from '../../src/pki/ecdsa-value.ts'
import { partsOfCollateralJson } from '../../src/tee/dcap/collateral-json.ts'
import { hasRecorded, recordedBytes } from '../recorded.ts'

const slices = (text: string | Uint8Array) =>
  Object.fromEntries(
    [...memberSlices(typeof text === 'string' ? Buffer.from(text) : text, 'test')].map(
      ([name, bytes]) => [name, Buffer.from(bytes).toString()],
    ),
  )

test.each<[string, Record<string, string>]>([
  ['{}', {}],
  [' { } ', {}],
  ['{"a":1}', { a: '1' }],
  ['{"a":-1.5e+3,"b":true}', { a: '-1.5e+3', b: 'true' }],
  ['\n{ "a" :\t{ "b" : [ ] } ,\r\n "c" : null }\n', { a: '{ "b" : [ ] }', c: 'null' }],
  ['{"a":{"x":"}"},"b":"{"}', { a: '{"x":"}"}', b: '"{"' }],
  [String.raw`{"a":"\"","b":"\\","c":"\\\""}`, { a: '"\\""', b: '"\\\\"', c: '"\\\\\\""' }],
  [String.raw`{"a":["]","[",{"k":"\"]"}]}`, { a: String.raw`["]","[",{"k":"\"]"}]` }],
  ['{"a":{"a":1},"b":{"a":2}}', { a: '{"a":1}', b: '{"a":2}' }],
  ['{"a":"é𝄞","é":2}', { a: '"é𝄞"', é: '2' }],
  ['{"__proto__":1,"constructor":2}', { ['__proto__']: '1', constructor: '2' }],
])('%j falls into its members', (text, expected) => expect(slices(text)).toEqual(expected))

test.each([
  ['a member twice', '{"a":1,"a":2}'],
  ['a member twice, once in escapes', String.raw`{"tcbInfo":{},"tcb\u0049nfo":{}}`],
  ['an array', '[]'],
  ['a string', '"{}"'],
  ['null', 'null'],
  ['nothing', ''],
  ['text after the end', '{}{}'],
  ['a comma too many', '{"a":1,}'],
  ['a byte order mark', '\ufeff{}'],
  ['no end', '{"a":{"b":1}'],
  ['single quotes', "{'a':1}"],
])('%s is refused', (_, text) => expect(() => slices(text)).toThrow(Malformed))

test('text that is not UTF-8 is refused', () =>
  expect(() => slices(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow(Malformed))

test('a hundred thousand brackets cost no stack', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  expect(slices(`{"a":${deep}}`)).toEqual({ a: deep })
})

test('whatever the object and its spacing, each slice is the text of its member', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.constantFrom(undefined, 1, '\t', '\n \r'),
      (object, indent) => {
        const found = slices(JSON.stringify(object, undefined, indent))
        expect(Object.keys(found).toSorted()).toEqual(Object.keys(object).toSorted())
        for (const [name, text] of Object.entries(found)) {
          expect(text).toBe(text.trim())
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(object[name])))
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('random bytes are refused with the typed error or fall into members', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        memberSlices(bytes, 'test')
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed)
      }
    }),
    { numRuns: 2000 },
  )
})

const ANSWER = 'google+go-tdx-guest/sample_tcbInfo_response'
const COLLATERAL = '_triples/t39/collateral.json'
const available = hasRecorded(ANSWER, COLLATERAL)

describe.skipIf(!available)("Intel's own answer", () => {
  test('gives the bytes under the signature beside them', () => {
    const found = memberSlices(recordedBytes(ANSWER), 'answer')
    const [, hex = ''] =
      /"([0-9a-f]{128})"/.exec(`${Buffer.from(found.get('signature') ?? [])}`) ?? []
    const signature = Buffer.from(hex, 'hex')
    // Intel's TCB signers of 2018 and 2025 share their key.
    const { tcbInfos } = partsOfCollateralJson(`${Buffer.from(recordedBytes(COLLATERAL))}`)
    const [signer = new Uint8Array()] = tcbInfos[0]?.issuerChain ?? []
    const signed = found.get('tcbInfo') ?? new Uint8Array()
    const holds = (message: Uint8Array) =>
      verify(
        'sha256',
        message,
        decodeCertificate(signer).publicKey,
        derFromBigEndian(signature.subarray(0, 32), signature.subarray(32)),
      )
    expect(holds(signed)).toBe(true)
    expect(holds(Buffer.concat([signed, Buffer.from(' ')]))).toBe(false)
  })
})
