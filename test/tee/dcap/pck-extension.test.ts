/** Can a PCK certificate be read in one way only? */
import { describe, expect, test } from 'vitest'
import type { SgxElement } from '../../../enclave/simulator/intel-pck.ts'
import {
  boolean,
  enumerated,
  integer,
  octets,
  oid,
  sequence,
  tlv,
} from '../../../enclave/simulator/mint/der.ts'
import { decodeCertificate } from '../../../src/pki/certificate.ts'
import { decodePckExtension, PCK_EXTENSION } from '../../../src/tee/dcap/pck-extension.ts'
import { advice } from '../../recorded.ts'
import { machine } from './machine.ts'
import { hasTriples, judge, triple } from './triple.ts'

type Edit = (usual: readonly SgxElement[]) => readonly SgxElement[]

function decoded(elements?: Edit) {
  const { der } = machine.pki.pck(machine.pckFields, elements && { elements })
  return decodePckExtension(decodeCertificate(der))
}

const element = (arc: string, value: Uint8Array) => sequence(oid(`${PCK_EXTENSION}.${arc}`), value)
const without =
  (arc: string): Edit =>
  (usual) =>
    usual.filter((each) => each.arc !== arc)
const replaced =
  (arc: string, value: Uint8Array): Edit =>
  (usual) =>
    usual.map((each) => (each.arc === arc ? { arc, value } : each))
const added =
  (arc: string, value: Uint8Array): Edit =>
  (usual) => [...usual, { arc, value }]

/** TCB of sixteen components, PCESVN and CPUSVN, with some of them written otherwise; an empty value leaves one out. */
function tcb(changes: Readonly<Record<number, Uint8Array>> = {}, ...more: readonly Uint8Array[]) {
  const members = Array.from({ length: 18 }, (_, index) => {
    const usual = index < 17 ? integer(index) : octets(new Uint8Array(16))
    const value = changes[index + 1] ?? usual
    return value.length === 0 ? new Uint8Array() : element(`2.${index + 1}`, value)
  })
  return replaced('2', sequence(...members, ...more))
}
const configuration = (...members: readonly Uint8Array[]) => replaced('7', sequence(...members))
const nothing = new Uint8Array()

test('every field is read', () => {
  const { ppid, components, pceSvn, pceId, fmspc, platform } = machine.pckFields
  expect(decoded()).toEqual({
    ppid,
    components: Uint8Array.from(components),
    pceSvn,
    cpuSvn: Uint8Array.from(components),
    pceId,
    fmspc,
    sgxType: 'Scalable',
    platform,
  })
  expect(decoded(tcb()).components).toEqual(Uint8Array.from({ length: 16 }, (_, i) => i))
})

describe('is refused:', () => {
  test.each<[string, Edit, RegExp]>([
    ...(['1', '2', '3', '4', '5'] as const).map((arc): [string, Edit, RegExp] => [
      `no member ${arc}`,
      without(arc),
      /is missing/,
    ]),
    ['an instance id without configuration', without('7'), /configuration is missing/],
    ['a configuration without instance id', without('6'), /platform instance id is missing/],
    ['a second FMSPC', added('4', octets(new Uint8Array(6))), /appears twice/],
    ['an unknown member', added('8', octets(nothing)), /does not belong/],
    ['a member of another arc', added('2.1', integer(1)), /does not belong/],
    ['a PPID of 15 bytes', replaced('1', octets(new Uint8Array(15))), /PPID is 15 bytes/],
    ['a PCE-ID of 3 bytes', replaced('3', octets(new Uint8Array(3))), /PCE-ID is 3 bytes/],
    ['an empty FMSPC', replaced('4', octets(nothing)), /FMSPC is 0 bytes/],
    ['an FMSPC that is an INTEGER', replaced('4', integer(1)), /not an OCTET STRING/],
    ['an unknown SGX type', replaced('5', enumerated(3)), /SGX type/],
    ['an SGX type that is an INTEGER', replaced('5', integer(1)), /SGX type/],
    ['fifteen components', tcb({ 16: nothing }), /component 16 is missing/],
    ['a component twice', tcb({}, element('2.16', integer(1))), /appears twice/],
    ['a nineteenth member', tcb({}, element('2.19', integer(1))), /does not belong/],
    ['a component above 255', tcb({ 1: integer(256) }), /component 1 is 256/],
    ['a negative component', tcb({ 1: tlv(0x02, Uint8Array.of(0xdb)) }), /negative/],
    ['a padded component', tcb({ 1: tlv(0x02, Uint8Array.of(0, 0x1e)) }), /not minimally encoded/],
    ['an empty component', tcb({ 1: tlv(0x02) }), /component 1/],
    ['no PCESVN', tcb({ 17: nothing }), /PCESVN is missing/],
    ['a PCESVN above 65535', tcb({ 17: integer(65536) }), /PCESVN is 65536/],
    ['a CPUSVN of 17 bytes', tcb({ 18: octets(new Uint8Array(17)) }), /CPUSVN is 17 bytes/],
    ['a TCB that is no SEQUENCE', replaced('2', octets(nothing)), /not a SEQUENCE/],
    ['two configuration flags', configuration(element('7.1', boolean(true))), /is missing/],
    [
      'a BOOLEAN of BER',
      configuration(element('7.1', tlv(0x01, Uint8Array.of(1)))),
      /not a DER BOOLEAN/,
    ],
  ])('%s', (_, edit, message) => expect(() => decoded(edit)).toThrow(message))

  test('a certificate without the extension', () =>
    expect(() => decodePckExtension(decodeCertificate(machine.pki.platform.der))).toThrow(
      /missing/,
    ))
})

test.skipIf(!hasTriples)(`recorded certificates of both CAs are read (${advice})`, () => {
  const platform = ({ quote, parts, at }: ReturnType<typeof triple>) =>
    judge({ evidence: { quote }, parts, at }).claims
  expect(platform(triple('t12'))).toMatchObject({
    ppid: '811dca2a26b952e85bb6448b097ba4fd',
    platformInstanceId: '07828474603e7019dc930775ffe8cdd2',
    fmspc: 'b0c06f000000',
    pceSvn: 11,
    sgxType: 'Scalable',
    smtEnabled: true,
  })
  expect(platform(triple('t10'))).toMatchObject({
    platformInstanceId: null,
    sgxTcbComponents: '0b0b0202ff0100000000000000000000',
    sgxType: 'Standard',
  })
})
