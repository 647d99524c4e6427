/** What does the HPKE of Go's standard library say? Builds the command in go/, which needs Go 1.26 and no module. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { z } from 'zod'
import { goTool } from '../go-tool.ts'

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

/** Without Go, or with one before 1.26, tests are skipped, except in CI: there that is a failure. */
export function goHpke(): GoHpke {
  const { missing, build } = goTool(join(import.meta.dirname, 'go'), 'hpke')
  if (missing !== undefined && !process.env.CI) return { missing, ask: () => [] }
  const command = build()
  return {
    missing: undefined,
    ask: (questions) =>
      answersSchema.parse(
        JSON.parse(execFileSync(command, { input: JSON.stringify(questions) }).toString()),
      ),
  }
}
