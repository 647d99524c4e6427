/** Does docs/agents.md name refusals that exist, and every one that an agent can meet at the routes made for it? */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { problemTypes } from '#src/problems.ts'

const page = readFileSync(new URL('../../docs/agents.md', import.meta.url), 'utf8')
const [, refusals = ''] = page.split('## When it is refused')
const named = [...refusals.matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|/gm)].flatMap(
  ([, codes = '']) => codes.replaceAll('`', '').split(', '),
)

test('every code in the table is a problem of the service', () => {
  expect(named.length).toBeGreaterThan(15)
  expect(named.filter((code) => !Object.hasOwn(problemTypes, code))).toEqual([])
})

test('every problem that is about releases and leases is in the table', () => {
  const about = Object.keys(problemTypes).filter((code) => /^(release|lease)-/.test(code))
  expect(about.filter((code) => !named.includes(code))).toEqual([])
})
