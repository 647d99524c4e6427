/**
 * What do relying parties' own libraries say of our tokens? Builds the commands in go/, whose go.sum pins every byte of them.
 * Only the build may touch the network, for modules that this machine has not fetched yet.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { goTool } from '../go-tool.ts'

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

export function judgeBy(library: Library): Judge {
  const { missing, build } = goTool(join(import.meta.dirname, 'go'), library, `./${library}`)
  if (missing !== undefined) return skipped(missing)
  const command = build()
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

export function skipped(reason: string): Judge {
  return {
    missing: reason,
    ask: () => {
      throw new Error(`nobody to ask: ${reason}`)
    },
  }
}
