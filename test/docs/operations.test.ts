import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { settings, variablesOnly } from '../../src/config/settings.ts'
import { metricFamilies } from '../../src/http/metric-families.ts'
import { nothingMeasured } from '../http/nothing-measured.ts'

const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

test.each([...settings.map(({ variable }) => variable), ...variablesOnly])(
  'docs/operations.md describes %s',
  (variable) => {
    expect(page).toContain(`\`${variable}\``)
  },
)

test('docs/operations.md describes no setting that does not exist', () => {
  const known = new Set([...settings.map(({ variable }) => variable), ...variablesOnly])
  const described = [...page.matchAll(/`(VOUCHSAFE_[A-Z_]+)`/g)].map(([, variable]) => variable)
  expect(described.filter((variable) => !known.has(variable ?? ''))).toEqual([])
})

test('docs/operations.md describes every figure of GET /metrics, and none besides', () => {
  const names = metricFamilies(nothingMeasured).map(({ name }) => name)
  const described = [...page.matchAll(/vouchsafe_[a-z_]+/g)].map(([name]) => name)
  expect([...new Set(described)].toSorted()).toEqual(names.toSorted())
})
