/** Writes what `src/rats/vector.ts` reads, which says what the format is. The same vector gives the same text. */
import { toHex } from '../../src/bytes/encoding.ts'
import {
  type EndorsementParts,
  noParts,
  type SignedCollateral,
} from '../../src/rats/endorsements.ts'
import type { Evidence } from '../../src/rats/evidence.ts'
import type { VectorAnchor, VectorHeader } from '../../src/rats/vector.ts'

export interface VectorFields {
  readonly header: Pick<VectorHeader, 'tee' | 'expect' | 'at' | 'comment'> & Partial<VectorHeader>
  readonly evidence: Evidence
  readonly parts?: Partial<EndorsementParts>
  readonly anchors: readonly VectorAnchor[]
}

const COLUMNS = 96

export function encodeVector({ header, evidence, parts, anchors }: VectorFields): string {
  const { certificates, crls, tcbInfos, qeIdentities } = { ...noParts, ...parts }
  const sections = [
    section('quote', evidence.quote),
    ...optional('auxblob', evidence.auxblob),
    ...optional('event-log', evidence.eventLog),
    ...certificates.map((der) => section('certificate', der)),
    ...crls.map((der) => section('crl', der)),
    ...tcbInfos.flatMap((each) => collateral('tcb-info', each)),
    ...qeIdentities.flatMap((each) => collateral('qe-identity', each)),
    ...anchors.map(({ der, product }) => section(product ? `anchor ${product}` : 'anchor', der)),
  ]
  return `${headerLines(header).join('\n')}\n\n${sections.join('\n')}\n`
}

function headerLines(header: VectorFields['header']): readonly string[] {
  const { tee, expect, at, comment, profile, reference = {} } = header
  return [
    `tee: ${tee}`,
    `expect: ${expect}`,
    `at: ${at.toISOString().replace('.000Z', 'Z')}`,
    `comment: ${comment}`,
    ...(profile ? [`profile: ${profile}`] : []),
    ...[...(header.waivers ?? [])].map(([check, reason]) => `waive: ${check}=${reason}`),
    ...[...(header.expectations ?? [])].map(
      ([field, value]) => `expect-field: ${field}=${toHex(value)}`,
    ),
    ...(Object.keys(reference).length > 0 ? [`reference: ${referenceText(reference)}`] : []),
  ]
}

function referenceText(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof Uint8Array) return `hex:${toHex(each)}`
    return typeof each === 'bigint' ? `u64:0x${each.toString(16)}` : each
  })
}

function collateral(name: string, { body, signature, issuerChain }: SignedCollateral) {
  const issuers = issuerChain.map((der) => section('issuer', der))
  return [section(name, body), section('signature', signature), ...issuers]
}

function optional(name: string, bytes: Uint8Array | undefined): readonly string[] {
  return bytes ? [section(name, bytes)] : []
}

function section(head: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(new RegExp(`.{1,${COLUMNS}}`, 'g'))
  return [`--- ${head}`, ...(lines ?? [])].join('\n')
}
