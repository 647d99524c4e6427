/** Are the generated pages what the code says now? */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { generatedPages } from '../../docs/pages.ts'
import { problemTypes } from '../../src/problems.ts'
import { checkIds } from '../../src/rats/appraisal.ts'
import { tees } from '../../src/tee/registry.ts'

test.each([...generatedPages])('docs/%s is current (npm run docs writes it)', (name, text) =>
  expect(readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')).toBe(text),
)

test.each(tees)('checks.md has a row for every check of $name', (tee) => {
  const page = generatedPages.get('checks.md') ?? ''
  expect(checkIds(tee).filter((id) => !page.includes(`\n| \`${id}\` | `))).toEqual([])
})

test('problems.md has a section for every code', () => {
  const headings = (generatedPages.get('problems.md') ?? '').match(/(?<=^## ).+$/gm)
  expect(headings).toEqual(Object.keys(problemTypes))
})
