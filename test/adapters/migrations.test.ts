/** Do the committed migrations make exactly the tables that src/adapters/schema.ts describes? */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateDrizzleJson, generateMigration } from 'drizzle-kit/api'
import { expect, test } from 'vitest'
import * as schema from '#src/adapters/schema.ts'

const folder = join(import.meta.dirname, '../../src/adapters/migrations/meta')

test('after the last migration nothing is left to change', async () => {
  const last = readdirSync(folder)
    .filter((name) => name.endsWith('_snapshot.json'))
    .toSorted()
    .at(-1)
  const before = JSON.parse(readFileSync(join(folder, last ?? ''), 'utf8'))
  const statements = await generateMigration(before, generateDrizzleJson(schema, before.id))
  expect(statements).toEqual([])
})
