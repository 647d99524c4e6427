/** A small valid policy as files, and an engine for its rules that answers without asking. */
import { vi } from 'vitest'
import {
  mistakeText,
  type Policy,
  type PolicyContext,
  type PolicyFile,
  readPolicy,
} from '#src/policy/policy.ts'
import type { RuleEngine } from '#src/policy/rules/rule.ts'
import type { ClaimSchema } from '#src/rats/tee.ts'
import { valid, waivable } from './manifests.ts'
import { everybody, file, heartbeatTerms, root } from './trust-documents.ts'

export const bot = file('agents/prod/invoice-bot.yaml', valid)
export const twin = file('agents/prod/twin.yaml', valid.replace('name: invoice-bot', 'name: twin'))
export const readme = file('README.md', 'hello')
export const heartbeat = file(
  'heartbeat.yaml',
  'apiVersion: vouchsafe.dev/v1alpha1\nkind: Heartbeat\nspec: {notAfter: 2026-06-01T00:00:00Z}\n',
)
export const beating = [
  file('trust/root.yaml', root + heartbeatTerms),
  file('trust/allowed_signers', everybody),
]
export const revoked = (name: string, octet: string, generation = 1) =>
  file(
    `revoked/${name}.yaml`,
    `apiVersion: vouchsafe.dev/v1alpha1\nkind: Revocations\nmetadata: {generation: ${generation}}\nspec:\n  digests: [{value: "sha256:${octet.repeat(32)}", reason: ${name}}]\n`,
  )

export const ruleText = (expression: string) => `apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: 1}
spec:
  rules:
    - id: no-dev
      expression: ${expression}
      message: not in dev
      severity: deny
      cases:
        - {name: good, pass: true, input: {release: {environment: prod}}}
        - {name: bad, pass: false, input: {release: {environment: dev}}}
`
export const rule = file('rules/baseline.yaml', ruleText("release.environment == 'prod'"))

/** Answers each case as it says, but for rules whose text holds one of these words. */
export const prepare = vi.fn<RuleEngine['prepare']>(async (rules) => {
  const unfit = rules.find(({ expression }) => expression?.includes('unfit'))
  if (unfit) return { mistakes: [{ file: unfit.source.file, line: 7, message: 'cannot be run' }] }
  return {
    prepared: {
      rules,
      ask: async () => [],
      remembered: () => undefined,
      askCases: async () =>
        rules.map(({ cases, expression }) =>
          cases.map(({ pass }) =>
            pass && !expression?.includes('wrong')
              ? { answer: true as const }
              : { answer: false as const, observed: null },
          ),
        ),
    },
  }
})
const engine: RuleEngine = { prepare }
export const claimSchemas = new Map<string, ClaimSchema>([['sev-snp', { vmpl: 'int' }]])
const context: PolicyContext = { commit: 'c1', waivable, claimSchemas, engine }

export const read = async (files: readonly PolicyFile[], more: Partial<PolicyContext> = {}) =>
  await readPolicy(files, { ...context, ...more })

export async function policyOf(
  files: readonly PolicyFile[],
  more: Partial<PolicyContext> = {},
): Promise<Policy> {
  const reading = await read(files, more)
  if (!('policy' in reading)) throw new Error(reading.mistakes.map(mistakeText).join('\n'))
  return reading.policy
}

export async function refusal(files: readonly PolicyFile[]): Promise<readonly string[]> {
  const reading = await read(files)
  return 'mistakes' in reading
    ? [reading.condition, ...reading.mistakes.map(mistakeText)]
    : ['accepted']
}
