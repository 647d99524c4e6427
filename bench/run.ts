/**
 * `npm run bench [-- --only verify|rules|policy|signing|service|endurance|releases|models|sessions|measure|sensor|detection] [--json] [--quick] [--no-memory]`: what a verification costs, what
 * operators' rules do, how long a change of the policy takes to be in force, what an attestation and what a release costs the whole service, and one that has run for long,
 * how fast a sealed model opens, how many agents one service can watch, what looking at one costs its machine, what the kernel sensor costs it,
 * and how soon an agent that is tampered with is frozen and believed no more. One row, with --json one line, per
 * measurement.
 */
import { detectionRows, quickDetectionPlan, usualDetectionPlan } from './detection.ts'
import { enduranceRows, quickEndurancePlan, usualEndurancePlan } from './endurance.ts'
import type { Plan } from './harness.ts'
import { measureRows, quickMeasurePlan, usualMeasurePlan } from './measure.ts'
import { memoryOverManyChips } from './memory.ts'
import { modelRows, quickModelPlan, usualModelPlan } from './models.ts'
import { policyRows, quickPlan, usualPlan } from './policy.ts'
import { policyMatchRows } from './policy-match.ts'
import { quickReleasePlan, releaseRows, usualReleasePlan } from './releases.ts'
import { ruleRows } from './rules.ts'
import { quickSensorPlan, sensorRows, usualSensorPlan } from './sensor.ts'
import { quickServicePlan, serviceRows, usualServicePlan } from './service.ts'
import { quickSessionsPlan, sessionRows, usualSessionsPlan } from './sessions.ts'
import { signingRows } from './signing.ts'
import { verifyRows } from './verify.ts'

const quick = process.argv.includes('--quick')
const json = process.argv.includes('--json')
const plan: Plan = quick ? { rounds: 5, batchMs: 40 } : { rounds: 15, batchMs: 200 }

const groups = {
  verify,
  rules,
  policy,
  signing,
  service,
  endurance,
  releases,
  models,
  sessions,
  measure,
  sensor,
  detection,
}

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

async function* endurance(): AsyncGenerator<object> {
  yield* enduranceRows(quick ? quickEndurancePlan : usualEndurancePlan)
}

async function* releases(): AsyncGenerator<object> {
  yield* releaseRows(quick ? quickReleasePlan : usualReleasePlan)
}

async function* models(): AsyncGenerator<object> {
  yield* modelRows(quick ? quickModelPlan : usualModelPlan)
}

async function* measure(): AsyncGenerator<object> {
  yield* measureRows(quick ? quickMeasurePlan : usualMeasurePlan)
}

async function* sensor(): AsyncGenerator<object> {
  yield* sensorRows(quick ? quickSensorPlan : usualSensorPlan)
}

async function* detection(): AsyncGenerator<object> {
  yield* detectionRows(quick ? quickDetectionPlan : usualDetectionPlan)
}

async function* sessions(): AsyncGenerator<object> {
  yield* sessionRows(quick ? quickSessionsPlan : usualSessionsPlan)
}

function chosen(): readonly (keyof typeof groups)[] {
  const all = [
    'verify',
    'rules',
    'policy',
    'signing',
    'service',
    'endurance',
    'releases',
    'models',
    'sessions',
    'measure',
    'sensor',
    'detection',
  ] as const
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
