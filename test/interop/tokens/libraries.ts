/**
 * What do relying parties' own libraries say of our tokens? Builds the commands in go/, whose go.sum pins every byte of them.
 * Only the build may touch the network, for modules that this machine has not fetched yet.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import { z } from 'zod'

export type Library = 'cap' | 'kubernetes' | 'spiffe'

export interface Question {
  readonly issuer: string
  /** PEM. */
  readonly authorities: string
  readonly audience: string
  readonly bundleUrl?: string
  readonly trustDomain?: string
  readonly kind?: 'jwt' | 'wit'
  readonly tokens: readonly string[]
}

const verdictsSchema = z.array(
  z.strictObject({ accepted: z.boolean(), subject: z.string(), error: z.string() }),
)
export type Verdict = z.output<typeof verdictsSchema>[number]

export interface Judge {
  /** Why the tests are skipped; undefined where they can run. */
  readonly missing: string | undefined
  readonly ask: (question: Question) => Promise<readonly Verdict[]>
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
export function judgeBy(library: Library): Judge {
  if (failureOf('version') !== undefined) return skipped('there is no go command')
  const unfetched = process.env.CI ? undefined : failureOf('list', '-deps', `./${library}`)
  if (unfetched !== undefined) return skipped(`go cannot have its modules: ${unfetched}`)
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-tokens-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const command = join(folder, library)
  execFileSync(GO, ['build', '-o', command, `./${library}`], { cwd: source, env })
  return { missing: undefined, ask: (question) => ask(command, question) }
}

/** Not by execFileSync: the command asks a service that this process runs. */
async function ask(command: string, question: Question): Promise<readonly Verdict[]> {
  const running = promisify(execFile)(command)
  running.child.stdin?.end(JSON.stringify(question))
  const verdicts = verdictsSchema.parse(JSON.parse((await running).stdout))
  if (verdicts.length !== question.tokens.length)
    throw new Error(
      `${question.tokens.length} tokens were put to ${command}, which answered otherwise`,
    )
  return verdicts
}

/** The last line of what Go complains about; undefined when it does not. */
function failureOf(...question: readonly string[]): string | undefined {
  const { status, stderr } = spawnSync(GO, question, { cwd: source, env, encoding: 'utf8' })
  return status === 0 ? undefined : (stderr?.trimEnd().split('\n').at(-1) ?? 'it does not run')
}

export function skipped(reason: string): Judge {
  return {
    missing: reason,
    ask: () => {
      throw new Error(`nobody to ask: ${reason}`)
    },
  }
}

/** Name of a group of tests, with the reason if it is skipped. */
export function titled(name: string, { missing }: Judge): string {
  return missing === undefined ? name : `${name} (skipped: ${missing})`
}
