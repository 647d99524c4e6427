import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import {
  isGenuineDsse,
  preAuthenticationEncoding,
  readDsseEnvelope,
} from '../../src/policy/signatures/dsse.ts'
import { readSshKey, type SshKey, sshKeyOf } from '../../src/policy/signatures/ssh-key.ts'
import { string } from '../../src/policy/signatures/ssh-wire.ts'
import { coordinates, joined, rsaMaker, securityKeyMaker, utf8 } from './ssh-blobs.ts'

const TYPE = 'application/vnd.vouchsafe.approval+json'
const payload = utf8('{"kind":"Approval"}')
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const envelope = (changes: object = {}) =>
  utf8(
    JSON.stringify({
      payload: base64(payload),
      payloadType: TYPE,
      signatures: [{ keyid: 'SHA256:x', sig: base64(utf8('signature')) }],
      ...changes,
    }),
  )

/** github.com/secure-systems-lab/dsse, protocol.md 1.0.2, "Test Vectors". */
describe("the specification's vector", () => {
  const type = 'http://example.com/HelloWorld'
  const published = utf8(
    `{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}`,
  )

  test('has this pre-authentication encoding', () => {
    const { payloadType, payload: body } = readDsseEnvelope(published, type)
    expect(Buffer.from(preAuthenticationEncoding(payloadType, body)).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    )
  })

  test('has a signature that fits it', () => {
    const coordinate = (decimal: string) =>
      Buffer.from(BigInt(decimal).toString(16).padStart(64, '0'), 'hex').toString('base64url')
    const key = createPublicKey({
      key: {
        kty: 'EC',
        crv: 'P-256',
        x: coordinate(
          '46950820868899156662930047687818585632848591499744589407958293238635476079160',
        ),
        y: coordinate(
          '5640078356564379163099075877009565129882514886557779369047442380624545832820',
        ),
      },
      format: 'jwk',
    })
    const read = readDsseEnvelope(published, type)
    const encoded = preAuthenticationEncoding(read.payloadType, read.payload)
    // The vector's form of ECDSA; envelopes here carry DER.
    const signature = read.signatures[0]?.signature ?? new Uint8Array()
    expect(verify('sha256', encoded, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
  })
})

test('lengths count bytes, not characters', () => {
  expect(Buffer.from(preAuthenticationEncoding('ä', utf8('é!'))).toString()).toBe('DSSEv1 2 ä 3 é!')
  expect(Buffer.from(preAuthenticationEncoding('', new Uint8Array())).toString()).toBe(
    'DSSEv1 0  0 ',
  )
})

describe('an envelope', () => {
  test('is read', () => {
    expect(readDsseEnvelope(envelope(), TYPE)).toEqual({
      payload,
      payloadType: TYPE,
      signatures: [{ keyid: 'SHA256:x', signature: utf8('signature') }],
    })
  })

  test('may carry members that nobody knows, and a signature without keyid', () => {
    const read = readDsseEnvelope(envelope({ signatures: [{ sig: '', x: 1 }], more: [] }), TYPE)
    expect(read.signatures).toEqual([{ keyid: '', signature: new Uint8Array() }])
  })

  test('may be in the URL alphabet', () => {
    const bytes = new Uint8Array([0xfb, 0xff, 0xfe, 0xfb])
    for (const text of ['+//++w==', '-__--w=='])
      expect(readDsseEnvelope(envelope({ payload: text }), TYPE).payload).toEqual(bytes)
  })

  const good = { keyid: 'k', sig: 'AA==' }
  test.each<[string, Uint8Array, string]>([
    ['that is no JSON', utf8('{'), 'no JSON'],
    ['that is not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'no JSON'],
    ['with a byte order mark', joined(utf8('\ufeff'), envelope()), 'no JSON'],
    ['that is a list', utf8('[]'), 'the envelope'],
    ['that is null', utf8('null'), 'the envelope'],
    ['that is large', new Uint8Array(300_000), '300000 bytes'],
    ['nested without end', utf8('['.repeat(30_000)), 'no JSON'],
    [
      'of another type',
      envelope({ payloadType: 'application/json' }),
      'payloadType "application/json"',
    ],
    ['of this type in capitals', envelope({ payloadType: TYPE.toUpperCase() }), 'payloadType'],
    ['without a payload', envelope({ payload: undefined }), 'payload'],
    ['without signatures', envelope({ signatures: [] }), 'signatures'],
    ['with 65 signatures', envelope({ signatures: Array(65).fill(good) }), 'signatures'],
    ['with a signature that is text', envelope({ signatures: ['AA=='] }), 'signatures.0'],
    ['with a keyid that is a number', envelope({ signatures: [{ ...good, keyid: 1 }] }), 'keyid'],
    ['without a sig', envelope({ signatures: [{ keyid: 'k' }] }), 'sig'],
    ...['AA', 'AA=', 'AB==', 'A A=', 'AA==\n', 'AA==AA==', '+/+_', '!', '===='].map(
      (payload): [string, Uint8Array, string] => [
        `with the payload ${JSON.stringify(payload)}`,
        envelope({ payload }),
        'payload: is no padded base64',
      ],
    ),
  ])('%s is malformed', (_, bytes, observed) => {
    expect(() => readDsseEnvelope(bytes, TYPE)).toThrow(Malformed)
    expect(() => readDsseEnvelope(bytes, TYPE)).toThrow(observed)
  })
})

describe('a signature', () => {
  const encoded = preAuthenticationEncoding(TYPE, payload)
  const judged = (key: SshKey, signature: Uint8Array) =>
    isGenuineDsse({ payloadType: TYPE, payload }, { key, signature })
  const ed25519 = generateKeyPairSync('ed25519')
  const edKey = sshKeyOf(ed25519.publicKey)

  const ecdsa = (namedCurve: string, name: string) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const { x, y } = coordinates(publicKey)
    const point = joined(new Uint8Array([4]), x, y)
    const blob = joined(string(`ecdsa-sha2-${name}`), string(name), string(point))
    return { key: readSshKey(blob), privateKey }
  }
  const rsa = rsaMaker(2048)

  test.each<
    [string, () => { readonly key: SshKey; readonly privateKey: KeyObject }, string | null]
  >([
    ['Ed25519', () => ({ key: edKey, privateKey: ed25519.privateKey }), null],
    ['ECDSA on P-256', () => ecdsa('P-256', 'nistp256'), 'sha256'],
    ['ECDSA on P-384', () => ecdsa('P-384', 'nistp384'), 'sha384'],
    ['ECDSA on P-521', () => ecdsa('P-521', 'nistp521'), 'sha512'],
    ['RSA', () => ({ key: readSshKey(rsa.blob), privateKey: rsa.privateKey }), 'sha256'],
  ])('by %s over the encoding is genuine, over the bare payload not', (_, make, hash) => {
    const { key, privateKey } = make()
    expect(judged(key, sign(hash, encoded, privateKey))).toBe(true)
    expect(judged(key, sign(hash, payload, privateKey))).toContain('does not belong')
    const other = preAuthenticationEncoding('application/json', payload)
    expect(judged(key, sign(hash, other, privateKey))).toContain('does not belong')
    expect(judged(key, new Uint8Array())).toContain('does not belong')
  })

  test('by RSA over another hash is not genuine', () => {
    const signature = sign('sha512', encoded, rsa.privateKey)
    expect(judged(readSshKey(rsa.blob), signature)).toContain('does not belong')
  })

  test('by a security key is not taken', () => {
    expect(judged(securityKeyMaker('ed25519').key, new Uint8Array(64))).toContain(
      'makes no DSSE signatures',
    )
  })
})
