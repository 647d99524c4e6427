/** How parts are written in a file: JSON with base64, the same bytes for the same parts, so that a digest names them. */
import { z } from 'zod'
import { Malformed } from '../bytes/malformed.ts'
import type { EndorsementParts, SignedCollateral } from '../rats/endorsements.ts'

export function encodeParts(parts: EndorsementParts): Uint8Array {
  const { certificates, crls, tcbInfos, qeIdentities } = parts
  // Members in this order, always: the text is hashed.
  const text = JSON.stringify({
    certificates: certificates.map(base64),
    crls: crls.map(base64),
    tcbInfos: tcbInfos.map(encodeCollateral),
    qeIdentities: qeIdentities.map(encodeCollateral),
  })
  return new TextEncoder().encode(text)
}

function encodeCollateral({ body, signature, issuerChain }: SignedCollateral) {
  return { body: base64(body), signature: base64(signature), issuerChain: issuerChain.map(base64) }
}

/** Throws Malformed for what `encodeParts` would not have written. */
export function decodeParts(bytes: Uint8Array): EndorsementParts {
  let parts: EndorsementParts
  try {
    parts = partsSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    throw new Malformed(
      { path: 'held endorsement', offset: 0 },
      cause instanceof Error ? cause.message : String(cause),
      'parts as encodeParts writes them',
    )
  }
  if (Buffer.compare(encodeParts(parts), bytes) !== 0)
    throw new Malformed({ path: 'held endorsement', offset: 0 }, 'another spelling', 'our own')
  return parts
}

const bytesSchema = z.string().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
const collateralSchema = z.strictObject({
  body: bytesSchema,
  signature: bytesSchema,
  issuerChain: z.array(bytesSchema),
})
const partsSchema = z.strictObject({
  certificates: z.array(bytesSchema),
  crls: z.array(bytesSchema),
  tcbInfos: z.array(collateralSchema),
  qeIdentities: z.array(collateralSchema),
})

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
