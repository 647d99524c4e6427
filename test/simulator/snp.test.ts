/** Are simulated reports and certificate tables what the verifier's own layouts say? */
import { verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { certificateTable, tableGuids } from '../../enclave/simulator/certificate-table.ts'
import { resignReport, signReport, usualReport } from '../../enclave/simulator/snp.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { derFromLittleEndian } from '../../src/pki/ecdsa-value.ts'
import { decodeCertificateTable } from '../../src/tee/sev-snp/certificate-table.ts'
import { reportLayout, SIGNED_SIZE, supportedVersions } from '../../src/tee/sev-snp/report.ts'

const chance = seededChance('test')
const vek = chance.p384('vek')
const tcb = { bootloader: 4, tee: 1, snp: 24, microcode: 219 }
const chip = { product: 'Milan', hwid: chance.bytes('hwid', 64), tcb } as const

function signatureHolds(report: Uint8Array): boolean {
  const signature = derFromLittleEndian(
    report.subarray(0x2a0, 0x2d0),
    report.subarray(0x2e8, 0x318),
  )
  return verify('sha384', report.subarray(0, SIGNED_SIZE), vek.publicKey, signature)
}

describe.each(supportedVersions)('a report of version %s', (version) => {
  const fields = usualReport({ ...chip, version })
  const report = signReport(fields, vek)

  test('decodes to the fields that were signed, and the signature holds', () => {
    expect(reportLayout(version)?.decode(report)).toMatchObject(fields)
    expect(signatureHolds(report)).toBe(true)
  })

  test('is the same bytes every time', () => expect(signReport(fields, vek)).toEqual(report))

  test('can be signed again with bytes that no layout writes', () => {
    const odd = report.slice()
    odd[0x4c] = 1
    expect(signatureHolds(odd)).toBe(false)
    expect(signatureHolds(resignReport(odd, vek))).toBe(true)
  })
})

test('signatures whose halves are short are padded at the far end', () => {
  // One in 256 halves has a leading zero octet, so a few hundred reports show some.
  const layout = reportLayout(3)
  let short = 0
  for (let guestSvn = 0; guestSvn < 200; guestSvn++) {
    const report = signReport({ ...usualReport({ ...chip, version: 3 }), guestSvn }, vek)
    const { signatureR, signatureS } = layout?.decode(report) ?? {}
    if (signatureR?.[47] === 0 || signatureS?.[47] === 0) {
      short++
      expect(signatureHolds(report)).toBe(true)
    }
  }
  expect(short).toBeGreaterThan(0)
})

test('a report version without a layout cannot be signed', () =>
  expect(() => signReport({ ...usualReport({ ...chip, version: 3 }), version: 6 }, vek)).toThrow(
    RangeError,
  ))

describe('a certificate table', () => {
  const certificate = new Uint8Array([1, 2, 3])

  test('gives its certificates back in order', () => {
    const table = certificateTable([
      { guid: tableGuids.vcek, certificate },
      { guid: '00'.repeat(15).concat('01'), certificate: new Uint8Array(9) },
      { guid: tableGuids.ask, certificate: new Uint8Array([4]) },
    ])
    expect(decodeCertificateTable(table)).toEqual([certificate, new Uint8Array([4])])
  })

  test.each([
    ['a wrong offset', certificateTable([{ guid: tableGuids.vcek, certificate, offset: 4 }])],
    ['a wrong length', certificateTable([{ guid: tableGuids.vcek, certificate, length: 4 }])],
    ['no end', certificateTable([{ guid: tableGuids.vcek, certificate }], new Uint8Array(0))],
  ])('can be written with %s', (_, table) =>
    expect(() => decodeCertificateTable(table)).toThrow('certificate table'),
  )
})
