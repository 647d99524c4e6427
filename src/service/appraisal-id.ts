/**
 * What is an attestation's appraisal called? A name that follows from the request id, so that whoever has only that (from an
 * answer, a log line, a screenshot) finds the appraisal, without an index over every row.
 */
import { createHash } from 'node:crypto'
import { fromBase64Url } from '../bytes/encoding.ts'
import type { Random } from './ports.ts'
import { uuid } from './verifier.ts'

const DOMAIN = 'vouchsafe/appraisal-id/v1\0'
const REQUEST_ID_SIZE = 12

/** RFC 9562 section 5.8, version 8. A request id that is not one of the service's own gives a random name. */
export function appraisalId(requestId: string, random: Random): string {
  return appraisalNamedBy(requestId) ?? uuid(random)
}

/** Undefined for what is no request id: 12 random bytes in base64url, which nobody can make collide. */
export function appraisalNamedBy(requestId: string): string | undefined {
  const bytes = requestId.length === 16 ? fromBase64Url(requestId) : undefined
  if (bytes?.length !== REQUEST_ID_SIZE) return undefined
  const digest = createHash('sha256').update(DOMAIN).update(bytes).digest().subarray(0, 16)
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x80
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80
  return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
