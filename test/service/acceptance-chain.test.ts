/** A history of acceptances that was touched anywhere does not pass for whole. */
import { describe, expect, test } from 'vitest'
import { chainFault, linkAfter } from '#src/service/acceptance-chain.ts'
import type { AcceptanceLink, PolicyRecord } from '#src/service/policy-ports.ts'

const record = (sequence: number, change: Partial<PolicyRecord> = {}): PolicyRecord => ({
  tenant: 'acme',
  sequence,
  commit: `${sequence}`.repeat(40),
  digest: `sha256:${sequence}`,
  marks: { 'agents/prod/a.yaml': sequence, 'agents/prod/b.yaml': 7 },
  provenance: { 'agents/prod/a.yaml': { commit: '1'.repeat(40), principal: undefined } },
  acceptedAt: new Date(Date.UTC(2026, 5, sequence)),
  ...change,
})

const links: AcceptanceLink[] = []
for (const sequence of [1, 2, 3]) links.push(linkAfter(links.at(-1), record(sequence)))
const last = record(3)
const altered = (index: number, change: Partial<AcceptanceLink>) =>
  links.map((link, n) => (n === index ? { ...link, ...change } : link))

test('a whole chain is whole, and so is no chain at all', () => {
  expect(chainFault(links, last)).toBeUndefined()
  expect(chainFault([], undefined)).toBeUndefined()
})

test('the order in which marks were written down does not matter', () => {
  const marks = { 'agents/prod/b.yaml': 7, 'agents/prod/a.yaml': 3 }
  expect(chainFault(links, record(3, { marks }))).toBeUndefined()
})

describe('of a touched chain it is said', () => {
  const rehashed = linkAfter(links[0], record(2, { commit: 'e'.repeat(40) }))
  test.each<[string, readonly AcceptanceLink[], PolicyRecord | undefined, string]>([
    ['a link was taken out', links.toSpliced(1, 1), last, 'acceptance 2 is missing'],
    ['the first was taken out', links.slice(1), last, 'acceptance 1 is missing'],
    ['the last was taken out', links.slice(0, 2), last, 'the history ends at acceptance 2'],
    ['another commit', altered(1, { commit: 'e'.repeat(40) }), last, 'acceptance 2 was altered'],
    ['another digest', altered(0, { digest: 'sha256:e' }), last, 'acceptance 1 was altered'],
    ['another state', altered(1, { stateDigest: '0' }), last, 'acceptance 2 was altered'],
    ['another instant', altered(1, { acceptedAt: new Date(0) }), last, 'acceptance 2 was altered'],
    ['another tenant', altered(1, { tenant: 'evil' }), last, 'acceptance 2 was altered'],
    ['a link made anew', links.with(1, rehashed), last, 'acceptance 3 does not follow'],
    ['an older record', links, record(2), 'the accepted policy is number 2'],
    ['no record', links, undefined, 'the history has 3 acceptances, and no policy is accepted'],
    ['no history', [], last, 'the history is empty'],
    ['lower marks', links, record(3, { marks: {} }), 'other contents or marks'],
    ['another provenance', links, record(3, { provenance: {} }), 'other contents or marks'],
    ['a record of another commit', links, record(3, { commit: 'e' }), 'other contents or marks'],
  ])('%s', (_, chain, accepted, sentence) =>
    expect(chainFault(chain, accepted)).toContain(sentence),
  )
})
