/** Are signed documents read strictly, so that nobody is judged by fewer numbers than Intel signed? (N58, N59, GHSA-6q6c-vvf9-fj3w) */
import { describe, expect, test } from 'vitest'
import type { CollateralBody } from '../../../enclave/simulator/intel-collateral.ts'
import { Malformed } from '../../../src/bytes/malformed.ts'
import { partsOfCollateralJson } from '../../../src/tee/dcap/collateral-json.ts'
import { decodeQeIdentity } from '../../../src/tee/dcap/qe-identity.ts'
import { decodeTcbInfo } from '../../../src/tee/dcap/tcb-info.ts'
import { advice } from '../../recorded.ts'
import { ISSUED, machine } from './machine.ts'
import { hasTriples, triple, tripleIds } from './triple.ts'

// biome-ignore lint/suspicious/noExplicitAny: documents are bent out of every shape here
type Edit = (document: any) => unknown

const encoded = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

function edited(body: CollateralBody, edit: Edit): Uint8Array {
  const copy = structuredClone(body)
  edit(copy)
  expect(copy, 'the edit changed nothing').not.toEqual(body)
  return encoded(copy)
}

describe('TCB info', () => {
  const usual = machine.tcbInfo('tdx')

  test('is read', () => {
    const info = decodeTcbInfo(encoded(usual))
    expect(info).toMatchObject({
      id: 'TDX',
      notBefore: ISSUED,
      fmspc: 'b0c06f000000',
      pceId: '0000',
    })
    expect(info.levels.map(({ status }) => status)).toEqual(['UpToDate', 'OutOfDate'])
    expect([...info.moduleIdentities.keys()]).toEqual([3, 1])
    expect(decodeTcbInfo(encoded(machine.tcbInfo('sgx'))).module).toBeUndefined()
  })

  test('may name its modules in either letter case, and say more than is asked', () => {
    const body = edited(usual, (info) => {
      info.tdxModuleIdentities[0].id = 'TDX_0a'
      info.tcbLevels[0].comment = 'new in a later minor version'
    })
    expect([...decodeTcbInfo(body).moduleIdentities.keys()]).toEqual([10, 1])
  })

  test.each<[string, Edit]>([
    ['version 2', (info) => Object.assign(info, { version: 2 })],
    ['no id', (info) => delete info.id],
    ['the id of nothing', (info) => Object.assign(info, { id: 'TDX ' })],
    ['a way of comparing TCBs that is not known', (info) => Object.assign(info, { tcbType: 1 })],
    ['an FMSPC of five bytes', (info) => Object.assign(info, { fmspc: '0102030405' })],
    ['a PCE-ID that is no hex', (info) => Object.assign(info, { pceId: '00xx' })],
    [
      'a date without time zone',
      (info) => Object.assign(info, { issueDate: '2025-06-19T10:16:03' }),
    ],
    [
      'a day that does not exist',
      (info) => Object.assign(info, { nextUpdate: '2025-02-30T00:00:00Z' }),
    ],
    [
      'a fractional evaluation number',
      (info) => Object.assign(info, { tcbEvaluationDataNumber: 1.5 }),
    ],
    [
      'an evaluation number in text',
      (info) => Object.assign(info, { tcbEvaluationDataNumber: '17' }),
    ],
    ['no levels', (info) => Object.assign(info, { tcbLevels: [] })],
    ['levels that are no list', (info) => Object.assign(info, { tcbLevels: {} })],
    [
      'too many levels',
      (info) => Object.assign(info, { tcbLevels: Array(129).fill(info.tcbLevels[0]) }),
    ],
    ['levels out of order', (info) => info.tcbLevels.reverse()],
    ['a level twice', (info) => info.tcbLevels.push(info.tcbLevels.at(-1))],
    ['fifteen SGX components', (info) => info.tcbLevels[0].tcb.sgxtcbcomponents.pop()],
    ['no SGX components', (info) => Object.assign(info.tcbLevels[0].tcb, { sgxtcbcomponents: [] })],
    ['seventeen TDX components', (info) => info.tcbLevels[0].tcb.tdxtcbcomponents.push({ svn: 0 })],
    ['no TDX components', (info) => delete info.tcbLevels[0].tcb.tdxtcbcomponents],
    [
      'a component above 255',
      (info) => Object.assign(info.tcbLevels[0].tcb.sgxtcbcomponents[0], { svn: 256 }),
    ],
    [
      'a negative component',
      (info) => Object.assign(info.tcbLevels[0].tcb.sgxtcbcomponents[3], { svn: -1 }),
    ],
    ['a component without SVN', (info) => delete info.tcbLevels[0].tcb.tdxtcbcomponents[5].svn],
    ['a PCE SVN above 65535', (info) => Object.assign(info.tcbLevels[0].tcb, { pcesvn: 65536 })],
    ['an unknown status', (info) => Object.assign(info.tcbLevels[0], { tcbStatus: 'Fine' })],
    [
      'a status that only a result has',
      (info) => Object.assign(info.tcbLevels[0], { tcbStatus: 'TDRelaunchAdvised' }),
    ],
    [
      'an advisory that is no text',
      (info) => Object.assign(info.tcbLevels[0], { advisoryIDs: [7] }),
    ],
    ['no TDX module', (info) => delete info.tdxModule],
    [
      'a module signer of 32 bytes',
      (info) => Object.assign(info.tdxModule, { mrsigner: '00'.repeat(32) }),
    ],
    [
      'a module twice, in two spellings',
      (info) => Object.assign(info.tdxModuleIdentities[0], { id: 'TDX_01' }),
    ],
    [
      'a module of no version',
      (info) => Object.assign(info.tdxModuleIdentities[0], { id: 'TDX_1' }),
    ],
    ['module levels out of order', (info) => info.tdxModuleIdentities[1].tcbLevels.reverse()],
    [
      'a module status that only platforms have',
      (info) =>
        Object.assign(info.tdxModuleIdentities[0].tcbLevels[0], {
          tcbStatus: 'ConfigurationNeeded',
        }),
    ],
  ])('with %s is refused', (_, edit) =>
    expect(() => decodeTcbInfo(edited(usual, edit))).toThrow(Malformed),
  )

  test('for SGX has no TDX module', () =>
    expect(() =>
      decodeTcbInfo(edited(usual, (info) => Object.assign(info, { id: 'SGX' }))),
    ).toThrow(Malformed))

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['no object', encoded([usual])],
    ['null', encoded(null)],
    ['an inherited field', encoded({ __proto__: null, constructor: 1 })],
    ['bytes that are no UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d)],
    ['very deep JSON', new TextEncoder().encode('['.repeat(200_000))],
    ['a megabyte', new Uint8Array(1_000_000).fill(0x20)],
  ])('of %s is refused', (_, body) => expect(() => decodeTcbInfo(body)).toThrow(Malformed))
})

describe('a QE identity', () => {
  const usual = machine.qeIdentity('tdx')

  test('is read', () =>
    expect(decodeQeIdentity(encoded(usual))).toMatchObject({ id: 'TD_QE', isvProdId: 2 }))

  test.each<[string, Edit]>([
    ['version 1', (identity) => Object.assign(identity, { version: 1 })],
    ['an unknown id', (identity) => Object.assign(identity, { id: 'PCE' })],
    ['a signer of 31 bytes', (identity) => Object.assign(identity, { mrsigner: '00'.repeat(31) })],
    ['no attributes', (identity) => delete identity.attributes],
    ['a mask of another size', (identity) => Object.assign(identity, { attributesMask: 'FF' })],
    ['a product id above 65535', (identity) => Object.assign(identity, { isvprodid: 65536 })],
    ['no levels', (identity) => Object.assign(identity, { tcbLevels: [] })],
    ['levels out of order', (identity) => identity.tcbLevels.reverse()],
  ])('with %s is refused', (_, edit) =>
    expect(() => decodeQeIdentity(edited(usual, edit))).toThrow(Malformed),
  )
})

describe('a collateral file', () => {
  const pem = (der: Uint8Array) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`
  const file = {
    tcb_info: '{"a": "é"}',
    tcb_info_signature: '0A'.repeat(64),
    tcb_info_issuer_chain: pem(Uint8Array.of(1, 2)) + pem(Uint8Array.of(3)),
    root_ca_crl: '3000',
    something_else: 1,
  }

  test('gives each part, the signed text byte for byte', () =>
    expect(partsOfCollateralJson(JSON.stringify(file))).toEqual({
      certificates: [],
      crls: [Uint8Array.of(0x30, 0)],
      tcbInfos: [
        {
          body: new TextEncoder().encode(file.tcb_info),
          signature: new Uint8Array(64).fill(10),
          issuerChain: [Uint8Array.of(1, 2), Uint8Array.of(3)],
        },
      ],
      qeIdentities: [],
    }))

  test.each<[string, unknown]>([
    ['no part of it', { something_else: 1 }],
    ['a document that is an object already', { ...file, tcb_info: { a: 'é' } }],
    ['a document without signature', { ...file, tcb_info_signature: undefined }],
    ['a signature of 63 bytes', { ...file, tcb_info_signature: '0A'.repeat(63) }],
    ['a list that is no hex', { ...file, root_ca_crl: 'MIIB' }],
    ['a list of half a byte', { ...file, pck_crl: '300' }],
    ['a chain that is no PEM', { ...file, tcb_info_issuer_chain: 'MIIB' }],
    [
      'text between certificates',
      { ...file, pck_crl_issuer_chain: `${pem(Uint8Array.of(1))}and ${pem(Uint8Array.of(2))}` },
    ],
    [
      'a certificate that is no base64',
      { ...file, pck_crl_issuer_chain: pem(Uint8Array.of(1)).replace('AQ==', 'AR==') },
    ],
    ['a chain without end', { ...file, tcb_info_issuer_chain: pem(Uint8Array.of(1)).repeat(9) }],
    ['a list of files', [file]],
  ])('with %s is refused', (_, content) =>
    expect(() => partsOfCollateralJson(JSON.stringify(content))).toThrow(Malformed),
  )

  test('that is no JSON is refused', () =>
    expect(() => partsOfCollateralJson('{')).toThrow(Malformed))
})

test.skipIf(!hasTriples).each(tripleIds)(`recorded documents of %s are read (${advice})`, (id) => {
  const { tcbInfos, qeIdentities, crls, certificates } = triple(id).parts
  expect([tcbInfos, qeIdentities, crls, certificates].map(({ length }) => length)).toEqual([
    1, 1, 2, 2,
  ])
  for (const { body } of tcbInfos) expect(decodeTcbInfo(body).levels.length).toBeGreaterThan(1)
  for (const { body } of qeIdentities) expect(decodeQeIdentity(body).mrSigner).toHaveLength(32)
})
