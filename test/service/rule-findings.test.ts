/** What rules say becomes findings: always all, in order, and whatever was not answered is a denial. */
import { describe, expect, test } from 'vitest'
import type { PreparedRules, Rule, RuleAnswer, RuleInput } from '#src/policy/rules/rule.ts'
import type { AgentRelease } from '#src/rats/release.ts'
import { statusOf, trustVector } from '#src/rats/trust-vector.ts'
import { remoteFinding, ruleFindings } from '#src/service/rule-findings.ts'
import { ruleInput } from '#src/service/rule-input.ts'

const rule = (id: string, change: Partial<Rule> = {}): Rule => ({
  id,
  language: 'cel',
  expression: 'true',
  module: undefined,
  message: `message of ${id}`,
  severity: 'deny',
  tee: undefined,
  cases: [],
  source: { file: 'rules/prod.yaml', line: 7 },
  ...change,
})

const input: RuleInput = {
  tee: 'tdx',
  assurance: 'hardware',
  status: 'affirming',
  release: { environment: 'e', agent: 'a', version: '1', generation: 1, referenceValue: 'r' },
  request: { tenant: 't', audience: '' },
  evidence: {},
}

/** `remembered` knows nothing unless said. */
function prepared(
  rules: readonly Rule[],
  answers: readonly (RuleAnswer | undefined)[],
  from: 'memory' | 'asking' = 'asking',
): PreparedRules {
  return {
    rules,
    ask: async () => (from === 'asking' ? answers : []),
    remembered: () => (from === 'memory' ? answers : undefined),
    askCases: async () => [],
  }
}

const no = (observed: string): RuleAnswer => ({ answer: false, observed })

describe('a rule', () => {
  test.each<[string, Rule, RuleAnswer | undefined, object]>([
    ['that is true passes', rule('a'), { answer: true }, { outcome: 'pass' }],
    [
      'that is false refuses, with its message and place',
      rule('a'),
      no('x'),
      {
        outcome: 'fail',
        detail: 'message of a (rules/prod.yaml:7)',
        observed: 'x',
        expected: true,
      },
    ],
    [
      'that only warns lets pass, with the same words',
      rule('a', { severity: 'warning' }),
      no('x'),
      { outcome: 'waived', detail: 'message of a (rules/prod.yaml:7)' },
    ],
    [
      'that could not be asked refuses, even if it only warns',
      rule('a', { severity: 'warning' }),
      { fault: 'out of time' },
      { outcome: 'fail', detail: expect.stringContaining('out of time') },
    ],
    [
      'that nobody answered refuses',
      rule('a'),
      undefined,
      { outcome: 'fail', detail: expect.stringContaining('not answered') },
    ],
    [
      'of this very TEE that nobody answered refuses',
      rule('a', { tee: 'tdx' }),
      undefined,
      { outcome: 'fail' },
    ],
    [
      'of another TEE does not apply',
      rule('a', { tee: 'sev-snp' }),
      undefined,
      { outcome: 'not-applicable', detail: 'only sev-snp evidence is asked' },
    ],
  ])('%s', async (_, asked, answer, expected) => {
    const finding = { id: 'rule.a', cites: 'rules/prod.yaml:7', informs: 'configuration' }
    for (const from of ['memory', 'asking'] as const)
      expect(await ruleFindings(prepared([asked], [answer], from), [input])).toMatchObject([
        { ...finding, ...expected },
      ])
  })

  test('is never left out, and stands where the policy has it', async () => {
    const rules = [rule('b'), rule('a', { tee: 'sgx' }), rule('c')]
    const found = await ruleFindings(prepared(rules, [{ answer: true }]), [input])
    expect(found.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'rule.b pass',
      'rule.a not-applicable',
      'rule.c fail',
    ])
  })

  test('is not asked about evidence that is not authentic', async () => {
    const asked = { ...prepared([rule('a')], []), ask: async () => Promise.reject(new Error()) }
    expect(await ruleFindings(asked, undefined)).toMatchObject([{ outcome: 'not-reached' }])
  })

  test('is asked once for each audience, and the gravest answer counts, with its audience', async () => {
    const asked = (audience: string) => ({ ...input, request: { ...input.request, audience } })
    const answering = (severity: Rule['severity']): PreparedRules => ({
      ...prepared([rule('a', { severity })], []),
      ask: async ({ request }) => [request.audience === 'bad' ? no('x') : { answer: true }],
    })
    for (const [severity, outcome] of [
      ['deny', 'fail'],
      ['warning', 'waived'],
    ] as const)
      expect(
        await ruleFindings(answering(severity), ['good', 'bad', 'good'].map(asked)),
      ).toMatchObject([{ outcome, detail: expect.stringMatching('^for bad: message of a') }])
    expect(await ruleFindings(answering('deny'), ['good', 'fine'].map(asked))).toMatchObject([
      { outcome: 'pass' },
    ])
  })

  test('that only warns for one audience and cannot be asked for another refuses', async () => {
    const answers: Readonly<Record<string, RuleAnswer>> = {
      warned: no('x'),
      broken: { fault: 'out of time' },
    }
    const answering: PreparedRules = {
      ...prepared([rule('a', { severity: 'warning' })], []),
      ask: async ({ request }) => [answers[request.audience]],
    }
    const inputs = Object.keys(answers).map((audience) => ({
      ...input,
      request: { ...input.request, audience },
    }))
    expect(await ruleFindings(answering, inputs)).toMatchObject([
      { outcome: 'fail', detail: expect.stringMatching('^for broken: ') },
    ])
  })

  test('that no audience was asked of refuses', async () => {
    const findings = await ruleFindings(prepared([rule('a')], []), [])
    expect(findings).toMatchObject([{ outcome: 'not-reached' }])
    expect(statusOf(trustVector({ findings, assurance: 'hardware' }))).toBe('contraindicated')
  })

  test('that only warns caps the status at warning', async () => {
    const findings = await ruleFindings(
      prepared([rule('a', { severity: 'warning' }), rule('b')], [no('x'), { answer: true }]),
      [input],
    )
    expect(statusOf(trustVector({ findings, assurance: 'hardware' }))).toBe('warning')
  })
})

describe('the remote policy', () => {
  const question = {
    ...input,
    resource: { audience: 'kms.example', scopes: [] },
    connection: { remoteAddress: '192.0.2.1' },
  }
  test.each<[string, RuleAnswer, object]>([
    ['allows', { answer: true }, { outcome: 'pass' }],
    ['denies', no('x'), { outcome: 'fail', observed: 'x' }],
    [
      'is down',
      { fault: 'no answer' },
      { outcome: 'fail', detail: expect.stringMatching('no answer') },
    ],
  ])('%s', async (_, answer, expected) =>
    expect(await remoteFinding({ policy: { ask: async () => answer } }, [question])).toMatchObject({
      id: 'policy.remote.allows',
      ...expected,
    }),
  )

  test('is asked about every audience, and one denial is enough', async () => {
    const about = (audience: string) => ({
      ...question,
      resource: { audience, scopes: [] },
    })
    const policy = {
      ask: async ({ resource }: { resource: { audience: string } }): Promise<RuleAnswer> =>
        resource.audience === 'b' ? no('x') : { answer: true },
    }
    expect(await remoteFinding({ policy }, ['a', 'b'].map(about))).toMatchObject({
      outcome: 'fail',
      detail: expect.stringMatching('^for b: '),
    })
    expect(await remoteFinding({ policy }, ['a', 'c'].map(about))).toMatchObject({
      outcome: 'pass',
    })
  })

  test('is not asked when something was refused before', async () => {
    const policy = { ask: async () => Promise.reject(new Error('was asked')) }
    expect(await remoteFinding({ policy }, undefined)).toMatchObject({ outcome: 'not-reached' })
  })
})

test('a rule sees what the schema names, and nothing that differs with every quote', () => {
  const made = ruleInput({
    ...input,
    assurance: 'hardware',
    status: 'affirming',
    // Only what is read.
    release: { environment: 'e', agent: 'a', version: '1', generation: 1 } as AgentRelease,
    referenceValue: undefined,
    tenant: 't',
    claims: {
      reportData: 'aa',
      vmpl: 0,
      unknown: 'x',
      policy: { debug: false, secret: 1 },
      advisories: ['a'],
      chip: null,
    },
    claimSchema: {
      reportData: 'hidden',
      vmpl: 'int',
      policy: { debug: 'bool', absent: 'string' },
      advisories: 'list<string>',
      chip: 'string?',
      constructor: {},
    },
  })
  expect(made.evidence).toEqual({
    vmpl: 0,
    policy: { debug: false },
    advisories: ['a'],
    chip: null,
  })
  expect(made.release.referenceValue).toBe('')
  expect(made.request.audience).toBe('')
})
