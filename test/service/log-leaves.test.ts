import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { toHex } from '#src/bytes/encoding.ts'
import { leafHashOf } from '#src/log/tree-hash.ts'
import {
  attestationLeaf,
  keysLeaf,
  policyLeaf,
  releaseLeaf,
  revocationLeaf,
} from '#src/service/log-leaves.ts'
import { evidence, record, token } from '../adapters/store-records.ts'
import { AT, random } from './log-scene.ts'

const appraisal = { ...record('id-1', { at: AT }), evidence }
const revocation = { at: AT, reason: 'operator', detail: 'lost', by: 'otto' } as const
const policy = {
  tenant: 'acme',
  commit: 'c'.repeat(40),
  digest: 'sha256:00',
  sequence: 3,
  acceptedAt: AT,
  marks: { 'agents/prod/a.yaml': 4 },
  provenance: {},
}

const release = {
  id: 'id-2',
  at: AT,
  tenant: 'acme',
  environment: 'prod',
  agent: 'a',
  resource: 'secret:db',
  version: 3,
  use: 'release',
  jti: 'jti',
  face: 'releases',
  jkt: 'thumbprint',
  policyCommit: 'c'.repeat(40),
  policyDigest: 'sha256:00',
  leaseUntil: AT,
} as const

const leaves = [
  [
    'issuance',
    attestationLeaf({ record: appraisal, tokens: [token('id-1'), token('id-1')] }, random),
  ],
  ['denial', attestationLeaf({ record: { ...appraisal, verdict: 'refused' }, tokens: [] }, random)],
  ['policy', policyLeaf(policy, random)],
  ['revocation', revocationLeaf(token('id-1'), revocation, random)],
  ['release', releaseLeaf(release, random)],
  ['release', releaseLeaf({ ...release, use: 'sign', leaseUntil: undefined }, random)],
  ['keys', keysLeaf({ purpose: 'challenge', kid: 'ab', change: 'added', at: AT }, random)],
] as const

/** RFC 8785 for strings, lists and objects, written anew. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) {
    expect(typeof value).toBe('string')
    return JSON.stringify(value)
  }
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`).join(',')}}`
}

test.each(leaves)(
  'the entry of a leaf of kind %s says when, what, and the hash of the salted record',
  (kind, leaf) => {
    const text = new TextDecoder().decode(leaf.entry)
    expect(JSON.parse(text)).toEqual({
      at: '2026-06-01T12:00Z',
      kind,
      record: createHash('sha256').update(leaf.salt).update(leaf.record).digest('hex'),
      v: '1',
    })
    expect(text).toBe(canonical(JSON.parse(text)))
    expect(toHex(leaf.leafHash)).toBe(toHex(leafHashOf(leaf.entry)))
    expect(leaf.kind).toBe(kind)
    expect(leaf.salt).toHaveLength(16)
  },
)

test.each(leaves)('the record of a leaf of kind %s is canonical', (_, leaf) => {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(leaf.record)
  expect(text).toBe(canonical(JSON.parse(text)))
})

test('the record of an attestation says what was decided, by what, on what, and which tokens came of it', () => {
  const [, leaf] = leaves[0]
  const said = JSON.parse(new TextDecoder().decode(leaf.record))
  expect(said).toMatchObject({
    appraisal: 'id-1',
    tenant: 'acme',
    environment: 'prod',
    agent: 'invoice-bot',
    verdict: 'issued',
    status: 'affirming',
    failing: ['a.b.d'],
    policyCommit: 'c'.repeat(40),
    manifest: 'agents/prod/invoice-bot.yaml',
    referenceValue: 'milan',
    endorsements: 'd',
    evidence: { quote: createHash('sha256').update(appraisal.evidence.quote).digest('hex') },
  })
  expect(said.tokens).toHaveLength(2)
  expect(said.tokens[0]).toMatchObject({ form: 'possession', audience: 'kms.example' })
  expect(leaf).toMatchObject({ tenant: 'acme', subject: 'id-1' })
})

test('the same decision twice has two leaves that nobody can tell to be the same', () => {
  const again = attestationLeaf({ record: appraisal, tokens: [] }, random)
  const once = attestationLeaf({ record: appraisal, tokens: [] }, random)
  expect(toHex(again.leafHash)).not.toBe(toHex(once.leafHash))
  expect(new TextDecoder().decode(again.record)).toBe(new TextDecoder().decode(once.record))
})
