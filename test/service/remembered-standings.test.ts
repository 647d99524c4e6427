/** Evidence that was found to hold is judged again after two seconds at the latest, and that of many agents not in one instant. */
import { expect, test } from 'vitest'
import { rememberedStandings } from '#src/service/remembered-standings.ts'

const BEGIN = Date.UTC(2026, 0, 1)
const agents = Array.from({ length: 200 }, (_, n) => `default\0prod\0agent-${n}`)

/** Those that are judged by whoever asks for all of them so many milliseconds after they were judged in one instant. */
async function judgedAfter(ms: number): Promise<number> {
  const { of } = rememberedStandings()
  let judged = 0
  const judge = async () => {
    judged++
    return { standing: 'holds', assurance: 'hardware' } as const
  }
  for (const agent of agents) await of(agent, new Date(BEGIN), judge)
  expect(judged).toBe(agents.length)
  for (const agent of agents) await of(agent, new Date(BEGIN + ms), judge)
  return judged - agents.length
}

test.each([
  ['nobody is judged again within a second and a half', 1_500, 0],
  ['after two seconds all are, whatever their agent', 2_000, agents.length],
])('%s', async (_, ms, expected) => {
  expect(await judgedAfter(ms)).toBe(expected)
})

test('agents that were judged in one instant are judged again each at a time of its own', async () => {
  const halfway = await judgedAfter(1_750)
  expect(halfway).toBeGreaterThan(60)
  expect(halfway).toBeLessThan(140)
})

test('a clock that was put back finds nothing', async () => {
  expect(await judgedAfter(-1)).toBe(agents.length)
})
