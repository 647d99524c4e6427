/** Do google/go-sev-guest and google/go-tdx-guest judge the simulator's evidence as we do, under the simulator's roots? */
import { beforeAll, describe, expect, test } from 'vitest'
import type { FixtureCase } from '../../fixtures/cases/case.ts'
import { cases } from '../../fixtures/cases/cases.ts'
import { appraiseFixture, verdictOf } from '../vectors/fixture.ts'
import { furtherSnp, upperCase } from './further-cases.ts'
import { titled } from './go-tool.ts'
import { type GoCase, type GoVerdict, goVerifiers } from './go-verifiers.ts'
import { fixtureOf, inLowerCase, isPolicy, type Scene, snpCase, tdxCase } from './scene.ts'
import { snpTable } from './snp-table.ts'
import { tdxTable } from './tdx-table.ts'
import { theirVerdict, type VerdictTable } from './verdict-table.ts'

const go = goVerifiers()
/** Each costs signatures to build: none is, where nobody is there to judge it. */
const scenes = go.missing === undefined ? cases.map(sceneOf) : []
const ofTee = (tee: string) => scenes.filter((each) => each.scene.tee === tee && !isPolicy(each))

compared('go-sev-guest', {
  scenes: [...ofTee('sev-snp'), ...furtherSnp.map(sceneOf)],
  goCase: snpCase,
  table: snpTable,
})
compared('go-tdx-guest', {
  scenes: [...ofTee('tdx').map(inLowerCase), sceneOf(upperCase)],
  goCase: tdxCase,
  table: tdxTable,
})

interface Comparison {
  readonly scenes: readonly Scene[]
  readonly goCase: (scene: Scene) => GoCase
  readonly table: VerdictTable
}

function compared(library: string, { scenes, goCase, table }: Comparison): void {
  const rows = scenes.map((scene) => {
    const { name, comment, expect: ours } = scene
    const theirs = theirVerdict(table, scene)
    return [`${name}: ${comment} — ours ${ours}, ${theirs.says}`, { ...scene, theirs }] as const
  })

  describe.skipIf(go.missing)(titled(`${library} and ours`, go), () => {
    const verdicts = new Map<string, GoVerdict | undefined>()
    beforeAll(() => {
      const answers = go.judge(scenes.map(goCase))
      for (const [at, { name }] of scenes.entries()) verdicts.set(name, answers[at])
    })

    test.each(rows)('%s', (_, row) => {
      expect(verdictOf(appraiseFixture(fixtureOf(row)))).toBe(row.expect)
      expect(verdicts.get(row.name)).toMatchObject(row.theirs.verdict)
    })

    test('differ only over fixtures that exist', () => {
      const names = scenes.map(({ name }) => name)
      expect(names).toEqual([...new Set(names)])
      expect(names).toEqual(expect.arrayContaining(Object.keys(table.differences)))
    })
  })
}

function sceneOf(fixtureCase: FixtureCase): Scene {
  return { ...fixtureCase, scene: fixtureCase.build() }
}
