/**
 * Negative cases that real evidence provides: machines that are refused as they are, and real bytes with one thing changed.
 * Named by the case; the check named must be the first to fail. N11 (a VLEK report whose shipped certificate is not its own) and
 * N28 (uncommitted Azure firmware) were recorded elsewhere and are held here by fixtures and by the AWS report.
 */
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../src/bytes/encoding.ts'
import type { EndorsementParts, SignedCollateral } from '../../src/rats/endorsements.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import { partsOfCollateralJson } from '../../src/tee/dcap/collateral-json.ts'
import {
  type Judged,
  judgeOf,
  quotes,
  type Recorded,
  reports,
} from '../mutations/recorded-evidence.ts'
import { hasRecorded, recordedBytes } from '../recorded.ts'
import { verdictOf } from '../vectors/fixture.ts'

interface Case {
  readonly id: string
  readonly about: string
  readonly of: string
  readonly replaced: () => Judged
  readonly expect: string
}

const GENOA = 'project-oak+oak/genoa-v5'
const MILAN = 'virtee+sev/milan-v2'
const AZURE_MILAN = 'confidential-containers+trustee/azure-milan-v3'
const AWS = 'confidential-containers+trustee/milan-v3-vlek-vmpl1'
const DEBUG = 'google+go-sev-guest/milan-v2-debug'

const asRecorded = () => ({})
const bytesOf = (name: string) => recordedBytes(recordedCase(name).files[0] ?? '')
const collateralOf = (id: string) => partsOfCollateralJson(textOf(`_triples/${id}/collateral.json`))
const textOf = (path: string) => Buffer.from(recordedBytes(path)).toString('utf8')
const day = (text: string) => () => ({ at: new Date(text) })
const certificates =
  (...files: readonly string[]) =>
  () => ({
    parts: { certificates: files.map(recordedBytes) },
  })

function patched(name: string, at: number, octets: readonly number[]): () => Judged {
  return () => {
    const quote = bytesOf(name).slice()
    quote.set(octets, at)
    return { quote }
  }
}

/** s becomes n - s: another signature of the same bytes by the same key, which ECDSA allows. */
function otherSignature(name: string): () => Judged {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  return () => {
    const quote = bytesOf(name).slice()
    const at = 636 + 32
    const s = BigInt(`0x${toHex(quote.subarray(at, at + 32))}`)
    quote.set(fromHex((order - s).toString(16).padStart(64, '0')) ?? [], at)
    return { quote }
  }
}

const replaceCrls = (crls: (own: EndorsementParts) => readonly Uint8Array[]) => () => ({
  parts: { crls: crls(collateralOf('t12')) },
})
const replaceTcbInfo = (change: (own: SignedCollateral) => SignedCollateral) => () => ({
  parts: { tcbInfos: collateralOf('t12').tcbInfos.map(change) },
})
const body = (own: SignedCollateral) => Buffer.from(own.body).toString('utf8')
const bytes = (text: string) => new Uint8Array(Buffer.from(text))

const cases: readonly Case[] = [
  {
    id: 'N02',
    about: 'version 255',
    of: MILAN,
    replaced: patched(MILAN, 0, [255]),
    expect: 'snp.report.version',
  },
  {
    id: 'N03',
    about: 'policy bit 26',
    of: MILAN,
    replaced: patched(MILAN, 0x0b, [0x04]),
    expect: 'snp.policy.reserved',
  },
  {
    id: 'N04',
    about: 'a byte after the signature',
    of: MILAN,
    replaced: patched(MILAN, 0x49f, [1]),
    expect: 'snp.report.reserved',
  },
  {
    id: 'N05',
    about: 'algorithm 2',
    of: MILAN,
    replaced: patched(MILAN, 0x34, [2]),
    expect: 'snp.signature.algorithm',
  },
  {
    id: 'N06',
    about: 'R above 48 bytes',
    of: GENOA,
    replaced: patched(GENOA, 0x2d0, [1]),
    expect: 'snp.signature.canonical',
  },
  {
    id: 'N06',
    about: 'S above 48 bytes',
    of: GENOA,
    replaced: patched(GENOA, 0x318, [1]),
    expect: 'snp.signature.canonical',
  },
  {
    id: 'N07',
    about: 'R and S of zero',
    of: MILAN,
    replaced: patched(MILAN, 0x2a0, new Array(144).fill(0)),
    expect: 'snp.report.signature',
  },
  {
    id: 'N09',
    about: 'signing key 7',
    of: GENOA,
    replaced: patched(GENOA, 0x48, [7 << 2]),
    expect: 'snp.signing-key.signed',
  },
  {
    id: 'N12',
    about: 'the VCEK of another machine',
    of: MILAN,
    replaced: certificates('confidential-containers+trustee/azure-milan-v3.vcek.der'),
    expect: 'snp.report.signature',
  },
  {
    id: 'N13',
    about: 'a VCEK that ASK-Milan did not sign',
    of: MILAN,
    replaced: certificates('confidential-containers+trustee/test-vcek-invalid-new.der'),
    expect: 'snp.chain.signature',
  },
  {
    id: 'N15',
    about: 'a Genoa report with a Milan certificate',
    of: GENOA,
    replaced: certificates('virtee+sev/milan-v2.vcek.der'),
    expect: 'snp.product.agrees',
  },
  {
    id: 'N15',
    about: 'a Milan report with a Turin certificate',
    of: AZURE_MILAN,
    replaced: certificates('virtee+sev/vcek_turin.der'),
    expect: 'snp.product.agrees',
  },
  {
    id: 'N17',
    about: 'the AWS VLEK after its year',
    of: AWS,
    replaced: day('2025-12-11T00:00:00Z'),
    expect: 'snp.chain.validity',
  },
  {
    id: 'N17',
    about: 'the AWS VLEK before its year',
    of: AWS,
    replaced: day('2024-12-09T00:00:00Z'),
    expect: 'snp.chain.validity',
  },
  {
    id: 'N23',
    about: 'a debug guest as recorded',
    of: DEBUG,
    replaced: asRecorded,
    expect: 'snp.policy.debug-off',
  },
  {
    id: 'N33',
    about: 'a prefix of the report data is not the report data',
    of: GENOA,
    replaced: () => ({ reference: { reportData: bytesOf(GENOA).slice(0x50, 0x70) } }),
    expect: 'snp.report-data.expected',
  },
  {
    id: 'N33',
    about: 'report data with more bytes behind it is not the report data',
    of: GENOA,
    replaced: () => ({ reference: { reportData: bytesOf(GENOA).slice(0x50, 0x91) } }),
    expect: 'snp.report-data.expected',
  },
  {
    id: 'N41',
    about: '70 bytes of 0x41 behind the quote',
    of: 't12',
    replaced: () => ({ quote: new Uint8Array([...bytesOf('t12'), ...new Array(70).fill(0x41)]) }),
    expect: 'dcap.quote.trailing',
  },
  {
    id: 'N41',
    about: '70 bytes of zero behind the quote',
    of: 't12',
    replaced: () => ({ quote: new Uint8Array([...bytesOf('t12'), ...new Array(70).fill(0)]) }),
    expect: 'pass',
  },
  {
    id: 'N42',
    about: 'a version 3 TDX quote',
    of: 't12',
    replaced: patched('t12', 0, [3]),
    expect: 'dcap.quote.tee-type',
  },
  {
    id: 'N42',
    about: 'another QE vendor',
    of: 't12',
    replaced: patched('t12', 12, [0]),
    expect: 'dcap.quote.vendor',
  },
  {
    id: 'N43',
    about: 'outer certification data of type 5',
    of: 't12',
    replaced: patched('t12', 764, [5]),
    expect: 'dcap.quote.certification-data',
  },
  {
    id: 'N47',
    about: 's replaced by n - s, which is as good a signature',
    of: 't12',
    replaced: otherSignature('t12'),
    expect: 'pass',
  },
  {
    id: 'N49',
    about: 'no PCK list but the root’s twice',
    of: 't12',
    replaced: replaceCrls(({ crls }) => crls.filter((each) => each.length < 400)),
    expect: 'dcap.crl.pck.current',
  },
  {
    id: 'N49',
    about: 'no list at all',
    of: 't12',
    replaced: replaceCrls(() => []),
    expect: 'dcap.crl.root.current',
  },
  {
    id: 'N49',
    about: 'four bytes of garbage',
    of: 't12',
    replaced: replaceCrls(({ crls }) => [...crls, new Uint8Array([1, 2, 3, 4])]),
    expect: 'dcap.crl.well-formed',
  },
  {
    id: 'N49',
    about: 'the lists of 2023',
    of: 't12',
    replaced: replaceCrls(() => [
      recordedBytes('google+go-tdx-guest/pckcrl'),
      recordedBytes('google+go-tdx-guest/rootcrl.der'),
    ]),
    expect: 'dcap.crl.root.current',
  },
  {
    id: 'N49',
    about: 'a list whose signature has one bit turned',
    of: 't12',
    replaced: replaceCrls(({ crls }) =>
      crls.map((each) => (each.length < 400 ? each : flippedLast(each))),
    ),
    expect: 'dcap.crl.pck.authentic',
  },
  {
    id: 'N51',
    about: 'TCB info of another family',
    of: 't12',
    replaced: () => ({ parts: { tcbInfos: collateralOf('t39').tcbInfos } }),
    expect: 'dcap.tcb-info.matches',
  },
  {
    id: 'N51',
    about: 'SGX TCB info for a TD',
    of: 't12',
    replaced: () => ({ parts: { tcbInfos: collateralOf('t17').tcbInfos } }),
    expect: 'dcap.tcb-info.matches',
  },
  {
    id: 'N52',
    about: 'the SGX QE identity for a TD',
    of: 't12',
    replaced: () => ({ parts: { qeIdentities: collateralOf('t10').qeIdentities } }),
    expect: 'dcap.qe-identity.matches',
  },
  {
    id: 'N53',
    about: 'OutOfDate edited to UpToDate',
    of: 't12',
    replaced: replaceTcbInfo((own) => ({
      ...own,
      body: bytes(body(own).replaceAll('OutOfDate', 'UpToDate')),
    })),
    expect: 'dcap.tcb-info.signature',
  },
  {
    id: 'N53',
    about: 'the same JSON with a space behind it',
    of: 't12',
    replaced: replaceTcbInfo((own) => ({ ...own, body: bytes(`${body(own)} `) })),
    expect: 'dcap.tcb-info.signature',
  },
  {
    id: 'N53',
    about: 'the same JSON serialised again',
    of: 't12',
    replaced: replaceTcbInfo((own) => ({
      ...own,
      body: bytes(JSON.stringify(JSON.parse(body(own)), null, 1)),
    })),
    expect: 'dcap.tcb-info.signature',
  },
  {
    id: 'N55',
    about: 'collateral a month later',
    of: 't12',
    replaced: day('2025-08-04T10:16:31Z'),
    expect: 'dcap.crl.pck.current',
  },
  {
    id: 'N55',
    about: 'collateral a month before',
    of: 't12',
    replaced: day('2025-06-01T00:00:00Z'),
    expect: 'dcap.crl.pck.current',
  },
  {
    id: 'N56',
    about: 'an old platform under a new module',
    of: 't27',
    replaced: asRecorded,
    expect: 'dcap.tcb.status',
  },
  {
    id: 'N57',
    about: 'components 0 and 1 skipped',
    of: 't39',
    replaced: asRecorded,
    expect: 'pass',
  },
  {
    id: 'N63',
    about: 'a debug TD',
    of: 't34',
    replaced: asRecorded,
    expect: 'tdx.attributes.debug-off',
  },
  {
    id: 'N65',
    about: 'Alibaba’s service TD',
    of: 't20',
    replaced: asRecorded,
    expect: 'tdx.service-td.approved',
  },
  {
    id: 'N66',
    about: 'evaluation number 17 under a floor of 18',
    of: 't12',
    replaced: () => ({ reference: { minimumTcbEvaluationDataNumber: 18 } }),
    expect: 'dcap.tcb.evaluation-number',
  },
]

test.each(cases)('$id: $about ($of) gives $expect', ({ of, replaced, expect: check }) => {
  const recorded = recordedCase(of)
  if (!hasRecorded(...recorded.files)) return
  expect(verdictOf(judgeOf(recorded)(replaced()))).toBe(check)
})

test('N27: the AWS report is refused for its VMPL under strict rules, and only there', () => {
  const recorded = recordedCase(AWS)
  if (!hasRecorded(...recorded.files)) return
  const { profile: _, ...strict } = recorded
  expect(verdictOf(judgeOf(strict)())).toBe('snp.vmpl.expected')
  expect(verdictOf(judgeOf(recorded)())).toBe('pass')
})

describe('N54: the TCB signer of 2018 has the name, key and serial of the one of 2025', () => {
  const expired = recordedPem('_roots/Intel_TCB_Signing_2018.pem')
  test.skipIf(!expired)('and signs nothing after May 2025', () => {
    const own = collateralOf('t12')
    const parts = endorsements(own, {
      tcbInfos: [],
    })
    const tcbInfos = parts.tcbInfos.map((each) => ({
      ...each,
      issuerChain: [expired ?? new Uint8Array(), ...each.issuerChain.slice(1)],
    }))
    const verdict = verdictOf(judgeOf(recordedCase('t12'))({ parts: { tcbInfos } }))
    expect(verdict).toBe('dcap.tcb-info.issuer-chain.validity')
  })
})

function recordedCase(name: string): Recorded {
  const found = [...reports, ...quotes].find((each) => each.name === name)
  if (!found) throw new Error(`no recorded case ${name}`)
  return found
}

function recordedPem(path: string): Uint8Array | undefined {
  if (!hasRecorded(path)) return undefined
  return new Uint8Array(Buffer.from(textOf(path).replace(/-----[^-]+-----|\s/g, ''), 'base64'))
}

function flippedLast(der: Uint8Array): Uint8Array {
  const copy = der.slice()
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
  return copy
}
