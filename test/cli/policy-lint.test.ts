/** Does `policy lint` find every mistake of a working folder, and `policy test` the rule that does not hold? */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { policy, removeScratch, scratchFolder } from './policy-tools.ts'

afterAll(removeScratch)

let folder: string
beforeEach(async () => {
  folder = join(scratchFolder(), 'policy')
  expect((await policy(['init', folder])).code).toBe(0)
})

const dev = 'agents/dev/invoice-bot.yaml'
const rules = 'rules/baseline.yaml'

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** Replaces what must be there; nothing is committed. */
function change(path: string, from: string, to: string): void {
  const text = readFileSync(join(folder, path), 'utf8')
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`)
  write(path, text.replace(from, to))
}

describe('vouchsafe policy lint', () => {
  test('lists every mistake as file:line:column: message, and exits 2', async () => {
    change(dev, 'ttl: 240s', 'ttl: 4h')
    change(dev, 'audience: kms.example', 'audiences: kms.example')
    change('trust/root.yaml', 'generation: 1', 'generation: one')
    change('revoked/revoked.yaml', 'digests: []', 'digests: [sha384:00]')
    const { code, out } = await policy(['lint', folder])
    expect(code).toBe(2)
    for (const file of [dev, 'trust/root.yaml', 'revoked/revoked.yaml'])
      expect(out).toMatch(new RegExp(`^${file}:[1-9]\\d*:[1-9]\\d*: .+$`, 'm'))
    expect(out).toContain('spec.release[0].audiences is not a known field')
    expect(out).toMatch(/^\d+ mistakes in \d+ files\.$/m)
  })

  test('the same as JSON', async () => {
    const well = await policy(['lint', folder, '--json'])
    expect([well.code, well.json]).toEqual([
      0,
      { valid: true, files: expect.any(Number), mistakes: [] },
    ])
    change(dev, 'ttl: 240s', 'ttl: 4h')
    const { code, json } = await policy(['lint', folder, '--json'])
    expect([code, json.valid]).toEqual([2, false])
    expect(json.mistakes).toEqual([
      { file: dev, line: 31, column: 12, message: expect.stringContaining('ttl') },
    ])
  })

  test.each([
    ['an unquoted digest that YAML reads as a number', dev, 'sha384:0', '0x0'],
    ['a key twice', dev, '  name: invoice-bot', '  name: invoice-bot\n  name: invoice-bot'],
    ['a rule that reads a field that is none', rules, 'committedTcb.snp ==', 'comittedTcb.snp =='],
    ['a rule whose case does not hold', rules, '== evidence', '!= evidence'],
    ['a principal without a key', 'trust/root.yaml', '[alice, bob]', '[alice, bob, carol]'],
    ['a configuration that hardware would not name', 'config/invoice-bot.json', '{', '{ '],
  ])('%s', async (_, path, from, to) => {
    change(path, from, to)
    const { code, json } = await policy(['lint', folder, '--json'])
    expect(code).toBe(2)
    expect(json.mistakes.length).toBeGreaterThan(0)
  })

  test('a statement that says something else than its folder’s name', async () => {
    const name = `approvals/${'0'.repeat(64)}/statement.json`
    write(name, '{"kind": "Approval"}')
    const { code, json } = await policy(['lint', folder, '--json'])
    expect(code).toBe(2)
    expect(json.mistakes.map(({ file }: { file: string }) => file)).toEqual([name, name])
    expect(json.mistakes[0].message).toContain('has no member repository')
    expect(json.mistakes[1].message).toMatch(/must be called [0-9a-f]{64}/)
  })

  test('needs no Git', async () => {
    rmSync(join(folder, '.git'), { recursive: true })
    expect((await policy(['lint', folder])).code).toBe(0)
  })

  test('a link is no file of a policy repository', async () => {
    symlinkSync('/etc/passwd', join(folder, 'config/secret'))
    const { code, json } = await policy(['lint', folder, '--json'])
    expect([code, json.error.detail]).toEqual([1, expect.stringContaining('config/secret')])
  })

  test.each([
    ['a folder that is not there', ['/nonexistent'], 'is not a folder'],
    ['two folders', ['a', 'b'], 'One folder is taken'],
  ])('%s: exit code 1', async (_, args, detail) => {
    const { code, json } = await policy(['lint', ...args, '--json'])
    expect([code, json.error.detail]).toEqual([1, expect.stringContaining(detail)])
  })
})

describe('vouchsafe policy test', () => {
  test('one line for each case; the failing rule is named, with its line', async () => {
    change(rules, 'status != "warning"', 'status == "warning"')
    const { code, out } = await policy(['test', folder])
    expect(code).toBe(2)
    expect(out).toMatch(/^ok {6}firmware-is-committed {3}must pass {2}committed$/m)
    expect(out).toMatch(
      /^FAILED {2}nothing-waived-in-prod {2}must fail {2}one was waived: it did pass.* - rules\/baseline\.yaml:\d+$/m,
    )
    expect(out).toContain('5 cases, 2 not held: nothing-waived-in-prod.')
  })

  test('the same as JSON', async () => {
    change(rules, 'status != "warning"', 'status == "warning"')
    const { code, json } = await policy(['test', folder, '--json'])
    expect([code, json.holds, json.cases.length]).toEqual([2, false, 5])
    expect(json.cases[1]).toEqual({
      rule: 'nothing-waived-in-prod',
      case: 'one was waived',
      file: rules,
      line: expect.any(Number),
      expected: 'fail',
      answer: 'pass',
      detail: null,
    })
  })

  test('manifests may be broken meanwhile', async () => {
    change(dev, 'ttl: 240s', 'ttl: 4h')
    expect((await policy(['test', folder])).code).toBe(0)
  })

  test('rules that cannot be read are no answer', async () => {
    change(rules, 'status != "warning"', 'statuss != "warning"')
    const { code, json } = await policy(['test', folder, '--json'])
    expect([code, json.error.detail]).toEqual([1, expect.stringMatching(/baseline\.yaml:\d+:\d+:/)])
  })
})
