/** Rules files and what they are read with: schemas of two TEEs that nobody builds, so that every type of claim is there. */
import { readRules } from '#src/policy/rules/read-rules.ts'
import type { Rule, RuleInput } from '#src/policy/rules/rule.ts'
import { ruleVariables } from '#src/policy/rules/rule-variables.ts'
import type { ClaimSchema } from '#src/rats/tee.ts'

const schema: ClaimSchema = {
  vmpl: 'int',
  product: 'string?',
  policy: { debug: 'bool', abi: 'int?', raw: 'string' },
  advisoryIds: 'list<string>',
  isDynamic: 'bool?',
  date: 'string',
  reportData: 'hidden',
}

const claimSchemas: ReadonlyMap<string, ClaimSchema> = new Map([
  ['box', schema],
  ['crate', { lid: 'string' }],
])

/** Good, and about nothing in particular. */
export function ruleOf(change: Partial<Rule>): Rule {
  return {
    id: 'some',
    language: 'cel',
    expression: undefined,
    module: undefined,
    message: 'it must',
    severity: 'deny',
    tee: 'box',
    cases: [],
    source: { file: 'rules/a.yaml', line: 7 },
    ...change,
  }
}

export const variables = ruleVariables(schema)

export const input: RuleInput = {
  tee: 'box',
  assurance: 'hardware',
  status: 'affirming',
  release: {
    environment: 'prod',
    agent: 'invoice',
    version: '1.8.0',
    generation: 7,
    referenceValue: 'milan',
  },
  request: { tenant: 'acme', audience: 'vault' },
  evidence: {
    vmpl: 0,
    product: 'Milan',
    policy: { debug: false, abi: null, raw: '0x30000' },
    advisoryIds: ['A-1', 'A-2'],
    isDynamic: null,
    date: '2026-03-13T00:00:00Z',
  },
}

export function withEvidence(evidence: RuleInput['evidence']): RuleInput {
  return { ...input, evidence: { ...input.evidence, ...evidence } }
}

const encoder = new TextEncoder()

export interface RuleText {
  readonly id?: string
  readonly tee?: string | undefined
  readonly expression: string
  readonly severity?: 'deny' | 'warning'
  /** The lines below `cases:`. */
  readonly cases?: string
}

/** What every rule of a test has beside what it is about: cases that need not hold where they are only read. */
const someCases = `
        - {name: passes, pass: true, input: {release: {generation: 7}}}
        - {name: fails, pass: false, input: {release: {generation: 6}}}`

export function rulesFile(rules: readonly RuleText[], inputs = ''): Uint8Array {
  const texts = rules.map(
    ({ id = 'only', tee = 'box', expression, severity = 'deny', cases = someCases }) => `
    - id: ${id}${tee === '' ? '' : `\n      tee: ${tee}`}
      expression: ${JSON.stringify(expression)}
      message: it must
      severity: ${severity}
      cases:${cases}`,
  )
  return encoder.encode(`apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: 1}
spec:${inputs === '' ? '' : `\n  inputs:${inputs}`}
  rules:${texts.join('') || ' []'}
`)
}

export function file(text: string | Uint8Array, path = 'rules/a.yaml') {
  return { path, bytes: typeof text === 'string' ? encoder.encode(text) : text }
}

/** Throws with what is wrong. */
export function rulesOf(...files: readonly ReturnType<typeof file>[]): readonly Rule[] {
  const reading = readRules(files, claimSchemas)
  if ('rules' in reading) return reading.rules
  throw new Error(JSON.stringify(reading.mistakes))
}

/** `rules/a.yaml:8:19 there is no field polcy`; empty if nothing is. */
export function wrongIn(...files: readonly ReturnType<typeof file>[]): readonly string[] {
  const reading = readRules(files, claimSchemas)
  if ('rules' in reading) return []
  return reading.mistakes.map((each) => `${each.file}:${each.line}:${each.column} ${each.message}`)
}
