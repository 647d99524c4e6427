/** Has every document one name, and no name more than one spelling? */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type EndorsementSubject,
  isAmd,
  nameOf,
  subjectOf,
  tcbOfName,
  titleOf,
} from '../../src/service/endorsement-subject.ts'

const chip = 'ab'.repeat(64)
const subjects: readonly (readonly [EndorsementSubject, string, string])[] = [
  [
    { document: 'amd-cert-chain', product: 'Milan', key: 'vcek' },
    'amd/Milan/vcek/cert_chain',
    "AMD's VCEK chain for Milan",
  ],
  [
    { document: 'amd-crl', product: 'Turin', key: 'vlek' },
    'amd/Turin/vlek/crl',
    "AMD's VLEK revocation list for Turin",
  ],
  [
    { document: 'amd-vcek', product: 'Genoa', chipId: chip, tcb: '0a00000000001954' },
    `amd/Genoa/vcek/${chip}/0a00000000001954`,
    'the VCEK of Genoa chip abababababababab... (bootloader 10, tee 0, snp 25, microcode 84)',
  ],
  [
    { document: 'amd-vcek', product: 'Turin', chipId: 'cd'.repeat(8), tcb: '0102030400000054' },
    `amd/Turin/vcek/${'cd'.repeat(8)}/0102030400000054`,
    'the VCEK of Turin chip cdcdcdcdcdcdcdcd... (fmc 1, bootloader 2, tee 3, snp 4, microcode 84)',
  ],
  [
    { document: 'intel-tcb-info', tee: 'tdx', fmspc: '00806f050000' },
    'intel/tdx/tcb/00806f050000',
    "Intel's TDX TCB info for FMSPC 00806f050000",
  ],
  [
    { document: 'intel-qe-identity', tee: 'sgx' },
    'intel/sgx/qe/identity',
    "Intel's SGX QE identity",
  ],
  [
    { document: 'intel-pck-crl', ca: 'processor' },
    'intel/crl/processor',
    "the revocation list of Intel's PCK processor CA",
  ],
  [{ document: 'intel-root-crl' }, 'intel/crl/root', "the revocation list of Intel's SGX root"],
]

test.each(subjects)('%j is %s', (subject, name, title) => {
  expect(nameOf(subject)).toBe(name)
  expect(subjectOf(name)).toEqual(subject)
  expect(titleOf(subject)).toBe(title)
  expect(isAmd(subject)).toBe(name.startsWith('amd/'))
})

describe('no document is named', () => {
  test.each([
    '',
    'amd',
    'amd/Milan/vcek',
    'amd/milan/vcek/crl',
    'amd/Milan-B0/vcek/crl',
    'amd/Venice/vcek/crl',
    'amd/Milan/VCEK/crl',
    'amd/Milan/vcek/crl/',
    'amd/Milan/vcek/crl/x',
    'amd//vcek/crl',
    `amd/Milan/vlek/${chip}/0a00000000001954`,
    `amd/Milan/vcek/${chip}`,
    `amd/Milan/vcek/${chip}/`,
    `amd/Milan/vcek/${chip.toUpperCase()}/0a00000000001954`,
    `amd/Milan/vcek/${chip}/0A00000000001954`,
    `amd/Milan/vcek/${chip}/0a00010000001954`,
    `amd/Milan/vcek/${chip}/0a0000000000195400`,
    `amd/Milan/vcek/${chip}/0a00000000001954/x`,
    `amd/Milan/vcek/${'00'.repeat(64)}/0a00000000001954`,
    `amd/Milan/vcek/${'cd'.repeat(8)}/0a00000000001954`,
    `amd/Turin/vcek/${chip}/0102030400000054`,
    `amd/Turin/vcek/${'cd'.repeat(8)}/0102030401000054`,
    'intel/tdx/tcb/00806F050000',
    'intel/tdx/tcb/00806f0500',
    'intel/tdx/tcb/00806f050000/x',
    'intel/tdx/tcb',
    'intel/qve/tcb/00806f050000',
    'intel/sgx/qe/identity/x',
    'intel/crl/root/x',
    'intel/crl/other',
    'intel/crl/__proto__',
    'amd/__proto__/vcek/crl',
    'amd/constructor/vcek/crl',
    'Amd/Milan/vcek/crl',
    'nvidia/Hopper/vcek/crl',
    '../amd/Milan/vcek/crl',
  ])('by "%s"', (name) => expect(subjectOf(name)).toBeUndefined())

  test('by any text that is not one of its own', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...subjects), (text, [, name]) => {
        for (const each of [text, `${name}${text}`, `${text}${name}`]) {
          const subject = subjectOf(each)
          if (subject) expect(nameOf(subject)).toBe(each)
        }
      }),
    )
  })
})

test.each([
  { document: 'amd-crl', product: 'Milan/../Genoa', key: 'vcek' },
  { document: 'intel-tcb-info', tee: 'tdx', fmspc: '00806f050000?' },
] as const)('%j has no name', (subject) => expect(() => nameOf(subject)).toThrow(TypeError))

test('TCB bytes go to the components of the product', () => {
  expect(tcbOfName('Milan', '03000000000008d1')).toEqual({
    bootloader: 3,
    tee: 0,
    snp: 8,
    microcode: 209,
  })
  expect(tcbOfName('Turin', '0102030400000054')).toEqual({
    fmc: 1,
    bootloader: 2,
    tee: 3,
    snp: 4,
    microcode: 84,
  })
})
