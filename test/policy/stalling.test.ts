/** Whoever may commit tries to keep the service busy: what he sends is refused before it takes long. */
import { expect, test } from 'vitest'
import { readTree } from '#src/adapters/tree-entries.ts'
import { UnfitTree } from '#src/policy/acceptance/policy-history.ts'
import { readYaml } from '#src/policy/documents/yaml-document.ts'

test('a tree entry with a name of a megabyte is refused by its length, before anything looks at it', () => {
  const name = Buffer.from(`a ${'.'.repeat(1024 * 1024)}x`)
  const tree = Buffer.concat([Buffer.from('100644 '), name, Buffer.alloc(21)])
  expect(() => readTree(tree, { tree: '0'.repeat(40), digestBytes: 20 })).toThrow(UnfitTree)
})

test('a document of nothing but faults tells the first of them, and no more than anybody mends', () => {
  const reading = readYaml(Buffer.from(`{${','.repeat(60_000)}}`))
  expect('mistakes' in reading && reading.mistakes.length).toBe(20)
})
