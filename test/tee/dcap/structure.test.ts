/** Is every way in which a quote can be misshapen refused, by the rule that is about it? (N40 to N44) */
import { describe, expect, test } from 'vitest'
import { type QuoteAlteration, sgxQuote, tdQuote } from '../../../enclave/simulator/dcap.ts'
import { usualSgxBody, usualTd15Body, usualTdBody } from '../../../enclave/simulator/dcap-bodies.ts'
import { concat } from '../../../src/bytes/encoding.ts'
import type { AnyTee } from '../../../src/rats/tee.ts'
import { MAX_QUOTE_BYTES, structure } from '../../../src/tee/dcap/quote.ts'
import { sgx } from '../../../src/tee/dcap/sgx.ts'
import { tdx } from '../../../src/tee/dcap/tdx.ts'
import { sevSnp } from '../../../src/tee/sev-snp/sev-snp.ts'
import { machine } from './machine.ts'

interface Kind {
  readonly name: string
  readonly tee: AnyTee
  /** Bytes before the size of the signature data. */
  readonly signed: number
  readonly version: number
  readonly make: (alter?: QuoteAlteration) => Uint8Array
}

const sgxPlatform = machine.quoting('sgx')
const tdxPlatform = machine.quoting('tdx')
const request = <B>(version: number, body: B, alter?: QuoteAlteration) => ({
  version,
  body,
  ...(alter && { alter }),
})
const sgxKind = (version: number, signed: number): Kind => ({
  name: `SGX v${version}`,
  tee: sgx,
  signed,
  version,
  make: (alter) => sgxQuote(sgxPlatform, request(version, usualSgxBody(), alter)),
})
const tdxKind = (version: number, signed: number, body = usualTdBody): Kind => ({
  name: `TDX v${version}, body of ${signed - 48} bytes`,
  tee: tdx,
  signed,
  version,
  make: (alter) => tdQuote(tdxPlatform, request(version, body(), alter)),
})
const kinds: readonly Kind[] = [
  sgxKind(3, 432),
  sgxKind(4, 432),
  sgxKind(5, 438),
  tdxKind(4, 632),
  tdxKind(5, 638),
  tdxKind(5, 702, usualTd15Body),
]

const broken = new Set<string>()
const ruleBroken = (tee: AnyTee, quote: Uint8Array): string => {
  const decoding = tee.decode({ quote })
  const rule = 'fault' in decoding ? decoding.fault.id : 'none'
  broken.add(rule)
  return rule
}

describe.each(kinds)('$name', ({ tee, signed, version, make }) => {
  const quote = make()
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset)
  /** QE report, its signature, size and bytes of auth data. */
  const certification = signed + 4 + 128 + (version === 3 ? 0 : 6)
  const chainHead = certification + 384 + 64 + 2 + 32
  const patched = (edit: (quote: DataView) => void) => {
    const copy = quote.slice()
    edit(view(copy))
    return copy
  }

  test('is decoded, and views the received bytes', () => {
    const decoding = tee.decode({ quote })
    if (!('evidence' in decoding)) throw new Error(decoding.fault.sentence)
    const { evidence } = decoding
    expect(evidence.header.version).toBe(version)
    expect(evidence.signed).toEqual(quote.subarray(0, signed))
    expect(evidence.signed.buffer).toBe(quote.buffer)
    expect(evidence.certification).toEqual(quote.subarray(signed + 4 + 64))
    expect(evidence.qeReport).toEqual(quote.subarray(certification, certification + 384))
    expect(Buffer.from(evidence.pckChain).toString()).toMatch(/^-----BEGIN CERTIFICATE-----/)
  })

  test('is recognised by its own TEE and no other', () => {
    const recognised = [sevSnp, tdx, sgx].filter(({ recognises }) => recognises(quote))
    expect(recognised).toEqual([tee])
  })

  test('may be followed by zeros and by nothing else (N41)', () => {
    expect(ruleBroken(tee, concat(quote, new Uint8Array(70)))).toBe('none')
    expect(ruleBroken(tee, concat(quote, new Uint8Array(70).fill(0x41)))).toBe(
      'dcap.quote.trailing',
    )
    expect(ruleBroken(tee, concat(quote, new Uint8Array(70), Uint8Array.of(1)))).toBe(
      'dcap.quote.trailing',
    )
  })

  test('is refused when it ends anywhere before its end (N40)', () => {
    const rules = new Set<string>()
    for (let size = 0; size < quote.length; size++)
      rules.add(ruleBroken(tee, quote.subarray(0, size)))
    expect(rules).toEqual(new Set(['dcap.quote.length', 'dcap.quote.signature-data']))
  })

  test.each<[string, string, (quote: DataView) => void]>([
    ['version 1', 'version', (v) => v.setUint16(0, 1, true)],
    ['version 6', 'version', (v) => v.setUint16(0, 6, true)],
    ['attestation key type 3', 'attestation-key-type', (v) => v.setUint16(2, 3, true)],
    ['TEE type 1', 'tee-type', (v) => v.setUint32(4, 1, true)],
    ['the TEE type of the other', 'tee-type', (v) => v.setUint32(4, tee === sgx ? 0x81 : 0, true)],
    ['another vendor', 'vendor', (v) => v.setUint8(27, 0)],
    ['a huge signature size', 'signature-data', (v) => v.setUint32(signed, 0x7fff_ffff, true)],
    ['no signature data', 'signature-data', (v) => v.setUint32(signed, 0, true)],
    [
      'a signature size one too small',
      'signature-data',
      (v) => v.setUint32(signed, v.getUint32(signed, true) - 1, true),
    ],
    [
      'a huge size of authentication data',
      'signature-data',
      (v) => v.setUint16(chainHead - 34, 0xffff, true),
    ],
    [
      'a size of authentication data one too small',
      'certification-data',
      (v) => v.setUint16(chainHead - 34, 31, true),
    ],
    ['chain type 6', 'certification-data', (v) => v.setUint16(chainHead, 6, true)],
    ['chain type 1', 'certification-data', (v) => v.setUint16(chainHead, 1, true)],
    [
      'a huge chain size',
      'certification-data',
      (v) => v.setUint32(chainHead + 2, 0xffff_fff0, true),
    ],
    [
      'a chain size one too small',
      version === 3 ? 'signature-data' : 'certification-data',
      (v) => v.setUint32(chainHead + 2, v.getUint32(chainHead + 2, true) - 1, true),
    ],
  ])('%s breaks dcap.quote.%s', (_, rule, edit) => {
    expect(ruleBroken(tee, patched(edit))).toBe(`dcap.quote.${rule}`)
  })

  test.skipIf(version === 3)(
    'outer certification data of another type or size is refused (N43)',
    () => {
      const head = signed + 4 + 128
      for (const type of [5, 7, 0])
        expect(
          ruleBroken(
            tee,
            patched((v) => v.setUint16(head, type, true)),
          ),
        ).toBe('dcap.quote.certification-data')
      for (const size of [0, 0xffff_ffff, quote.length - head - 7])
        expect(
          ruleBroken(
            tee,
            patched((v) => v.setUint32(head + 2, size, true)),
          ),
        ).toBe('dcap.quote.certification-data')
    },
  )

  test.skipIf(version === 3)('the reserved words of the header are zero', () =>
    expect(
      ruleBroken(
        tee,
        patched((v) => v.setUint8(11, 1)),
      ),
    ).toBe('dcap.quote.reserved'),
  )

  test.skipIf(tee !== sgx)('the reserved bytes of an enclave report are zero', () => {
    for (const at of [21, 96, 160, 262])
      expect(
        ruleBroken(
          tee,
          patched((v) => v.setUint8(signed - 384 + at, 1)),
        ),
      ).toBe('dcap.quote.reserved')
  })

  test.skipIf(version !== 5)('a body type of another size or TEE is refused (N44)', () => {
    const sizes = [384, 584, 648]
    for (const type of [0, 1, 2, 3, 9])
      for (const size of [...sizes, 0, 0xffff_ffff]) {
        if (sizes[type - 1] === size && signed === 54 + size) continue
        const described = patched((v) => {
          v.setUint16(48, type, true)
          v.setUint32(50, size, true)
        })
        const isOther = tee === tdx && sizes[type - 1] === size && type > 1
        expect(ruleBroken(tee, described), `type ${type} of ${size} bytes`).toMatch(
          isOther ? /^dcap\.quote\.(signature-data|certification-data|length)$/ : /\.body$/,
        )
      }
  })
})

test('version 3 knows no TDX', () => {
  const quote = tdQuote(tdxPlatform, { version: 4, body: usualTdBody() })
  quote[0] = 3
  expect(ruleBroken(tdx, quote)).toBe('dcap.quote.tee-type')
})

test('a quote larger than any is refused before anything in it is read', () =>
  expect(ruleBroken(tdx, new Uint8Array(MAX_QUOTE_BYTES + 1))).toBe('dcap.quote.length'))

test('every rule was broken by something above', () =>
  expect([...broken].toSorted()).toEqual(['none', ...structure.map(({ id }) => id)].toSorted()))
