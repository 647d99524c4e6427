/**
 * `npm run bench [-- --only verify|rules|policy|signing|service|releases|models] [--json] [--quick] [--no-memory]`: what a verification costs, what
 * operators' rules do, how long a change of the policy takes to be in force, what an attestation and what a release costs the whole service,
 * and how fast a sealed model opens. One row, with --json one line, per
 * measurement.
 */
import type { Plan } from './harness.ts'
import { memoryOverManyChips } from './memory.ts'
import { modelRows, quickModelPlan, usualModelPlan } from './models.ts'
import { policyRows, quickPlan, usualPlan } from './policy.ts'
import { policyMatchRows } from './policy-match.ts'
import { quickReleasePlan, releaseRows, usualReleasePlan } from './releases.ts'
import { ruleRows } from './rules.ts'
import { quickServicePlan, serviceRows, usualServicePlan } from './service.ts'
import { signingRows } from './signing.ts'
import { verifyRows } from './verify.ts'

const quick = process.argv.includes('--quick')
const json = process.argv.includes('--json')
const plan: Plan = quick ? { rounds: 5, batchMs: 40 } : { rounds: 15, batchMs: 200 }

const groups = { verify, rules, policy, signing, service, releases, models }

for (const group of chosen()) for await (const row of groups[group]()) print(row)

async function* verify(): AsyncGenerator<object> {
  yield* verifyRows(plan)
  if (!quick && !process.argv.includes('--no-memory')) yield await memoryOverManyChips()
}

async function* rules(): AsyncGenerator<object> {
  yield* await ruleRows(plan)
}

async function* policy(): AsyncGenerator<object> {
  yield* policyMatchRows(plan)
  yield* policyRows(quick ? quickPlan : usualPlan)
}

async function* signing(): AsyncGenerator<object> {
  yield* signingRows(quick ? 20 : 200)
}

async function* service(): AsyncGenerator<object> {
  yield* serviceRows(quick ? quickServicePlan : usualServicePlan, plan)
}

async function* releases(): AsyncGenerator<object> {
  yield* releaseRows(quick ? quickReleasePlan : usualReleasePlan)
}

async function* models(): AsyncGenerator<object> {
  yield* modelRows(quick ? quickModelPlan : usualModelPlan)
}

function chosen(): readonly (keyof typeof groups)[] {
  const all = ['verify', 'rules', 'policy', 'signing', 'service', 'releases', 'models'] as const
  const at = process.argv.indexOf('--only')
  if (at < 0) return all
  const wanted = all.filter((group) => group === process.argv[at + 1])
  if (wanted.length === 0) throw new Error(`--only takes one of ${all.join(', ')}`)
  return wanted
}

function print(row: object): void {
  if (json) console.log(JSON.stringify(row))
  else
    console.log(
      Object.entries(row)
        .map(([key, value]) => `${key} ${value}`)
        .join('   '),
    )
}
