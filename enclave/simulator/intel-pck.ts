/**
 * The SGX extension of a PCK certificate, as Intel writes it: SGX PCK Certificate and CRL Profile Specification rev. 1.5,
 * section 1.3.5. A list of elements first, so that a fixture can drop, double or rewrite one.
 */

import type { ExtensionFields } from './mint/certificate.ts'
import { boolean, enumerated, integer, octets, oid, sequence } from './mint/der.ts'

interface PckPlatformFields {
  readonly instanceId: Uint8Array
  readonly dynamicPlatform: boolean
  readonly cachedKeys: boolean
  readonly smtEnabled: boolean
}

export interface PckFields {
  /** 16 bytes. */
  readonly ppid: Uint8Array
  /** Sixteen SVNs, also written as CPUSVN. */
  readonly components: readonly number[]
  readonly pceSvn: number
  /** 2 bytes. */
  readonly pceId: Uint8Array
  /** 6 bytes. */
  readonly fmspc: Uint8Array
  /** 0 standard, 1 scalable, 2 scalable with integrity. */
  readonly sgxType: number
  /** Present in certificates of the Platform CA only. */
  readonly platform: PckPlatformFields | undefined
}

export interface SgxElement {
  /** What follows 1.2.840.113741.1.13.1: `2.17` is PCESVN. */
  readonly arc: string
  /** DER. */
  readonly value: Uint8Array
}

const SGX_EXTENSION = '1.2.840.113741.1.13.1'

/** In Intel's order; the elements of the TCB (arc 2) are made by `tcbElements`. */
export function sgxElements(fields: PckFields): readonly SgxElement[] {
  const { ppid, pceId, fmspc, sgxType, platform } = fields
  return [
    { arc: '1', value: octets(ppid) },
    { arc: '2', value: listOf(tcbElements(fields)) },
    { arc: '3', value: octets(pceId) },
    { arc: '4', value: octets(fmspc) },
    { arc: '5', value: enumerated(sgxType) },
    ...(platform ? platformElements(platform) : []),
  ]
}

function tcbElements({ components, pceSvn }: PckFields): readonly SgxElement[] {
  return [
    ...components.map((svn, index) => ({ arc: `2.${index + 1}`, value: integer(svn) })),
    { arc: '2.17', value: integer(pceSvn) },
    { arc: '2.18', value: octets(new Uint8Array(components)) },
  ]
}

export function sgxExtension(elements: readonly SgxElement[]): ExtensionFields {
  return { oid: SGX_EXTENSION, critical: false, value: listOf(elements) }
}

function listOf(elements: readonly SgxElement[]): Uint8Array {
  return sequence(
    ...elements.map(({ arc, value }) => sequence(oid(`${SGX_EXTENSION}.${arc}`), value)),
  )
}

function platformElements(platform: PckPlatformFields): readonly SgxElement[] {
  const configuration: readonly SgxElement[] = [
    { arc: '7.1', value: boolean(platform.dynamicPlatform) },
    { arc: '7.2', value: boolean(platform.cachedKeys) },
    { arc: '7.3', value: boolean(platform.smtEnabled) },
  ]
  return [
    { arc: '6', value: octets(platform.instanceId) },
    { arc: '7', value: listOf(configuration) },
  ]
}
