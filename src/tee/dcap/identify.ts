/** By which names can a TD or enclave be revoked, or found among the reference values? */
import { isZero, toHex } from '../../bytes/encoding.ts'
import type { EvidenceIdentity } from '../../rats/tee.ts'
import { extensionOf } from './appraisal-checks.ts'
import type { DcapEndorsement } from './endorse.ts'
import type { SgxBody, TdBody } from './layouts.ts'
import type { Quote } from './quote.ts'

export function identifyTd(
  { body }: Quote<TdBody>,
  endorsement: DcapEndorsement,
): EvidenceIdentity {
  const { mrTd, mrConfigId, mrOwner, mrOwnerConfig, mrSeam, mrSignerSeam, mrServiceTd } = body
  const registers = [body.rtmr0, body.rtmr1, body.rtmr2, body.rtmr3]
  const settings = [mrConfigId, mrOwner, mrOwnerConfig]
  const module = [mrSeam, mrSignerSeam, ...(mrServiceTd ? [mrServiceTd] : [])]
  return {
    hardware: 'INTEL_TDX',
    launch: toHex(mrTd),
    digests: named(mrTd, ...registers, ...settings, ...module),
    platforms: platformsOf(endorsement),
  }
}

export function identifyEnclave(
  { body }: Quote<SgxBody>,
  endorsement: DcapEndorsement,
): EvidenceIdentity {
  const { mrEnclave, mrSigner, configId } = body
  return {
    hardware: 'INTEL_SGX',
    launch: toHex(mrEnclave),
    digests: named(mrEnclave, mrSigner, configId),
    platforms: platformsOf(endorsement),
  }
}

function platformsOf(endorsement: DcapEndorsement): readonly string[] {
  const { ppid, platform } = extensionOf(endorsement)
  const pck = endorsement.pck.path?.certificates[0].sha256
  return [...named(ppid, ...(platform ? [platform.instanceId] : [])), ...(pck ? [pck] : [])]
}

/** Zero names nothing: no owner, no configuration, Intel's own module signer. */
function named(...fields: readonly Uint8Array[]): readonly string[] {
  return fields.flatMap((field) => (isZero(field) ? [] : [toHex(field)]))
}
