import { describe, expect, test } from 'vitest'
import { checkIds } from '../../src/rats/appraisal.ts'
import { tees } from '../../src/tee/registry.ts'
import { appraiseFixture, fixtures, verdictOf, withoutCheck } from './fixture.ts'

/** Ids that several TEEs share need one vector between them. */
const ids = [...new Set(tees.flatMap(checkIds))]

describe.each(ids)('%s', (id) => {
  const own = fixtures.filter(({ vector }) => vector.header.expect === id)

  test('is the first to refuse at least one fixture', () => {
    expect(own.length).toBeGreaterThan(0)
  })

  test('changes the verdict on one of them when it is forgotten', () => {
    const changed = own.filter(
      (fixture) => verdictOf(appraiseFixture(fixture, withoutCheck(fixture.tee, id))) !== id,
    )
    expect(changed.map(({ name }) => name)).not.toEqual([])
  })
})
