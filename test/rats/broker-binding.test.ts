/** How the Key Broker protocol ties evidence to a handshake, and what the binding's own checks make of it. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { toHex } from '#src/bytes/encoding.ts'
import { type Bound, bindingChecks } from '#src/rats/binding.ts'
import {
  boundReportData,
  boundReportDataBefore,
  canonicalTree,
  reportDataOfText,
} from '#src/rats/broker-binding.ts'
import { checklist, type Finding, judgeAll } from '#src/rats/check.ts'
import { reportDataOf } from '#src/rats/runtime-claims.ts'

const teePublicKey = { kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW', x: 'eA', y: 'eQ' }

test('canonical text is sorted at every depth and escapes as RFC 8785 does', () => {
  const tree = { b: { d: '\u20ac"\n', c: '' }, a: '\u0001', '\u00e9': 'z' }
  expect(canonicalTree(tree)).toBe('{"a":"\\u0001","b":{"c":"","d":"\u20ac\\"\\n"},"\u00e9":"z"}')
  expect(() => canonicalTree({ a: '\ud800' })).toThrow(/lone surrogate/)
})

test.each([
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
] as const)(
  'a %s digest stands at the start of the report data, with zeros after it',
  (hash, size) => {
    const reportData = reportDataOfText('x', hash)
    expect(toHex(reportData)).toBe(
      createHash(hash).update('x').digest('hex') + '00'.repeat(64 - size),
    )
  },
)

test('the golden transcript of a stock client: SHA-384 over exactly these bytes', () => {
  const handshake = { nonce: 'bg==', teePublicKey, algorithm: 'sha384' } as const
  const text =
    '{"additional-evidence":"","nonce":"bg==","tee-pubkey":{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"eA","y":"eQ"}}'
  expect(boundReportData(handshake, '')).toEqual(reportDataOfText(text, 'sha384'))
  expect(boundReportData(handshake, '{}')).not.toEqual(boundReportData(handshake, ''))
  expect(boundReportDataBefore(handshake)).toEqual(
    [
      '{"nonce":"bg==","tee-pubkey":{"alg":"ECDH-ES+A256KW","crv":"P-256","kty":"EC","x":"eA","y":"eQ"}}',
      '{"tee-pubkey":{"kty":"EC","crv":"P-256","alg":"ECDH-ES+A256KW","x":"eA","y":"eQ"},"nonce":"bg=="}',
    ].map((each) => reportDataOfText(each, 'sha384')),
  )
})

describe('the binding’s checks', () => {
  const claims = {
    ...{ nonce: 'n', verifier: '', sig_jkt: '', enc_jkt: '', tenant: 't', agent: 'a' },
    ...{ environment: 'e', session: '', seq: '', transcript: '' },
  }
  const reportData = new Uint8Array(64).fill(7)
  const broker = { protocol: '0.4.0', reportData: toHex(reportData) }
  const outcomes = (bound: Partial<Bound>) => {
    const findings: Finding[] = []
    const whole = { claims, broker, reportData, issuer: 'https://a.example', ...bound }
    judgeAll(checklist(bindingChecks), whole, new Map(), findings)
    return findings.map(({ outcome }) => outcome)
  }

  test('take what the handshake bound in the place of the claims', () => {
    expect(outcomes({})).toEqual(['pass', 'not-applicable'])
  })

  test.each<[string, Partial<Bound>]>([
    ['other report data', { reportData: new Uint8Array(64) }],
    ['the first 48 bytes of it', { reportData: reportData.subarray(0, 48) }],
    ['evidence that carries none', { reportData: undefined }],
    ['what was bound by the claims', { reportData: reportDataOf(claims) }],
    ['a binding that was kept and is none', { broker: { protocol: '0.4.0', reportData: 'zz' } }],
    ['a shorter one', { broker: { protocol: '0.4.0', reportData: '07' } }],
  ])('refuse %s', (_, bound) => {
    expect(outcomes(bound)[0]).toBe('fail')
  })

  test('refuse evidence of an assurance that nobody here answers, and claims that name no verifier', () => {
    expect(outcomes({ issuer: null })[1]).toBe('fail')
    expect(outcomes({ broker: undefined, reportData: reportDataOf(claims) })).toEqual([
      'pass',
      'fail',
    ])
  })
})
