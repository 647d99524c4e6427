/**
 * Do the Go libraries read each field where the simulator wrote it? A signature holds over bytes in any order: only another
 * reader can tell that two fields of our layouts have changed places.
 */
import { describe, expect, test } from 'vitest'
import { tdQuote } from '../../enclave/simulator/dcap.ts'
import { type ReportFields, signReport } from '../../enclave/simulator/snp.ts'
import { chance, machine, td } from '../../fixtures/cases/dcap-machines.ts'
import { genoa, milan, milanV2 } from '../../fixtures/cases/snp-machines.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { platformBits, policyBits } from '../../src/tee/sev-snp/bits.ts'
import { titled } from './go-tool.ts'
import { type GoCase, goVerifiers } from './go-verifiers.ts'

const go = goVerifiers()

function readings(kind: GoCase['kind'], evidence: readonly Uint8Array[]): readonly unknown[] {
  const at = new Date('2026-06-01T00:00:00Z')
  const unjudged = { kind, at, certificates: [], roots: [], published: {} }
  return go.judge(evidence.map((each) => ({ ...unjudged, evidence: each }))).map((v) => v.reading)
}

/** No two fields alike, so that one which is read at another's place shows. */
const everyField: Partial<ReportFields> = {
  guestSvn: 0x01020304,
  vmpl: 3,
  platformInfo: 0xbfn,
  signerInfo: 0b111,
  currentTcb: chance.bytes('current tcb', 8),
  reportedTcb: chance.bytes('reported tcb', 8),
  committedTcb: chance.bytes('committed tcb', 8),
  launchTcb: chance.bytes('launch tcb', 8),
  idKeyDigest: chance.bytes('id key', 48),
  authorKeyDigest: chance.bytes('author key', 48),
  reportIdMa: chance.bytes('report id ma', 32),
  currentBuild: 1,
  currentMinor: 2,
  currentMajor: 3,
  committedBuild: 4,
  committedMinor: 5,
  committedMajor: 6,
}
const mitigations = { launchMitVector: 0x0102030405060708n, currentMitVector: 0x1112131415161718n }

const policyNames: Readonly<Record<keyof typeof policyBits, string>> = {
  smt: 'SMT',
  migrateMa: 'MigrateMA',
  debug: 'Debug',
  singleSocket: 'SingleSocket',
  cxl: 'CXLAllowed',
  aes256Xts: 'MemAES256XTS',
  raplDisabled: 'RAPLDis',
  ciphertextHiding: 'CipherTextHidingDRAM',
  pageSwapDisabled: 'PageSwapDisable',
}
const platformNames: Readonly<Record<keyof typeof platformBits, string>> = {
  smt: 'SMTEnabled',
  tsme: 'TSMEEnabled',
  ecc: 'ECCEnabled',
  raplDisabled: 'RAPLDisabled',
  ciphertextHiding: 'CiphertextHidingDRAMEnabled',
  aliasCheck: 'AliasCheckComplete',
  tio: 'TIOEnabled',
}

describe.skipIf(go.missing)(titled('go-sev-guest reads', go), () => {
  const read = (...reports: readonly ReportFields[]) =>
    readings(
      'snp',
      reports.map((report) => signReport(report, milan.vcek.key)),
    )

  test.each([
    [2, { ...milanV2.report, ...everyField }],
    [3, { ...milan.report, ...everyField }],
    [4, { ...milan.report, ...everyField, version: 4 }],
    [5, { ...milan.report, ...everyField, version: 5, ...mitigations }],
  ])('every field of a report of version %s', (_, report) => {
    expect(read(report)).toMatchObject([
      {
        report: snpProto(report),
        signer: { AuthorKeyEn: true, MaskChipKey: true, SigningKey: 1 },
      },
    ])
  })

  test.each([milan, genoa])('the components of a TCB of $chip.product', ({ report, chip }) => {
    const { bootloader, tee, snp, microcode } = chip.tcb
    const parts = { BlSpl: bootloader, TeeSpl: tee, SnpSpl: snp, UcodeSpl: microcode }
    expect(read(report)).toMatchObject([{ reportedTcb: parts }])
  })

  test('the ABI version of a guest policy', () =>
    expect(read({ ...milan.report, policy: 0x2_0137n })).toMatchObject([
      { policy: { ABIMajor: 1, ABIMinor: 0x37 } },
    ]))

  test.each(bitsOf(policyBits, policyNames))('bit %s of a guest policy as %s', (_, name, bit) => {
    const [policy, none] = read(
      { ...milan.report, policy: 0x2_0000n | bit },
      { ...milan.report, policy: 0x2_0000n },
    ).map((reading) => structOf(reading, 'policy'))
    expect(policy).toEqual({ ...none, [name]: true })
  })

  test.each(bitsOf(platformBits, platformNames))(
    'bit %s of PLATFORM_INFO as %s',
    (_, name, bit) => {
      const [info, none] = read(
        { ...milan.report, platformInfo: bit },
        { ...milan.report, platformInfo: 0n },
      ).map((reading) => structOf(reading, 'platformInfo'))
      expect(info).toEqual({ ...none, [name]: true })
    },
  )
})

describe.skipIf(go.missing)(titled('go-tdx-guest reads', go), () => {
  const body = {
    ...td,
    mrSignerSeam: chance.bytes('mrsignerseam', 48),
    seamAttributes: chance.bytes('seam attributes', 8),
    tdAttributes: chance.bytes('td attributes', 8),
    xfam: chance.bytes('xfam', 8),
    teeTcbSvn: chance.bytes('tee tcb svn', 16),
  }
  const qe = {
    ...machine.quoting('tdx').qe,
    cpuSvn: chance.bytes('qe cpu svn', 16),
    miscSelect: new Uint8Array([1, 2, 3, 4]),
    attributes: chance.bytes('qe attributes', 16),
    mrEnclave: chance.bytes('qe mrenclave', 32),
    isvProdId: 0x0102,
    isvSvn: 0x0304,
  }
  const platform = { ...machine.quoting('tdx'), qe }
  const qeAuthData = chance.bytes('qe auth data', 40)
  const userData = chance.bytes('user data', 20)
  const quote = tdQuote(platform, {
    version: 4,
    body,
    alter: (usual) => ({ qeAuthData, header: { ...usual.header, userData } }),
  })
  const signed = () => {
    const [reading] = readings('tdx', [quote])
    return structOf(reading, 'quote')
  }

  test('every field of the header', () =>
    expect(signed().header).toMatchObject({
      version: 4,
      attestationKeyType: 2,
      teeType: 0x81,
      qeVendorId: base64(Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex')),
      userData: base64(userData),
    }))

  test('every field of a TD body', () => {
    const { rtmr0, rtmr1, rtmr2, rtmr3, ...fields } = body
    const rtmrs = [rtmr0, rtmr1, rtmr2, rtmr3].map(base64)
    expect(signed().tdQuoteBody).toEqual({ ...protoOf(fields), rtmrs })
  })

  test('every field of the quoting enclave, and what it certifies', () => {
    const { cpuSvn, attributes, mrEnclave, mrSigner, isvProdId, isvSvn } = qe
    const fields = { cpuSvn, attributes, mrEnclave, mrSigner, isvProdId, isvSvn }
    expect(signed().signedData).toMatchObject({
      certificationData: {
        certificateDataType: 6,
        qeReportCertificationData: {
          qeReport: { ...protoOf(fields), miscSelect: 0x04030201 },
          qeAuthData: { data: base64(qeAuthData) },
          pckCertificateChainData: { certificateDataType: 5 },
        },
      },
    })
  })

  test('the SGX extension of a PCK certificate', () => {
    const { ppid, components, pceSvn, pceId, fmspc } = machine.pckFields
    const [reading] = readings('tdx', [quote])
    expect(structOf(reading, 'pck')).toEqual({
      PPID: toHex(ppid),
      PCEID: toHex(pceId),
      FMSPC: toHex(fmspc),
      TCB: {
        PCESvn: pceSvn,
        CPUSvn: base64(new Uint8Array(components)),
        CPUSvnComponents: base64(new Uint8Array(components)),
      },
    })
  })
})

/** Fields of a layout as Go's protobuf writes them in JSON: bytes in base64, 64-bit numbers in text. */
function protoOf(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (value instanceof Uint8Array) return [name, base64(value)]
      return [name, typeof value === 'bigint' ? `${value}` : value]
    }),
  )
}

/** TCB versions are numbers there; family, model and stepping are packed as CPUID leaf 1 has them in EAX. */
function snpProto(report: ReportFields) {
  const { cpuidFamily, cpuidModel, cpuidStepping, ...rest } = report
  const tcbs = Object.entries(rest).flatMap(([name, value]) =>
    name.endsWith('Tcb') && value instanceof Uint8Array
      ? [[name, `${Buffer.from(value).readBigUInt64LE()}`] as const]
      : [],
  )
  return {
    ...protoOf(rest),
    ...Object.fromEntries(tcbs),
    cpuid1eaxFms: packedCpuid(cpuidFamily, cpuidModel, cpuidStepping),
  }
}

/** Intel SDM and AMD APM, CPUID Fn0000_0001_EAX: the extended family adds to a base family of 0xf. */
function packedCpuid(family = 0, model = 0, stepping = 0): number {
  if (family < 0xf) return (family << 8) | ((model & 0xf) << 4) | stepping
  return (
    ((family - 0xf) << 20) | ((model >> 4) << 16) | (0xf << 8) | ((model & 0xf) << 4) | stepping
  )
}

/** Our name, theirs, and the bit. */
function bitsOf(bits: Readonly<Record<string, bigint>>, names: Readonly<Record<string, string>>) {
  return Object.entries(bits).map(([name, bit]) => [name, names[name] ?? name, bit] as const)
}

function structOf(reading: unknown, member: string): Readonly<Record<string, unknown>> {
  const struct: unknown =
    typeof reading === 'object' && reading !== null
      ? new Map<string, unknown>(Object.entries(reading)).get(member)
      : undefined
  if (typeof struct !== 'object' || struct === null) throw new Error(`${member} was not read`)
  return { ...struct }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
