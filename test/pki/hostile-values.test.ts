/** What does it cost to read what a stranger sends? Certificates and lists are decoded before anybody knows who made them. */
import { Null } from 'asn1js'
import { describe, expect, test, vi } from 'vitest'
import type { ExtensionFields } from '../../enclave/simulator/mint/certificate.ts'
import { oid, sequence, tlv } from '../../enclave/simulator/mint/der.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { decodeCrl } from '../../src/pki/crl.ts'
import { chain, crl } from './authority.ts'

const { root } = chain()
const none = new Uint8Array()
/** As many values as fit into a certificate of six kilobytes, all inside of one extension. */
const many = (count: number, each: Uint8Array) =>
  sequence(...Array.from({ length: count }, () => each))

const hostile: readonly (readonly [string, ExtensionFields])[] = (
  [
    ['subject alternative names', '2.5.29.17', many(2700, tlv(0x82, none))],
    ['issuer alternative names', '2.5.29.18', many(2700, tlv(0x82, none))],
    ['distribution points', '2.5.29.31', many(2700, sequence())],
    ['key usages', '2.5.29.37', many(1800, oid('1.2'))],
    ['values that nobody knows', '1.3.6.1.4.1.99999.1', many(2700, tlv(0x05, none))],
  ] as const
).map(([name, id, value]) => [name, { oid: id, critical: false, value }])

/** How many values were decoded, by whichever library, on the way. */
function decodedBy(work: () => unknown): number {
  const header = vi.spyOn(Object.getPrototypeOf(new Null().idBlock), 'fromBER')
  try {
    work()
    return header.mock.calls.length
  } finally {
    header.mockRestore()
  }
}

/** An extension of as many bytes without anything in it. */
const plain = ({ value }: ExtensionFields): ExtensionFields => ({
  ...{ oid: '1.3.6.1.4.1.99999.1', critical: false },
  value: new Uint8Array(value.length).fill(0xff),
})

describe.each(hostile)('of thousands of %s', (_, extension) => {
  test('in a certificate no more values are decoded than of others of its size', () => {
    const holding = (more: ExtensionFields) =>
      chain({ leaf: ({ extensions }) => ({ extensions: [...extensions, more] }) }).leaf.der
    const [usual, crafted] = [holding(plain(extension)), holding(extension)]
    const decoded = decodedBy(() => decodeCertificate(usual))
    expect(decoded).toBeGreaterThan(30)
    expect(decodedBy(() => decodeCertificate(crafted))).toBe(decoded)
  })

  test('in a list no more values are decoded than of others of its size', () => {
    const usual = crl(root, { extensions: [plain(extension)] })
    const crafted = crl(root, { extensions: [extension] })
    const decoded = decodedBy(() => decodeCrl(usual))
    expect(decoded).toBeGreaterThan(10)
    expect(decodedBy(() => decodeCrl(crafted))).toBe(decoded)
  })
})
