/** Does recorded.json tell the truth about the recorded evidence, and does it list all that the tests use? */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sha256Of } from '../../fixtures/extraction.ts'
import { advice, hasRecorded, recordedBytes, recordedCases, recordedFiles } from '../recorded.ts'

const root = join(import.meta.dirname, '../..')
const listed = new Set(recordedFiles.map(({ path }) => path))

describe.each(recordedFiles)('$path', (file) => {
  const absent = !hasRecorded(file.path)

  test.skipIf(absent)(
    absent ? `has its length and hash (${advice})` : 'has its length and hash',
    () => {
      const bytes = recordedBytes(file.path)
      expect({ bytes: bytes.length, sha256: sha256Of(bytes) }).toEqual({
        bytes: file.bytes,
        sha256: file.sha256,
      })
    },
  )

  test('has a public address, parts that have one, or a note why not', () =>
    expect([file.url !== null, file.parts !== undefined, file.note !== undefined]).toContain(true))
})

test('no file is listed twice', () => expect(listed.size).toBe(recordedFiles.length))

test('no case is named twice', () =>
  expect(new Set(recordedCases.map(({ name }) => name)).size).toBe(recordedCases.length))

test('every file that a case names is listed', () =>
  expect(
    recordedCases
      .flatMap(({ evidence, endorsements, eventLog = evidence }) => [
        evidence,
        ...endorsements,
        eventLog,
      ])
      .filter((path) => !listed.has(path)),
  ).toEqual([]))

test('every report and quote is in a case', () => {
  const hashOf = new Map(recordedFiles.map(({ path, sha256 }) => [path, sha256]))
  const judged = new Set(recordedCases.map(({ evidence }) => hashOf.get(evidence)))
  const evidence = recordedFiles.filter(({ kind }) => kind === 'report' || kind === 'quote')
  expect(evidence.length).toBeGreaterThan(20)
  expect(evidence.filter(({ sha256 }) => !judged.has(sha256)).map(({ path }) => path)).toEqual([])
})

test('every recorded file that the tests and the bench name is listed', () => {
  const named = globSync('{test,bench}/**/*.ts', { cwd: root }).flatMap((file) =>
    [
      ...readFileSync(join(root, file), 'utf8').matchAll(
        /['"`](?:\$\{\w+\})?(([\w-]+\+[\w-]+)\/[\w.-]+)['"`]/g,
      ),
    ].map(([, path = '']) => path),
  )
  expect(named.length).toBeGreaterThan(5)
  // Some name a report and its certificate by what their paths have in common.
  const isListed = (path: string) =>
    recordedFiles.some((file) => file.path === path || file.path.startsWith(`${path}.`))
  expect(named.filter((path) => !isListed(path))).toEqual([])
})
