/** From the stock client's JSON to the bytes of a report: exactly those, in every shape, and never two readings of one. */
import { describe, expect, test } from 'vitest'
import { parseExactJson } from '#src/http/exact-json.ts'
import { reportOfJson } from '#src/tee/sev-snp/report-json.ts'
import { simulatedSnp } from '../../../enclave/simulator/agent.ts'
import { seededChance } from '../../../fixtures/seeded.ts'
import { type ReportShape, reportJson } from '../../kbs/snp-json.ts'
import { advice, hasRecorded, recordedBytes } from '../../recorded.ts'

const request = { chance: seededChance('report json'), issued: new Date('2026-01-01T00:00:00Z') }
const fields = {
  reportData: new Uint8Array(64).fill(0x5a),
  measurement: new Uint8Array(48).map((_, index) => index),
}

function report(product: 'Milan' | 'Genoa' | 'Turin', changed = {}): Uint8Array {
  return simulatedSnp(request, product).attest({ ...fields, fields: changed }).quote
}

const genoa = report('Genoa')
const rebuilt = (text: string) => reportOfJson(parseExactJson(text))

describe.each(['Milan', 'Genoa', 'Turin'] as const)('a report of %s', (product) => {
  const bytes = report(product)
  // The releases between lost bytes of a Turin's TCB, so that nothing could be rebuilt of it.
  test.each<ReportShape>(['sev 6', 'sev 3'])(
    'is rebuilt to the byte from the JSON of %s',
    (shape) => {
      expect(Buffer.from(rebuilt(reportJson(bytes, shape))).equals(bytes)).toBe(true)
    },
  )
})

test('a report of version 3 is rebuilt from a shape that knows no mitigation vectors', () => {
  const bytes = Buffer.from(genoa)
  bytes.writeUInt32LE(3, 0)
  bytes.fill(0, 0x1f8, 0x208)
  expect(Buffer.from(rebuilt(reportJson(bytes, 'sev 5'))).equals(bytes)).toBe(true)
})

test('a report of version 2 has no CPUID, and says null', () => {
  const bytes = Buffer.from(genoa)
  bytes.writeUInt32LE(2, 0)
  bytes.fill(0, 0x188, 0x18b)
  bytes.fill(0, 0x1f8, 0x208)
  expect(reportJson(bytes)).toContain('"cpuid_fam_id":null')
  expect(Buffer.from(rebuilt(reportJson(bytes))).equals(bytes)).toBe(true)
})

test.each([0xffff_ffff_ffff_ffffn, 0x8000_0000_0000_0001n, 9007199254740993n])(
  'a 64-bit word of %d loses no bit',
  (word) => {
    const bytes = Buffer.from(genoa)
    for (const at of [0x008, 0x040, 0x1f8, 0x200]) bytes.writeBigUInt64LE(word, at)
    const text = reportJson(bytes)
    expect(text).toContain(`"policy":${word}`)
    expect(Buffer.from(rebuilt(text)).equals(bytes)).toBe(true)
  },
)

const recorded = [
  'confidential-containers+trustee/azure-milan-v3.report.bin',
  'confidential-containers+trustee/azure-genoa-v3.report.bin',
  'confidential-containers+trustee/milan-v3-vlek-vmpl1.report.bin',
  'virtee+sev/milan-v2.report.bin',
]

test.skipIf(!hasRecorded(...recorded)).each(recorded)(
  `what the client would write of %s is rebuilt (${advice} otherwise)`,
  (path) => {
    const bytes = recordedBytes(path)
    for (const shape of ['sev 6', 'sev 3'] as const)
      expect(Buffer.from(rebuilt(reportJson(bytes, shape))).equals(bytes)).toBe(true)
  },
)

describe('is refused:', () => {
  const text = reportJson(genoa)
  test.each([
    ['an unknown member', text.replace('{"version"', '{"smuggled":1,"version"'), /smuggled/],
    ['a missing member', text.replace(/"vmpl":\d+,/, ''), /vmpl/],
    ['a list that is too long', text.replace('"host_data":[', '"host_data":[0,'), /host_data/],
    ['a byte above 255', text.replace('"host_data":[0', '"host_data":[256'), /host_data/],
    ['a negative number', text.replace(/"vmpl":\d+/, '"vmpl":-1'), /vmpl/],
    ['a fraction', text.replace(/"vmpl":\d+/, '"vmpl":0.5'), /vmpl/],
    ['a number in text', text.replace(/"vmpl":(\d+)/, '"vmpl":"$1"'), /vmpl/],
    ['65 bits', text.replace(/"policy":\d+/, '"policy":18446744073709551616'), /policy/],
    [
      'an unknown part of a TCB',
      text.replace('"reported_tcb":{', '"reported_tcb":{"x":1,'),
      /reported_tcb\.x/,
    ],
    [
      'a TCB without a part',
      text.replace(/("reported_tcb":\{.*?),"microcode":\d+/, '$1'),
      /reported_tcb\.microcode/,
    ],
    [
      'two members that say different things about one byte',
      text.replace('"current":', '"current_major":9,"current":'),
      /round trip/,
    ],
    [
      'a CPUID that is said to be absent where other members say its bytes',
      reportJson(genoa, 'sev 3').replace('"chip_id"', '"cpuid_fam_id":null,"chip_id"'),
      /round trip/,
    ],
    ['what is no object', '[]', /an object/],
  ])('%s', (_, changed, reason) => {
    expect(changed).not.toBe(text)
    expect(() => rebuilt(changed)).toThrow(reason)
  })

  test('a member named twice', () => {
    expect(() => rebuilt(text.replace('{"version"', '{"version":5,"version"'))).toThrow(/twice/)
  })
})
