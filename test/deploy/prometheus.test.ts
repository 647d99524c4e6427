/** Do the alert rules and the dashboard look at figures that exist, and do the rules speak up when they should? */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { metricFamilies } from '#src/http/metric-families.ts'
import { nothingMeasured } from '../http/nothing-measured.ts'
import { deployFolder, describeWhere, run } from './tool.ts'

const read = (path: string) => readFileSync(join(deployFolder, path), 'utf8')

/** What may stand in an expression: a histogram has three names. */
const names = new Set(
  metricFamilies(nothingMeasured).flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
)
const unknownIn = (expression: string) =>
  (expression.match(/vouchsafe_[a-z0-9_]+/g) ?? []).filter((name) => !names.has(name))

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly next: string }
}

const rules: readonly Rule[] = parse(read('prometheus/alerts.yaml')).groups.flatMap(
  (group: { readonly rules: readonly Rule[] }) => group.rules,
)

describe('alert rules', () => {
  test.each(rules)('$alert looks at figures that exist, and says what to do', (rule) => {
    expect(unknownIn(rule.expr)).toEqual([])
    expect(rule.expr).toMatch(/vouchsafe/)
    expect(['page', 'ticket']).toContain(rule.labels.severity)
    expect(rule.annotations.summary).not.toBe('')
    expect(rule.annotations.next).toMatch(/\.$/)
  })

  test('each has a test', () => {
    const tests = read('prometheus/alerts.test.yaml')
    expect(rules.map(({ alert }) => alert).filter((name) => !tests.includes(name))).toEqual([])
  })
})

describeWhere('promtool', 'promtool', () => {
  test.each([
    ['rules', ['check', 'rules', 'prometheus/alerts.yaml']],
    ['configuration', ['check', 'config', 'prometheus/prometheus.yaml']],
    ['tests of the rules', ['test', 'rules', 'prometheus/alerts.test.yaml']],
  ])('takes the %s', (_, args) => {
    const { status, text } = run('promtool', args)
    expect([status, text]).toEqual([0, expect.stringContaining('SUCCESS')])
  })
})

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets?: readonly { readonly expr: string }[]
}

describe('the dashboard', () => {
  const { panels }: { readonly panels: readonly Panel[] } = JSON.parse(
    read('grafana/vouchsafe.json'),
  )
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

  test.each(panels.filter(({ type }) => type !== 'row'))(
    '$title shows figures that exist',
    (panel) => {
      expect(panel.targets).not.toHaveLength(0)
      for (const { expr } of panel.targets ?? []) expect(unknownIn(expr)).toEqual([])
    },
  )

  test('every figure has its place on it', () => {
    const shown = new Set(expressions.join(' ').match(/vouchsafe_[a-z0-9_]+/g))
    const families = metricFamilies(nothingMeasured).map(({ name }) => name)
    expect(families.filter((name) => !shown.has(name) && !shown.has(`${name}_bucket`))).toEqual([])
  })

  test('every panel has a number and a place of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
  })
})
