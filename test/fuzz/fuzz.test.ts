import { expect, test } from 'vitest'
import { run } from './campaign.ts'
import { targets } from './targets.ts'

/** Enough to notice a careless change; `npm run fuzz` is the real campaign. */
const inputs = process.env.VOUCHSAFE_LONG === '1' ? 40_000 : 1_500

test.each(targets)(
  '$name lets nothing out but Malformed, and never takes long',
  { timeout: 240_000 },
  (target) => {
    expect(target.seeds.length).toBeGreaterThan(0)
    expect(run(target, { inputs, seed: 7 }).findings).toEqual([])
  },
)

test('a parser that lets a TypeError out is found', () => {
  const careless = {
    name: 'careless',
    seeds: [new Uint8Array(8)],
    parse: (input: Uint8Array) => {
      if (input[0] === 0xff) throw new TypeError('oops')
    },
  }
  expect(run(careless, { inputs: 2_000, seed: 1 }).findings.length).toBeGreaterThan(0)
})
