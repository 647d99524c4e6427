/** Does the Intel PCS client ask at the documented addresses, and keep what was signed byte for byte? */
import { describe, expect, test } from 'vitest'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { intelPcs } from '../../src/adapters/intel-pcs.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { Malformed } from '../../src/bytes/malformed.ts'
import type { FetchResponse } from '../../src/service/endorsement-source.ts'
import type { IntelSubject } from '../../src/service/endorsement-subject.ts'
import { vendors } from '../fakes/vendor-server.ts'

const BASE = 'https://api.trustedservices.intel.com'
const ROOT_CRL = 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der'
const pcs = intelPcs({ base: BASE, rootCrl: ROOT_CRL, update: 'standard' })
const { intel } = vendors(new Date('2026-01-01T00:00:00Z'))
const tdxTcb = { document: 'intel-tcb-info', tee: 'tdx', fmspc: '00806f050000' } as const

test.each<[IntelSubject, string]>([
  [tdxTcb, `${BASE}/tdx/certification/v4/tcb?fmspc=00806F050000&update=standard`],
  [
    { ...tdxTcb, tee: 'sgx' },
    `${BASE}/sgx/certification/v4/tcb?fmspc=00806F050000&update=standard`,
  ],
  [
    { document: 'intel-qe-identity', tee: 'sgx' },
    `${BASE}/sgx/certification/v4/qe/identity?update=standard`,
  ],
  [
    { document: 'intel-qe-identity', tee: 'tdx' },
    `${BASE}/tdx/certification/v4/qe/identity?update=standard`,
  ],
  [
    { document: 'intel-pck-crl', ca: 'platform' },
    `${BASE}/sgx/certification/v4/pckcrl?ca=platform&encoding=der`,
  ],
  [
    { document: 'intel-pck-crl', ca: 'processor' },
    `${BASE}/sgx/certification/v4/pckcrl?ca=processor&encoding=der`,
  ],
  [{ document: 'intel-root-crl' }, ROOT_CRL],
])('%j is had from its address', (subject, url) => expect(pcs(subject).url).toBe(url))

test.each(['00806f0500', '00806f05000000', '00806F050000', '0080 f050000', '00806f05&x=1', ''])(
  'FMSPC "%s" never becomes an address',
  (fmspc) => expect(() => pcs({ ...tdxTcb, fmspc })).toThrow(TypeError),
)

describe('signed collateral', () => {
  const signed = intel.sign(intel.tcbInfo('tdx'))
  const chain = encodeURIComponent(pemOf(signed.issuerChain))
  const usual = {
    member: '"tcbInfo"',
    body: `${Buffer.from(signed.body)}`,
    signature: `"${toHex(signed.signature)}"`,
    chain: chain as string | undefined,
  }
  const read = (changes: Partial<typeof usual> = {}) => {
    const { member, body, signature, chain } = { ...usual, ...changes }
    const headers = new Map(chain === undefined ? [] : [['tcb-info-issuer-chain', chain]])
    return pcs(tdxTcb).read(answer(`{${member}:${body},"signature":${signature}}`, headers))
  }

  test('comes out as it was signed', () => expect(read().tcbInfos).toEqual([signed]))

  test('keeps spacing, which is under the signature too', () => {
    const spaced = JSON.stringify(JSON.parse(usual.body), undefined, 1)
    const [found] = read({ body: spaced }).tcbInfos
    expect(`${Buffer.from(found?.body ?? [])}`).toBe(spaced)
  })

  test.each<[string, Partial<typeof usual>]>([
    ['another member in its place', { member: '"enclaveIdentity"' }],
    ['a second member of its name', { signature: `${usual.signature},"tcbInfo":{}` }],
    ['a second signature', { signature: `${usual.signature},"signature":${usual.signature}` }],
    ['text where an object belongs', { body: JSON.stringify(usual.body) }],
    ['a short signature', { signature: usual.signature.replace(/..$/, '"') }],
    ['a signature that is not hex', { signature: `"${'g'.repeat(128)}"` }],
    ['no signature', { signature: 'null' }],
    ['no issuer chain', { chain: undefined }],
    ['a third certificate in its chain', { chain: chain + chain }],
    ['a chain in broken percent-encoding', { chain: `${chain}%` }],
  ])('with %s is refused', (_, changes) => expect(() => read(changes)).toThrow(Malformed))
})

test.each<[string, (der: Uint8Array) => Uint8Array]>([
  ['DER, as Intel sends it', (der) => der],
  ['hex, as a PCCS does', (der) => Buffer.from(toHex(der))],
  ['hex in capitals and with a line end', (der) => Buffer.from(`${toHex(der).toUpperCase()}\n`)],
])('a revocation list is read from %s', (_, written) => {
  const der = intel.pki.rootCrl()
  const { crls } = pcs({ document: 'intel-root-crl' }).read({
    status: 200,
    headers: new Map(),
    bytes: written(der),
  })
  expect(crls.map(toHex)).toEqual([toHex(der)])
})

function answer(text: string, headers: ReadonlyMap<string, string>): FetchResponse {
  return { status: 200, headers, bytes: Buffer.from(text) }
}
