/** Does the session stay within its budget, by what its collector says? */
import { type Check, notApplicable, refuse } from '../../rats/check.ts'
import type { RuntimeLimits } from '../../rats/release.ts'
import type { RuntimeUsage } from '../../rats/runtime-usage.ts'
import { limitsOf, type RuntimeSubject } from './runtime-subject.ts'

interface Budget {
  readonly subject: string
  readonly field: keyof RuntimeLimits['budget']
  readonly spent: (usage: RuntimeUsage) => number
  readonly unit: string
}

const MICRO = 1_000_000

const budgets: readonly Budget[] = [
  {
    subject: 'model-tokens',
    field: 'tokensPerMinute',
    spent: ({ modelTokensPerMinute }) => modelTokensPerMinute,
    unit: 'model tokens per minute',
  },
  {
    subject: 'model-costs',
    field: 'usdPerDay',
    spent: ({ modelMicroUsd }) => modelMicroUsd / MICRO,
    unit: 'US dollars on this day (UTC)',
  },
  {
    subject: 'cpu',
    field: 'cpuMillis',
    spent: ({ cpuMillis }) => cpuMillis,
    unit: 'thousandths of a core',
  },
  {
    subject: 'memory',
    field: 'memoryMiB',
    spent: ({ memoryMiB }) => memoryMiB,
    unit: 'MiB of memory',
  },
]

const UNLIMITED = notApplicable('the manifest sets no such limit')

export const budgetChecks: readonly Check<RuntimeSubject>[] = budgets.map(
  ({ subject: name, field, spent, unit }) => ({
    id: `runtime.${name}.within-budget`,
    informs: 'runtime-opaque',
    cites: `docs/policy.md, spec.runtime.budget.${field}`,
    judge(subject) {
      const limit = limitsOf(subject).budget[field]
      if (limit === undefined) return UNLIMITED
      const used = spent(subject.usage)
      return (
        used <= limit ||
        refuse(
          `the session uses ${used} ${unit}, and ${limit} are its budget: raise spec.runtime.budget.${field}, or find out what spends so much`,
          used,
          limit,
        )
      )
    },
  }),
)
