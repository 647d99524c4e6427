import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Finding, Outcome } from '../../src/rats/check.ts'
import { type Claim, claimNames } from '../../src/rats/claim.ts'
import { statusOf, trustVector } from '../../src/rats/trust-vector.ts'

const finding = (informs: Claim, outcome: Outcome): Finding => ({
  id: 'x',
  cites: 'x',
  informs,
  outcome,
})

test('a claim affirms when all that informs it passed or does not apply', () => {
  const findings = [finding('hardware', 'pass'), finding('hardware', 'not-applicable')]
  expect(trustVector({ findings, assurance: 'hardware' })).toEqual({ hardware: 2 })
})

test('a claim that nothing judged is absent', () => {
  const findings = [finding('executables', 'not-applicable')]
  expect(trustVector({ findings, assurance: 'hardware' })).toEqual({})
})

test('a waiver caps its claim and the status at warning', () => {
  const findings = [finding('hardware', 'pass'), finding('hardware', 'waived')]
  const vector = trustVector({ findings, assurance: 'hardware' })
  expect(vector).toEqual({ hardware: 32 })
  expect(statusOf(vector)).toBe('warning')
})

test('simulated hardware is contraindicated however well it did', () => {
  const findings = claimNames.map((claim) => finding(claim, 'pass'))
  const vector = trustVector({ findings, assurance: 'simulated' })
  expect(vector.hardware).toBe(97)
  expect(statusOf(vector)).toBe('contraindicated')
})

test('evidence that was not authenticated is worth 99 in every claim', () => {
  const findings = [finding('hardware', 'fail'), finding('configuration', 'not-reached')]
  expect(trustVector({ findings, assurance: undefined })).toEqual({
    hardware: 99,
    configuration: 99,
  })
})

test('no findings give no status', () => {
  expect(statusOf({})).toBe('none')
})

const outcomes: readonly Outcome[] = ['pass', 'fail', 'not-reached', 'not-applicable', 'waived']
const anyFinding = fc
  .tuple(fc.constantFrom(...claimNames), fc.constantFrom(...outcomes))
  .map(([claim, outcome]) => finding(claim, outcome))

test('adding a finding never improves a claim', () => {
  fc.assert(
    fc.property(fc.array(anyFinding), anyFinding, (findings, extra) => {
      const before = trustVector({ findings, assurance: 'hardware' })
      const after = trustVector({ findings: [...findings, extra], assurance: 'hardware' })
      for (const claim of claimNames)
        if (before[claim] !== undefined) expect(after[claim]).toBeGreaterThanOrEqual(before[claim])
    }),
  )
})
