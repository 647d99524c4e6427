import { describe, expect, test } from 'vitest'
import {
  type Alteration,
  basicConstraints,
  keyUsage,
} from '../../enclave/simulator/mint/certificate.ts'
import { name } from '../../enclave/simulator/mint/name.ts'
import { ecdsaSha384 } from '../../enclave/simulator/mint/signing.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { holdsAt } from '../../src/pki/interval.ts'
import { type PathRule, validatePath } from '../../src/pki/path.ts'
import { ecdsaP256Sha256 } from '../../src/pki/scheme.ts'
import { type Chain, chain, chance, day } from './authority.ts'

interface Setup {
  readonly pinned?: Chain
  readonly intermediates?: number
  readonly candidates?: readonly Uint8Array[]
}

function validate({ root, middle, leaf }: Chain, setup: Setup = {}) {
  const pinned = decodeCertificate((setup.pinned?.root ?? root).der)
  return validatePath({
    leaf: decodeCertificate(leaf.der),
    candidates: (setup.candidates ?? [middle.der]).map(decodeCertificate),
    anchors: anchorSet([{ certificate: pinned, product: undefined, assurance: 'simulated' }]),
    scheme: ecdsaP256Sha256,
    intermediates: setup.intermediates ?? 1,
  })
}

test('a proper chain has no fault and ends at the anchor', () => {
  const result = validate(chain())
  expect([...result.faults.keys()]).toEqual([])
  expect(result.anchor?.assurance).toBe('simulated')
  expect(result.certificates.map(({ commonName }) => commonName)).toEqual([
    'Leaf',
    'Middle',
    'Root',
  ])
})

test('with no anchor configured nothing is anchored', () => {
  const { leaf, middle } = chain()
  const result = validatePath({
    leaf: decodeCertificate(leaf.der),
    candidates: [decodeCertificate(middle.der)],
    anchors: anchorSet([]),
    scheme: ecdsaP256Sha256,
    intermediates: 1,
  })
  expect(result.faults.get('anchored')?.expected).toContain('none is configured')
})

const without =
  (oid: string): Alteration =>
  ({ extensions }) => ({
    extensions: extensions.filter((each) => each.oid !== oid),
  })
const replacing =
  (replacement: { oid: string; critical: boolean; value: Uint8Array }): Alteration =>
  ({ extensions }) => ({
    extensions: extensions.map((each) => (each.oid === replacement.oid ? replacement : each)),
  })
const foreignCritical = { oid: '1.2.3.4', critical: true, value: new Uint8Array([5, 0]) }

const constraints: readonly [string, Parameters<typeof chain>[0]][] = [
  ['an issuer with cA FALSE', { middle: replacing(basicConstraints(false)) }],
  ['an issuer without basicConstraints', { middle: without('2.5.29.19') }],
  ['an issuer without keyUsage', { middle: without('2.5.29.15') }],
  ['an issuer that may only sign CRLs', { middle: replacing(keyUsage(6)) }],
  [
    'a root whose path length forbids the intermediate',
    { root: replacing(basicConstraints(true, 0)) },
  ],
  ['a leaf that is an authority', { leaf: replacing(basicConstraints(true)) }],
  [
    'an unknown critical extension on the leaf',
    { leaf: ({ extensions }) => ({ extensions: [...extensions, foreignCritical] }) },
  ],
  [
    'an unknown critical extension on an issuer',
    { middle: ({ extensions }) => ({ extensions: [...extensions, foreignCritical] }) },
  ],
]
test.each(constraints)('%s breaks the constraints and nothing else', (_, alter) => {
  expect([...validate(chain(alter)).faults.keys()]).toEqual(['constraints'] satisfies PathRule[])
})

describe('signatures', () => {
  test('a leaf signed by another key than its issuer breaks the signature', () => {
    const stranger = chance.p256('stranger')
    const result = validate(chain({ leaf: () => ({ signedBy: stranger }) }))
    expect([...result.faults.keys()]).toEqual(['signature'])
  })

  test('ECDSA with SHA-384 is not what the vendor prescribes, though it verifies', () => {
    const result = validate(chain({ leaf: () => ({ scheme: ecdsaSha384 }) }))
    expect(result.faults.get('algorithm')?.observed).toContain('ecdsa-sha384')
  })

  test('an issuer with a P-384 key breaks the algorithm', () => {
    const key = chance.p384('wide')
    const result = validate(
      chain({
        middle: () => ({ publicKey: key.publicKey }),
        leaf: () => ({ signedBy: key, scheme: ecdsaSha384 }),
      }),
    )
    expect(result.faults.has('algorithm')).toBe(true)
  })
})

describe('anchors', () => {
  test('a look-alike root of the same name is not the pinned one', () => {
    const forged = chain({}, 'forged ')
    const result = validate(forged, {
      pinned: chain(),
      candidates: [forged.middle.der, forged.root.der],
    })
    expect(result.faults.get('anchored')?.sentence).toContain('not a pinned root')
    expect(result.anchor).toBeUndefined()
  })

  test('a chain without its intermediate is not anchored and names the missing issuer', () => {
    const result = validate(chain(), { candidates: [] })
    expect(result.faults.get('anchored')?.sentence).toContain('issuer of Leaf')
  })

  test('a longer chain than the vendor has is not anchored', () => {
    const { root, middle, leaf } = chain()
    expect(validate({ root, middle, leaf }, { intermediates: 0 }).faults.has('anchored')).toBe(true)
  })

  test('a self-signed leaf does not anchor itself', () => {
    const self = name(['CN', 'Leaf'])
    const key = chance.p256('leaf')
    const result = validate(chain({ leaf: () => ({ issuer: self, signedBy: key }) }))
    expect(result.anchor).toBeUndefined()
  })

  test('among intermediates of one name, the one whose key verifies is the issuer', () => {
    const good = chain()
    const forged = chain({}, 'forged ')
    const result = validate(good, { candidates: [forged.middle.der, good.middle.der] })
    expect(result.faults.size).toBe(0)
  })
})

test('the interval is where every certificate of the chain is valid', () => {
  const { validity } = validate(
    chain({ leaf: () => ({ notBefore: day(3) }), middle: () => ({ notAfter: day(20) }) }),
  )
  expect([day(2), day(3), day(20), day(21)].map((at) => holdsAt(validity, at))).toEqual([
    false,
    true,
    true,
    false,
  ])
})
