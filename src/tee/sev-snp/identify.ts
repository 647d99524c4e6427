/** By which names can a guest be revoked, or found among the reference values? */
import { isZero, toHex } from '../../bytes/encoding.ts'
import type { EvidenceIdentity } from '../../rats/tee.ts'
import type { SnpEndorsement } from './endorse.ts'
import type { SnpEvidence } from './evidence.ts'

/** HOST_DATA is whatever the host chose: mostly the digest of a configuration, and as such it can be revoked. */
export function identify({ report }: SnpEvidence, { vek }: SnpEndorsement): EvidenceIdentity {
  const { measurement, hostData, idKeyDigest, authorKeyDigest, chipId } = report
  return {
    hardware: hardwareOf(vek),
    launch: toHex(measurement),
    digests: named(measurement, hostData, idKeyDigest, authorKeyDigest),
    platforms: [...chipOf(chipId, vek), ...(vek ? [vek.certificate.sha256] : [])],
    ...(vek?.kind === 'VLEK' && { shared: [vek.certificate.sha256] }),
  }
}

/** The product line is the certificate's word: the report of an old firmware does not say it. */
function hardwareOf(vek: SnpEndorsement['vek']): string {
  const product = typeof vek?.extensions === 'object' ? vek.extensions.product.name : undefined
  return product === undefined ? 'AMD_SEV_SNP' : `AMD_SEV_SNP_${product.toUpperCase()}`
}

/** A host can mask the chip in its reports, but not in the certificate of the key that signed them. */
function chipOf(chipId: Uint8Array, vek: SnpEndorsement['vek']): readonly string[] {
  const hwid = typeof vek?.extensions === 'object' ? vek.extensions.hwid : undefined
  const certified = hwid ? [toHex(hwid).padEnd(chipId.length * 2, '0')] : []
  return [...new Set([...named(chipId), ...certified])]
}

/** Zero names nothing: a guest without ID key, a chip that its host masked. */
function named(...fields: readonly Uint8Array[]): readonly string[] {
  return fields.flatMap((field) => (isZero(field) ? [] : [toHex(field)]))
}
