/** Several things can hold about a policy at once; each says since when, and is journalled once. */
import { describe, expect, test } from 'vitest'
import type { Policy } from '#src/policy/policy.ts'
import { Problem } from '#src/problems.ts'
import { conditionBoard } from '#src/service/policy-conditions.ts'
import { policyInForce } from '#src/service/policy-in-force.ts'
import type { JournalEntry } from '#src/service/ports.ts'

const T0 = Date.UTC(2026, 5, 1)
const at = (seconds: number) => new Date(T0 + seconds * 1000)

function board() {
  const clock = { at: at(0), now: () => clock.at }
  const journal: string[] = []
  const record = ({ fields }: JournalEntry) =>
    journal.push(`${fields?.condition} ${fields?.commit ?? '-'}`)
  return { clock, journal, board: conditionBoard({ tenant: 't', clock, journal: { record } }) }
}

/** Only what these functions read. */
const policyWith = (heartbeat: Policy['heartbeat']) => ({ commit: 'c1', heartbeat }) as Policy
const beating = policyWith({ notAfter: at(100), graceSeconds: 50 })

describe('a board', () => {
  test('is reading until something is known', () => {
    const { board: fresh } = board()
    expect(fresh.at(at(0), undefined)).toMatchObject([{ name: 'Fetching', since: at(0) }])
  })

  test('keeps since while name and commit stay the same, and tells the newest message', () => {
    const { board: b, clock, journal } = board()
    b.reached()
    b.judged({ name: 'UnknownSigner', commit: 'c2', message: 'first' })
    clock.at = at(30)
    b.judged({ name: 'UnknownSigner', commit: 'c2', message: 'second' })
    expect(b.at(at(31), undefined)).toEqual([
      { name: 'UnknownSigner', commit: 'c2', message: 'second', since: at(0) },
    ])
    b.judged({ name: 'UnknownSigner', commit: 'c3', message: 'third' })
    expect(b.at(at(31), undefined)).toMatchObject([{ commit: 'c3', since: at(30) }])
    expect(journal).toEqual(['UnknownSigner c2', 'UnknownSigner c3'])
  })

  test('says Synced alone, and journals only the end of a trouble', () => {
    const { board: b, journal } = board()
    b.reached()
    b.judged({ name: 'Synced', commit: 'c1', message: 'm' })
    b.judged({ name: 'Synced', commit: 'c2', message: 'm' })
    expect(b.at(at(1), undefined)).toMatchObject([{ name: 'Synced', commit: 'c2' }])
    b.judged({ name: 'SchemaInvalid', commit: 'c3', message: 'm' })
    b.judged({ name: 'Synced', commit: 'c2', message: 'm' })
    expect(journal).toEqual(['SchemaInvalid c3', 'Synced c2'])
  })

  test('holds a refusal, silence and a remote that is away beside one another, the gravest first', () => {
    const { board: b, clock } = board()
    b.reached()
    b.judged({ name: 'ApprovalMissing', commit: 'c2', message: 'm' })
    clock.at = at(10)
    b.failed('unreachable')
    expect(b.at(at(101), beating).map(({ name }) => name)).toEqual([
      'Stale',
      'ApprovalMissing',
      'FetchFailed',
    ])
    b.judged({ name: 'RollbackOrRewrite', commit: 'c4', message: 'm' })
    expect(b.at(at(101), beating).map(({ name }) => name)).toEqual([
      'RollbackOrRewrite',
      'Stale',
      'FetchFailed',
    ])
    b.reached()
    expect(b.at(at(99), beating).map(({ name }) => name)).toEqual(['RollbackOrRewrite'])
  })

  test('tells of a fetch only when it takes long', () => {
    const { board: b } = board()
    b.reached()
    b.judged({ name: 'Synced', commit: 'c1', message: 'm' })
    b.fetching()
    expect(b.at(at(1), undefined)).toMatchObject([{ name: 'Synced' }])
    expect(b.at(at(5), undefined)).toMatchObject([{ name: 'Fetching', since: at(0) }])
    b.reached()
    expect(b.at(at(9), undefined)).toMatchObject([{ name: 'Synced' }])
  })

  test('journals once that a policy fell silent', () => {
    const { board: b, journal } = board()
    b.listen(at(99), beating)
    b.listen(at(101), beating)
    b.listen(at(131), beating)
    expect(journal).toEqual(['Stale c1'])
  })
})

describe('a policy is in force', () => {
  const source = (policy: Policy | undefined) => ({
    accepted: () => policy,
    conditions: () => [
      { name: 'UnknownSigner' as const, message: 'secret', since: at(0), commit: 'c' },
      { name: 'FetchFailed' as const, message: 'secret', since: at(0), commit: undefined },
    ],
    refresh: async () => {},
  })
  test.each([
    ['before its heartbeat ends', 100],
    ['until its grace is over', 150],
  ])('%s', (_, seconds) => expect(policyInForce(source(beating), at(seconds))).toBe(beating))

  test('for ever where no heartbeat is asked for', () => {
    const policy = policyWith(undefined)
    expect(policyInForce(source(policy), at(1e9))).toBe(policy)
  })

  test.each([
    ['when the grace is over', beating, 150.001, 'policy-stale'],
    ['when there is none', undefined, 0, 'policy-unavailable'],
  ] as const)('not %s', (_, policy, seconds, code) => {
    const problem = (() => {
      try {
        policyInForce(source(policy), at(seconds))
        return undefined
      } catch (error) {
        return error
      }
    })()
    expect(problem).toBeInstanceOf(Problem)
    expect(problem).toMatchObject({ code, retryAfterSeconds: 30 })
    expect(String(problem)).not.toContain('secret')
  })
})
