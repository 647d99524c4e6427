/**
 * The file of a backup: lines of JSON, the same whichever engine wrote it. First a header, then each row as an array of
 * texts and nulls in the order of the header's tables and columns, last the SHA-256 of every byte before. That shows what
 * was truncated or damaged, and not what somebody altered who computed the digest anew.
 *
 * The file holds evidence, and keys sealed under the key-encryption key, without which they open nothing.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Problem } from '../problems.ts'

export const headerSchema = z.strictObject({
  format: z.literal('vouchsafe-backup'),
  version: z.literal(1),
  madeAt: z.iso.datetime(),
  /** The last that was applied: names the tables' form. */
  migration: z.string(),
  tables: z.array(
    z.strictObject({
      name: z.string(),
      columns: z.array(z.string()),
      rows: z.int().nonnegative(),
    }),
  ),
})
export type BackupHeader = z.infer<typeof headerSchema>

export const trailerSchema = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) })

export const rowSchema = z.array(z.string().nullable())

/** One row of the largest event log that a request may bring is far below. */
const LONGEST_LINE = 64 * 1024 * 1024
const NEWLINE = 0x0a

export interface BackupLine {
  readonly text: string
  /** Of every line before this one. */
  readonly sha256: string
}

/** Throws Problem('configuration-invalid') for a line without end. Digests are made of the bytes as they were read. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<BackupLine> {
  const digest = createHash('sha256')
  let rest: Uint8Array[] = []
  let size = 0
  for await (const chunk of chunks) {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start)
      if (end === -1) break
      const line = Buffer.concat([...rest, chunk.subarray(start, end + 1)])
      yield { text: line.toString('utf8'), sha256: digest.copy().digest('hex') }
      digest.update(line)
      rest = []
      size = 0
      start = end + 1
    }
    rest.push(chunk.subarray(start))
    size += chunk.length - start
    if (size > LONGEST_LINE) throw unusable('a line of it has no end')
  }
  if (size > 0) throw unusable('it ends in the middle of a line: it was truncated')
}

/** `T`: what the schema says. Throws Problem('configuration-invalid'). */
export function parseLine<T>(schema: z.ZodType<T>, { text }: BackupLine, what: string): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw unusable(`${what} is not as a backup has it`, cause)
  }
}

export function unusable(why: string, cause?: unknown): Problem {
  return new Problem('configuration-invalid', `the backup cannot be restored: ${why}`, { cause })
}
