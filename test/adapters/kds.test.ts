/** Does the AMD KDS client ask at the documented addresses, and only for what AMD could have? */
import { describe, expect, test } from 'vitest'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { amdKds } from '../../src/adapters/amd-kds.ts'
import { Malformed } from '../../src/bytes/malformed.ts'
import { Problem } from '../../src/problems.ts'
import type { FetchResponse } from '../../src/service/endorsement-source.ts'
import type { AmdSubject } from '../../src/service/endorsement-subject.ts'
import { vendors } from '../fakes/vendor-server.ts'

const kds = amdKds({ base: 'https://kdsintf.amd.com' })
const chipId =
  '3ac3fe21e13fb0990eb28a802e3fb6a29483a6b0753590c951bdd3b8e53786184ca39e359669a2b76a1936776b564ea464cdce40c05f63c9b610c5068b006b5d'

// Written out from AMD 57230 and from the addresses that published clients ask at.
test.each<[AmdSubject, string]>([
  [
    { document: 'amd-cert-chain', product: 'Milan', key: 'vcek' },
    'https://kdsintf.amd.com/vcek/v1/Milan/cert_chain',
  ],
  [
    { document: 'amd-cert-chain', product: 'Turin', key: 'vlek' },
    'https://kdsintf.amd.com/vlek/v1/Turin/cert_chain',
  ],
  [
    { document: 'amd-crl', product: 'Genoa', key: 'vcek' },
    'https://kdsintf.amd.com/vcek/v1/Genoa/crl',
  ],
  [
    // REPORTED_TCB as Milan lays it out: boot loader, TEE, four reserved bytes, SNP, microcode.
    { document: 'amd-vcek', product: 'Milan', chipId, tcb: '03000000000008d1' },
    `https://kdsintf.amd.com/vcek/v1/Milan/${chipId}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=209`,
  ],
  [
    // Turin: FMC, boot loader, TEE, SNP, three reserved bytes, microcode; and an 8-byte id.
    { document: 'amd-vcek', product: 'Turin', chipId: '6bb1229b7692b710', tcb: '0101010400000052' },
    'https://kdsintf.amd.com/vcek/v1/Turin/6bb1229b7692b710?fmcSPL=01&blSPL=01&teeSPL=01&snpSPL=04&ucodeSPL=82',
  ],
])('%j is had from its address', (subject, url) => expect(kds(subject).url).toBe(url))

test.each<[string, AmdSubject]>([
  ['a product that AMD does not have', { document: 'amd-crl', product: 'Rome', key: 'vcek' }],
  ['a product stepping', { document: 'amd-crl', product: 'Milan-B0', key: 'vcek' }],
  ['a product with a path in it', { document: 'amd-crl', product: '../Milan', key: 'vcek' }],
  [
    'a chip id in upper case',
    {
      document: 'amd-vcek',
      product: 'Milan',
      chipId: chipId.toUpperCase(),
      tcb: '03000000000008d1',
    },
  ],
  [
    'a short chip id',
    { document: 'amd-vcek', product: 'Milan', chipId: '6bb1229b7692b710', tcb: '03000000000008d1' },
  ],
  [
    'a chip id with a query in it',
    { document: 'amd-vcek', product: 'Turin', chipId: '6bb1229b?x=y/../', tcb: '0101010400000052' },
  ],
  [
    'a masked chip',
    { document: 'amd-vcek', product: 'Milan', chipId: '0'.repeat(128), tcb: '03000000000008d1' },
  ],
  [
    'a TCB with reserved bytes set',
    { document: 'amd-vcek', product: 'Milan', chipId, tcb: '03000100000008d1' },
  ],
  [
    'a TCB that is too long',
    { document: 'amd-vcek', product: 'Milan', chipId, tcb: '0'.repeat(18) },
  ],
])('%s never becomes an address', (_, subject) => expect(() => kds(subject)).toThrow(TypeError))

test.each([
  'http://kdsintf.amd.com',
  'ftp://kdsintf.amd.com',
  'https://user:secret@kdsintf.amd.com',
  'https://kdsintf.amd.com/?x=',
  'https://kdsintf.amd.com/#x',
  'kdsintf.amd.com',
  '',
])('"%s" is refused as a base address', (base) => expect(() => amdKds({ base })).toThrow(Problem))

test.each([
  ['https://mirror.example/kds/', 'https://mirror.example/kds/vcek/v1/Milan/crl'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/vcek/v1/Milan/crl'],
  ['http://[::1]:8080', 'http://[::1]:8080/vcek/v1/Milan/crl'],
])('a mirror at %s keeps its own path', (base, url) =>
  expect(amdKds({ base })({ document: 'amd-crl', product: 'Milan', key: 'vcek' }).url).toBe(url),
)

describe('the certificate chain', () => {
  const { ask, ark } = vendors(new Date('2026-01-01T00:00:00Z')).amd.Milan
  const read = (text: string) =>
    kds({ document: 'amd-cert-chain', product: 'Milan', key: 'vcek' }).read(answer(text))

  test('is read as the DER of its blocks, in order', () =>
    expect(read(pemOf([ask.der, ark.der]))).toMatchObject({ certificates: [ask.der, ark.der] }))

  test.each([
    ['a third certificate', pemOf([ask.der, ark.der, ark.der])],
    ['text between the blocks', `${pemOf([ask.der])}x\n${pemOf([ark.der])}`],
    ['an HTML page', '<html>service is being maintained</html>'],
    ['nothing', ''],
  ])('with %s is refused', (_, text) => expect(() => read(text)).toThrow(Malformed))
})

function answer(text: string): FetchResponse {
  return { status: 200, headers: new Map(), bytes: Buffer.from(text) }
}
