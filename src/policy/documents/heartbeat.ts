/** `heartbeat.yaml`: a signed promise that the repository was alive, so that a mirror frozen in time is noticed. */
import { z } from 'zod'
import { apiVersion, instant } from './document-fields.ts'
import { readDocument } from './policy-document.ts'
import type { HeartbeatTerms } from './trust-root.ts'
import type { Mistake } from './yaml-document.ts'

export interface Heartbeat {
  readonly notAfter: Date
  /** From the trust root: how long after notAfter releases go on. */
  readonly graceSeconds: number
}

export type HeartbeatReading =
  | { readonly heartbeat: Heartbeat }
  | { readonly mistakes: readonly Mistake[] }

/** How far ahead notAfter may lie is judged where a commit is accepted: it counts from when that commit was first seen. */
export function readHeartbeat(
  bytes: Uint8Array,
  { graceSeconds }: Pick<HeartbeatTerms, 'graceSeconds'>,
): HeartbeatReading {
  const reading = readDocument(bytes, heartbeatSchema)
  if ('mistakes' in reading) return reading
  return { heartbeat: { notAfter: reading.value.spec.notAfter, graceSeconds } }
}

export const heartbeatSchema = z
  .strictObject({
    apiVersion,
    kind: z.literal('Heartbeat'),
    metadata: z.strictObject({}).exactOptional(),
    spec: z.strictObject({
      notAfter: instant.describe(
        'Until then this policy is known to be the newest. Sign a later one before it runs out.',
      ),
    }),
  })
  .meta({
    title: 'Heartbeat',
    description: 'heartbeat.yaml: a promise that is renewed again and again, by its own key alone.',
  })
