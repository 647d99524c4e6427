/** Is what evidence lacks found out and obtained, and does evidence name nothing that it may not? */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { certificateTable, tableGuids } from '../../enclave/simulator/certificate-table.ts'
import { sgxQuote, tdQuote } from '../../enclave/simulator/dcap.ts'
import { usualSgxBody, usualTd15Body } from '../../enclave/simulator/dcap-bodies.ts'
import { intelPki } from '../../enclave/simulator/intel.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import {
  type ReportFields,
  type SnpChip,
  signReport,
  usualReport,
} from '../../enclave/simulator/snp.ts'
import { concat, toHex } from '../../src/bytes/encoding.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { Problem } from '../../src/problems.ts'
import { verify } from '../../src/rats/appraisal.ts'
import { type EndorsementParts, noParts } from '../../src/rats/endorsements.ts'
import type { Evidence } from '../../src/rats/evidence.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import type { AnyTee } from '../../src/rats/tee.ts'
import { endorsementCollector, endorsementNeeds } from '../../src/service/collect-endorsements.ts'
import { nameOf } from '../../src/service/endorsement-subject.ts'
import { sgx } from '../../src/tee/dcap/sgx.ts'
import { tdx } from '../../src/tee/dcap/tdx.ts'
import { tees } from '../../src/tee/registry.ts'
import { sevSnp } from '../../src/tee/sev-snp/sev-snp.ts'
import { movableClock, type Rig, removeFolders, rig } from '../fakes/endorsement-rig.ts'
import {
  addresses,
  body,
  chance,
  FMSPC,
  milanChip,
  status,
  turinChip,
  type VendorServer,
  vendorServer,
  vendors,
} from '../fakes/vendor-server.ts'

const issued = new Date('2026-01-01T00:00:00Z')
const now = new Date('2026-01-02T00:00:00Z')
const published = vendors(issued)
const { amd, intel } = published

const milan: SnpChip = { ...milanChip, product: 'Milan', version: 5 }
const turin: SnpChip = { ...turinChip, product: 'Turin', version: 5 }
const milanVcek = amd.Milan.vcek(milanChip)
const turinVcek = amd.Turin.vcek(turinChip)
const milanVlek = amd.Milan.vlek({ cspId: 'CN=cloud', tcb: milanChip.tcb })
const VLEK_SIGNED = 1 << 2

function snp(
  chip: SnpChip,
  changes: Partial<ReportFields> = {},
  key = chip.product === 'Milan' ? milanVcek.key : turinVcek.key,
): Evidence {
  return { quote: signReport({ ...usualReport(chip), ...changes }, key) }
}

const vcekTable = certificateTable([{ guid: tableGuids.vcek, certificate: milanVcek.der }])
const quoting = intel.quoting('tdx')
const tdxEvidence: Evidence = { quote: tdQuote(quoting, { version: 5, body: usualTd15Body() }) }
const sgxEvidence: Evidence = {
  quote: sgxQuote(intel.quoting('sgx'), { version: 3, body: usualSgxBody() }),
}

const names = (evidence: Evidence, tee: AnyTee, brought: EndorsementParts = noParts) =>
  endorsementNeeds(evidence, tee, brought).map(nameOf)

const milanVcekName = `amd/Milan/vcek/${toHex(milanChip.hwid)}/04000000000018db`
const turinVcekName = `amd/Turin/vcek/${toHex(turinChip.hwid)}/0102030400000054`

describe('a report needs', () => {
  const vlek = { signerInfo: VLEK_SIGNED }
  const otherChip = amd.Milan.vcek({ ...milanChip, hwid: new Uint8Array(64).fill(9) })

  test.each<[string, Evidence, Partial<EndorsementParts>, readonly string[]]>([
    ['the list of its product and its VCEK', snp(milan), {}, ['amd/Milan/vcek/crl', milanVcekName]],
    ['a Turin VCEK by its own layout', snp(turin), {}, ['amd/Turin/vcek/crl', turinVcekName]],
    [
      'the list alone where the host brought the VCEK',
      { ...snp(milan), auxblob: vcekTable },
      {},
      ['amd/Milan/vcek/crl'],
    ],
    [
      'the list alone where the caller brought the VCEK',
      snp(milan),
      { certificates: [amd.Milan.ask.der, milanVcek.der] },
      ['amd/Milan/vcek/crl'],
    ],
    [
      "its VCEK where another chip's was brought",
      snp(milan),
      { certificates: [otherChip.der] },
      ['amd/Milan/vcek/crl', milanVcekName],
    ],
    [
      'its VCEK where a VLEK was brought',
      snp(milan),
      { certificates: [milanVlek.der] },
      ['amd/Milan/vcek/crl', milanVcekName],
    ],
    [
      'its VCEK where noise was brought',
      snp(milan),
      { certificates: [new Uint8Array(100)] },
      ['amd/Milan/vcek/crl', milanVcekName],
    ],
    [
      'the VLEK list, and no VLEK, which AMD gives to clouds only',
      snp(milan, vlek, milanVlek.key),
      {},
      ['amd/Milan/vlek/crl'],
    ],
    [
      'in version 2 what its VCEK names',
      { ...snp({ ...milan, version: 2 }), auxblob: vcekTable },
      {},
      ['amd/Milan/vcek/crl'],
    ],
    [
      'in version 2 without a VCEK nothing that could be told',
      snp({ ...milan, version: 2 }),
      {},
      [],
    ],
    [
      'only the list when its chip is masked',
      snp(milan, { chipId: new Uint8Array(64) }),
      {},
      ['amd/Milan/vcek/crl'],
    ],
    [
      'only the list when its Turin chip id has more than eight bytes',
      snp(turin, { chipId: concat(turinChip.hwid, new Uint8Array(56).fill(1)) }),
      {},
      ['amd/Turin/vcek/crl'],
    ],
    [
      'only the list when its TCB has reserved bytes',
      snp(milan, { reportedTcb: new Uint8Array([4, 0, 1, 0, 0, 0, 24, 219]) }),
      {},
      ['amd/Milan/vcek/crl'],
    ],
    ['nothing of a product that is not known', snp(milan, { cpuidModel: 0x50 }), {}, []],
    ['nothing when it does not decode', { quote: new Uint8Array(1184) }, {}, []],
    ['nothing when it is cut', { quote: snp(milan).quote.subarray(0, 1000) }, {}, []],
  ])('%s', (_, evidence, brought, expected) =>
    expect(names(evidence, sevSnp, { ...noParts, ...brought })).toEqual(expected),
  )
})

describe('a quote needs', () => {
  const lists = ['intel/crl/platform', 'intel/crl/root']
  const chained = (...certificates: Uint8Array[]): Evidence => ({
    quote: tdQuote(quoting, {
      version: 5,
      body: usualTd15Body(),
      alter: () => ({ certificationData: Buffer.from(pemOf(certificates)) }),
    }),
  })
  const { pck, pckFields, root, processor } = {
    ...intel.pki,
    pck: intel.pki.pck(intel.pckFields),
    pckFields: intel.pckFields,
  }
  const processorPck = intel.pki.pck({ ...pckFields, platform: undefined })

  test.each<[string, Evidence, AnyTee, readonly string[]]>([
    [
      'TDX collateral for TDX',
      tdxEvidence,
      tdx,
      [`intel/tdx/tcb/${FMSPC}`, 'intel/tdx/qe/identity', ...lists],
    ],
    [
      'SGX collateral for SGX',
      sgxEvidence,
      sgx,
      [`intel/sgx/tcb/${FMSPC}`, 'intel/sgx/qe/identity', ...lists],
    ],
    [
      "the Processor CA's list under the Processor CA",
      chained(processorPck.der, processor.der, root.der),
      tdx,
      [`intel/tdx/tcb/${FMSPC}`, 'intel/tdx/qe/identity', 'intel/crl/processor', 'intel/crl/root'],
    ],
    ['nothing from a CA that is not one of two', chained(pck.der, root.der, root.der), tdx, []],
    ['nothing without a PCK certificate', chained(root.der, intel.pki.platform.der), tdx, []],
    ['nothing from a chain of one', chained(pck.der), tdx, []],
    ['nothing from noise', chained(new Uint8Array(50)), tdx, []],
    ['nothing when it does not decode', { quote: tdxEvidence.quote.subarray(0, 900) }, tdx, []],
  ])('%s', (_, evidence, tee, expected) => expect(names(evidence, tee)).toEqual(expected))
})

test('every TEE that is registered has needs', () => {
  const samples = [snp(milan), tdxEvidence, sgxEvidence]
  for (const tee of tees) {
    const sample = samples.find(({ quote }) => tee.recognises(quote))
    expect(sample && names(sample, tee), tee.name).not.toEqual([])
    expect(sample, tee.name).toBeDefined()
  }
})

describe('what is collected from the vendors', () => {
  let server: VendorServer
  let opened: Rig
  beforeAll(async () => {
    server = await vendorServer(published)
  })
  beforeEach(async () => {
    opened = await rig({ base: server.base, clock: movableClock(now) })
  })
  afterAll(async () => {
    await server.close()
    await removeFolders()
  })

  const anchors = anchorSet(
    [
      { der: amd.Milan.ark.der, product: 'Milan' },
      { der: amd.Turin.ark.der, product: 'Turin' },
      { der: intel.pki.root.der, product: undefined },
    ].map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated',
    })),
    // The house pins AMD's intermediates.
    [amd.Milan.ask.der, amd.Milan.asvk.der, amd.Turin.ask.der].map(decodeCertificate),
  )

  const refusals = async (evidence: Evidence, tee: AnyTee, brought?: EndorsementParts) => {
    const collect = endorsementCollector(opened.cache)
    const { endorsements, missing } = await collect(evidence, tee, brought)
    expect(missing).toEqual([])
    const appraisal = verify(tee, evidence, {
      at: now,
      anchors,
      endorsements,
      waivers: new Map(),
      proofs: proofCache(16),
    })
    return appraisal.findings
      .filter(({ outcome }) => outcome !== 'pass' && outcome !== 'not-applicable')
      .map(({ id, detail }) => `${id}: ${detail}`)
  }

  test.each<[string, Evidence, AnyTee, Partial<EndorsementParts>]>([
    ['a Milan report', snp(milan), sevSnp, {}],
    ['a Turin report', snp(turin), sevSnp, {}],
    ['a report that brings its VCEK', { ...snp(milan), auxblob: vcekTable }, sevSnp, {}],
    [
      'a report under a VLEK',
      snp(milan, { signerInfo: VLEK_SIGNED }, milanVlek.key),
      sevSnp,
      { certificates: [milanVlek.der] },
    ],
    ['a TD quote', tdxEvidence, tdx, {}],
    ['an SGX quote', sgxEvidence, sgx, {}],
  ])('is enough for %s', async (_, evidence, tee, brought) =>
    expect(await refusals(evidence, tee, { ...noParts, ...brought })).toEqual([]),
  )

  test('keeps its digest while nothing changes, so that proofs are found again', async () => {
    const collect = endorsementCollector(opened.cache)
    const first = await collect(tdxEvidence, tdx)
    expect((await collect(tdxEvidence, tdx)).endorsements).toBe(first.endorsements)
    expect((await collect(sgxEvidence, sgx)).endorsements.digest).not.toBe(
      first.endorsements.digest,
    )
  })

  test('includes what was brought, and never instead of the vendor’s own', async () => {
    const collect = endorsementCollector(opened.cache)
    const stale = intelPki({ chance, issued: new Date('2025-01-01T00:00:00Z') }).rootCrl()
    const { endorsements } = await collect(tdxEvidence, tdx, { ...noParts, crls: [stale] })
    expect(endorsements.crls.map(toHex)).toContain(toHex(stale))
    expect(endorsements.crls.map(toHex)).toContain(toHex(intel.pki.rootCrl()))
  })

  test('shows a revocation of its own product, whatever VEKs of other products a version 2 report brings', async () => {
    const thisUpdate = new Date('2026-01-01T12:00:00Z')
    const revoked = [
      { serial: BigInt(`0x${decodeCertificate(amd.Milan.ask.der).serial}`), at: now },
    ]
    server.answer(addresses.milanCrl, body(amd.Milan.crl({ thisUpdate, revoked })))
    try {
      const evidence = snp({ ...milan, version: 2 })
      const bringing = (...certificates: readonly Uint8Array[]) =>
        // Genuine and not ended, from before the revocation.
        refusals(evidence, sevSnp, { ...noParts, certificates, crls: [amd.Milan.crl()] })
      const decoys = [
        amd.Genoa.vcek({ ...milanChip, label: 'decoy', hwid: new Uint8Array(64).fill(9) }),
        amd.Turin.vcek({ ...turinChip, label: 'decoy' }),
      ].map(({ der }) => der)
      const isRevoked = expect.stringMatching(/^snp\.ask\.not-revoked: SEV-Milan is revoked/)
      expect(await bringing(milanVcek.der)).toContainEqual(isRevoked)
      expect(await bringing(...decoys, milanVcek.der)).toContainEqual(isRevoked)
    } finally {
      server.answer(addresses.milanCrl, undefined)
    }
  })

  test('costs no request for a chip when the evidence brings its VCEK', async () => {
    const before = server.requests.length
    await endorsementCollector(opened.cache)({ ...snp(milan), auxblob: vcekTable }, sevSnp)
    expect(server.requests.slice(before)).toEqual([addresses.milanCrl])
  })

  test('lists what could not be had, with the rest', async () => {
    server.answer(addresses.rootCrl, status(503, { 'retry-after': '17' }))
    const rootBase = server.base.replace('127.0.0.1', 'localhost')
    const other = await rig({ base: server.base, rootBase, clock: movableClock(now) })
    const { endorsements, missing } = await endorsementCollector(other.cache)(tdxEvidence, tdx)
    server.answer(addresses.rootCrl, undefined)
    expect(missing.map(({ subject }) => nameOf(subject))).toContain('intel/crl/root')
    expect(missing[0]?.problem).toMatchObject({
      code: 'collateral-unavailable',
      retryAfterSeconds: 17,
    })
    expect(endorsements.tcbInfos).toHaveLength(1)
  })

  test('does not hide a fault of our own', async () => {
    const broken = endorsementCollector({
      renewals: () => 0,
      get: () => Promise.reject(new Problem('configuration-invalid', 'no disk')),
    })
    await expect(broken(tdxEvidence, tdx)).rejects.toThrow('no disk')
  })
})
