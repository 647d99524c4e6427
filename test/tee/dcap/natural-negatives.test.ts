/** Refusals that recorded evidence reaches without a forged signature: other collateral, other times, changed bytes (N45 to N57, N63 to N66). */
import { describe, expect, test } from 'vitest'
import type { EndorsementParts, SignedCollateral } from '../../../src/rats/endorsements.ts'
import type { DcapReference, TdxReference } from '../../../src/rats/reference-values.ts'
import { tdx } from '../../../src/tee/dcap/tdx.ts'
import { advice, hasRecorded, recordedBytes } from '../../recorded.ts'
import { failures, finding, hasTriples, type Judged, judge, triple } from './triple.ts'

const sample = 'intel+SGX-TDX-DCAP-QuoteVerificationLibrary'
const lookAlike = [`${sample}/tdx_pckCert.pem`, `${sample}/tdx_pckSignChain.pem`]
const derChain = `${sample}/intel-qvl-synth-tdx.quote.bin`
const ccel = 'google+go-tdx-guest/ccel_ccel_data.dat'

describe.skipIf(!hasTriples || !hasRecorded(ccel, derChain, ...lookAlike))(
  `on recorded evidence (${advice})`,
  () => {
    const { quote, parts, at } = triple('t12')
    const good: Judged = { evidence: { quote }, parts, at }
    const [pckCrl, rootCrl] = [
      parts.crls.find((crl) => crl.length > 1000) ?? new Uint8Array(),
      parts.crls.find((crl) => crl.length < 1000) ?? new Uint8Array(),
    ]
    const first = (changes: Partial<Judged>) => failures(judge({ ...good, ...changes }))[0]
    const withParts = (changes: Partial<EndorsementParts>): Partial<Judged> => ({
      parts: { ...parts, ...changes },
    })

    describe('revocation lists (N49)', () => {
      const processorCrl = triple('t17').parts.crls.filter((crl) => crl.length > 300)
      const old = triple('t34').parts.crls
      test.each<[string, readonly Uint8Array[], string]>([
        ['none of the PCK CA', [rootCrl], 'dcap.crl.pck.current'],
        ['none at all', [], 'dcap.crl.root.current'],
        ['one of another CA', [rootCrl, ...processorCrl], 'dcap.crl.pck.current'],
        ['the root one twice', [rootCrl, rootCrl], 'dcap.crl.pck.current'],
        ['four garbage bytes', [rootCrl, Uint8Array.of(1, 2, 3, 4)], 'dcap.crl.well-formed'],
        ['an empty file', [rootCrl, new Uint8Array()], 'dcap.crl.well-formed'],
        ['a flipped signature bit', [rootCrl, flipped(pckCrl, -1)], 'dcap.crl.pck.authentic'],
        [
          'a flipped bit in the root list',
          [flipped(rootCrl, -1), pckCrl],
          'dcap.crl.root.authentic',
        ],
        ['lists of 2023', old, 'dcap.crl.root.current'],
      ])('%s', (_, crls, id) => expect(first(withParts({ crls }))).toBe(id))

      test('missing ones are "unavailable", old ones "stale", and only that may be waived', () => {
        const waivers = new Map([['revocation', 'the lists are kept elsewhere']])
        const missing = judge({ ...good, ...withParts({ crls: [] }), waivers })
        expect(failures(missing)).toEqual([])
        expect(missing.status).toBe('warning')
        expect(finding(missing, 'dcap.crl.pck.current')).toMatchObject({
          outcome: 'waived',
          observed: 'unavailable',
        })
        expect(finding(missing, 'dcap.pck.not-revoked').outcome).toBe('not-applicable')
        const stale = judge({ ...good, ...withParts({ crls: old }), waivers })
        expect(finding(stale, 'dcap.crl.root.current').observed).toBe('stale')
        const forged = withParts({ crls: [rootCrl, flipped(pckCrl, -1)] })
        expect(failures(judge({ ...good, ...forged, waivers }))[0]).toBe('dcap.crl.pck.authentic')
      })
    })

    describe('collateral that is meant for something else (N51, N52)', () => {
      const [t13, t17] = [triple('t13').parts, triple('t17').parts]
      const v2 = changed(parts.tcbInfos, (text) => text.replace('"version":3', '"version":2'))
      test.each<[string, Partial<EndorsementParts>, string]>([
        ['TCB info of another FMSPC', { tcbInfos: t13.tcbInfos }, 'dcap.tcb-info.matches'],
        ['TCB info for SGX', { tcbInfos: t17.tcbInfos }, 'dcap.tcb-info.matches'],
        ['TCB info of version 2', { tcbInfos: v2 }, 'dcap.tcb-info.well-formed'],
        ['no TCB info', { tcbInfos: [] }, 'dcap.tcb-info.present'],
        ['the QE identity for SGX', { qeIdentities: t17.qeIdentities }, 'dcap.qe-identity.matches'],
        ['no QE identity', { qeIdentities: [] }, 'dcap.qe-identity.present'],
      ])('%s', (_, changes, id) => expect(first(withParts(changes))).toBe(id))

      test('is passed over when the right one lies beside it', () => {
        const tcbInfos = [...t17.tcbInfos, ...t13.tcbInfos, ...parts.tcbInfos]
        const qeIdentities = [...t17.qeIdentities, ...parts.qeIdentities]
        expect(failures(judge({ ...good, ...withParts({ tcbInfos, qeIdentities }) }))).toEqual([])
      })
    })

    describe('collateral whose bytes were touched (N53)', () => {
      test.each<[string, (text: string) => string]>([
        ['a status', (text) => text.replace('"OutOfDate"', '"UpToDate"')],
        ['a space at the end', (text) => `${text} `],
        ['serialised again', (text) => JSON.stringify(JSON.parse(text), null, 1)],
      ])('%s', (_, edit) =>
        expect(first(withParts({ tcbInfos: changed(parts.tcbInfos, edit) }))).toBe(
          'dcap.tcb-info.signature',
        ),
      )

      test('the signer of the QE identity', () => {
        const edit = (text: string) => text.replace('"mrsigner":"DC', '"mrsigner":"DD')
        const qeIdentities = changed(parts.qeIdentities, edit)
        expect(first(withParts({ qeIdentities }))).toBe('dcap.qe-identity.signature')
      })
    })

    describe('signers of collateral (N54)', () => {
      const signedBy = (issuerChain: readonly Uint8Array[]) =>
        withParts({ tcbInfos: parts.tcbInfos.map((document) => ({ ...document, issuerChain })) })

      test('a PCK CA is none', () => {
        const { certificates } = parts
        expect(first(signedBy(certificates))).toBe('dcap.tcb-info.signer')
      })

      test('the one of 2018, of the same name, key and serial, has expired', () => {
        const old = triple('t34').parts.tcbInfos[0]?.issuerChain ?? []
        expect(first(signedBy(old))).toBe('dcap.tcb-info.issuer-chain.validity')
      })

      test('the old chain does no harm beside the new one', () => {
        const issuerChain = triple('t34').parts.tcbInfos[0]?.issuerChain ?? []
        const old = parts.tcbInfos.map((document) => ({ ...document, issuerChain }))
        expect(first(withParts({ tcbInfos: [...old, ...parts.tcbInfos] }))).toBeUndefined()
      })

      test('no chain is no signer', () =>
        expect(first(signedBy([]))).toBe('dcap.tcb-info.well-formed'))
    })

    describe('times (N55)', () => {
      test.each<[string, string, string]>([
        ['a second after all next updates', '2025-07-19T10:32:28Z', 'dcap.crl.pck.current'],
        ['a second before the TCB info', '2025-06-19T10:16:02Z', 'dcap.tcb-info.current'],
        ['a second before the PCK certificate', '2025-02-06T23:25:50Z', 'dcap.pck-chain.validity'],
      ])('%s', (_, time, id) => expect(first({ at: new Date(time) })).toBe(id))

      const waivers = new Map([['revocation', 'the lists are of another time']])
      test.each<[string, string]>([
        ['2025-07-19T10:16:04Z', 'dcap.tcb-info.current'],
        ['2025-06-19T10:16:02Z', 'dcap.tcb-info.current'],
        ['2025-07-19T10:16:03Z', 'pass'],
        ['2025-06-19T10:16:03Z', 'dcap.qe-identity.current'],
      ])('at %s without asking for revocation: %s', (time, id) =>
        expect(first({ at: new Date(time), waivers }) ?? 'pass').toBe(id),
      )
    })

    test('a look-alike root is not Intel, whatever its name (N48)', () => {
      const chain = Buffer.concat(lookAlike.map(recordedBytes))
      const appraisal = judge({ ...good, evidence: { quote: withChain(quote, chain) } })
      expect(failures(appraisal)).toEqual(['dcap.pck-chain.anchored'])
      expect(finding(appraisal, 'dcap.pck-chain.anchored').detail).toContain('Intel SGX Root CA')
    })

    test('a chain in DER, as in the sample quote of Intel’s library, is not of type 5 (N48)', () =>
      expect(first({ evidence: { quote: recordedBytes(derChain) } })).toBe(
        'dcap.pck-chain.well-formed',
      ))

    test('a high S is another signature of the same quote (N47): accepted, so a quote hash is no replay key', () => {
      const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
      const twin = quote.slice()
      const s = BigInt(`0x${Buffer.from(twin.subarray(668, 700)).toString('hex')}`)
      twin.set(Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex'), 668)
      expect(failures(judge({ ...good, evidence: { quote: twin } }))).toEqual([])
    })

    describe('one bit of the quote (N45)', () => {
      test.each<[string, number, string]>([
        ['user data', 28, 'dcap.quote.signature'],
        ['TEE_TCB_SVN', 48, 'dcap.quote.signature'],
        ['MRSEAM', 64, 'dcap.quote.signature'],
        ['MRTD', 184, 'dcap.quote.signature'],
        ['report data', 631, 'dcap.quote.signature'],
        ['the signature', 640, 'dcap.quote.signature'],
        ['the attestation key', 700, 'dcap.qe-report.binding'],
        ['a reserved byte of the QE report', 791, 'dcap.qe-report.reserved'],
        ['MRSIGNER of the QE', 898, 'dcap.qe-report.signature'],
        ['the signature on the QE report', 1160, 'dcap.qe-report.signature'],
        ['QE authentication data', 1220, 'dcap.qe-report.binding'],
        ['the PCK certificate', 1661, 'dcap.pck-chain.signature'],
        ['the name of its issuer', 1360, 'dcap.pck-chain.anchored'],
        ['the text around its DER', 1262, 'dcap.pck-chain.well-formed'],
        ['the root in the quote', 4041, 'dcap.pck-chain.exact'],
      ])('of %s', (_, offset, id) =>
        expect(first({ evidence: { quote: flipped(quote, offset) } })).toBe(id),
      )
    })

    describe('a reference value', () => {
      const t39 = triple('t39')
      test.each<[string, DcapReference | TdxReference, string]>([
        [
          'a floor above the evaluation number (N66)',
          { minimumTcbEvaluationDataNumber: 18 },
          'dcap.tcb.evaluation-number',
        ],
        ['a denied platform family', { deniedFmspcs: ['b0c06f000000'] }, 'dcap.fmspc.not-denied'],
        ['other machines only', { platforms: [new Uint8Array(16)] }, 'dcap.platform.allowed'],
        ['other report data', { reportData: new Uint8Array(64) }, 'tdx.report-data.expected'],
        [
          'a prefix of the report data',
          { reportData: quote.slice(568, 600) },
          'tdx.report-data.expected',
        ],
        ['another MRTD', { mrTd: new Uint8Array(48) }, 'tdx.mr-td.expected'],
        ['no status that Intel gives', { tcbStatuses: [] }, 'dcap.tcb.status'],
      ])('with %s', (_, reference, id) => expect(first({ reference })).toBe(id))

      test('that names the machine, by PPID or by instance, passes', () => {
        const { ppid, platformInstanceId } = judge(good).claims
        for (const id of [ppid, platformInstanceId]) {
          const platforms = [Uint8Array.from(Buffer.from(String(id), 'hex'))]
          expect(
            first({ reference: { platforms, minimumTcbEvaluationDataNumber: 17 } }),
          ).toBeUndefined()
          expect(first({ reference: { deniedPlatforms: platforms } })).toBe(
            'dcap.platform.not-denied',
          )
        }
      })

      test('made of the quote itself passes, field by field', () => {
        const { body } = decoded(quote)
        for (const [name, { apply, size }] of Object.entries(tdx.expectations)) {
          const value = Reflect.get(body, name)
          if (!(value instanceof Uint8Array)) continue
          expect(value).toHaveLength(size)
          expect(failures(judge({ ...good, reference: apply({}, value) }))).toEqual([])
          const other = judge({ ...good, reference: apply({}, flipped(value, 0)) })
          expect(failures(other), name).toHaveLength(1)
        }
      })

      test('of the event log that belongs to the quote replays into it (N67)', () => {
        const eventLog = recordedBytes(ccel)
        const { quote, parts, at } = t39
        const withLog = judge({ evidence: { quote, eventLog }, parts, at })
        expect(finding(withLog, 'tdx.event-log.replays').outcome).toBe('pass')
        const foreign = judge({ ...good, evidence: { quote: good.evidence.quote, eventLog } })
        expect(failures(foreign)).toEqual(['tdx.event-log.replays'])
        const broken = judge({ evidence: { quote, eventLog: eventLog.slice(0, 100) }, parts, at })
        expect(finding(broken, 'tdx.event-log.replays').detail).toContain('malformed')
      })
    })
  },
)

/** For version 4 with 32 bytes of authentication data, as t12 is. No signature covers the chain or its sizes. */
function withChain(quote: Uint8Array, chain: Uint8Array): Uint8Array {
  const head = Buffer.from(quote.subarray(0, 1258))
  head.writeUInt32LE(1258 - 636 + chain.length, 632)
  head.writeUInt32LE(1258 - 770 + chain.length, 766)
  head.writeUInt32LE(chain.length, 1254)
  return new Uint8Array(Buffer.concat([head, chain]))
}

function flipped(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = bytes.slice()
  const at = offset < 0 ? copy.length + offset : offset
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

function changed(
  documents: readonly SignedCollateral[],
  edit: (text: string) => string,
): readonly SignedCollateral[] {
  return documents.map((document) => {
    const body = new Uint8Array(Buffer.from(edit(Buffer.from(document.body).toString('utf8'))))
    expect(body).not.toEqual(document.body)
    return { ...document, body }
  })
}

function decoded(quote: Uint8Array) {
  const decoding = tdx.decode({ quote })
  if (!('evidence' in decoding)) throw new Error(decoding.fault.sentence)
  return decoding.evidence
}
