/**
 * What do operators' rules cost? Remembered answers are what a warm appraisal adds; the rest happens once: reading and
 * compiling a policy, an input that was never seen, and a new process after a rule that overran.
 */
import { openRuleEngine } from '../src/adapters/rule-engine.ts'
import { failingCases } from '../src/policy/rules/cases.ts'
import { readRules } from '../src/policy/rules/read-rules.ts'
import type { PreparedRules, Rule, RuleEngine, RuleInput } from '../src/policy/rules/rule.ts'
import { sevSnp } from '../src/tee/sev-snp/sev-snp.ts'
import { interleave, type Plan } from './harness.ts'

interface RuleRow {
  readonly name: string
  /** Of one call, for the parts that the service's own thread does. */
  readonly cpuMicros?: number
  /** Median, for the parts that it waits for. */
  readonly milliseconds?: number
}

const schemas = new Map([['sev-snp', sevSnp.claimSchema]])
const digest = 'c'.repeat(96)

/** As many fields as an SNP report has, so that finding those that are read costs what it does. */
const evidence: RuleInput['evidence'] = {
  vmpl: 0,
  product: 'Milan',
  guestSvn: 4,
  policy: {
    debug: false,
    smt: true,
    migrateMa: false,
    singleSocket: false,
    abiMajor: 1,
    abiMinor: 51,
  },
  platformInfo: { smt: true, tsme: true, ecc: true, raplDisabled: false, aliasCheck: true },
  measurement: digest,
  hostData: 'd'.repeat(64),
  idKeyDigest: digest,
  authorKeyDigest: digest,
  chipId: 'e'.repeat(128),
  reportedTcb: { bootloader: 4, tee: 0, snp: 22, microcode: 213 },
  launchTcb: { bootloader: 4, tee: 0, snp: 22, microcode: 213 },
}

const input: RuleInput = {
  tee: 'sev-snp',
  assurance: 'hardware',
  status: 'affirming',
  release: {
    environment: 'prod',
    agent: 'invoice',
    version: '1.8.0',
    generation: 42,
    referenceValue: 'milan',
  },
  request: { tenant: 'acme', audience: 'vault' },
  evidence,
}

const expressions = [
  '!evidence.policy.debug',
  'release.environment != "prod" || evidence.vmpl == 0',
  'evidence.product in ["Milan", "Genoa", "Turin"]',
  'evidence.reportedTcb.snp >= 22 && evidence.launchTcb.snp >= 22',
  `evidence.measurement != "${'0'.repeat(96)}"`,
  'request.audience in ["vault", "kms"]',
  'release.agent.matches("^[a-z][a-z0-9-]{0,20}$")',
  'evidence.platformInfo.aliasCheck || evidence.product == "Milan"',
  'evidence.reportedTcb.microcode >= {"Milan": 213, "Genoa": 72}[evidence.product]',
  '[evidence.guestSvn, release.generation].all(number, number > 0)',
]

export async function ruleRows(plan: Plan): Promise<readonly RuleRow[]> {
  // However busy the machine: only the last row is about what overruns.
  const engine = openRuleEngine({ inputMs: 10_000, loadMs: 30_000 })
  const rows: RuleRow[] = []
  const wall = async (name: string, work: () => unknown) => {
    rows.push({ name, milliseconds: await medianMs(plan.rounds, work) })
  }
  for (const count of [10, 100]) {
    const file = { path: 'rules/rules.yaml', bytes: rulesFile(count) }
    const rules = rulesIn(file)
    await wall(`rules.read.${count}`, () => rulesIn(file))
    const first = performance.now()
    const prepared = await preparedBy(engine, rules)
    if (count === 10)
      rows.push({
        name: 'rules.prepare.10.new-process',
        milliseconds: round(performance.now() - first),
      })
    await wall(`rules.prepare.${count}`, () => preparedBy(engine, rules))
    await wall(`rules.cases.${count}`, async () => {
      if ((await failingCases(prepared)).length > 0) throw new Error('a case of the bench fails')
    })
    await prepared.ask(input)
    let vmpl = 1
    await wall(`rules.ask.${count}`, () =>
      prepared.ask({ ...input, evidence: { ...evidence, vmpl: vmpl++ } }),
    )
    const { remembered } = interleave({ remembered: () => prepared.remembered(input) }, plan)
    rows.push({ name: `rules.remembered.${count}`, cpuMicros: round(remembered.cpuMicros) })
  }
  await engine.close()
  rows.push(await replacement(plan))
  return rows
}

/** From the overrun on until the same policy has an answer again, in its own turn: 50 ms of it are the deadline. */
async function replacement({ rounds }: Plan): Promise<RuleRow> {
  const engine = openRuleEngine({ inputMs: 50 })
  const list = `[${Array.from({ length: 400 }, (_, index) => index).join(',')}]`
  const runaway = `${list}.all(a, ${list}.all(b, a * b >= evidence.vmpl - 100))`
  const [rule] = rulesIn({ path: 'rules/rules.yaml', bytes: rulesFile(1) })
  if (!rule) throw new Error('the bench has no rule')
  const prepared = await preparedBy(engine, [{ ...rule, expression: runaway }, rule])
  let vmpl = 0
  const milliseconds = await medianMs(Math.min(rounds, 7), async () => {
    const [late] = await prepared.ask({ ...input, evidence: { ...evidence, vmpl: vmpl++ } })
    if (!late || !('fault' in late)) throw new Error('the runaway rule of the bench ends')
  })
  await engine.close()
  return { name: 'rules.overrun.and.answer', milliseconds }
}

function rulesFile(count: number): Uint8Array {
  const rules = Array.from({ length: count }, (_, index) => {
    const expression = expressions[index % expressions.length]
    return `
    - id: rule-${index}
      tee: sev-snp
      expression: ${JSON.stringify(`(${expression}) && release.generation > ${index % 7}`)}
      message: it must
      severity: deny
      cases:
        - {name: holds, pass: true, input: healthy}
        - {name: fails, pass: false, input: healthy, change: {release: {generation: 0}}}`
  })
  const healthy = JSON.stringify(input)
  return new TextEncoder().encode(`apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: 1}
spec:
  inputs:
    healthy: ${healthy}
  rules:${rules.join('')}
`)
}

function rulesIn(file: { readonly path: string; readonly bytes: Uint8Array }): readonly Rule[] {
  const reading = readRules([file], schemas)
  if ('rules' in reading) return reading.rules
  throw new Error(JSON.stringify(reading.mistakes[0]))
}

async function preparedBy(engine: RuleEngine, rules: readonly Rule[]): Promise<PreparedRules> {
  const preparation = await engine.prepare(rules)
  if ('prepared' in preparation) return preparation.prepared
  throw new Error(preparation.mistakes[0]?.message)
}

async function medianMs(rounds: number, work: () => unknown): Promise<number> {
  const took: number[] = []
  for (let turn = 0; turn < rounds; turn++) {
    const start = performance.now()
    await work()
    took.push(performance.now() - start)
  }
  return round(took.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN)
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
