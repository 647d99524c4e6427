/** What does the HPKE of Go's standard library say? Builds the command in go/, which needs Go 1.26 and no module. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { z } from 'zod'

export type HpkeQuestion =
  | {
      readonly envelope: string
      /** Of whoever signed it, and the recipient's private scalar. */
      readonly x: string
      readonly y: string
      readonly d: string
    }
  | {
      /** An uncompressed point. */
      readonly recipient: string
      readonly info: string
      readonly aad: string
      readonly plaintext: string
    }

const answersSchema = z.array(
  z.strictObject({ secret: z.string(), enc: z.string(), ct: z.string(), error: z.string() }),
)

export interface GoHpke {
  /** Why the tests are skipped; undefined where they can run. */
  readonly missing: string | undefined
  readonly ask: (questions: readonly HpkeQuestion[]) => z.output<typeof answersSchema>
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

/** Without Go, or with one before 1.26, tests are skipped, except in CI: there that is a failure. */
export function goHpke(): GoHpke {
  const missing = failureOf('version') ?? failureOf('list', '-deps', '.')
  if (missing !== undefined && !process.env.CI) return { missing, ask: () => [] }
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-hpke-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const command = join(folder, 'hpke')
  execFileSync(GO, ['build', '-o', command, '.'], { cwd: source, env })
  return {
    missing: undefined,
    ask: (questions) =>
      answersSchema.parse(
        JSON.parse(execFileSync(command, { input: JSON.stringify(questions) }).toString()),
      ),
  }
}

function failureOf(...args: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(GO, args, { cwd: source, env })
  if (error) return 'there is no go command'
  return status === 0 ? undefined : `go ${args[0]}: ${stderr.toString().trim().slice(0, 200)}`
}
