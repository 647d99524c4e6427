/** Evidence matches one reference value as a whole: the first that fits, else the nearest is named. */
import { describe, expect, test } from 'vitest'
import { anchorSet } from '#src/pki/anchor.ts'
import { decodeCertificate } from '#src/pki/certificate.ts'
import { matchRelease } from '#src/policy/match-release.ts'
import { releaseChecks } from '#src/policy/release-checks.ts'
import { authenticate } from '#src/rats/authentication.ts'
import { checklist, type Finding, judgeAll } from '#src/rats/check.ts'
import { endorsements } from '#src/rats/endorsements.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import type { SnpReference } from '#src/rats/reference-values.ts'
import type { AgentRelease, ReferenceValue } from '#src/rats/release.ts'
import { sevSnp } from '#src/tee/sev-snp/sev-snp.ts'
import { milan, snpScene } from '../../fixtures/cases/snp-machines.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const { evidence, parts, anchors } = snpScene({})
const authentication = authenticate(sevSnp, evidence, {
  at: AT,
  anchors: anchorSet(
    anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated' as const,
    })),
  ),
  endorsements: endorsements(parts),
  waivers: new Map(),
  proofs: proofCache(4),
})

const { measurement, hostData } = milan.report
const other = new Uint8Array(48)

function release(...references: readonly SnpReference[]): AgentRelease {
  return {
    environment: 'prod',
    agent: 'bot',
    version: '1',
    generation: 1,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2026-12-31T00:00:00Z'),
    referenceValues: references.map(
      (reference, index): ReferenceValue => ({
        id: `r${index}`,
        line: index,
        tee: 'sev-snp',
        reference,
      }),
    ),
    waivers: new Map(),
    rules: [{ audience: 'kms', tokenTtlSeconds: 60 }],
    manifest: { file: 'agents/prod/bot.yaml', sha256: '' },
  }
}

const matched = (...references: readonly SnpReference[]) => {
  const { accepted, referenceValue } = matchRelease(release(...references), sevSnp, authentication)
  return [accepted, referenceValue?.id]
}

describe('a match', () => {
  test('is the first reference value that fits', () =>
    expect(matched({ measurement: other }, { measurement }, { measurement, hostData })).toEqual([
      true,
      'r1',
    ]))

  test('is never put together from two', () =>
    expect(
      matched({ measurement, hostData: new Uint8Array(32) }, { measurement: other, hostData })[0],
    ).toBe(false))

  test('of none: the one with fewest failures is nearest, the earlier of two', () =>
    expect(
      matched(
        { measurement: other, vmpl: 3 },
        { measurement: other, hostData },
        { measurement: other },
      ),
    ).toEqual([false, 'r1']))

  test('needs a reference value of this TEE', () => expect(matched()).toEqual([false, undefined]))

  test('of evidence that is not authentic there is none, whatever it says', () => {
    const quote = evidence.quote.slice()
    quote[0x200] = (quote[0x200] ?? 0) ^ 1
    const forged = authenticate(
      sevSnp,
      { ...evidence, quote },
      {
        at: AT,
        anchors: anchorSet([]),
        endorsements: endorsements(parts),
        waivers: new Map(),
        proofs: proofCache(4),
      },
    )
    expect(matchRelease(release({ measurement }), sevSnp, forged).accepted).toBe(false)
  })
})

describe('a release is in force', () => {
  const failing = (change: { at?: Date; tee?: string; audience?: string | undefined }) => {
    const findings: Finding[] = []
    const request = {
      release: release({ measurement }),
      at: AT,
      tee: 'sev-snp',
      audience: undefined,
      ...change,
    }
    judgeAll(checklist(releaseChecks), request, new Map(), findings)
    return findings.flatMap(({ id, outcome }) => (outcome === 'pass' ? [] : [id]))
  }

  test.each([
    ['from its first instant', { at: new Date('2026-01-01T00:00:00Z') }, []],
    ['to its last', { at: new Date('2026-12-31T00:00:00Z') }, []],
    ['not before', { at: new Date('2025-12-31T23:59:59.999Z') }, ['release.validity']],
    ['not after', { at: new Date('2026-12-31T00:00:00.001Z') }, ['release.validity']],
    ['for the hardware it names', { tee: 'tdx' }, ['release.tee']],
    ['for its audience', { audience: 'kms' }, []],
    ['for no other', { audience: 'kms2' }, ['release.audience']],
  ])('%s', (_, change, expected) => expect(failing(change)).toEqual(expected))
})
