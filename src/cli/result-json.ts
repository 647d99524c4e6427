/** The JSON that `verify` prints: a stable interface. Every finding has every key; what does not apply is null. */
import type { Appraisal } from '../rats/appraisal.ts'
import { findingJson } from '../rats/finding-json.ts'

export function resultJson({ tee, status, trustVector, findings, claims }: Appraisal): string {
  return `${JSON.stringify({
    tee,
    status,
    trustVector,
    findings: findings.map(findingJson),
    claims,
  })}\n`
}
