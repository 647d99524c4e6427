/** Is the program there that a test compares us with? Where it is not, tests say so and are skipped, except in CI. */
import { spawnSync } from 'node:child_process'
import { describe } from 'vitest'

/** A group of tests that need a program. `probe`: arguments with which it ends at once. */
export function describeWith(
  [program, ...probe]: readonly [string, ...string[]],
  title: string,
  body: () => void,
): void {
  const missing = spawnSync(program, probe, { stdio: 'ignore' }).error !== undefined
  if (missing && process.env.CI)
    describe(title, () => {
      throw new Error(`there is no ${program}, which CI must have`)
    })
  else
    describe.skipIf(missing)(missing ? `${title} (skipped: there is no ${program})` : title, body)
}
