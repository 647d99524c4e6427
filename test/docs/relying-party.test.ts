/** docs/relying-party.md names reasons, options, requirements and headers; the kit has exactly those. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { matched } from '../../kit/relying-party/required-claims.ts'
import { statuses } from '../../kit/relying-party/verdict.ts'

const page = read('docs/relying-party.md')

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

/** What stands as code in the first column below a heading. */
function named(heading: string): readonly string[] {
  const section = page.split(new RegExp(`\n##+ ${heading}\n`))[1]?.split(/\n##+ /)[0] ?? ''
  const rows = section.replaceAll(/^\|.*\n\|---/gm, '')
  return [...rows.matchAll(/^\| (`[^|]+) \|/gm)]
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
    .toSorted()
}

/** Names of the members of an interface, as its file writes them. */
function membersOf(path: string, name: string): readonly string[] {
  const body = read(path).split(`export interface ${name} {`)[1]?.split('\n}')[0] ?? ''
  return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, member = '']) => member).toSorted()
}

test('every reason for a refusal is explained', () =>
  expect(named('Why a token was refused')).toEqual(Object.keys(statuses).toSorted()))

test('every option is explained', () =>
  expect(named('Options')).toEqual(
    membersOf('kit/relying-party/relying-party-options.ts', 'RelyingPartyOptions'),
  ))

test('everything that can be required is explained', () => {
  const known = membersOf('kit/relying-party/required-claims.ts', 'RequiredClaims')
  expect(named('What a token must say')).toEqual(known)
  expect(known).toEqual(expect.arrayContaining(matched.map(([name]) => name)))
})

test('the rules for Kubernetes are those that its own authenticator judges by in the tests', () => {
  const program = read('test/interop/tokens/go/kubernetes/main.go')
  const section = page.split('\n### Kubernetes\n')[1]?.split('```yaml\n')[1]?.split('```')[0] ?? ''
  const rules = [
    ...section.matchAll(/(?:expression|valueExpression|message|key): "?([^"\n,}]+(?:\([^)]*\))?)/g),
  ].map(([, rule = '']) => rule)
  expect(rules).toHaveLength(10)
  for (const rule of rules) expect(program).toContain(`"${rule}"`)
})
