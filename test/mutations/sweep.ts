/**
 * Every byte of every recorded report and quote with one bit turned, and nothing of it is authentic any more. There is no
 * list of exceptions: reserved bytes must be zero, signature fields are canonical, and the PEM text in a quote is held to
 * one exact form. Two test files share the evidence between them, so that both cores have work.
 */
import { describe, expect, test } from 'vitest'
import { advice, hasRecorded, recordedBytes } from '../recorded.ts'
import { judgeOf, quotes, reports } from './recorded-evidence.ts'

/** Every byte in the long run; otherwise a sample that still meets every field. */
const STRIDE = process.env.VOUCHSAFE_LONG === '1' ? 1 : 29

/** Declares the tests of every second piece of evidence, from the first (0) or the second (1) on. */
export function sweep(half: 0 | 1): void {
  const own = [...reports, ...quotes].filter((_, index) => index % 2 === half)
  describe.each(own)('$name', (recorded) => {
    test.skipIf(!hasRecorded(...recorded.files))(
      `no bit can be turned unnoticed (needs recorded evidence; ${advice})`,
      { timeout: 900_000 },
      () => {
        const judge = judgeOf(recorded)
        const original = recordedBytes(recorded.files[0] ?? '')
        expect(judge().assurance).toBe('hardware')
        const unnoticed: string[] = []
        for (let at = recorded.name.length % STRIDE; at < original.length; at += STRIDE) {
          const quote = original.slice()
          quote[at] = (quote[at] ?? 0) ^ (1 << (at & 7))
          if (judge({ quote }).assurance !== undefined) unnoticed.push(`0x${at.toString(16)}`)
        }
        expect(unnoticed).toEqual([])
      },
    )
  })
}
