/** The self-test fails for a verifier that accepts everything, and for one that accepts nothing. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeVector, type Vector } from '#src/rats/vector.ts'
import { selfTestOf } from '#src/service/readiness.ts'

const vector = (name: string): Vector =>
  decodeVector(
    readFileSync(join(import.meta.dirname, `../../fixtures/sev-snp/${name}.vector`), 'utf8'),
  )

test('known evidence passes, and fails with one bit changed', () =>
  expect(selfTestOf(vector('milan-v3-good'))()).toBe(true))

test('evidence that is refused as it is makes the service not ready', () => {
  const good = vector('milan-v3-good')
  expect(selfTestOf({ ...good, anchors: [] })()).toBe(false)
})

test('a TEE that this build does not know makes the service not ready', () => {
  const good = vector('milan-v3-good')
  expect(selfTestOf({ ...good, header: { ...good.header, tee: 'other' } })()).toBe(false)
})
