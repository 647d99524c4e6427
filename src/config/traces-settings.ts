/** Where spans go, and how many of them. */
import { z } from 'zod'
import { address } from './values.ts'

export interface TracesConfig {
  /** Base address of an OpenTelemetry collector (OTLP over HTTP), without a slash at the end. */
  readonly url: string
  /** Part of all requests. */
  readonly sampled: number
}

const SAMPLED = 'must be a number from 0 to 1'

export const tracesSettings = z.strictObject({
  url: address.transform((text) => text.replace(/\/+$/, '')),
  sampled: z
    .union([z.number(), z.string().regex(/^(0|1|0?\.\d{1,6})$/)], SAMPLED)
    .transform(Number)
    .refine((part) => part >= 0 && part <= 1, SAMPLED)
    .default(1),
})
