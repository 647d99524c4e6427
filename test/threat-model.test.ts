/** Does the threat model name checks that exist? A defence whose check was renamed or removed is no defence. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { revocationChecks } from '../src/policy/revocation-checks.ts'
import { checkIds } from '../src/rats/appraisal.ts'
import { tees } from '../src/tee/registry.ts'

const text = readFileSync(new URL('../docs/threat-model.md', import.meta.url), 'utf8')
const named = [...text.matchAll(/`([a-z]+(?:\.[a-z0-9-]+)*\.(?:[a-z0-9-]+|\*))`/g)]
  .flatMap(([, pattern = '']) => pattern)
  .filter((pattern) => /^(snp|dcap|tdx|sgx|revoked)\./.test(pattern))
const patterns = [...new Set(named)].toSorted()
const ids = [...tees.flatMap((tee) => checkIds(tee)), ...revocationChecks.map(({ id }) => id)]
const dcapIsRegistered = tees.some(({ name }) => name === 'tdx')

describe('the threat model', () => {
  test('names checks', () => expect(patterns.length).toBeGreaterThan(10))

  const [snp, dcap] = [true, false].map((wanted) =>
    patterns.filter((pattern) => pattern.startsWith('snp.') === wanted),
  )
  test.each(snp ?? [])('%s is a check of this build', isCheck)
  // Skipped only while tee/registry.ts has no TDX.
  test.skipIf(!dcapIsRegistered).each(dcap ?? [])('%s is a check of this build', isCheck)
})

function isCheck(pattern: string): void {
  const matches = pattern.endsWith('*')
    ? ids.filter((id) => id.startsWith(pattern.slice(0, -1)))
    : ids.filter((id) => id === pattern)
  expect(matches).not.toEqual([])
}
