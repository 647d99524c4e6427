/** Does the simulator's Intel look like Intel, and are its quotes what the verifier's layouts say? */
import { createHash, verify, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { assembleQuote, sgxQuote, tdQuote } from '../../enclave/simulator/dcap.ts'
import { usualSgxBody, usualTd15Body, usualTdBody } from '../../enclave/simulator/dcap-bodies.ts'
import { intelMachine } from '../../enclave/simulator/intel-machine.ts'
import type { SigningKey } from '../../enclave/simulator/mint/signing.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { concat, toHex } from '../../src/bytes/encoding.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { decodeCrl, isRevoked, revocationSource } from '../../src/pki/crl.ts'
import { derFromBigEndian } from '../../src/pki/ecdsa-value.ts'
import { validatePath } from '../../src/pki/path.ts'
import { ecdsaP256Sha256 } from '../../src/pki/scheme.ts'
import type { Decoding } from '../../src/rats/tee.ts'
import { sgxBody, TEE_SGX, TEE_TDX, td10Body, td15Body } from '../../src/tee/dcap/layouts.ts'
import { decodePckExtension } from '../../src/tee/dcap/pck-extension.ts'
import { certificatesOfPem } from '../../src/tee/dcap/pem.ts'
import { decodeQeIdentity } from '../../src/tee/dcap/qe-identity.ts'
import { decodeQuote, type Quote } from '../../src/tee/dcap/quote.ts'
import { decodeTcbInfo } from '../../src/tee/dcap/tcb-info.ts'
import { profileOf, shapeOf } from './shape.ts'

const ISSUED = new Date('2026-05-20T00:00:00Z')
const chance = seededChance('test')
const machine = intelMachine({ chance, issued: ISSUED })
const { pki } = machine
const pck = pki.pck(machine.pckFields)
const anchors = anchorSet([
  { certificate: decodeCertificate(pki.root.der), product: undefined, assurance: 'simulated' },
])

function faultsOf(leaf: Uint8Array, candidates: readonly Uint8Array[]) {
  const path = validatePath({
    leaf: decodeCertificate(leaf),
    candidates: candidates.map(decodeCertificate),
    anchors,
    scheme: ecdsaP256Sha256,
    intermediates: candidates.length,
  })
  return [...path.faults.values()]
}

describe('the PKI', () => {
  test('has faultless paths to PCK certificates and TCB signer', () => {
    const { platform: _, ...single } = machine.pckFields
    const processorPck = pki.pck({ ...single, platform: undefined })
    expect(faultsOf(pck.der, [pki.platform.der])).toEqual([])
    expect(faultsOf(processorPck.der, [pki.processor.der])).toEqual([])
    expect(faultsOf(pki.tcbSigner.der, [])).toEqual([])
    for (const { der } of [pck, processorPck, pki.root, pki.tcbSigner])
      expect(() => new X509Certificate(der)).not.toThrow()
  })

  test('certifies the platform that was asked for', () => {
    const { ppid, components, pceSvn, fmspc, pceId, platform } = machine.pckFields
    const extension = decodePckExtension(decodeCertificate(pck.der))
    expect(extension).toMatchObject({ ppid, pceSvn, fmspc, pceId, platform })
    expect([...extension.components]).toEqual(components)
    expect([...extension.cpuSvn]).toEqual(components)
    expect(extension.sgxType).toBe('Scalable')
  })

  test('publishes lists of both authorities, empty or not', () => {
    const ca = decodeCertificate(pki.platform.der)
    const revoked = [{ serial: pck.serial, at: ISSUED, reason: 1 }]
    const source = (der: Uint8Array) => revocationSource(ca, [decodeCrl(der)], ecdsaP256Sha256)
    const leaf = decodeCertificate(pck.der)
    expect(isRevoked(leaf, source(pki.pckCrl()))).toBe(false)
    expect(source(pki.pckCrl()).authentic).toHaveLength(1)
    expect(isRevoked(leaf, source(pki.pckCrl(pki.platform, { revoked })))).toBe(true)
    expect(source(pki.rootCrl()).authentic).toHaveLength(0)
  })

  test('is byte for byte the same when minted again', () => {
    const again = intelMachine({ chance: seededChance('test'), issued: ISSUED })
    expect(toHex(again.pki.pck(again.pckFields).der)).toBe(toHex(pck.der))
    expect(again.collateral('tdx')).toEqual(machine.collateral('tdx'))
  })
})

/** Members that not every level or component has. */
const OPTIONAL = ['category', 'type', 'advisoryIDs']
const RECORDED = new URL('../../../shared/vectors/_triples/t12/', import.meta.url)

describe.skipIf(!existsSync(RECORDED))(
  'the shape of recorded evidence (skipped: not at hand)',
  () => {
    const quote = existsSync(RECORDED)
      ? readFileSync(new URL('quote.bin', RECORDED))
      : Buffer.alloc(0)
    const chain = () =>
      certificatesOfPem(quote.subarray(quote.indexOf('-----BEGIN')).toString('latin1'), {
        path: 'chain',
        most: 3,
      })

    test.each([
      ['PCK', 0, () => pck.der],
      ['Platform CA', 1, () => pki.platform.der],
      ['root', 2, () => pki.root.der],
    ])('is the shape of our %s certificate', (_, index, ours) => {
      const recorded = chain()[index] ?? new Uint8Array()
      expect(profileOf(ours())).toBe(profileOf(recorded))
    })

    test('is the shape of our SGX extension', () => {
      const extension = (der: Uint8Array) =>
        decodeCertificate(der).extensions.get('1.2.840.113741.1.13.1')?.value ?? new Uint8Array()
      const recorded = extension(chain()[0] ?? new Uint8Array())
      expect(shapeOf(extension(pck.der))).toBe(shapeOf(recorded))
    })

    test('has the keys of our collateral, in their order', () => {
      const collateral: unknown = JSON.parse(
        readFileSync(new URL('collateral.json', RECORDED), 'utf8'),
      )
      const recorded = new Map(Object.entries(collateral ?? {}))
      const keys = (text: unknown): readonly string[] => {
        const seen: string[] = []
        JSON.parse(String(text), (key, value: unknown) => {
          if (!/^\d*$/.test(key) && !OPTIONAL.includes(key)) seen.push(key)
          return value
        })
        return [...new Set(seen)]
      }
      expect(keys(JSON.stringify(machine.tcbInfo('tdx')))).toEqual(keys(recorded.get('tcb_info')))
      expect(keys(JSON.stringify(machine.qeIdentity('tdx')))).toEqual(
        keys(recorded.get('qe_identity')),
      )
    })
  },
)

describe('collateral', () => {
  test.each(['sgx', 'tdx'] as const)(
    'of %s decodes, and its signature covers the text',
    (family) => {
      const { tcbInfos, qeIdentities } = machine.collateral(family)
      for (const { body, signature } of [...tcbInfos, ...qeIdentities]) {
        const der = derFromBigEndian(signature.subarray(0, 32), signature.subarray(32))
        expect(verify('sha256', body, pki.tcbSigner.publicKey, der)).toBe(true)
      }
      const [info] = tcbInfos.map(({ body }) => decodeTcbInfo(body))
      expect(info?.id).toBe(family.toUpperCase())
      expect(info?.fmspc).toBe('b0c06f000000')
      const [identity] = qeIdentities.map(({ body }) => decodeQeIdentity(body))
      expect(identity?.id).toBe(family === 'sgx' ? 'QE' : 'TD_QE')
    },
  )
})

describe('a quote', () => {
  const reportData = chance.bytes('report data', 64)
  const tdx = machine.quoting('tdx')
  const sgx = machine.quoting('sgx')
  interface Form {
    readonly name: string
    readonly quote: Uint8Array
    readonly decode: (quote: Uint8Array) => Decoding<Quote<{ readonly reportData: Uint8Array }>>
    readonly attestationKey: SigningKey
  }
  const ofSgx = (version: number): Form => ({
    name: `SGX v${version}`,
    quote: sgxQuote(sgx, { version, body: { ...usualSgxBody(), reportData } }),
    decode: (quote) => decodeQuote({ quote }, { teeType: TEE_SGX, body: () => sgxBody }),
    attestationKey: sgx.attestationKey,
  })
  const ofTd = (version: number): Form => ({
    name: `TD v${version}`,
    quote: tdQuote(tdx, { version, body: { ...usualTdBody(), reportData } }),
    decode: (quote) => decodeQuote({ quote }, { teeType: TEE_TDX, body: () => td10Body }),
    attestationKey: tdx.attestationKey,
  })
  const ofTd15: Form = {
    name: 'TD 1.5',
    quote: tdQuote(tdx, { version: 5, body: { ...usualTd15Body(), reportData } }),
    decode: (quote) => decodeQuote({ quote }, { teeType: TEE_TDX, body: () => td15Body }),
    attestationKey: tdx.attestationKey,
  }
  const forms = [ofSgx(3), ofSgx(4), ofSgx(5), ofTd(4), ofTd(5), ofTd15]

  test.each(forms)(
    'of form $name decodes; both signatures and the binding hold',
    ({ quote: bytes, decode, attestationKey }) => {
      const decoding = decode(bytes)
      if (!('evidence' in decoding)) throw new Error(decoding.fault.sentence)
      const quote = decoding.evidence
      expect(quote.body.reportData).toEqual(reportData)
      expect(holds(quote.signed, quote.signature, attestationKey.publicKey)).toBe(true)
      expect(holds(quote.qeReport, quote.qeReportSignature, pck.publicKey)).toBe(true)
      const binding = createHash('sha256').update(quote.attestationKey).update(quote.qeAuthData)
      expect(sgxBody.decode(quote.qeReport).reportData).toEqual(
        concat(binding.digest(), new Uint8Array(32)),
      )
    },
  )

  test('with another attestation key is bound and signed by that key', () => {
    const attestationKey = chance.p256('another')
    const bytes = tdQuote(tdx, {
      version: 4,
      body: usualTdBody(),
      alter: () => ({ attestationKey }),
    })
    const decoding = decodeQuote({ quote: bytes }, { teeType: TEE_TDX, body: () => td10Body })
    if (!('evidence' in decoding)) throw new Error(decoding.fault.sentence)
    const { signed, signature } = decoding.evidence
    expect(holds(signed, signature, attestationKey.publicKey)).toBe(true)
  })

  test('is the same bytes every time', () => {
    expect(toHex(ofTd(4).quote)).toBe(toHex(ofTd(4).quote))
  })

  test('can be put together from parts of any kind', () => {
    let quote = new Uint8Array()
    tdQuote(tdx, {
      version: 4,
      body: usualTdBody(),
      alter(usual) {
        quote = new Uint8Array(assembleQuote({ ...usual, outerCertificationType: 5 }))
        return {}
      },
    })
    expect(decodeQuote({ quote }, { teeType: TEE_TDX, body: () => td10Body })).toMatchObject({
      fault: { id: 'dcap.quote.certification-data' },
    })
  })
})

function holds(message: Uint8Array, raw: Uint8Array, key: Parameters<typeof verify>[2]): boolean {
  return verify('sha256', message, key, derFromBigEndian(raw.subarray(0, 32), raw.subarray(32)))
}
