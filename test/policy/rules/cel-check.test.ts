/** What a rule says about this input is looked up when it is read: fields, types, functions, and how much it may cost. */
import { describe, expect, test } from 'vitest'
import { celMistakes } from '#src/policy/rules/cel-check.ts'
import { ruleVariables } from '#src/policy/rules/rule-variables.ts'
import { variables } from './scene.ts'

function wrong(expression: string, known = variables): string {
  return celMistakes(expression, known)
    .map(({ offset, message }) => `${offset} ${message}`)
    .join('\n')
}

describe('can be asked', () => {
  test.each([
    'true',
    'evidence.vmpl == 0',
    'evidence["vmpl"] in [0, 1]',
    'evidence.vmpl + 2 * -1 < 10 % 3',
    '!evidence.policy.debug && release.environment != "prod"',
    'evidence.product == null || evidence.product.startsWith("Mil")',
    'evidence.product != "Milan" || evidence.policy.abi == null || evidence.policy.abi >= 3',
    'has(evidence.product)',
    'evidence.isDynamic == true',
    'evidence.advisoryIds.all(id, !id.matches("^A-[0-9]+$"))',
    'evidence.advisoryIds.filter(id, id > "A").map(id, size(id)).exists(n, n > 3)',
    'evidence.advisoryIds.exists_one(id, id in ["A-1", "A-2"])',
    '[1, 2].all(a, [3].all(b, a < b))',
    'size(evidence.advisoryIds) == 0 || evidence.advisoryIds[0] == "A-1"',
    '{"Milan": 4, "Genoa": 7}[release.agent] <= release.generation',
    'release.agent in {"invoice": true}',
    '(release.environment == "prod" ? 3 : 1) <= release.generation',
    'timestamp(evidence.date) - duration("720h") > timestamp("2026-01-01T00:00:00Z")',
    'int(evidence.policy.raw) < 5 && string(evidence.vmpl) == "0"',
    '[] == evidence.advisoryIds',
    '(request.audience + "/" + request.tenant).contains("acme")',
  ])('%s', (expression) => expect(wrong(expression)).toBe(''))
})

describe('cannot', () => {
  test.each([
    ['no CEL', 'evidence.vmpl = 0', '14 it is not CEL: found = where it cannot stand'],
    ['an end too early', 'evidence.vmpl ==', '14 it is not CEL'],
    [
      'a misspelt variable',
      'evidense.vmpl == 0',
      '0 there is no variable evidense; there are tee,',
    ],
    ['a misspelt field', 'evidence.polcy.debug', '8 there is no field polcy; there are vmpl,'],
    ['a misspelt field within', 'evidence.policy.debgu', '15 there is no field debgu'],
    ['a misspelt field by name', 'evidence["polcy"].debug', 'there is no field polcy'],
    ['a misspelt field in has()', 'has(evidence.prodct)', 'there is no field prodct'],
    ['__proto__', 'evidence.__proto__ == null', 'there is no field __proto__'],
    ['constructor', 'evidence.constructor == null', 'there is no field constructor'],
    ['a hidden field', 'evidence.reportData == ""', '8 reportData is not for rules'],
    ['a field of a number', 'evidence.vmpl.x == 1', 'an int has no fields'],
    [
      'a field looked up at run time',
      'evidence[release.agent] == 1',
      'must be named by text in quotes',
    ],
    [
      'a misspelt function',
      'evidence.date.startWith("2")',
      'there is no function startWith(); there are',
    ],
    ['dyn(), which switches checks off', 'dyn(evidence.vmpl) == "0"', 'there is no function dyn()'],
    ['has() of no field', 'has(evidence)', 'has() takes a field'],
    ['a type', 'google.protobuf.Value{}', 'there is no type google.protobuf.Value'],
    [
      'a number compared with text',
      'evidence.vmpl != "0"',
      '14 int is compared with string, which is always true',
    ],
    ['text compared with a number', 'release.agent == 1', 'which is always false'],
    [
      'null where none ever is',
      'evidence.vmpl != null',
      'an int that is never null is compared with null',
    ],
    ['a group of fields compared', 'evidence.policy == null', 'never null'],
    ['an order of text and number', 'release.version > 1', '> cannot be used on string and int'],
    [
      'a sum of text and number',
      'release.version + 1 == "2"',
      '+ cannot be used on string and int',
    ],
    [
      'a number among texts',
      '1 in evidence.advisoryIds',
      'in cannot be used on int and list of string',
    ],
    ['membership in text', '"a" in release.agent', 'in cannot be used on string and string'],
    ['a list of both', 'release.agent in ["a", 1]', 'elements of a list must have one type'],
    [
      'sides of two types',
      '(evidence.vmpl == 0 ? 1 : "a") == 1',
      'the two sides of : are int and string',
    ],
    [
      'a condition that is none',
      '(evidence.vmpl ? 1 : 2) == 1',
      'what stands before ? must be true or false',
    ],
    ['no boolean', 'evidence.vmpl', '8 a rule must be true or false, and this is an int'],
    ['a boolean that may be null', 'evidence.isDynamic', 'this may be null'],
    ['and of numbers', 'evidence.vmpl && true', '&& cannot be used on int and bool'],
    ['floating point', 'evidence.vmpl < 1.5', 'numbers are whole'],
    ['an unsigned integer', 'evidence.vmpl == 1u', 'numbers are whole'],
    ['bytes', 'b"a" == b"a"', 'text is no bytes'],
    ['65 bits', 'evidence.vmpl < 18446744073709551616', 'does not fit into 64 bits'],
    [
      'a pattern from the input',
      'release.agent.matches(request.tenant)',
      'must be written out as text',
    ],
    ['a pattern made of two', 'release.agent.matches("a" + "b")', 'must be written out as text'],
    ['an element of a number', 'evidence.vmpl[0] == 1', 'an int has no elements'],
    ['a list by text', 'evidence.advisoryIds["a"] == "a"', 'a list is indexed by int'],
    ['all() of text', 'release.agent.all(c, c == "a")', 'a string has no elements to go through'],
    ['a name that is taken', '[1].all(release, release > 0)', 'the name release is taken'],
    ['keys that are numbers', '{1: 2}[1] == 2', 'keys of a map must be strings'],
    ['a null in a map', '"a" in {"a": null}', 'a value of a map must not be null'],
    [
      'three lists in one another',
      '[1].all(a, [1].all(b, [1].all(c, a + b + c > 0)))',
      'at most 2 deep',
    ],
    ['4,097 bytes', `release.agent == "${'a'.repeat(4080)}"`, 'at most 4096 bytes'],
    [
      '65 brackets',
      `${'('.repeat(65)}true${')'.repeat(65)}`,
      'has 65 opening brackets; at most 64',
    ],
    ['1,001 parts', `release.generation in [${'1,'.repeat(1000)}1]`, 'more than 1000 parts'],
    ['101 levels', `release.generation == ${'1+'.repeat(101)}1`, 'nested more than 100 deep'],
  ])('%s', (_, expression, says) => expect(wrong(expression)).toContain(says))

  test('every mistake is told, not only the first', () =>
    expect(wrong('evidence.a == 1 && evidence.b == 2').split('\n')).toHaveLength(2))

  test('evidence, by a rule that names no TEE', () =>
    expect(wrong('evidence.vmpl == 0', ruleVariables(undefined))).toContain(
      'only a rule that names its `tee:` can read evidence',
    ))
})

test.each([
  ['open brackets', '['.repeat(4096)],
  ['open brackets within the limit', `${'['.repeat(63)}`],
  ['braces', '{1:'.repeat(1365)],
  ['braces within the limit', '{1:'.repeat(64)],
  ['negations', '!'.repeat(4096)],
  ['negations in brackets', '!(-('.repeat(32)],
  ['conditions', 'a?b:'.repeat(1000)],
  ['quotes', '"'.repeat(4095)],
  ['comprehensions', `${'[1].map(x,'.repeat(32)}`],
])('%s are refused in under a second', (_, expression) => {
  const start = performance.now()
  expect(wrong(expression)).not.toBe('')
  expect(performance.now() - start).toBeLessThan(1_000)
})
