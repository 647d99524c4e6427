/** Are the committed fixtures what `npm run fixtures` would write here and now? */
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { renderedFixtures } from '../../fixtures/rendered.ts'

const root = fileURLToPath(new URL('../../fixtures/', import.meta.url))

test('every committed vector is written again byte for byte, and there are no others', () => {
  const different: string[] = []
  const paths = new Set<string>()
  for (const { path, text } of renderedFixtures()) {
    paths.add(path)
    if (readFileSync(root + path, 'utf8') !== text) different.push(path)
  }
  expect(different, 'run `npm run fixtures`').toEqual([])
  expect(globSync('*/*.vector', { cwd: root }).filter((path) => !paths.has(path))).toEqual([])
})
