/** A rules file says where it is wrong; what it says when it is right is a rule for each entry. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { rulesSchema } from '#src/policy/rules/rule-file.ts'
import { file, type RuleText, rulesFile, rulesOf, wrongIn } from './scene.ts'

const text = `apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: 3}
spec:
  inputs:
    healthy:
      tee: box
      release: {environment: prod}
      evidence: {vmpl: 0, policy: {debug: false, abi: 3}, advisoryIds: [A-1]}
  rules:
    - id: no-debug
      tee: box
      expression: >-
        release.environment != "prod" ||
        !evidence.policy.debug
      message: no debugging in production
      severity: deny
      cases:
        - {name: off, pass: true, input: healthy}
        - name: on
          pass: false
          input: healthy
          change: {evidence: {policy: {debug: true}, advisoryIds: []}}
        - {name: staging, pass: true, input: {release: {environment: staging}}}
    - id: audience
      expression: request.audience == "vault"
      message: only the vault is asked
      severity: warning
      cases:
        - {name: vault, pass: true, input: {request: {audience: vault}}}
        - {name: other, pass: false, input: healthy, change: {request: {audience: other}}}
`
/** The file with one line of it replaced. */
function changed(from: string, to: string): string {
  expect(text).toContain(from)
  return text.replace(from, to)
}

test('a rule says what its entry says, and where it stands', () => {
  const [first, second] = rulesOf(file(text))
  expect(first).toMatchObject({
    id: 'no-debug',
    language: 'cel',
    tee: 'box',
    expression: 'release.environment != "prod" || !evidence.policy.debug',
    message: 'no debugging in production',
    severity: 'deny',
    source: { file: 'rules/a.yaml', line: 11 },
  })
  expect(second).toMatchObject({ severity: 'warning', source: { line: 25 } })
  expect(second?.tee).toBeUndefined()
})

test('a case has its input, merged with its change: groups field by field, lists as a whole', () => {
  const [first, second] = rulesOf(file(text))
  expect(first?.cases[1]).toEqual({
    name: 'on',
    pass: false,
    line: 20,
    input: {
      tee: 'box',
      release: { environment: 'prod' },
      evidence: { vmpl: 0, policy: { debug: true, abi: 3 }, advisoryIds: [] },
    },
  })
  expect(first?.cases[2]?.input).toEqual({ tee: 'box', release: { environment: 'staging' } })
  expect(second?.cases[0]?.input).toEqual({ request: { audience: 'vault' } })
})

test('a change to null sets null, and takes nothing away', () => {
  const [first] = rulesOf(file(changed('{debug: true}', '{debug: true, abi: null}')))
  expect(first?.cases[1]?.input.evidence).toMatchObject({ policy: { abi: null } })
})

describe('wrong', () => {
  test.each([
    [
      'an unknown field',
      'severity: deny',
      'severity: deny\n      sevrity: deny',
      '18:7 spec.rules[0].sevrity is not a known field',
    ],
    [
      'an id in capitals',
      'id: no-debug',
      'id: No-Debug',
      '11:11 spec.rules[0].id: must be 1 to 63',
    ],
    [
      'an id that is used twice',
      'id: audience',
      'id: no-debug',
      '25:11 spec.rules[1].id: no-debug appears twice',
    ],
    [
      'no message',
      '      message: no debugging in production\n',
      '',
      '11:7 spec.rules[0].message is missing',
    ],
    ['another severity', 'severity: deny', 'severity: warn', '17:17 spec.rules[0].severity'],
    [
      'another language',
      'id: no-debug',
      'id: no-debug\n      language: lua',
      '12:17 spec.rules[0].language',
    ],
    [
      'Rego without its module',
      'id: no-debug',
      'id: no-debug\n      language: rego',
      '11:7 spec.rules[0]: is a rego rule, which needs its module',
    ],
    [
      'no case that fails',
      'pass: false\n',
      'pass: true\n',
      '19:9 spec.rules[0].cases: there must be a case that fails',
    ],
    [
      'one case',
      '        - {name: vault, pass: true, input: {request: {audience: vault}}}\n',
      '',
      'spec.rules[1].cases',
    ],
    [
      'two cases of one name',
      'name: staging',
      'name: off',
      '24:18 spec.rules[0].cases[2].name: off appears twice',
    ],
    ['a generation of zero', 'generation: 3', 'generation: 0', '3:24 metadata.generation'],
    [
      'a TEE that there is not',
      'tee: box\n      expression',
      'tee: bax\n      expression',
      '12:12 there is no TEE bax; there are box, crate',
    ],
    [
      'an input that there is not',
      'input: healthy}',
      'input: helthy}',
      '19:42 input: there is no helthy among spec.inputs; there are healthy',
    ],
    [
      'a field of a case that no evidence has',
      '{policy: {debug: true}',
      '{polcy: {debug: true}',
      '23:38 polcy: there is no such field; there are vmpl,',
    ],
    [
      'one within',
      '{policy: {debug: true}',
      '{policy: {debgu: true}',
      '23:47 debgu: there is no such field',
    ],
    [
      'one of the named input, once',
      '{vmpl: 0, policy',
      '{vmlp: 0, policy',
      '9:24 vmlp: there is no such field',
    ],
    ['a value of another type', 'vmpl: 0', 'vmpl: "0"', '9:24 vmpl: must be int'],
    ['null where none ever is', 'vmpl: 0', 'vmpl: null', '9:24 vmpl: must be int'],
    [
      'a value where a group stands',
      '{policy: {debug: true}',
      '{policy: true',
      '23:39 policy: must be a group of fields',
    ],
    [
      'a hidden field',
      'vmpl: 0',
      'reportData: "00"',
      '9:30 reportData: no rule is shown this field',
    ],
    [
      'a misspelt word',
      'tee: box\n      release',
      'tee: box\n      status: afirming\n      release',
      '8:15 status: must be one of affirming',
    ],
    [
      'a case of another TEE',
      'tee: box\n      release',
      'tee: crate\n      release',
      'input: the rule is only asked about box, and this is crate',
    ],
    [
      'a case of no TEE there is',
      'request: {audience: vault}}',
      'tee: bag}',
      '30:44 input: there is no TEE bag',
    ],
    [
      'evidence of no TEE',
      'request: {audience: vault}}',
      'evidence: {vmpl: 0}}',
      'must say of which tee its evidence is',
    ],
    [
      'a misspelt field in the second line of a folded expression',
      'evidence.policy.debug',
      'evidence.policy.debgu',
      '15:25 there is no field debgu',
    ],
    [
      'no CEL in plain text',
      'request.audience == "vault"',
      'request.audience = "vault"',
      '26:36 it is not CEL',
    ],
    [
      'evidence of a rule that names no TEE',
      'request.audience == "vault"',
      'evidence.vmpl == 0',
      '26:19 only a rule that names its `tee:`',
    ],
  ])('%s', (_, from, to, says) => {
    expect(wrongIn(file(changed(from, to))).join('\n')).toContain(says)
  })

  test('a named input is wrong once, however many cases begin with it', () =>
    expect(wrongIn(file(changed('vmpl: 0', 'vmpl: "0"')))).toHaveLength(1))

  test.each([
    ['in single quotes', `'release.agent == "a" && evidence.polcy'`, '13:52'],
    ['in double quotes', String.raw`"release.agent == \"a\" && evidence.polcy"`, '13:54'],
    ['in plain text over two lines', 'release.agent == "a" &&\n          evidence.polcy', '14:19'],
    ['as a block', '|\n        release.agent == "a"\n          && evidence.polcy', '15:22'],
    [
      'as a folded block with a comment',
      '>- # why\n        release.agent == "a" &&\n\n        evidence.polcy',
      '16:17',
    ],
  ])('is found %s', (_, expression, place) => {
    const folded = '>-\n        release.environment != "prod" ||\n        !evidence.policy.debug'
    const [mistake] = wrongIn(file(changed(folded, expression)))
    expect(mistake).toContain(`rules/a.yaml:${place} there is no field polcy`)
  })

  test('an id that another file has', () =>
    expect(wrongIn(file(text), file(text, 'rules/b.yaml'))[0]).toBe(
      'rules/b.yaml:11:11 the id no-debug is used in rules/a.yaml:11 too: choose another',
    ))

  test('what is wrong in both of two files is told of both', () => {
    const bad = changed('kind: Rules', 'kind: Rule')
    expect(wrongIn(file(bad), file(bad, 'rules/b.yaml'))).toHaveLength(2)
  })
})

describe('more than is read', () => {
  const rule = (index: number): RuleText => ({ id: `r${index}`, expression: 'evidence.vmpl == 0' })
  const rules = (count: number, from = 0) =>
    rulesFile(Array.from({ length: count }, (_, index) => rule(from + index)))

  test('100 rules are read, in however many files', () =>
    expect(rulesOf(file(rules(60)), file(rules(40, 60), 'rules/b.yaml'))).toHaveLength(100))

  test('101 rules', () =>
    expect(wrongIn(file(rules(60)), file(rules(41, 60), 'rules/b.yaml'))[0]).toContain(
      'with this rule there are 101 rules, 202 cases',
    ))

  test('2,002 cases', () => {
    const cases = Array.from(
      { length: 182 },
      (_, index) => `\n        - {name: c${index}, pass: ${index > 0}, input: {}}`,
    )
    const many = (from: number) =>
      rulesFile(
        [0, 1, 2, 3, 4, 5].map((index) => ({
          id: `r${from + index}`,
          expression: 'evidence.vmpl == 0',
          cases: cases.join(''),
        })),
      )
    expect(wrongIn(file(many(0)), file(many(6), 'rules/b.yaml'))[0]).toContain(
      '11 rules, 2002 cases',
    )
  })

  test('64 KiB of CEL', () => {
    const long = (from: number) =>
      rulesFile(
        Array.from({ length: 10 }, (_, index) => ({
          id: `r${from + index}`,
          expression: `release.agent != "${'a'.repeat(4000)}"`,
        })),
      )
    expect(wrongIn(file(long(0)), file(long(10), 'rules/b.yaml'))[0]).toContain('bytes of CEL')
  })

  test('a hundred expressions that are no CEL take less than five seconds', () => {
    const bad = (from: number) =>
      rulesFile(
        Array.from({ length: 50 }, (_, index) => ({
          id: `r${from + index}`,
          expression: '{1:'.repeat(64) + '!'.repeat(400),
        })),
      )
    const start = performance.now()
    const mistakes = wrongIn(file(bad(0)), file(bad(50), 'rules/b.yaml'))
    expect(performance.now() - start).toBeLessThan(5_000)
    expect(mistakes.length).toBeLessThan(30)
  })
})

describe('a Rego module', () => {
  const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
  const sha256 = createHash('sha256').update(wasm).digest('hex')
  const entry = (digest: string, more = '') => `apiVersion: vouchsafe.dev/v1alpha1
kind: Rules
metadata: {generation: 1}
spec:
  rules:
    - id: rego
      language: rego
      module: {path: rules/allow.wasm, sha256: "sha256:${digest}", entrypoint: vouchsafe/allow}${more}
      message: no
      severity: deny
      cases:
        - {name: a, pass: true, input: {}}
        - {name: b, pass: false, input: {}}
`
  const module = { path: 'rules/allow.wasm', bytes: wasm }

  test('is the file that its digest names', () =>
    expect(rulesOf(file(entry(sha256)), module)[0]).toMatchObject({
      language: 'rego',
      expression: undefined,
      module: { path: 'rules/allow.wasm', sha256, entrypoint: 'vouchsafe/allow', wasm },
    }))

  test('with another digest is refused with the one it has', () =>
    expect(wrongIn(file(entry('0'.repeat(64))), module)).toEqual([
      `rules/a.yaml:8:48 rules/allow.wasm has sha256:${sha256}: if that is the module that was reviewed, write it here`,
    ]))

  test('that is not in the repository', () =>
    expect(wrongIn(file(entry(sha256)))).toEqual([
      'rules/a.yaml:8:22 there is no rules/allow.wasm in the repository',
    ]))

  test('of a mebibyte and a byte', () => {
    const bytes = new Uint8Array(1024 * 1024 + 1)
    expect(wrongIn(file(entry(sha256)), { ...module, bytes })[0]).toContain('at most 1048576')
  })

  test('has no expression beside it', () =>
    expect(wrongIn(file(entry(sha256, '\n      expression: "true"')), module)[0]).toContain(
      'spec.rules[0].expression: is not for a rego rule',
    ))
})

test('other files mean nothing here, whatever is in them', () =>
  expect(
    rulesOf(
      file('%', 'rules/README.md'),
      file('%', 'agents/prod/a.yaml'),
      file('%', 'rules/x/y.yaml'),
    ),
  ).toEqual([]))

test('the schema can be published for editors', () =>
  expect(z.toJSONSchema(rulesSchema, { io: 'input' })).toMatchObject({
    title: 'Rules',
    additionalProperties: false,
  }))
