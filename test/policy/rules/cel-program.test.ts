/** Exactly true passes and exactly false fails; everything else is a fault, which whoever asks must take for a denial. */
import { describe, expect, test } from 'vitest'
import { celInput, celProgram } from '#src/policy/rules/cel-program.ts'
import type { RuleAnswer, RuleInput } from '#src/policy/rules/rule.ts'
import { input, withEvidence } from './scene.ts'

function asked(expression: string, about: Partial<RuleInput> = input): RuleAnswer {
  const program = celProgram(expression)
  if ('mistake' in program) throw new Error(program.mistake)
  return program.ask(celInput({ ...about }))
}

describe('true', () => {
  test.each([
    'evidence.vmpl == 0',
    'release.generation / 2 == 3',
    'evidence.policy.abi == null',
    'has(evidence.policy.abi)',
    '"product" in evidence',
    'evidence.advisoryIds.all(id, id.startsWith("A-"))',
    'timestamp(evidence.date) < timestamp("2026-04-01T00:00:00Z")',
    'int("12") == 12',
    'evidence.product.matches("^M[a-z]{1,10}$")',
    'release.generation in {"7": true} == false',
    'evidence.isDynamic == true || evidence.policy.abi > 3 || true',
  ])('%s', (expression) => expect(asked(expression)).toEqual({ answer: true }))
})

test('false says what was looked at, and nothing else of the evidence', () =>
  expect(asked('evidence.policy.debug || evidence.vmpl > 2 && release.agent == "x"')).toEqual({
    answer: false,
    observed: [
      ['evidence.policy.debug', false],
      ['evidence.vmpl', 0],
      ['release.agent', 'invoice'],
    ],
  }))

test('an element of a list shows the whole list, for which element it was may depend on the rest', () =>
  expect(asked('evidence.advisoryIds.exists(id, id == "B")')).toEqual({
    answer: false,
    observed: [['evidence.advisoryIds', ['A-1', 'A-2']]],
  }))

describe('a fault', () => {
  test.each([
    ['a field that is not there', 'evidence.absent == 1', 'field not found: absent'],
    ['its negation', '!(evidence.absent == 1)', 'field not found: absent'],
    ['a number', 'evidence.vmpl', 'it is a bigint and not true or false'],
    ['text that reads like true', '"true"', 'it is a string and not true or false'],
    ['null', 'evidence.isDynamic', 'it is a object and not true or false'],
    ['null in order', 'evidence.policy.abi < 3', 'no matching overload'],
    ['a division by zero', '1 / evidence.vmpl == 1', 'divide by zero'],
    ['an overflow', '9223372036854775807 + release.generation > 0', 'overflow'],
    [
      'text without end',
      `["aaaaaaaa"]${'.map(s, s + s)'.repeat(20)}[0] == ""`,
      'longer than 65536',
    ],
    ['an element too many', 'evidence.advisoryIds[2] == "x"', 'out of bounds'],
    ['empty text as a number', 'int("") == 0', 'no integer'],
    ['hexadecimal text as a number', 'int(evidence.policy.raw) > 0', 'no integer'],
    ['no time', 'timestamp(release.agent) > timestamp(evidence.date)', 'timestamp'],
    ['a pattern that is none', 'release.agent.matches("(")', 'missing closing'],
  ])('%s', (_, expression, says) =>
    expect(asked(expression)).toEqual({ fault: expect.stringContaining(says) }),
  )
})

test('a case sees what it gives, and the rest is missing', () =>
  expect(asked('release.environment == "prod"', { tee: 'box' })).toEqual({
    fault: 'unresolved attribute',
  }))

test('a pattern that backtracks for ever elsewhere does not', () => {
  const start = performance.now()
  asked('evidence.product.matches("^(a+)+$")', withEvidence({ product: `${'a'.repeat(40)}!` }))
  expect(performance.now() - start).toBeLessThan(1_000)
})

test.each([
  ['a field', 'evidence.policy.debug', ['evidence.policy.debug']],
  ['a field by name', 'evidence["policy"]["debug"] == true', ['evidence.policy.debug']],
  ['presence', 'has(evidence.product)', ['evidence.product']],
  [
    'what a comprehension goes through',
    'evidence.advisoryIds.all(i, i == release.agent)',
    ['evidence.advisoryIds', 'release.agent'],
  ],
  [
    'a list by index',
    'evidence.advisoryIds[release.generation] == ""',
    ['evidence.advisoryIds', 'release.generation'],
  ],
  ['a side that is not taken', 'true || status == "none"', ['status']],
  ['nothing', '1 == 1', []],
])('reads %s', (_, expression, paths) => {
  const program = celProgram(expression)
  expect('reads' in program && program.reads.map((path) => path.join('.'))).toEqual(paths)
})
