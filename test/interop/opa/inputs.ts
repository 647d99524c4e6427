/** Inputs to rules, drawn from a seed: mostly as a service would put them, sometimes with fields that are missing. */
import fc from 'fast-check'
import type { RuleInput } from '#src/policy/rules/rule.ts'

const text = (...values: readonly string[]) => fc.constantFrom(...values)
/** Not in three of four. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 3, nil: undefined })

const common = {
  assurance: text('hardware', 'simulated'),
  status: text('affirming', 'warning'),
  release: fc.record({
    environment: text('prod', 'staging', 'lab', ''),
    agent: fc.oneof(
      text(
        'invoice',
        'a',
        'A',
        'mail-2',
        '-mail',
        'abcdefghijklmnopqrstu',
        'abcdefghijklmnopqrstuv',
        'é',
      ),
      fc.string({ maxLength: 24 }),
    ),
    version: fc.string({ maxLength: 8 }),
    generation: fc.integer({ min: 1, max: 12 }),
    referenceValue: text('one', 'two'),
  }),
  request: fc.record({
    tenant: text('acme'),
    audience: text('vault', 'kms', 'Vault', 'vault ', ''),
  }),
}

const snp = fc.record({
  ...common,
  tee: fc.constant('sev-snp'),
  evidence: fc.record(
    {
      vmpl: fc.integer({ min: 0, max: 3 }),
      product: fc.option(text('Milan', 'Genoa', 'Turin'), { freq: 6 }),
      policy: fc.record({ debug: fc.boolean(), smt: fc.boolean() }, { requiredKeys: ['smt'] }),
      reportedTcb: fc.record({ snp: fc.option(fc.integer({ min: 18, max: 24 }), { freq: 6 }) }),
      launchMitVector: fc.option(text('0x0', '0x1', '0x1f', '1', ''), { freq: 3 }),
    },
    { requiredKeys: ['vmpl', 'product', 'policy'] },
  ),
})

const advisory = text('INTEL-SA-00001', 'INTEL-SA-00019', 'INTEL-SA-00002', 'INTEL-SA-00029', '9')

const tdx = fc.record({
  ...common,
  tee: fc.constant('tdx'),
  evidence: fc.record({
    tcb: fc.record({
      date: fc.option(
        text('2025-06-01T00:00:00Z', '2025-05-31T23:59:59Z', '2026-01-01T00:00:00Z', ''),
        {
          freq: 5,
        },
      ),
      advisoryIds: fc.oneof(
        fc.array(text('INTEL-SA-00001', 'INTEL-SA-00019'), { maxLength: 3 }),
        fc.array(advisory, { maxLength: 6 }),
      ),
    }),
  }),
})

const whole = fc.oneof(snp, tdx)
/** Without one of the groups that every service sends. */
const damaged = fc
  .tuple(whole, seldom(text('release', 'request', 'evidence')))
  .map(([input, missing]) => {
    const { [missing ?? 'nothing']: _, ...rest }: Readonly<Record<string, unknown>> = input
    return rest
  })

/** The same for the same seed. What is missing is missing on purpose, and must lead to a denial. */
export function generatedInputs(count: number, seed: number): readonly RuleInput[] {
  const drawn = fc.sample(
    fc.oneof({ weight: 4, arbitrary: whole }, { weight: 1, arbitrary: damaged }),
    {
      numRuns: count,
      seed,
    },
  )
  return drawn as unknown as readonly RuleInput[]
}
