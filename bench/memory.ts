/**
 * Is memory flat? 100,000 verifications of 10,000 chips, each with a certificate set of its own, through one bounded
 * cache. The chips are one recorded report under 10,000 endorsement digests: as many cache keys, proofs and evictions
 * as so many machines, without so many RSA signatures to mint.
 */
import { verify } from '../src/rats/appraisal.ts'
import { endorsements } from '../src/rats/endorsements.ts'
import { proofCache } from '../src/rats/proof-cache.ts'
import { genoaReport } from './evidence.ts'

export async function memoryOverManyChips() {
  const { tee, evidence, endorsements: supplied, anchors, at } = genoaReport()
  const proofs = proofCache(4096)
  const waivers = new Map([['revocation', 'recorded']])
  const [vek = new Uint8Array()] = supplied.certificates
  const megabytes: number[] = []
  for (let turn = 0; turn < 100_000; turn++) {
    const chip = turn < 10_000 || turn % 10 === 0 ? turn % 10_000 : turn % 4_000
    const conditions = {
      at,
      anchors,
      endorsements: { ...endorsements({ certificates: [vek] }), digest: `chip ${chip}` },
      waivers,
      proofs,
    }
    verify(tee, evidence, conditions)
    if (turn % 10_000 === 9_999) {
      globalThis.gc?.()
      megabytes.push(Math.round(process.memoryUsage().rss / 1e6))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { name: 'memory.100000', rssMegabytes: megabytes, proofs: proofs.size() }
}
