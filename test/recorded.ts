/**
 * Recorded hardware evidence is third-party data and not part of this repository. It is looked for beside the checkout
 * (`../shared/vectors`), then where `npm run fixtures:fetch` puts it (`fixtures/recorded`). Tests that need what is absent
 * are skipped with the advice below; but where the folder beside the checkout exists, nothing in it may be missing.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { manifest } from '../fixtures/recorded-manifest.ts'

const beside = join(import.meta.dirname, '../../shared/vectors')
const fetched = join(import.meta.dirname, '../fixtures/recorded')

export const advice = 'recorded evidence is absent: npm run fixtures:fetch downloads it'

/** What fixtures/recorded.json lists, and what must be said of it. */
export const { files: recordedFiles, cases: recordedCases } = manifest

/** Whether all of these files are at hand. Throws where they ought to be and are not. */
export function hasRecorded(...paths: readonly string[]): boolean {
  const missing = paths.filter((path) => recordedPath(path) === undefined)
  if (missing.length > 0 && existsSync(beside))
    throw new Error(`missing beside the checkout: ${missing.join(', ')}`)
  return missing.length === 0
}

/** Throws with the advice when the file is absent. */
export function recordedBytes(path: string): Uint8Array {
  const file = recordedPath(path)
  if (file === undefined) throw new Error(`${path}: ${advice}`)
  return new Uint8Array(readFileSync(file))
}

/** Where the file is, for commands that take a path; undefined when it is absent. */
export function recordedPath(path: string): string | undefined {
  return [join(beside, path), join(fetched, path)].find((file) => existsSync(file))
}
