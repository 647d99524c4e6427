/** Evidence matches one reference value as a whole: the first that fits, else the nearest is named, and by what it differs. */
import { describe, expect, test } from 'vitest'
import { toHex } from '#src/bytes/encoding.ts'
import { policySchemas } from '#src/policy/documents/json-schemas.ts'
import { differencesOf, lineOf, matchRelease } from '#src/policy/match-release.ts'
import { type ReleaseRequest, releaseChecks } from '#src/policy/release-checks.ts'
import { nothing } from '#src/policy/runtime/runtime-subject.ts'
import { checklist, type Finding, judgeAll } from '#src/rats/check.ts'
import type { SnpReference } from '#src/rats/reference-values.ts'
import { tees } from '#src/tee/registry.ts'
import { sevSnp } from '#src/tee/sev-snp/sev-snp.ts'
import { milan, snpScene } from '../../fixtures/cases/snp-machines.ts'
import { AT, authenticated, releaseOf, snpValue } from './authentic-evidence.ts'

const scene = snpScene({})
const authentication = authenticated(sevSnp, scene)
const { measurement, hostData } = milan.report
const other = new Uint8Array(48)

const release = (...references: readonly SnpReference[]) =>
  releaseOf(
    'bot',
    references.map((reference, index) => snpValue(`r${index}`, reference, index)),
  )

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
    const quote = scene.evidence.quote.slice()
    quote[0x200] = (quote[0x200] ?? 0) ^ 1
    const forged = authenticated(sevSnp, { ...scene, evidence: { ...scene.evidence, quote } })
    expect(matchRelease(release({ measurement }), sevSnp, forged).accepted).toBe(false)
  })
})

describe('a refusal says by what the nearest differs', () => {
  const referenceValue = {
    ...snpValue(
      'r',
      { measurement: other, minimumTcb: { snp: 255 }, guestPolicy: { smt: false }, vmpl: 3 },
      10,
    ),
    lines: { measurement: 12, minimumTcb: 13, 'minimumTcb.snp': 14, guestPolicy: 15 },
  }
  const { appraisal } = matchRelease(releaseOf('bot', [referenceValue]), sevSnp, authentication)
  const differences = differencesOf(sevSnp, referenceValue, appraisal.findings)

  test('field by field, with what was observed and expected', () =>
    expect(differences.find(({ field }) => field === 'measurement')).toEqual({
      check: 'snp.measurement.expected',
      field: 'measurement',
      line: 12,
      observed: toHex(measurement),
      expected: toHex(other),
    }))

  test('at the line of the field, of what holds it, or of the entry', () =>
    expect(differences.map(({ check, field, line }) => [check, field, line])).toEqual([
      ['snp.policy.smt', 'guestPolicy.smt', 15],
      ['snp.vmpl.expected', 'vmpl', 10],
      ['snp.tcb.reported-floor', 'minimumTcb', 13],
      ['snp.tcb.committed-floor', 'minimumTcb', 13],
      ['snp.tcb.launch-floor', 'minimumTcb', 13],
      ['snp.measurement.expected', 'measurement', 12],
    ]))

  test('only what failed, and only what a reference value could mend', () => {
    const findings: readonly Finding[] = [
      { id: 'snp.policy.debug-off', outcome: 'fail', cites: '', informs: 'executables' },
      { id: 'snp.vmpl.expected', outcome: 'waived', cites: '', informs: 'configuration' },
      { id: 'snp.vmpl.expected', outcome: 'not-reached', cites: '', informs: 'configuration' },
      { id: 'constructor', outcome: 'fail', cites: '', informs: 'configuration' },
    ]
    expect(differencesOf(sevSnp, referenceValue, findings)).toEqual([])
  })

  test('a field named like a method of objects has no line of its own', () =>
    expect(lineOf(referenceValue, 'constructor')).toBe(10))
})

describe.each(tees)('every field of a reference value of $name is compared', (tee) => {
  const compared = new Set(
    tee.appraise.flatMap(({ compares }) => (compares === undefined ? [] : [compares])),
  )

  test('by a check that says so', () => {
    const outermost = new Set([...compared].map((field) => field.split('.')[0]))
    expect(fieldsOf(tee.name).filter((field) => !outermost.has(field))).toEqual([])
  })

  test('and no check names a field that a manifest cannot hold', () =>
    expect(
      [...compared]
        .map((field) => field.split('.')[0] ?? '')
        // The binding sets it, and a command line may.
        .filter((field) => field !== 'reportData' && !fieldsOf(tee.name).includes(field)),
    ).toEqual([]))
})

/** As the published schema has them. */
function fieldsOf(tee: string): readonly string[] {
  // Its shape is what the schema test looks at; here a wrong one finds nothing, and fails.
  const schema = policySchemas.get('AgentRelease') as {
    properties: {
      spec: { properties: { referenceValues: { items: { oneOf: readonly Entry[] } } } }
    }
  }
  interface Entry {
    readonly properties: { readonly tee: { readonly const: string } }
  }
  const entry = schema.properties.spec.properties.referenceValues.items.oneOf.find(
    ({ properties }) => properties.tee.const === tee,
  )
  const fields = Object.keys(entry?.properties ?? {})
  expect(fields.length).toBeGreaterThan(5)
  return fields.filter((field) => field !== 'id' && field !== 'tee')
}

describe('a release is in force', () => {
  const watched = {
    ...release({ measurement }),
    runtime: { ...nothing, isSessionRequired: true },
  }
  const failing = (change: Partial<ReleaseRequest>) => {
    const findings: Finding[] = []
    const request = {
      release: release({ measurement }),
      at: AT,
      tee: 'sev-snp',
      audiences: [],
      bearer: undefined,
      isInSession: false,
      ...change,
    }
    judgeAll(checklist(releaseChecks), request, new Map(), findings)
    return findings.flatMap(({ id, outcome }) => (outcome === 'fail' ? [id] : []))
  }

  test.each([
    ['from its first instant', { at: new Date('2026-01-01T00:00:00Z') }, []],
    ['to its last', { at: new Date('2026-12-31T00:00:00Z') }, []],
    ['not before', { at: new Date('2025-12-31T23:59:59.999Z') }, ['release.validity']],
    ['not after', { at: new Date('2026-12-31T00:00:00.001Z') }, ['release.validity']],
    ['for the hardware it names', { tee: 'tdx' }, ['release.tee']],
    ['for its audience', { audiences: ['kms'] }, []],
    ['for no other', { audiences: ['kms2'] }, ['release.audience']],
    ['for no other beside its own', { audiences: ['kms', 'kms2'] }, ['release.audience']],
    ['not alone where it demands a session', { release: watched }, ['release.session']],
    ['in a session where it demands one', { release: watched, isInSession: true }, []],
    ['in a session where it demands none', { isInSession: true }, []],
  ])('%s', (_, change, expected) => expect(failing(change)).toEqual(expected))
})

describe('a federation token', () => {
  const federated: ReleaseRequest = {
    isInSession: false,
    release: {
      ...release({ measurement }),
      rules: [
        { audience: 'sts', form: 'federation', tokenTtlSeconds: 60, scopes: [] },
        { audience: 'kms', form: 'possession', tokenTtlSeconds: 60, scopes: [] },
      ],
    },
    at: AT,
    tee: 'sev-snp',
    audiences: ['sts'],
    bearer: { assurance: 'hardware', subject: `spiffe://h.example/${'a'.repeat(108)}` },
  }
  const bearing = (change: Partial<NonNullable<ReleaseRequest['bearer']>>) => ({
    bearer: { assurance: 'hardware', subject: 'spiffe://h.example/t/a', ...change } as const,
  })

  test.each<[string, Partial<ReleaseRequest>, string, unknown]>([
    ['is given for hardware', {}, 'pass', undefined],
    [
      'is never given for simulated evidence',
      bearing({ assurance: 'simulated' }),
      'fail',
      'simulated',
    ],
    ['is never given for evidence that is not authentic', { bearer: undefined }, 'fail', null],
    [
      'is not asked for by other audiences',
      { audiences: ['kms'], ...bearing({ assurance: 'simulated' }) },
      'not-applicable',
      undefined,
    ],
    [
      'is not given beside another one either',
      { audiences: ['kms', 'sts'], ...bearing({ assurance: 'simulated' }) },
      'fail',
      'simulated',
    ],
    [
      'is refused for a subject of 128 bytes',
      bearing({ subject: `spiffe://h.example/${'a'.repeat(109)}` }),
      'fail',
      128,
    ],
    ...[
      'simulated:spiffe://h/a',
      'spiffe://[::1]/a',
      'spiffe://H/a',
      'spiffe://h/a//b',
      'spiffe://h/..',
      'spiffe://h',
    ].map(
      (subject) =>
        [`is refused for the subject ${subject}`, bearing({ subject }), 'fail', subject] as [
          string,
          Partial<ReleaseRequest>,
          string,
          unknown,
        ],
    ),
  ])('%s', (_, change, outcome, observed) => {
    const findings: Finding[] = []
    judgeAll(checklist(releaseChecks), { ...federated, ...change }, new Map(), findings)
    const found = findings.find(({ id }) => id === 'release.federation')
    expect(found).toMatchObject({ outcome, ...(observed !== undefined && { observed }) })
  })
})
