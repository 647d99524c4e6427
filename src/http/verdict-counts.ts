/** How many attestations had which verdict? Counted where they are journalled anyway, so that nothing can be counted and not told. */
import type { Journal, Verdict } from '../service/ports.ts'

export interface VerdictCounts {
  /** Records what the given journal records, and counts. */
  readonly journal: Journal
  /** Since this process began; a tenant's counts are there from the start, so that a rate has a beginning. */
  readonly counts: () => readonly VerdictCount[]
}

export interface VerdictCount {
  readonly tenant: string
  readonly verdict: Verdict
  readonly count: number
}

const verdicts = { 'attestation.issued': 'issued', 'attestation.refused': 'refused' } as const

export function countVerdicts(journal: Journal, tenants: readonly string[]): VerdictCounts {
  const counted = new Map(tenants.map((tenant) => [tenant, { issued: 0, refused: 0 }]))
  return {
    journal: {
      record(entry) {
        const { event, fields } = entry
        if (event === 'attestation.issued' || event === 'attestation.refused') {
          const own = counted.get(String(fields?.tenant))
          if (own) own[verdicts[event]]++
        }
        journal.record(entry)
      },
    },
    counts: () =>
      [...counted].flatMap(([tenant, own]) =>
        (['issued', 'refused'] as const).map((verdict) => ({
          tenant,
          verdict,
          count: own[verdict],
        })),
      ),
  }
}
