import { describe, expect, test } from 'vitest'
import { checkIds } from '../../src/rats/appraisal.ts'
import { statusOf } from '../../src/rats/trust-vector.ts'
import { tees } from '../../src/tee/registry.ts'
import { appraiseFixture, fixtures, verdictOf } from './fixture.ts'

test('there are fixtures for every TEE', () => {
  for (const tee of tees)
    expect(fixtures.filter((fixture) => fixture.tee === tee).length).toBeGreaterThan(10)
})

describe.each(fixtures)('$name: $vector.header.comment', (fixture) => {
  const appraisal = appraiseFixture(fixture)

  test(`gives ${fixture.vector.header.expect}`, () => {
    expect(verdictOf(appraisal)).toBe(fixture.vector.header.expect)
  })

  test('lists exactly the check ids of its TEE, in order', () => {
    expect(appraisal.findings.map(({ id }) => id)).toEqual(checkIds(fixture.tee))
  })

  test('is contraindicated, for its root is simulated', () => {
    expect(appraisal.status).toBe('contraindicated')
    expect(appraisal.trustVector.hardware).toBeGreaterThanOrEqual(96)
    expect(statusOf(appraisal.trustVector)).toBe(appraisal.status)
  })

  test('explains every refusal with a sentence and a citation', () => {
    for (const finding of appraisal.findings)
      if (finding.outcome === 'fail') {
        expect(finding.detail?.length).toBeGreaterThan(10)
        expect(finding.cites.length).toBeGreaterThan(3)
      }
  })

  test('has claims only if it is authentic', () => {
    const authentic = appraisal.assurance !== undefined
    expect(Object.keys(appraisal.claims).length > 0).toBe(authentic)
  })
})
