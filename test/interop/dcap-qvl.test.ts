/**
 * Every recorded triple of quote, collateral and instant, judged by us and by npm @phala/dcap-qvl 0.3.9. Where the two differ, the
 * row says why; a difference that is not in the table fails, and so does one that has gone away.
 */
import dcapQvl from '@phala/dcap-qvl'
import { describe, expect, test } from 'vitest'
import { type Appraisal, verify } from '../../src/rats/appraisal.ts'
import { firstFailure } from '../../src/rats/check.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import { partsOfCollateralJson } from '../../src/tee/dcap/collateral-json.ts'
import { teeOf } from '../../src/tee/registry.ts'
import { vendorAnchors } from '../mutations/recorded-evidence.ts'
import { advice, hasRecorded, recordedBytes } from '../recorded.ts'

/** A status with the number of advisories, or what the refusal says. */
interface Row {
  readonly ours: string
  readonly peer: string | RegExp
  /** Present exactly where the verdicts differ. */
  readonly because?: string
}

const SKIPS_MODULE_COMPONENTS =
  'from TDX module version 1 on, Intel leaves components 0 and 1 of the TCB to the module identity; the peer compares all 16'
const HAS_PROFILES =
  'the peer refuses what the TD attributes or a service TD show before it says anything of the TCB; here they are appraisal checks beside it, and the quote is refused by them too'

const rows: Readonly<Record<string, Row>> = {
  t09: { ours: 'NotSupported 0', peer: /No matching TCB level/ },
  t10: { ours: 'ConfigurationAndSWHardeningNeeded 2', peer: 'ConfigurationAndSWHardeningNeeded 2' },
  t12: { ours: 'UpToDate 0', peer: 'UpToDate 0' },
  t13: { ours: 'NotSupported 0', peer: /No matching TCB level/ },
  t14: { ours: 'NotSupported 0', peer: /No matching TCB level/ },
  t15: { ours: 'dcap.pck-chain.validity', peer: /expired or not yet valid/ },
  t17: { ours: 'SWHardeningNeeded 1', peer: 'SWHardeningNeeded 1' },
  t18: { ours: 'OutOfDate 5', peer: /mr service td/, because: HAS_PROFILES },
  t19: { ours: 'OutOfDate 5', peer: /mr service td/, because: HAS_PROFILES },
  t20: { ours: 'UpToDate 0', peer: /mr service td/, because: HAS_PROFILES },
  t27: { ours: 'OutOfDate 3', peer: 'OutOfDate 3' },
  t28: { ours: 'OutOfDate 3', peer: 'OutOfDate 3' },
  t29: { ours: 'OutOfDate 3', peer: 'OutOfDate 3' },
  t30: { ours: 'OutOfDate 3', peer: /No matching TCB level/, because: SKIPS_MODULE_COMPONENTS },
  t31: { ours: 'OutOfDate 3', peer: /No matching TCB level/, because: SKIPS_MODULE_COMPONENTS },
  t32: { ours: 'OutOfDate 3', peer: /No matching TCB level/, because: SKIPS_MODULE_COMPONENTS },
  t34: { ours: 'UpToDate 0', peer: /Debug mode/, because: HAS_PROFILES },
  t39: { ours: 'UpToDate 0', peer: 'OutOfDate 3', because: SKIPS_MODULE_COMPONENTS },
  t40: { ours: 'UpToDate 0', peer: 'OutOfDate 3', because: SKIPS_MODULE_COMPONENTS },
  t41: { ours: 'UpToDate 0', peer: 'OutOfDate 3', because: SKIPS_MODULE_COMPONENTS },
  t45: { ours: 'NotSupported 0', peer: /No matching TCB level/ },
}

describe.each(Object.entries(rows))('%s', (id, { ours, peer, because }) => {
  const files = ['quote.bin', 'collateral.json', 'meta.json'].map(
    (name) => `_triples/${id}/${name}`,
  )

  test.skipIf(!hasRecorded(...files))(
    because ? `differs: ${because} (${advice})` : `agrees (${advice})`,
    () => {
      const [quote = new Uint8Array(), collateral = '', now = new Date(0)] = triple(files)
      expect(verdict(quote, collateral, now)).toBe(ours)
      const theirs = peerVerdict(quote, collateral, now)
      if (typeof peer === 'string') expect(theirs).toBe(peer)
      else expect(theirs).toMatch(peer)
      const bothRefuse = typeof peer !== 'string' && /^(NotSupported|dcap)/.test(ours)
      expect(ours === theirs || bothRefuse).toBe(because === undefined)
    },
  )
})

test.skipIf(!hasRecorded('_triples/t20/quote.bin'))(
  'what the peer refuses for attributes or a service TD is refused here too',
  () => {
    for (const [id, check] of [
      ['t18', 'tdx.service-td.approved'],
      ['t20', 'tdx.service-td.approved'],
      ['t34', 'tdx.attributes.debug-off'],
    ] as const) {
      const [quote, collateral, now] = triple(
        ['quote.bin', 'collateral.json', 'meta.json'].map((name) => `_triples/${id}/${name}`),
      )
      const failing = appraise(quote, collateral, now).findings.filter(
        ({ outcome }) => outcome === 'fail',
      )
      expect(failing.map((finding) => finding.id)).toContain(check)
    }
  },
)

function triple(files: readonly string[]): readonly [Uint8Array, string, Date] {
  const [quote = '', collateral = '', meta = ''] = files
  const text = (path: string) => Buffer.from(recordedBytes(path)).toString('utf8')
  const { now }: { readonly now: string } = JSON.parse(text(meta))
  return [recordedBytes(quote), text(collateral), new Date(now)]
}

function appraise(quote: Uint8Array, collateral: string, at: Date): Appraisal {
  const tee = teeOf(quote)
  if (!tee) throw new Error('not a quote')
  const supplied = endorsements(partsOfCollateralJson(collateral))
  const anchors = vendorAnchors
  return verify(
    tee,
    { quote },
    { at, anchors, endorsements: supplied, waivers: new Map(), proofs: proofCache(8) },
  )
}

function verdict(quote: Uint8Array, collateral: string, at: Date): string {
  const { claims, findings } = appraise(quote, collateral, at)
  const { tcb } = claims
  if (typeof tcb !== 'object' || tcb === null || !('status' in tcb))
    return firstFailure(findings)?.id ?? 'no verdict'
  const advisories = Array.isArray(tcb.advisoryIds) ? tcb.advisoryIds.length : Number.NaN
  return `${tcb.status} ${advisories}`
}

function peerVerdict(quote: Uint8Array, collateral: string, at: Date): string {
  try {
    const report = dcapQvl.verify(quote, JSON.parse(collateral), at.getTime() / 1000)
    return `${report.status} ${report.advisory_ids.length}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
