/** The JSON that `verify` prints: a stable interface. Every finding has every key; what does not apply is null. */
import type { Appraisal } from '../rats/appraisal.ts'

export function resultJson({ tee, status, trustVector, findings, claims }: Appraisal): string {
  return `${JSON.stringify({
    tee,
    status,
    trustVector,
    findings: findings.map(({ id, outcome, detail, observed, expected, cites, informs }) => ({
      id,
      outcome,
      detail: detail ?? null,
      observed: observed ?? null,
      expected: expected ?? null,
      cites,
      informs,
    })),
    claims,
  })}\n`
}
