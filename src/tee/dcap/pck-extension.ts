/**
 * What does a PCK certificate say about its platform? Decodes extension 1.2.840.113741.1.13.1: Intel SGX PCK Certificate and
 * CRL Profile Specification rev. 1.5, section 1.3.5, table 3. Strict, because the TCB is judged by these numbers: every field
 * exactly once, of its exact size, and nothing unknown among them.
 */
import type { Certificate } from '../../pki/certificate.ts'
import { type DerNode, decodeDer, objectIdentifier, unsignedInteger } from '../../pki/der.ts'

export interface PckExtension {
  readonly ppid: Uint8Array
  /** Sixteen SVNs, one byte each. */
  readonly components: Uint8Array
  readonly pceSvn: number
  readonly cpuSvn: Uint8Array
  readonly pceId: Uint8Array
  readonly fmspc: Uint8Array
  readonly sgxType: (typeof sgxTypes)[number]
  /** Of a platform with several packages or under a Platform CA; undefined under a Processor CA. */
  readonly platform: PckPlatform | undefined
}

interface PckPlatform {
  readonly instanceId: Uint8Array
  /** A package may be added or replaced. */
  readonly dynamicPlatform: boolean
  /** The registration service kept the platform's root keys. */
  readonly cachedKeys: boolean
  readonly smtEnabled: boolean
}

export const PCK_EXTENSION = '1.2.840.113741.1.13.1'
const sgxTypes = ['Standard', 'Scalable', 'ScalableWithIntegrity'] as const
const COMPONENTS = 16

/** Throws an Error whose message names the field. */
export function decodePckExtension(certificate: Certificate): PckExtension {
  const extension = certificate.extensions.get(PCK_EXTENSION)
  if (!extension) throw new Error(`the SGX extension (${PCK_EXTENSION}) is missing`)
  const fields = members(decodeDer(extension.value, 'SGX extension'), PCK_EXTENSION, 7)
  const tcb = members(required(fields, 2, 'TCB'), `${PCK_EXTENSION}.2`, 18)
  return {
    ppid: octets(fields, 1, 'PPID', 16),
    components: Uint8Array.from({ length: COMPONENTS }, (_, index) =>
      integer(tcb, index + 1, `SGX TCB component ${index + 1}`, 0xff),
    ),
    pceSvn: integer(tcb, 17, 'PCESVN', 0xffff),
    cpuSvn: octets(tcb, 18, 'CPUSVN', 16),
    pceId: octets(fields, 3, 'PCE-ID', 2),
    fmspc: octets(fields, 4, 'FMSPC', 6),
    sgxType: sgxTypeOf(required(fields, 5, 'SGX type')),
    platform: platformOf(fields),
  }
}

/** By the last arc of their identifier: `SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER arc.n, value }`, n from 1 to `most`. */
type Members = ReadonlyMap<number, DerNode>

function members(node: DerNode, arc: string, most: number): Members {
  if (node.tag !== 0x30) throw new Error(`${arc} is not a SEQUENCE`)
  const found = new Map<number, DerNode>()
  for (const member of node.children) {
    const [name, value, ...rest] = member.children
    if (member.tag !== 0x30 || !name || !value || rest.length > 0)
      throw new Error(`a member of ${arc} is not a pair of identifier and value`)
    const oid = objectIdentifier(name)
    const number = Number(oid.slice(arc.length + 1))
    const isMember = Number.isInteger(number) && number >= 1 && number <= most
    if (oid !== `${arc}.${number}` || !isMember) throw new Error(`${oid} does not belong in ${arc}`)
    if (found.has(number)) throw new Error(`${oid} appears twice`)
    found.set(number, value)
  }
  return found
}

function required(fields: Members, number: number, name: string): DerNode {
  const node = fields.get(number)
  if (!node) throw new Error(`${name} is missing`)
  return node
}

function octets(fields: Members, number: number, name: string, size: number): Uint8Array {
  const { tag, contents } = required(fields, number, name)
  if (tag !== 0x04) throw new Error(`${name} is not an OCTET STRING`)
  if (contents.length !== size)
    throw new Error(`${name} is ${contents.length} bytes, expected ${size}`)
  return contents
}

function integer(fields: Members, number: number, name: string, most: number): number {
  const node = required(fields, number, name)
  let value: number
  try {
    value = unsignedInteger(node)
  } catch (cause) {
    throw new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`)
  }
  if (value > most) throw new Error(`${name} is ${value}, expected at most ${most}`)
  return value
}

function sgxTypeOf({ tag, contents }: DerNode): PckExtension['sgxType'] {
  const type = tag === 0x0a && contents.length === 1 ? sgxTypes[contents[0] ?? -1] : undefined
  if (!type) throw new Error('SGX type is not an ENUMERATED from 0 to 2')
  return type
}

/** Instance id and configuration come together: section 1.3.5 has both under a Platform CA and neither under a Processor CA. */
function platformOf(fields: Members): PckPlatform | undefined {
  if (!fields.has(6) && !fields.has(7)) return undefined
  const arc = `${PCK_EXTENSION}.7`
  const configuration = members(required(fields, 7, 'configuration'), arc, 3)
  return {
    instanceId: octets(fields, 6, 'platform instance id', 16),
    dynamicPlatform: boolean(configuration, 1, 'dynamic platform'),
    cachedKeys: boolean(configuration, 2, 'cached keys'),
    smtEnabled: boolean(configuration, 3, 'SMT enabled'),
  }
}

function boolean(fields: Members, number: number, name: string): boolean {
  const { tag, contents } = required(fields, number, name)
  const [octet] = contents
  if (tag !== 0x01 || contents.length !== 1 || (octet !== 0x00 && octet !== 0xff))
    throw new Error(`${name} is not a DER BOOLEAN`)
  return octet === 0xff
}
