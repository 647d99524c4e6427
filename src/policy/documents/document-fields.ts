/**
 * What may stand in the fields that several kinds of document share: names, instants, durations, digests, lists without
 * repetition. Descriptions are for editors, which show them from the published JSON Schemas.
 */
import { z } from 'zod'

const API_VERSION = 'vouchsafe.dev/v1alpha1'

export const apiVersion = z.literal(API_VERSION).describe('Version of this document format.')

export const identifier = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 lower-case letters, digits and inner hyphens',
  )

export const generation = z
  .int()
  .min(1)
  .describe('Raise it with every change. One that was accepted never goes down again.')

/** The same names as those of principal.ts; here as a pattern, which editors understand. */
export const principal = z
  .string('must be text: put it in quotes')
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/,
    'must be 1 to 128 letters, digits and ._@+-, beginning with a letter or digit',
  )
  .describe('As trust/allowed_signers names them.')

export const instant = z
  .string('must be text: an instant such as 2026-06-01T00:00:00Z')
  .regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'must be an instant in UTC such as 2026-06-01T00:00:00Z',
  )
  .transform((text, context) => {
    const at = new Date(text)
    // 30 February parses in some engines: what is written back must be what was written.
    if (!Number.isNaN(at.getTime()) && at.toISOString() === text.replace('Z', '.000Z')) return at
    context.addIssue(`${text} is not in the calendar`)
    return z.NEVER
  })

/** One line of printable ASCII, so that what a reviewer reads is what is there. */
export const line = (most: number) =>
  z
    .string('must be text: put it in quotes')
    .min(1)
    .max(most)
    .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `90s`, `15m`, `24h`, `30d`, read as seconds. The bounds are written the same way. */
export function duration(bounds: { readonly least: string; readonly most: string }) {
  const [least, most] = [secondsIn(bounds.least), secondsIn(bounds.most)]
  return z
    .string('must be text: a duration such as 90s, 15m, 24h or 30d')
    .regex(/^[1-9]\d{0,5}[smhd]$/, 'must be whole seconds, minutes, hours or days such as 300s')
    .transform(secondsIn)
    .refine((seconds) => seconds <= most, `must be at most ${bounds.most}`)
    .refine((seconds) => seconds >= least, `must be at least ${bounds.least}`)
    .describe(`From ${bounds.least} to ${bounds.most}, as in 90s, 15m, 24h or 30d.`)
}

function secondsIn(text: string): number {
  return Number.parseInt(text, 10) * (SECONDS[text.slice(-1)] ?? Number.NaN)
}

/** Of objects, no two of which may agree in `field`; or of plain values, none of which may appear twice. */
export function unique<T extends z.ZodType<readonly unknown[]>>(list: T, field?: string) {
  return list.superRefine((items, context) => {
    const seen = new Set<unknown>()
    for (const [index, item] of items.entries()) {
      const value = field === undefined ? item : (item as Readonly<Record<string, unknown>>)[field]
      if (seen.has(value))
        context.addIssue({
          code: 'custom',
          path: field === undefined ? [index] : [index, field],
          message: `${String(value)} appears twice`,
        })
      seen.add(value)
    }
  })
}
