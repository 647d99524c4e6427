/** What a report says, in JSON: every field, with the packed ones taken apart. */
import { toHex } from '../../bytes/encoding.ts'
import type { Claims } from '../../rats/tee.ts'
import {
  AUTHOR_KEY_EN,
  MASK_CHIP_KEY,
  platformBits,
  policyBits,
  unnamedPlatformBits,
} from './bits.ts'
import type { SnpEndorsement } from './endorse.ts'
import type { SnpEvidence } from './evidence.ts'
import { type Product, productOfCpuid, tcbComponents } from './product.ts'
import { tcbOf } from './tcb.ts'

export function claims(evidence: SnpEvidence, { vek }: SnpEndorsement): Claims {
  const extensions = typeof vek?.extensions === 'object' ? vek.extensions : undefined
  return {
    ...fields(evidence, extensions?.product),
    cspId: extensions?.cspId ?? null,
    vekSha256: vek?.certificate.sha256 ?? null,
  }
}

/** Unauthenticated: the product is what the report itself says, so version 2 shows its TCBs in hex only. */
export function inspect(evidence: SnpEvidence): Claims {
  const { cpuidFamily, cpuidModel } = evidence.report
  return fields(
    evidence,
    cpuidFamily === undefined || cpuidModel === undefined
      ? undefined
      : productOfCpuid(cpuidFamily, cpuidModel),
  )
}

function fields({ report, signingKey }: SnpEvidence, product: Product | undefined): Claims {
  const tcb = (raw: Uint8Array): Claims => ({
    raw: toHex(raw),
    ...(product && componentsOf(raw, product)),
  })
  return {
    version: report.version,
    product: product?.name ?? null,
    guestSvn: report.guestSvn,
    policy: {
      raw: hex64(report.policy),
      abiMinor: Number(report.policy & 0xffn),
      abiMajor: Number((report.policy >> 8n) & 0xffn),
      ...named(report.policy, policyBits),
    },
    familyId: toHex(report.familyId),
    imageId: toHex(report.imageId),
    vmpl: report.vmpl,
    signatureAlgo: report.signatureAlgo,
    platformInfo: {
      raw: hex64(report.platformInfo),
      ...named(report.platformInfo, platformBits),
      unnamed: hex64(unnamedPlatformBits(report.platformInfo)),
    },
    signerInfo: {
      raw: report.signerInfo,
      authorKeyEnabled: (report.signerInfo & AUTHOR_KEY_EN) !== 0,
      maskChipKey: (report.signerInfo & MASK_CHIP_KEY) !== 0,
      signingKey,
    },
    reportData: toHex(report.reportData),
    measurement: toHex(report.measurement),
    hostData: toHex(report.hostData),
    idKeyDigest: toHex(report.idKeyDigest),
    authorKeyDigest: toHex(report.authorKeyDigest),
    reportId: toHex(report.reportId),
    reportIdMa: toHex(report.reportIdMa),
    currentTcb: tcb(report.currentTcb),
    reportedTcb: tcb(report.reportedTcb),
    committedTcb: tcb(report.committedTcb),
    launchTcb: tcb(report.launchTcb),
    /** From version 3 on. */
    cpuid: {
      family: report.cpuidFamily ?? null,
      model: report.cpuidModel ?? null,
      stepping: report.cpuidStepping ?? null,
    },
    chipId: toHex(report.chipId),
    currentFirmware: `${report.currentMajor}.${report.currentMinor}.${report.currentBuild}`,
    committedFirmware: `${report.committedMajor}.${report.committedMinor}.${report.committedBuild}`,
    launchMitVector: report.launchMitVector === undefined ? null : hex64(report.launchMitVector),
    currentMitVector: report.currentMitVector === undefined ? null : hex64(report.currentMitVector),
  }
}

/** Components that the product lacks are null, so that a rule that names one can be asked of every product. */
function componentsOf(raw: Uint8Array, product: Product): Claims {
  const tcb = tcbOf(raw, product)
  const components: Record<string, number | null> = {}
  for (const component of tcbComponents) components[component] = tcb[component] ?? null
  return components
}

function named(field: bigint, bits: Readonly<Record<string, bigint>>): Claims {
  const claims: Record<string, boolean> = {}
  for (const [name, bit] of Object.entries(bits)) claims[name] = (field & bit) !== 0n
  return claims
}

const hex64 = (value: bigint) => `0x${value.toString(16)}`
