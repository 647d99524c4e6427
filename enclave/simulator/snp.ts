/**
 * SEV-SNP reports as a simulated chip writes them. Encoding goes by the verifier's own layout; the interop tests hold
 * both against another verifier, since a layout that is wrong would be wrong on both sides.
 */
import { concat } from '../../src/bytes/encoding.ts'
import { type Report, reportLayout, SIGNED_SIZE } from '../../src/tee/sev-snp/report.ts'
import type { Tcb } from '../../src/tee/sev-snp/tcb.ts'
import { encodeTcb, type SnpProduct } from './amd-vek.ts'
import { rawSignature } from './mint/ecdsa.ts'
import { ecdsaSha384, type SigningKey } from './mint/signing.ts'

export interface SnpChip {
  readonly product: SnpProduct
  /** Report version that its firmware writes, 2 to 5. */
  readonly version: number
  /** 64 bytes, on Turin 8. */
  readonly hwid: Uint8Array
  readonly tcb: Tcb
}

export type ReportFields = Omit<Report, 'signatureR' | 'signatureS'>

/** SMT allowed; bit 17 must be one. */
const USUAL_POLICY = 0x3_0000n
/** SMT, ECC and a completed alias check: what recorded Milan and Genoa machines say. */
const USUAL_PLATFORM = 0x25n
const NO_MIGRATION_AGENT = new Uint8Array(32).fill(0xff)

const cpuids: Readonly<Record<SnpProduct, readonly [number, number, number]>> = {
  Milan: [0x19, 0x01, 0x01],
  Genoa: [0x19, 0x11, 0x01],
  Turin: [0x1a, 0x02, 0x01],
}

/** A healthy guest on this chip, reported at VMPL 0 under its VCEK, with firmware 1.55.40 committed. */
export function usualReport({ product, version, hwid, tcb }: SnpChip): ReportFields {
  const rawTcb = encodeTcb(product, tcb)
  const [cpuidFamily, cpuidModel, cpuidStepping] = cpuids[product]
  return {
    version,
    guestSvn: 0,
    policy: USUAL_POLICY,
    familyId: new Uint8Array(16),
    imageId: new Uint8Array(16),
    vmpl: 0,
    signatureAlgo: 1,
    currentTcb: rawTcb,
    platformInfo: USUAL_PLATFORM,
    signerInfo: 0,
    reportData: new Uint8Array(64),
    measurement: new Uint8Array(48),
    hostData: new Uint8Array(32),
    idKeyDigest: new Uint8Array(48),
    authorKeyDigest: new Uint8Array(48),
    reportId: new Uint8Array(32),
    reportIdMa: NO_MIGRATION_AGENT,
    reportedTcb: rawTcb,
    chipId: concat(hwid, new Uint8Array(64 - hwid.length)),
    committedTcb: rawTcb,
    currentBuild: 40,
    currentMinor: 55,
    currentMajor: 1,
    committedBuild: 40,
    committedMinor: 55,
    committedMajor: 1,
    launchTcb: rawTcb,
    ...(version >= 3 && { cpuidFamily, cpuidModel, cpuidStepping }),
    ...(version >= 5 && { launchMitVector: 1n, currentMitVector: 1n }),
  }
}

/** The report that `vek` signs. `version` chooses the layout; fields that it lacks are left out. */
export function signReport(fields: ReportFields, vek: SigningKey): Uint8Array {
  const layout = reportLayout(fields.version)
  if (!layout) throw new RangeError(`there is no layout for report version ${fields.version}`)
  const unsigned = { ...fields, signatureR: new Uint8Array(48), signatureS: new Uint8Array(48) }
  return resignReport(layout.encode(unsigned), vek)
}

/** Signs whatever the bytes say, reserved ones included: for reports that no layout would write. Bytes after the signed range are kept. */
export function resignReport(report: Uint8Array, vek: SigningKey): Uint8Array {
  const signed = report.slice()
  const signature = vek.sign(signed.subarray(0, SIGNED_SIZE), ecdsaSha384)
  const { r, s } = rawSignature(signature, 48)
  signed.set(r.reverse(), 0x2a0)
  signed.set(s.reverse(), 0x2e8)
  return signed
}
