/** What do all verbs of `vouchsafe policy` have in common: help, JSON of what went wrong, and an exit code. */
import { expect, test } from 'vitest'
import { policy } from './policy-tools.ts'

const verbs = ['init', 'lint', 'test', 'approve', 'verify', 'pin', 'status', 'diff']

test('--help names every verb, once', async () => {
  const { code, out } = await policy(['--help'])
  expect(code).toBe(0)
  const named = [...out.matchAll(/^ {2}vouchsafe policy (\w+)/gm)].map(([, verb]) => verb)
  expect(named).toEqual(verbs)
})

test.each(verbs)(
  '%s --help says what it does, its options, and when it exits how',
  async (verb) => {
    const { code, out, err } = await policy([verb, '--help'])
    expect([code, err]).toEqual([0, ''])
    expect(out.startsWith(`vouchsafe policy ${verb}`)).toBe(true)
    expect(out).toMatch(/--json .*print/)
    expect(out).toMatch(/Exits 0/)
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130)
  },
)

test.each(verbs)(
  '%s with an option that is none is a mistake in JSON, with what to do',
  async (verb) => {
    const { code, json } = await policy([verb, '--nonsense', '--json'])
    expect(code).toBe(verb === 'diff' ? 2 : 1)
    expect(json.error).toMatchObject({
      code: 'arguments-invalid',
      next: expect.stringContaining(`vouchsafe policy ${verb} --help`),
    })
  },
)

test.each([
  ['no verb', [], 'What to do with the policy is missing.'],
  ['a verb that is none', ['apply'], 'There is no `vouchsafe policy apply`.'],
  ['a name that every object has', ['constructor'], 'There is no `vouchsafe policy constructor`.'],
])('%s exits 1 and names those there are', async (_, args, detail) => {
  const { code, err } = await policy(args)
  expect(code).toBe(1)
  expect(err).toContain(detail)
  expect(err).toContain(verbs.join(', '))
})
