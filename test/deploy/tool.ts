/** A group of tests that run a program which not every machine has; where it is absent they are skipped and say so. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe } from 'vitest'

export const deployFolder = join(import.meta.dirname, '../../deploy')

export function describeWhere(program: string, title: string, body: () => void): void {
  const missing = spawnSync(program, ['--help'], { stdio: 'ignore' }).error !== undefined
  describe.skipIf(missing)(missing ? `${title} (skipped: there is no ${program})` : title, body)
}

export function run(program: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: deployFolder,
    encoding: 'utf8',
    timeout: 60_000,
  })
  return { status, text: `${stdout}${stderr}`, stdout }
}
