/**
 * Which of AMD's documents does this report need? The revocation list of its product line, and its VCEK where nobody
 * brought one; the chains are pinned, and VLEKs are the cloud's to bring. Read out of evidence that nobody has
 * authenticated: what does not have the exact form of a chip, TCB or product asks for nothing, and the checks say why.
 */
import { hash } from 'node:crypto'
import { isZero, sameBytes, toHex } from '../bytes/encoding.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import type { EndorsementParts } from '../rats/endorsements.ts'
import type { SigningKey } from '../tee/sev-snp/bits.ts'
import type { SnpEvidence } from '../tee/sev-snp/evidence.ts'
import { type Product, productOfCpuid } from '../tee/sev-snp/product.ts'
import type { Report } from '../tee/sev-snp/report.ts'
import { decodeVekExtensions, kindOfVek } from '../tee/sev-snp/vek.ts'
import { remembered } from './collect-endorsements-remembered.ts'
import { type AmdKey, type AmdSubject, subjectOf } from './endorsement-subject.ts'

export function snpNeeds(evidence: SnpEvidence, brought: EndorsementParts): readonly AmdSubject[] {
  const { report, signingKey } = evidence
  const key = keys[signingKey]
  const veks = [...evidence.certificates, ...brought.certificates]
    .map(vekOf)
    .filter(({ kind }) => kind === signingKey)
  const products = productsOf(report, veks)
  const [product] = products
  if (!key || !product) return []
  const needs: AmdSubject[] = products.map(({ name }) => ({
    document: 'amd-crl',
    product: name,
    key,
  }))
  const isBrought = veks.some(({ hwid }) => !hwid || isOfChip(hwid, report))
  if (key === 'vcek' && !isBrought) needs.push(...vcekOf(report, product))
  return needs
}

const keys: Readonly<Partial<Record<SigningKey, AmdKey>>> = { VCEK: 'vcek', VLEK: 'vlek' }

/**
 * A version 2 report names no product: without a VEK there is no telling whose list and key it needs. With several, any of them may
 * be the one that signed, and a VEK that is laid before it must not keep its list away.
 */
function productsOf({ cpuidFamily, cpuidModel }: Report, veks: readonly Vek[]): readonly Product[] {
  const products =
    cpuidFamily === undefined || cpuidModel === undefined
      ? veks.map((vek) => vek.product)
      : [productOfCpuid(cpuidFamily, cpuidModel)]
  return [...new Set(products.filter((product) => product !== undefined))]
}

/** Nothing for a chip that the host masked, or whose id or TCB has bytes set that this product does not use. */
function vcekOf(
  { chipId, reportedTcb }: Report,
  { name, hwidSize }: Product,
): readonly AmdSubject[] {
  if (!isZero(chipId, hwidSize)) return []
  const chip = toHex(chipId.subarray(0, hwidSize))
  const subject = subjectOf(`amd/${name}/vcek/${chip}/${toHex(reportedTcb)}`)
  return subject?.document === 'amd-vcek' ? [subject] : []
}

function isOfChip(hwid: Uint8Array, { chipId }: Report): boolean {
  return sameBytes(hwid, chipId.subarray(0, hwid.length))
}

/** What a supplied certificate says that it is. */
interface Vek {
  /** Undefined for a certificate that is no VEK or cannot be read. */
  readonly kind: SigningKey | undefined
  readonly product: Product | undefined
  readonly hwid: Uint8Array | undefined
}

/** Decoding takes milliseconds and a hash microseconds, and most evidence comes from machines that were here before. */
const seen = remembered<Vek>(16_384)
const noVek: Vek = { kind: undefined, product: undefined, hwid: undefined }
function vekOf(der: Uint8Array): Vek {
  return seen.get(hash('sha256', der, 'hex'), () => {
    try {
      const certificate = decodeCertificate(der)
      const kind = kindOfVek(certificate)
      if (!kind) return noVek
      const { product, hwid } = decodeVekExtensions(certificate)
      return { kind, product, hwid }
    } catch {
      // Unreadable, which is for the checks to refuse.
      return noVek
    }
  })
}
