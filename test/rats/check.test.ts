import { expect, test } from 'vitest'
import {
  type Check,
  checklist,
  type Finding,
  judgeAll as judgeAllInto,
  judgeInSequence as judgeInSequenceInto,
  notApplicable,
  refuse,
  type Waivers,
} from '../../src/rats/check.ts'

type Judging = typeof judgeAllInto | typeof judgeInSequenceInto
const collecting =
  (judging: Judging) =>
  (checks: readonly Check<undefined>[], subject: undefined, waivers: Waivers) => {
    const findings: Finding[] = []
    judging(checklist(checks), subject, waivers, findings)
    return findings
  }
const judgeAll = collecting(judgeAllInto)
const judgeInSequence = collecting(judgeInSequenceInto)

const make = (
  id: string,
  judge: Check<undefined>['judge'],
  waivable?: Check<undefined>['waivable'],
): Check<undefined> => ({
  id,
  informs: 'hardware',
  cites: 'here',
  judge,
  ...(waivable && { waivable }),
})
const passes = make('t.a.passes', () => true)
const fails = make('t.b.fails', () => refuse('it is wrong', 1, 2))
const throws = make('t.c.throws', () => {
  throw new Error('broken')
})
const absent = make('t.d.absent', () => notApplicable('nothing to judge'))
const stale = make('t.e.stale', () => refuse('stale', 'old', 'new'), 'revocation')
// A judge written in JavaScript, or with a mistaken cast, can return anything: these are the cases the type forbids.
const undecided = make('t.f.undecided', () => undefined as never)
const truthy = make('t.g.truthy', () => 1 as never)

const outcomes = (findings: readonly { outcome: string }[]) =>
  findings.map(({ outcome }) => outcome)
const none = new Map<string, string>()

test('in sequence, nothing is judged after the first failure and everything is listed', () => {
  const findings = judgeInSequence([passes, fails, throws, absent], undefined, none)
  expect(outcomes(findings)).toEqual(['pass', 'fail', 'not-reached', 'not-reached'])
  expect(findings.map(({ id }) => id)).toEqual([passes.id, fails.id, throws.id, absent.id])
})

test('all at once, every failure is found', () => {
  expect(outcomes(judgeAll([fails, passes, throws], undefined, none))).toEqual([
    'fail',
    'pass',
    'fail',
  ])
})

test.each([throws, undecided, truthy])('$id is a failure', (check) => {
  expect(judgeAll([check], undefined, none)[0]?.outcome).toBe('fail')
})

test('a failure carries its sentence and both sides', () => {
  expect(judgeAll([fails], undefined, none)[0]).toMatchObject({
    detail: 'it is wrong',
    observed: 1,
    expected: 2,
    cites: 'here',
  })
})

test('a check that does not apply says why', () => {
  expect(judgeAll([absent], undefined, none)[0]).toMatchObject({
    outcome: 'not-applicable',
    detail: 'nothing to judge',
  })
})

test.each(['revocation', stale.id])(
  'a waiver of %s covers the check and shows its reason',
  (name) => {
    const findings = judgeInSequence([stale, passes], undefined, new Map([[name, 'no list yet']]))
    expect(outcomes(findings)).toEqual(['waived', 'pass'])
    expect(findings[0]?.detail).toContain('no list yet')
  },
)

test('a waiver of a check that cannot be waived changes nothing', () => {
  expect(judgeAll([fails], undefined, new Map([[fails.id, 'please']]))[0]?.outcome).toBe('fail')
})

test('a waived check that passes is a pass', () => {
  const fine = make('t.h.fine', () => true, 'tcb')
  expect(judgeAll([fine], undefined, new Map([['tcb', 'any']]))[0]?.outcome).toBe('pass')
})
