/** Rules are asked in threads: what they answer, what is remembered, and what a thread does not let a module do. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openRuleEngine } from '#src/adapters/rule-engine.ts'
import { failingCases } from '#src/policy/rules/cases.ts'
import type { PreparedRules, Rule } from '#src/policy/rules/rule.ts'
import { input, ruleOf, withEvidence } from '../policy/rules/scene.ts'
import { wasmModule } from './wasm-module.ts'

const engine = openRuleEngine()
afterAll(() => engine.close())

const hostile = readFileSync(join(import.meta.dirname, '../../fixtures/policy/hostile.wasm'))

const cel = (expression: string, more: Partial<Rule> = {}) =>
  ruleOf({ id: 'cel', expression, ...more })

function rego(entrypoint: string, wasm: Uint8Array = hostile, more: Partial<Rule> = {}): Rule {
  const sha256 = createHash('sha256').update(wasm).digest('hex')
  return cel('', {
    id: 'rego',
    language: 'rego',
    expression: undefined,
    module: { path: 'rules/x.wasm', sha256, wasm, entrypoint },
    ...more,
  })
}

async function prepared(...rules: readonly Rule[]): Promise<PreparedRules> {
  const preparation = await engine.prepare(rules)
  if ('prepared' in preparation) return preparation.prepared
  throw new Error(JSON.stringify(preparation.mistakes))
}

async function mistakesIn(...rules: readonly Rule[]): Promise<readonly string[]> {
  const preparation = await engine.prepare(rules)
  return 'mistakes' in preparation ? preparation.mistakes.map(({ message }) => message) : []
}

describe('answers', () => {
  test('come in the order of the rules, and none for a rule of another TEE', async () => {
    const rules = await prepared(
      cel('evidence.vmpl == 0'),
      cel('evidence.lid == "shut"', { tee: 'crate' }),
      cel('release.environment == "lab"', { tee: undefined }),
      rego('hostile/sound'),
    )
    expect(await rules.ask(input)).toEqual([
      { answer: true },
      undefined,
      { answer: false, observed: [['release.environment', 'prod']] },
      { answer: true },
    ])
  })

  test('of a policy without rules are none, at once', async () => {
    const rules = await prepared()
    expect(rules.remembered(input)).toEqual([])
    expect(await rules.ask(input)).toEqual([])
    expect(await failingCases(rules)).toEqual([])
  })

  test('about evidence of a TEE that no rule is for are none, at once', async () => {
    const rules = await prepared(cel('evidence.lid == "shut"', { tee: 'crate' }))
    expect(rules.remembered(input)).toEqual([undefined])
  })

  test('a fault is that rule’s alone', async () => {
    const rules = await prepared(cel('evidence.absent == 1'), cel('evidence.vmpl == 0'))
    expect(await rules.ask(input)).toEqual([{ fault: 'field not found: absent' }, { answer: true }])
  })
})

describe('memory', () => {
  test('holds for input that differs in nothing the rules read, and for no other', async () => {
    const rules = await prepared(cel('evidence.vmpl == 0 && release.agent != "x"'))
    expect(rules.remembered(input)).toBeUndefined()
    const answers = await rules.ask(input)
    expect(rules.remembered(input)).toEqual(answers)
    expect(rules.remembered(withEvidence({ product: 'Genoa' }))).toEqual(answers)
    expect(rules.remembered(withEvidence({ vmpl: 1 }))).toBeUndefined()
    expect(rules.remembered(withEvidence({ vmpl: '0' }))).toBeUndefined()
    expect(rules.remembered(withEvidence({ vmpl: null }))).toBeUndefined()
    expect(rules.remembered({ ...input, tee: 'crate' })).toEqual([undefined])
  })

  test.each([
    ['a list', { advisoryIds: ['A-1,A-2'] }],
    ['an order', { advisoryIds: ['A-2', 'A-1'] }],
    ['a group', { policy: { debug: false, abi: 0, raw: '0x30000' } }],
  ])('tells %s from another', async (_, evidence) => {
    const rules = await prepared(
      cel('size(evidence.advisoryIds) == 2 && evidence.policy.abi == null'),
    )
    await rules.ask(input)
    expect(rules.remembered(withEvidence(evidence))).toBeUndefined()
  })

  test('of Rego rests on everything that it is shown', async () => {
    const rules = await prepared(rego('hostile/sound'))
    await rules.ask(input)
    expect(rules.remembered({ ...input })).toEqual([{ answer: true }])
    expect(rules.remembered(withEvidence({ product: 'Genoa' }))).toBeUndefined()
    const blind = await prepared(rego('hostile/blind', hostile, { tee: undefined }))
    await blind.ask(input)
    expect(blind.remembered(withEvidence({ product: 'Genoa' }))).toEqual([{ answer: true }])
  })

  test('of errors too: they are the same every time', async () => {
    const rules = await prepared(cel('1 / evidence.vmpl == 1'))
    const [fault] = await rules.ask(input)
    expect(fault).toEqual({ fault: 'int divide by zero' })
    expect(rules.remembered(input)).toEqual([fault])
  })

  test('is bounded: what was asked long ago is asked again', async () => {
    const small = openRuleEngine({ remembered: 8 })
    const preparation = await small.prepare([cel('evidence.vmpl >= 0')])
    if ('mistakes' in preparation) throw new Error('not prepared')
    const { ask, remembered } = preparation.prepared
    const inputs = Array.from({ length: 20 }, (_, vmpl) => withEvidence({ vmpl }))
    for (const each of inputs) await ask(each)
    expect(inputs.filter((each) => remembered(each) !== undefined).length).toBeLessThanOrEqual(8)
    await small.close()
  })
})

describe('Rego', () => {
  test.each([
    ['another machine', 'hostile/calls', 'http.send'],
    ['the clock', 'hostile/clock', 'time.now_ns'],
    ['chance', 'hostile/dice', 'rand.intn'],
    ['the environment', 'hostile/environment', 'opa.runtime'],
  ])('cannot reach %s', async (_, entrypoint, builtin) => {
    const rules = await prepared(rego(entrypoint))
    expect(await rules.ask(input)).toEqual([
      { fault: expect.stringMatching(`not implemented.*${builtin}`) },
    ])
  })

  test.each([
    ['undefined', 'hostile/undefined_without_default', 'undefined: give it a value with `default'],
    ['text', 'hostile/text', 'it is a string'],
  ])('that is %s is a fault and not false', async (_, entrypoint, says) => {
    const rules = await prepared(rego(entrypoint))
    const [answer] = await rules.ask(input)
    expect(answer).toEqual({
      fault: expect.stringContaining(says.replace('it is', 'the entrypoint is')),
    })
  })

  test('is shown evidence when it names its TEE, and none otherwise', async () => {
    const rules = await prepared(
      rego('hostile/blind'),
      rego('hostile/blind', hostile, { tee: undefined }),
    )
    expect(await rules.ask(input)).toEqual([{ answer: false, observed: false }, { answer: true }])
  })

  test('that wants more memory than it may have is a fault, and the next question is answered', async () => {
    const small = openRuleEngine({ regoPages: 24, inputMs: 5_000 })
    const preparation = await small.prepare([rego('hostile/greedy'), rego('hostile/sound')])
    if ('mistakes' in preparation) throw new Error(preparation.mistakes[0]?.message)
    const [greedy, sound] = await preparation.prepared.ask(input)
    expect(greedy).toEqual({ fault: expect.stringMatching(/./) })
    expect(sound).toEqual({ answer: true })
    await small.close()
  })

  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const tampered = Uint8Array.from(hostile, (byte, index) => (index === 150_000 ? byte ^ 1 : byte))
  test.each<[string, Rule, string]>([
    [
      'no entrypoint of that name',
      rego('hostile/other'),
      'has no entrypoint hostile/other; it has hostile/',
    ],
    ['no WebAssembly', rego('a/b', new Uint8Array([1, 2, 3])), 'no module that OPA compiled'],
    ['WebAssembly by others', rego('a/b', wasmModule({})), 'no module that OPA compiled'],
    [
      'a memory of its own',
      rego('a/b', wasmModule({ memory: true })),
      'brings a memory of its own',
    ],
    [
      'an import of something else',
      rego('a/b', wasmModule({ imports: ['wasi', 'fd_write'] })),
      'imports the function wasi.fd_write',
    ],
    [
      'another function of OPA’s',
      rego('a/b', wasmModule({ imports: ['env', 'opa_exec'] })),
      'imports the function env.opa_exec',
    ],
    [
      'other bytes than its digest names',
      cel('', {
        expression: undefined,
        module: { path: 'x', wasm: tampered, sha256: digest(hostile), entrypoint: 'hostile/sound' },
      }),
      'not the one that the rule names by its digest',
    ],
  ])('with %s is a mistake', async (_, rule, says) =>
    expect(await mistakesIn(cel('true'), rule)).toEqual([expect.stringContaining(says)]),
  )
})

describe('cases', () => {
  const one = { name: 'one', pass: true, input: withEvidence({ vmpl: 0 }), line: 9 }
  const two = { name: 'two', pass: false, input: withEvidence({ vmpl: 1 }), line: 10 }

  test('that hold are nothing to speak of', async () =>
    expect(
      await failingCases(await prepared(cel('evidence.vmpl == 0', { cases: [one, two] }))),
    ).toEqual([]))

  test.each([
    [
      'evidence.vmpl == 1',
      [9, 'rule cel, case one: must pass, and fails; it reads [["evidence.vmpl",0]]'],
      [10, 'case two: must fail, and passes'],
    ],
    [
      'evidence.vmpl / 0 == 1',
      [9, 'must pass, and could not be asked: int divide by zero'],
      [10, 'must fail, and could not be asked'],
    ],
  ])('that do not are told with their lines: %s', async (expression, ...wanted) => {
    const failing = await failingCases(await prepared(cel(expression, { cases: [one, two] })))
    expect(failing).toEqual(
      wanted.map(([line, says]) => ({
        file: 'rules/a.yaml',
        line,
        message: expect.stringContaining(String(says)),
      })),
    )
  })

  test('are asked of their own rule only', async () => {
    const rules = await prepared(
      cel('evidence.vmpl == 0', { cases: [one, two] }),
      cel('evidence.lid == "shut"', { tee: 'crate' }),
    )
    expect(await rules.askCases()).toEqual([
      [{ answer: true }, { answer: false, observed: [['evidence.vmpl', 1]] }],
      [],
    ])
  })
})

test('whoever asks an engine that was closed is denied', async () => {
  const closed = openRuleEngine()
  const preparation = await closed.prepare([cel('evidence.vmpl == 0')])
  if ('mistakes' in preparation) throw new Error('not prepared')
  await closed.close()
  expect(await preparation.prepared.ask(input)).toEqual([
    { fault: 'the rules could not be loaded: the engine is closed' },
  ])
  expect(await closed.prepare([cel('true')])).toEqual({
    mistakes: [
      {
        file: 'rules/a.yaml',
        line: 7,
        message: 'rule cel could not be compiled: the engine is closed',
      },
    ],
  })
})
