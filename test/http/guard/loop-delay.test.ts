import { expect, test } from 'vitest'
import { EVERY_MS, loopDelay } from '#src/http/guard/loop-delay.ts'

const PAUSE = 60

test.each<{ name: string; looksAfter: number[]; asked: number; late: number }>([
  { name: 'a loop that is free', looksAfter: [0, 0, 0], asked: 3, late: 0 },
  { name: 'in the midst of a pause, the first', looksAfter: [0, 0], asked: PAUSE, late: 0 },
  { name: 'after one pause', looksAfter: [0, PAUSE], asked: 0, late: 0 },
  { name: 'after one pause that is over', looksAfter: [PAUSE, 0], asked: 3, late: 0 },
  { name: 'in the midst of a second', looksAfter: [PAUSE], asked: EVERY_MS + 25, late: 25 },
  { name: 'after two in a row', looksAfter: [PAUSE, 25], asked: 0, late: 25 },
  { name: 'after a long and a short one', looksAfter: [3, PAUSE], asked: 0, late: 3 },
  { name: 'two, and then free', looksAfter: [PAUSE, PAUSE, 0], asked: 2, late: 0 },
])('$name: $late ms late', ({ looksAfter, asked, late }) => {
  let at = 1_000
  const { look, lateMs } = loopDelay(() => at)
  for (const pause of looksAfter) {
    at += EVERY_MS + pause
    look()
  }
  at += asked
  expect(lateMs()).toBe(late)
})
