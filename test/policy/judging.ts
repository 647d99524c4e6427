/** One run of the acceptance rule in a test: everything was first seen at one time unless the test says otherwise. */
import { expect } from 'vitest'
import {
  type Acceptance,
  type AcceptanceRequest,
  type AcceptedState,
  judgeCandidate,
  type PolicyHistory,
  type RefusalCondition,
  type Start,
} from '#src/policy/acceptance/acceptance.ts'
import type { PreparedRules, RuleEngine } from '#src/policy/rules/rule.ts'
import { defaultFiles } from '../git/policy-repository.ts'
import { waivable } from './manifests.ts'
import { type MemoryRepository, memoryRepository } from './memory-history.ts'

/** After everything that repositories of tests claim, and within the windows of their keys. */
export const SEEN = new Date('2026-07-01T00:00:00Z')

export interface Case extends Pick<Partial<AcceptanceRequest>, 'verifyOpenPgp'> {
  readonly history: PolicyHistory
  readonly candidate: string
  /** Trusts the first commit, unless said. */
  readonly start?: Start
  readonly seen?: Date | ReadonlyMap<string, Date>
  readonly reading?: Partial<AcceptanceRequest['reading']>
}

async function judge({ seen = SEEN, reading, start, ...rest }: Case): Promise<Acceptance> {
  return await judgeCandidate({
    ...rest,
    start: start ?? { kind: 'first-commit' },
    firstSeen: async (commits) =>
      new Map(
        commits.map((commit) => [commit, seen instanceof Date ? seen : (seen.get(commit) ?? SEEN)]),
      ),
    reading: { waivable, claimSchemas: new Map(), engine: agreeingEngine, ...reading },
  })
}

/** Fails the test with the refusal's own sentences. */
export async function accepted(one: Case): Promise<Extract<Acceptance, { accepted: true }>> {
  const acceptance = await judge(one)
  if (!acceptance.accepted) throw new Error(`${acceptance.condition}: ${acceptance.message}`)
  return acceptance
}

export async function stateOf(one: Case): Promise<AcceptedState> {
  return (await accepted(one)).state
}

export type Refused = Extract<Acceptance, { accepted: false }>

/** `says`: what its message must tell an operator. */
export async function refused(
  one: Case,
  condition: RefusalCondition,
  ...says: readonly (string | RegExp)[]
): Promise<Refused> {
  const acceptance = await judge(one)
  if (acceptance.accepted) throw new Error(`was accepted: ${acceptance.message}`)
  expect(acceptance, acceptance.message).toMatchObject({ condition })
  for (const text of says) expect(acceptance.message).toMatch(text)
  return acceptance
}

/** Compiles nothing, and says of each case what the case says. */
export const agreeingEngine: RuleEngine = {
  prepare: async (rules) => {
    const prepared: PreparedRules = {
      rules,
      ask: async () => rules.map(() => ({ answer: true })),
      remembered: () => undefined,
      askCases: async () =>
        rules.map(({ cases }) =>
          cases.map(({ pass }) => (pass ? { answer: true } : { answer: false, observed: null })),
        ),
    }
    return { prepared }
  },
}

/** One rule that holds for everything that affirms. */
export function rulesYaml(generation: number): string {
  return `apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: ${generation}}
spec:
  rules:
    - id: affirming-only
      expression: status == "affirming"
      message: only what affirms
      severity: deny
      cases:
        - {name: good, pass: true, input: {status: affirming}}
        - {name: bad, pass: false, input: {status: warning}}
`
}

/** `SHA256:...` fingerprints of signers' keys, or digests as `sha256:<hex>`. */
export function revokedYaml(
  generation: number,
  {
    signerKeys = [],
    digests = [],
  }: { signerKeys?: readonly string[]; digests?: readonly string[] },
): string {
  const list = (values: readonly string[]) =>
    `[${values.map((value) => `{value: "${value}", reason: lost}`).join(', ')}]`
  return `apiVersion: vouchsafe.dev/v1alpha1
kind: Revocations
metadata: {generation: ${generation}}
spec:
  digests: ${list(digests)}
  signerKeys: ${list(signerKeys)}
`
}

export interface Scene {
  readonly repository: MemoryRepository
  /** Of the first commit. */
  readonly state: AcceptedState
  /** Main, judged after the first commit. */
  readonly now: (extra?: Partial<Case>) => Case
}

/** A repository whose first commit was accepted. */
export async function scene(
  files: Readonly<Record<string, string>> = defaultFiles,
): Promise<Scene> {
  const repository = memoryRepository({ files })
  const { history } = repository
  const state = await stateOf({
    history,
    candidate: repository.head(),
    start: { kind: 'commit', commit: repository.head() },
  })
  const now = (extra: Partial<Case> = {}): Case => ({
    history,
    candidate: repository.head(),
    start: { kind: 'accepted', state },
    ...extra,
  })
  return { repository, state, now }
}
