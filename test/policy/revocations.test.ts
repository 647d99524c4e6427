/** revoked/*.yaml: what is listed, in one spelling whatever the file's. */
import { describe, expect, test } from 'vitest'
import {
  mergedRevocations,
  type Revocations,
  readRevocations,
} from '#src/policy/documents/revocations.ts'

const hex = (size: number, octet = 'aa') => octet.repeat(size)
const thumbprint = 'A'.repeat(43)

const valid = `apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata: {generation: 2}
spec:
  digests:
    - {value: "sha384:${hex(48)}", reason: backdoor, at: 2026-06-01T00:00:00Z}
    - {value: "hex:${hex(32, 'bb')}", reason: old configuration}
  platforms:
    - {value: "hex:${hex(64, 'cc')}", reason: chip opened}
  agentKeys:
    - {value: ${thumbprint}, reason: leaked}
  signerKeys:
    - {value: "SHA256:${'B'.repeat(42)}A", reason: laptop stolen}
`

function read(text: string) {
  return readRevocations(new TextEncoder().encode(text))
}

function revocationsOf(text: string): Revocations {
  const reading = read(text)
  if ('mistakes' in reading) throw new Error(said(text))
  return reading.revocations
}

function said(text: string): string {
  const reading = read(text)
  return 'mistakes' in reading
    ? reading.mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`).join('\n')
    : ''
}

test('values lose their prefix and keep their reason', () =>
  expect(revocationsOf(valid)).toEqual({
    digests: new Map([
      [hex(48), 'backdoor'],
      [hex(32, 'bb'), 'old configuration'],
    ]),
    platforms: new Map([[hex(64, 'cc'), 'chip opened']]),
    agentKeys: new Map([[thumbprint, 'leaked']]),
    signerKeys: new Map([[`SHA256:${'B'.repeat(42)}A`, 'laptop stolen']]),
  }))

test('a file that revokes nothing is a file', () =>
  expect(revocationsOf(`${valid.slice(0, valid.indexOf('spec:'))}spec: {}\n`).digests.size).toBe(0))

test('all files count together, and the first reason stays', () => {
  const other = revocationsOf(
    valid.replace('backdoor', 'another').replace(thumbprint, `${'C'.repeat(42)}A`),
  )
  const merged = mergedRevocations([revocationsOf(valid), other])
  expect(merged.digests.get(hex(48))).toBe('backdoor')
  expect([...merged.agentKeys.keys()].toSorted()).toEqual([thumbprint, `${'C'.repeat(42)}A`])
  expect(mergedRevocations([]).signerKeys.size).toBe(0)
})

describe('refused', () => {
  const aDigest = `sha384:${hex(48)}`
  test.each<[string, string, string, string]>([
    ['no generation', '{generation: 2}', '{}', 'metadata.generation is missing'],
    ['an unknown list', 'platforms:', 'chips:', 'spec.chips is not a known field'],
    ['an entry without reason', ', reason: leaked', '', 'spec.agentKeys[0].reason is missing'],
    [
      'a digest without its algorithm',
      `"${aDigest}"`,
      `"${hex(48)}"`,
      '6:15 spec.digests[0].value',
    ],
    ['a digest one digit short', aDigest, aDigest.slice(0, -1), 'spec.digests[0].value: must be'],
    ['a digest in capitals', aDigest, aDigest.replace('aa', 'AA'), 'lower-case hex'],
    ['a digest of another length', aDigest, `sha256:${hex(48)}`, 'spec.digests[0].value: must be'],
    [
      'one digest in two spellings',
      `hex:${hex(32, 'bb')}`,
      `hex:${hex(48)}`,
      `7:15 spec.digests[1].value: ${hex(48)} appears twice`,
    ],
    ['half a chip id', `hex:${hex(64, 'cc')}`, `hex:${hex(63, 'cc')}`, 'spec.platforms[0].value'],
    ['a thumbprint in hex', thumbprint, hex(32), 'must be an RFC 7638'],
    ['a fingerprint by MD5', 'SHA256:', 'MD5:', 'as ssh-keygen -l prints it'],
    ['a date in words', '2026-06-01T00:00:00Z', 'yesterday', 'spec.digests[0].at'],
  ])('%s', (_, from, to, says) => {
    expect(valid).toContain(from)
    expect(said(valid.replace(from, to))).toContain(says)
  })
})
