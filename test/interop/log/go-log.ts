/**
 * What do Go's sumdb code and transparency-dev's libraries say of our log? Builds the command in go/, whose go.sum pins every
 * byte of them. Only the build may touch the network, for modules that this machine has not fetched yet.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { goTool } from '../go-tool.ts'

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

export function goLog(): LogJudge {
  const { missing, build } = goTool(join(import.meta.dirname, 'go'), 'log')
  if (missing !== undefined) return skipped(missing)
  const command = build()
  return { missing: undefined, ask: (question) => ask(command, question) }
}

/** Not by execFileSync: the command asks a service that this process runs. */
async function ask(command: string, question: LogQuestion): ReturnType<LogJudge['ask']> {
  const running = promisify(execFile)(command)
  running.child.stdin?.end(JSON.stringify(question))
  return answerSchema.parse(JSON.parse((await running).stdout))
}

function skipped(reason: string): LogJudge {
  return {
    missing: reason,
    ask() {
      throw new Error(`nobody to ask: ${reason}`)
    },
  }
}
