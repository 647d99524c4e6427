/** What may stand on a line of a re-appraisal's answer, whichever service wrote it? */
import { z } from 'zod'
import { Mistake } from './arguments.ts'

const counts = {
  examined: z.number(),
  unexaminable: z.number(),
  fallen: z.number(),
  revoked: z.number(),
}

/** Loose: a newer service may say more. */
const lineSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('tenant'), tenant: z.string(), commit: z.string() }),
  z.looseObject({
    type: z.literal('progress'),
    tenant: z.string(),
    share: z.number().nullable(),
    ...counts,
  }),
  z.looseObject({
    type: z.literal('fallen'),
    tenant: z.string(),
    appraisal: z.string(),
    environment: z.string(),
    agent: z.string(),
    reason: z.string(),
    failing: z.array(z.string()),
    live: z.number(),
  }),
  z.looseObject({ type: z.literal('skipped'), tenant: z.string(), why: z.string() }),
  z.looseObject({
    type: z.literal('failed'),
    code: z.string(),
    detail: z.string(),
    next: z.string(),
  }),
  z.looseObject({
    type: z.literal('report'),
    dryRun: z.boolean(),
    skipped: z.number(),
    ...counts,
  }),
])

export type ReappraisalLine = z.infer<typeof lineSchema>

/** Throws Mistake. */
export function readLine(value: unknown): ReappraisalLine {
  const parsed = lineSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new Mistake(
    `a line of the answer is something else than this version expects: ${z.prettifyError(parsed.error)}.`,
    'Use the command line of the version that the service runs.',
  )
}
