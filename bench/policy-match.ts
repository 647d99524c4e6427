/**
 * What does it cost to find the releases that accept one authentic report, among a thousand and among ten thousand? In the
 * three forms that a policy takes: an image for each agent, one image with a configuration for each, and a few that are alike.
 */
import { createHash } from 'node:crypto'
import { milan, snpScene } from '../fixtures/cases/snp-machines.ts'
import { launchIndex } from '../src/policy/launch-index.ts'
import { matchPolicy } from '../src/policy/match-policy.ts'
import type { SnpReference } from '../src/rats/reference-values.ts'
import { sevSnp } from '../src/tee/sev-snp/sev-snp.ts'
import { authenticated, releaseOf, snpValue } from '../test/policy/authentic-evidence.ts'
import { interleave, type Plan } from './harness.ts'

interface MatchRow {
  readonly name: string
  readonly releases: number
  readonly accepting: number
  readonly cpuMicros: number
  /** At most so long; null where several accept, each of which is compared in full. */
  readonly targetMicros: number | null
}

const ALIKE = 10
const TARGET_MICROS = 50

export function policyMatchRows(plan: Plan): readonly MatchRow[] {
  const authentication = authenticated(sevSnp, snpScene({}))
  if (!authentication.authentic) throw new Error('the simulated report is refused')
  const { measurement, hostData } = milan.report
  const stranger = (n: number, size: 32 | 48) =>
    new Uint8Array(
      createHash(size === 32 ? 'sha256' : 'sha384')
        .update(`${n}`)
        .digest(),
    )
  const forms: Readonly<Record<string, (n: number) => SnpReference>> = {
    images: (n) => ({ measurement: n === 5 ? measurement : stranger(n, 48) }),
    'one-image': (n) => ({ measurement, hostData: n === 5 ? hostData : stranger(n, 32) }),
    alike: (n) => ({ measurement: n < ALIKE ? measurement : stranger(n, 48) }),
  }
  const cases = Object.entries(forms).flatMap(([form, reference]) =>
    [1_000, 10_000].map((releases) => {
      const index = launchIndex(
        Array.from({ length: releases }, (_, n) =>
          releaseOf(`agent-${n}`, [snpValue('own', reference(n))]),
        ),
      )
      const run = () => matchPolicy(index, sevSnp, authentication)
      return { name: `policy.match.${form}`, releases, accepting: run().length, run }
    }),
  )
  const measured = interleave(
    Object.fromEntries(cases.map(({ name, releases, run }) => [`${name} ${releases}`, run])),
    plan,
  )
  return cases.map(({ name, releases, accepting }) => ({
    name,
    releases,
    accepting,
    cpuMicros: Number(measured[`${name} ${releases}`]?.cpuMicros.toPrecision(3)),
    targetMicros: accepting === 1 ? TARGET_MICROS : null,
  }))
}
