/** A rule that never ends costs its own answer. The service goes on, other rules answer, other policies have their turn. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { openRuleEngine, type RuleEngineSettings } from '#src/adapters/rule-engine.ts'
import { celMistakes } from '#src/policy/rules/cel-check.ts'
import type { PreparedRules, Rule, RuleEngine } from '#src/policy/rules/rule.ts'
import { input, ruleOf, variables, withEvidence } from '../policy/rules/scene.ts'

const root = join(import.meta.dirname, '../..')
const opened: { readonly close: () => Promise<void> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

function engineWith(settings: Partial<RuleEngineSettings> = {}) {
  const engine = openRuleEngine(settings)
  opened.push(engine)
  return preparing(engine)
}

const shared = openRuleEngine()
afterAll(() => shared.close())
const prepareInShared = preparing(shared)

function preparing(engine: RuleEngine) {
  return async (...rules: readonly Rule[]): Promise<PreparedRules> => {
    const preparation = await engine.prepare(rules)
    if ('prepared' in preparation) return preparation.prepared
    throw new Error(JSON.stringify(preparation.mistakes))
  }
}

const rule = (expression: string, more: Partial<Rule> = {}) => ruleOf({ expression, ...more })

const wasm = readFileSync(join(root, 'fixtures/policy/hostile.wasm'))
const sha256 = createHash('sha256').update(wasm).digest('hex')
function rego(entrypoint: string): Rule {
  const module = { path: 'rules/hostile.wasm', sha256, wasm, entrypoint }
  return rule('', { language: 'rego', expression: undefined, module })
}

const many = `[${Array.from({ length: 420 }, (_, index) => index).join(',')}]`
const long = `["${'x'.repeat(60)}"]${'.map(s, s + s)'.repeat(10)}[0]`

const products = Array.from({ length: 14 }, () => 'a * b >= evidence.vmpl').join(' && ')
const patterns = Array.from({ length: 15 }, (_, index) => `!t.matches("(x|xx)+[${index}]")`).join(
  ' && ',
)

/** All of them pass every check at load: they cost too much and are not wrong. Each would take seconds on a fast machine. */
const hostile = {
  lists: `${many}.all(a, ${many}.all(b, ${products}))`,
  patterns: `[${long}].all(t, ${many}.all(a, ${patterns}))`,
  growth: `${many}.map(a, ${many}.map(b, [a, b, evidence.vmpl])).size() > evidence.vmpl`,
}

const sound = rule('evidence.vmpl == 0')

describe.each([
  ['a list within a list', rule(hostile.lists)],
  ['patterns on a long text, again and again', rule(hostile.patterns)],
  ['a list that grows', rule(hostile.growth)],
  ['eight billion rounds of Rego', rego('hostile/runaway')],
])('%s', (_, runaway) => {
  test('is nothing that could be told at load', () =>
    expect(runaway.expression ? celMistakes(runaway.expression, variables) : []).toEqual([]))

  test('denies in time, and the rules before and after it answer', async () => {
    const rules = await prepareInShared(sound, runaway, sound)
    // The process is there and has the rules.
    await rules.ask(withEvidence({ vmpl: 1 }))
    const start = performance.now()
    const answers = await rules.ask(input)
    const took = performance.now() - start
    expect(answers).toEqual([
      { answer: true },
      { fault: 'it did not end within 100 ms' },
      { answer: true },
    ])
    // 100 ms for it, a new process, and the rest. This machine may be busy with other tests.
    expect(took).toBeLessThan(5_000)
    expect(rules.remembered(input)).toBeUndefined()
  })
})

test('while a rule runs away the service goes on', async () => {
  const inputMs = 1_500
  const rules = await engineWith({ inputMs })(
    rule(hostile.lists).expression ? rego('hostile/runaway') : sound,
  )
  let longest = 0
  let last = performance.now()
  const ticker = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 5)
  const [answer] = await rules.ask(input)
  clearInterval(ticker)
  expect(answer).toEqual({ fault: 'it did not end within 1500 ms' })
  // Were it run on this thread, the gap would be all of 1,500 ms.
  expect(longest).toBeLessThan(inputMs / 2)
})

test('what takes all the memory there is takes it from a process of its own', async () => {
  const rules = await engineWith({ inputMs: 25_000 })(rego('hostile/bulky'), sound)
  const before = process.memoryUsage().rss
  const [bulky, fine] = await rules.ask(input)
  expect(bulky).toEqual({ fault: 'it took more memory than the 64 MB that rules have' })
  expect(fine).toEqual({ answer: true })
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
})

test('a hundred requests at once of one policy: what cannot wait is denied, the same question is put once', async () => {
  const rules = await engineWith({ mostWaiting: 4, waitMs: 60_000 })(rule(hostile.lists))
  const asked = Array.from({ length: 100 }, (_, index) => withEvidence({ vmpl: -1 - (index % 50) }))
  const answers = await Promise.all(asked.map((each) => rules.ask(each)))
  expect(answers.every(([first]) => first && 'fault' in first)).toBe(true)
  // Of 50 different ones two are at work and four wait.
  const denied = answers.filter(
    ([first]) => first && 'fault' in first && first.fault.startsWith('too many'),
  )
  expect(denied).toHaveLength(2 * (50 - 6))
})

test('a policy whose rules run away makes another wait for a turn, and not for all of its requests', async () => {
  const prepare = engineWith({ waitMs: 60_000 })
  const bad = await prepare(rego('hostile/runaway'))
  const good = await prepare(sound)
  await good.ask(withEvidence({ vmpl: 5 }))
  const flood = Array.from({ length: 8 }, (_, index) => bad.ask(withEvidence({ vmpl: index })))
  let ended = 0
  for (const each of flood) each.then(() => ended++)
  expect(await good.ask(input)).toEqual([{ answer: true }])
  expect(ended).toBeLessThan(6)
  await Promise.all(flood)
})

test('a load that runs away keeps no request from its answer', async () => {
  const prepare = engineWith({ loadMs: 1_000, inputMs: 400 })
  const good = await prepare(sound)
  await good.ask(withEvidence({ vmpl: 5 }))
  const cases = Array.from({ length: 20 }, (_, index) => ({
    name: `c${index}`,
    pass: true,
    input: withEvidence({ vmpl: index }),
    line: index,
  }))
  const bad = await prepare({ ...rego('hostile/runaway'), cases })
  let loaded = false
  const start = performance.now()
  const loading = bad.askCases().then((answers) => {
    loaded = true
    return answers
  })
  expect(await good.ask(input)).toEqual([{ answer: true }])
  expect(loaded).toBe(false)
  const [answers] = await loading
  expect(performance.now() - start).toBeLessThan(5_000)
  expect(answers).toHaveLength(20)
  expect(answers?.every((answer) => 'fault' in answer)).toBe(true)
  expect(answers?.at(-1)).toEqual({
    fault: 'others took all the time there was: make the rules smaller',
  })
})

test('a module that does not end while it is loaded is a mistake, in time', async () => {
  const engine = openRuleEngine({ loadMs: 300 })
  opened.push(engine)
  const preparation = await engine.prepare([
    sound,
    { ...rego('hostile/runaway'), id: 'endless', module: endless() },
  ])
  expect(preparation).toEqual({
    mistakes: [
      {
        file: 'rules/a.yaml',
        line: 7,
        message: 'rule endless could not be compiled: it did not end within 300 ms',
      },
    ],
  })
})

/** (module (func $f (loop (br 0))) (start $f)) */
function endless() {
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[1, 4, 1, 0x60, 0, 0],
    ...[3, 2, 1, 0],
    ...[8, 1, 0],
    ...[10, 9, 1, 7, 0, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b],
  ])
  const digest = createHash('sha256').update(bytes).digest('hex')
  return { path: 'rules/endless.wasm', sha256: digest, wasm: bytes, entrypoint: 'a/b' }
}

test.runIf(process.platform === 'linux')(
  'a process that somebody else ended is replaced before anything is asked',
  async () => {
    const rules = await engineWith()(sound)
    await rules.ask(withEvidence({ vmpl: 1 }))
    const before = childrenOf(process.pid)
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await until(() => !before.some(isRunning))
    expect(await rules.ask(input)).toEqual([{ answer: true }])
  },
)

describe('a service', () => {
  const program = (asked: Rule, rest: string) => [
    '--input-type=module',
    '--eval',
    `
    import { readFileSync } from 'node:fs'
    import { openRuleEngine } from ${JSON.stringify(join(root, 'src/adapters/rule-engine.ts'))}
    const rule = ${JSON.stringify({ ...asked, module: { ...asked.module, wasm: null } })}
    if (rule.expression) delete rule.module
    else rule.module.wasm = readFileSync(${JSON.stringify(join(root, 'fixtures/policy/hostile.wasm'))})
    const { prepared } = await openRuleEngine({ inputMs: 600_000 }).prepare([rule])
    const answer = prepared.ask({ tee: 'box', evidence: { vmpl: 0 } })
    ${rest}`,
  ]

  test('that has its answers ends, without closing anything', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      program(sound, 'console.log(JSON.stringify(await answer))'),
      { encoding: 'utf8', timeout: 20_000 },
    )
    expect(stdout).toBe('[{"answer":true}]\n')
    expect(status).toBe(0)
  })

  test.runIf(process.platform === 'linux')(
    'that is killed leaves no rule running',
    async () => {
      const child = spawn(
        process.execPath,
        program(rego('hostile/runaway'), `setTimeout(() => console.log('asked'), 1_500)`),
        { stdio: ['ignore', 'pipe', 'ignore'] },
      )
      await once(child.stdout, 'data')
      const running = childrenOf(child.pid)
      expect(running.length).toBeGreaterThan(0)
      child.kill('SIGKILL')
      await until(() => !running.some(isRunning))
    },
    40_000,
  )
})

function childrenOf(pid = 0): readonly number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return list === '' ? [] : list.split(' ').map(Number)
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000
  while (!holds()) {
    if (performance.now() > end) throw new Error('it never did')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
