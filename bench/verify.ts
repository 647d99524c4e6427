/**
 * What does a verification cost? The full list of checks on recorded hardware evidence, beside the bare signatures that it
 * needs and, for quotes, beside @phala/dcap-qvl on the same quote, in the same run. One row per case: CPU microseconds,
 * verifications per second and core, the part of the raw signature limit that is reached, and how many times the peer's rate.
 */
import dcapQvl from '@phala/dcap-qvl'
import { verify } from '../src/rats/appraisal.ts'
import type { Conditions } from '../src/rats/authentication.ts'
import { firstFailure } from '../src/rats/check.ts'
import { endorsements } from '../src/rats/endorsements.ts'
import { type ProofCache, proofCache } from '../src/rats/proof-cache.ts'
import { genoaReport, type Sample, sgxQuote, tdxQuote } from './evidence.ts'
import { interleave, type Plan } from './harness.ts'
import { p256Limit, p384Limit } from './limits.ts'

interface Case {
  readonly name: string
  readonly run: () => unknown
  /** The signatures that this case cannot do without, and nothing else. */
  readonly limit: () => unknown
  readonly peer?: () => unknown
}

interface Row {
  readonly name: string
  readonly cpuMicros: number
  readonly perSecondPerCore: number
  readonly limitRatio: number
  readonly peerRatio: number | null
}

export function* verifyRows(plan: Plan): Generator<Row> {
  for (const each of cases()) yield measure(each, plan)
}

function cases(): readonly Case[] {
  const snp = genoaReport()
  const tdx = tdxQuote()
  const sgx = sgxQuote()
  const p384 = p384Limit()
  const p256 = p256Limit()
  const twice = () => {
    p256()
    p256()
  }
  return [
    { name: 'snp.warm', run: warm(snp, proofCache(64)), limit: p384 },
    { name: 'snp.cold', run: cold(snp), limit: p384 },
    { name: 'tdx.warm', run: warm(tdx, forgetful(proofCache(64))), limit: twice, peer: peer(tdx) },
    { name: 'tdx.warm.qe-cached', run: warm(tdx, proofCache(64)), limit: p256, peer: peer(tdx) },
    { name: 'tdx.cold', run: cold(tdx), limit: twice, peer: peer(tdx) },
    { name: 'sgx.warm', run: warm(sgx, forgetful(proofCache(64))), limit: twice, peer: peer(sgx) },
  ]
}

function measure({ name, run, limit, peer: other }: Case, plan: Plan): Row {
  const { ours, raw, theirs } = interleave({ ours: run, raw: limit, theirs: other ?? limit }, plan)
  return {
    name,
    cpuMicros: round(ours.cpuMicros),
    perSecondPerCore: Math.round(1e6 / ours.cpuMicros),
    limitRatio: round(raw.cpuMicros / ours.cpuMicros),
    peerRatio: other ? round(theirs.cpuMicros / ours.cpuMicros) : null,
  }
}

function conditionsOf(
  { at, anchors, endorsements: supplied }: Sample,
  proofs: ProofCache,
): Conditions {
  // No AMD CRL was ever recorded; the check is judged all the same, and its failure waived with this reason.
  return {
    at,
    anchors,
    endorsements: supplied,
    proofs,
    waivers: new Map([['revocation', 'recorded']]),
  }
}

/** Endorsements as an object that lives on, as the service holds them; evidence as new bytes would be. */
function warm(sample: Sample, proofs: ProofCache): () => unknown {
  const conditions = conditionsOf(sample, proofs)
  const run = () => verify(sample.tee, sample.evidence, conditions)
  assertAuthentic(sample, run())
  return run
}

/** Nothing is remembered, the digest of the endorsements included. Roots stay decoded: they are configuration. */
function cold(sample: Sample): () => unknown {
  const run = () => {
    const fresh = { ...sample, endorsements: endorsements(sample.endorsements) }
    return verify(sample.tee, sample.evidence, conditionsOf(fresh, proofCache(8)))
  }
  assertAuthentic(sample, run())
  return run
}

/** A cache that knows collateral and PCK chain but not the QE binding: the second signature is verified each time. */
function forgetful(proofs: ProofCache): ProofCache {
  return {
    ...proofs,
    get: (kind, key, at) =>
      kind.name === 'dcap.qe-binding' ? undefined : proofs.get(kind, key, at),
    put(kind, key, proof) {
      if (kind.name !== 'dcap.qe-binding') proofs.put(kind, key, proof)
    },
  }
}

function peer({ evidence, collateral, at }: Sample): () => unknown {
  if (!collateral) throw new Error('the peer needs collateral')
  const now = at.getTime() / 1000
  return () => dcapQvl.verify(evidence.quote, collateral, now)
}

function assertAuthentic({ tee }: Sample, appraisal: ReturnType<typeof verify>): void {
  if (appraisal.assurance !== 'hardware')
    throw new Error(
      `the ${tee.name} sample is refused: ${firstFailure(appraisal.findings)?.detail}`,
    )
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
