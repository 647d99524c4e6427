/**
 * What do Go's sumdb code and transparency-dev's libraries say of our log? Builds the command in go/, whose go.sum pins every
 * byte of them. Only the build may touch the network, for modules that this machine has not fetched yet.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import { z } from 'zod'

export interface LogQuestion {
  readonly prefix: string
  readonly key: string
  readonly witnesses?: readonly string[]
  readonly leaves?: readonly string[]
  readonly older?: string
  /** Of a witness that is to be shown the checkpoint. */
  readonly submit?: string
}

const answerSchema = z.strictObject({
  size: z.int(),
  cosigners: z.array(z.string()),
  error: z.string(),
})

export interface LogJudge {
  /** Why the tests are skipped; undefined where they can run. */
  readonly missing: string | undefined
  readonly ask: (question: LogQuestion) => Promise<z.output<typeof answerSchema>>
}

const GO = 'go'
const source = join(import.meta.dirname, 'go')
const env = {
  ...process.env,
  GOFLAGS: '-mod=readonly -buildvcs=false',
  GOTOOLCHAIN: 'local',
  GOWORK: 'off',
  CGO_ENABLED: '0',
}

/** Where Go is at hand and the modules are not, tests are skipped as well, except in CI: there that is a failure. */
export function goLog(): LogJudge {
  if (failureOf('version') !== undefined) return skipped('there is no go command')
  const unfetched = process.env.CI ? undefined : failureOf('list', '-deps', '.')
  if (unfetched !== undefined) return skipped(`go cannot have its modules: ${unfetched}`)
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-log-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const command = join(folder, 'log')
  execFileSync(GO, ['build', '-o', command, '.'], { cwd: source, env })
  return { missing: undefined, ask: (question) => ask(command, question) }
}

/** Not by execFileSync: the command asks a service that this process runs. */
async function ask(command: string, question: LogQuestion): ReturnType<LogJudge['ask']> {
  const running = promisify(execFile)(command)
  running.child.stdin?.end(JSON.stringify(question))
  return answerSchema.parse(JSON.parse((await running).stdout))
}

/** The last line of what Go complains about; undefined when it does not. */
function failureOf(...question: readonly string[]): string | undefined {
  const { status, stderr } = spawnSync(GO, question, { cwd: source, env, encoding: 'utf8' })
  return status === 0 ? undefined : (stderr?.trimEnd().split('\n').at(-1) ?? 'it does not run')
}

function skipped(reason: string): LogJudge {
  return {
    missing: reason,
    ask() {
      throw new Error(`nobody to ask: ${reason}`)
    },
  }
}
