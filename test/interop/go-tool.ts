/**
 * A command in Go that a test asks, built from a folder whose go.sum pins every byte of its modules. Only the build may touch
 * the network, for modules that this machine has not fetched yet.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export interface GoTool {
  /**
   * Why the tests are skipped; undefined where they can run. Where Go is at hand and the modules are not, they are skipped as
   * well, except in CI: there that is a failure.
   */
  readonly missing: string | undefined
  /** Path of the command, which goes when the tests of the file are over. */
  readonly build: () => string
}

const GO = 'go'
const env = {
  ...process.env,
  GOFLAGS: '-mod=readonly -buildvcs=false',
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
  CGO_ENABLED: '0',
}

/** `target`: the package below `source`. */
export function goTool(source: string, name: string, target = '.'): GoTool {
  /** The last line of what Go complains about; undefined when it does not. */
  function failureOf(...question: readonly string[]): string | undefined {
    const { status, stderr } = spawnSync(GO, question, { cwd: source, env, encoding: 'utf8' })
    return status === 0 ? undefined : (stderr?.trimEnd().split('\n').at(-1) ?? 'it does not run')
  }

  function missing(): string | undefined {
    if (failureOf('version') !== undefined) return 'there is no go command'
    const unfetched = process.env.CI ? undefined : failureOf('list', '-deps', target)
    return unfetched && `go cannot have its modules: ${unfetched}`
  }

  return {
    missing: missing(),
    build() {
      const folder = mkdtempSync(join(tmpdir(), `vouchsafe-${name}-`))
      afterAll(() => rmSync(folder, { recursive: true }))
      const command = join(folder, name)
      execFileSync(GO, ['build', '-o', command, target], { cwd: source, env })
      return command
    },
  }
}

/** Name of a group of tests, with the reason if it is skipped. */
export function titled(name: string, { missing }: Pick<GoTool, 'missing'>): string {
  return missing === undefined ? name : `${name} (skipped: ${missing})`
}
