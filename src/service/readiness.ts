/**
 * Could this service answer an attestation now? It appraises evidence whose verdict is known, good and altered, because a
 * verifier that accepts everything also answers quickly.
 */
import { anchorSet } from '../pki/anchor.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import { type Appraisal, verify } from '../rats/appraisal.ts'
import { firstFailure } from '../rats/check.ts'
import { endorsements } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import { proofCache } from '../rats/proof-cache.ts'
import type { Vector } from '../rats/vector.ts'
import { teeByName } from '../tee/registry.ts'
import { policyInForce } from './policy-in-force.ts'
import type { Tenant, Verifier } from './verifier.ts'

export interface Readiness {
  readonly ready: boolean
  readonly checks: readonly ReadinessCheck[]
}

interface ReadinessCheck {
  readonly name: string
  readonly ok: boolean
  /** Safe to show to anyone. */
  readonly detail: string
}

/** True when the fixture passes and the same with one bit changed is refused. */
export type SelfTest = () => boolean

/** Asked by anybody, so looked at once a second at most; `isEnding` is told at once. */
export function readinessOf(
  verifier: Verifier,
  selfTest: SelfTest,
  isEnding: () => boolean = () => false,
): () => Promise<Readiness> {
  let last: { readonly at: number; readonly readiness: Promise<Readiness> } | undefined
  return async () => {
    if (isEnding()) return ending
    const at = verifier.clock.now().getTime()
    if (!last || Math.abs(at - last.at) >= 1000)
      last = { at, readiness: readiness(verifier, selfTest) }
    return await last.readiness
  }
}

const ending: Readiness = {
  ready: false,
  checks: [{ name: 'process', ok: false, detail: 'is ending: ask another replica' }],
}

async function readiness(verifier: Verifier, selfTest: SelfTest): Promise<Readiness> {
  const checks = [
    await storageCheck(verifier),
    ...[...verifier.tenants.values()].map((tenant) => policyCheck(tenant, verifier.clock.now())),
    logCheck(verifier),
    appraisalCheck(selfTest),
  ]
  return { ready: checks.every(({ ok }) => ok), checks }
}

/** Nothing is issued without a leaf, and a leaf that nobody numbers answers for nothing. The reason stands in the log of the service. */
function logCheck({ log }: Pick<Verifier, 'log'>): ReadinessCheck {
  const ok = log.fault() === undefined
  return { name: 'log', ok, detail: ok ? 'signs' : 'refuses to sign what the database holds' }
}

/** `vector` is evidence that passes; its certificates are decoded here, once. */
export function selfTestOf(vector: Vector): SelfTest {
  const tee = teeByName(vector.header.tee)
  const anchors = anchorSet(
    vector.anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated',
    })),
  )
  const conditions = {
    at: vector.header.at,
    anchors,
    endorsements: endorsements(vector.parts),
    waivers: new Map<string, string>(),
    proofs: proofCache(8),
  }
  const altered: Evidence = { ...vector.evidence, quote: vector.evidence.quote.slice() }
  // A byte of REPORT_DATA (SNP) or of the TD's measurements (DCAP): signed, and read by no structure rule.
  altered.quote[0x60] = (altered.quote[0x60] ?? 0) ^ 1
  const passes = ({ findings }: Appraisal) => firstFailure(findings) === undefined
  return () =>
    tee !== undefined &&
    passes(verify(tee, vector.evidence, conditions)) &&
    !passes(verify(tee, altered, conditions))
}

async function storageCheck({ store }: Verifier): Promise<ReadinessCheck> {
  try {
    await store.ping()
    return { name: 'storage', ok: true, detail: 'answers' }
  } catch {
    return { name: 'storage', ok: false, detail: 'does not answer' }
  }
}

/** Names of conditions only: their messages name files and people. */
function policyCheck({ name, policy }: Tenant, at: Date): ReadinessCheck {
  const conditions = policy.conditions(at).map((condition) => condition.name)
  try {
    policyInForce(policy, at)
    return { name: `policy.${name}`, ok: true, detail: conditions.join(', ') }
  } catch {
    return { name: `policy.${name}`, ok: false, detail: conditions.join(', ') }
  }
}

function appraisalCheck(selfTest: SelfTest): ReadinessCheck {
  const name = 'appraisal'
  try {
    const ok = selfTest()
    return { name, ok, detail: ok ? 'known evidence is judged as it must be' : 'wrong verdict' }
  } catch {
    return { name, ok: false, detail: 'the self-test failed' }
  }
}
