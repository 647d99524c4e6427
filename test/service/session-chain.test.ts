/** Whether a message continues the history that its session told: forks, gaps, replays, reordering, and a crash in between. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TranscriptDelta } from '#src/rats/session-message.ts'
import { beginningOf, continuationOf } from '#src/service/session-chain.ts'
import { type Ledger, nextMessage, openLedger } from '../../enclave/session/session-ledger.ts'

const names = { session: 'A'.repeat(22), boot: 'a1b2c3d4' }
const collector = `sha256:${'c0'.repeat(32)}`
type Events = Pick<TranscriptDelta, 'measurement' | 'behaviour'>

function told(ledger: Ledger, events: Events, dropped = 0) {
  const uptimeMs = 1000 + ledger.seq
  return nextMessage(ledger, { ...events, dropped, uptimeMs, collector, modes: ['files'] })
}

type Known = Parameters<typeof continuationOf>[0]

/** What the verifier keeps once it accepted these messages. */
function knownAfter(deltas: readonly TranscriptDelta[]): Known {
  const [first, ...rest] = deltas
  const beginning = first && beginningOf(first)
  if (!first || typeof beginning !== 'object') throw new Error(`no beginning: ${beginning}`)
  let known: Known = keptOf(first, beginning)
  for (const delta of rest) {
    const next = continuationOf(known, delta)
    if (next.kind !== 'next') throw new Error(`not the next: ${JSON.stringify(next)}`)
    known = keptOf(delta, next)
  }
  return known
}

function keptOf(
  { statement: { seq, boot, collector: by, dropped, uptime } }: TranscriptDelta,
  { checkpoint, digest }: { readonly checkpoint: Known['checkpoint']; readonly digest: string },
): Known {
  const counts = { seq: Number(seq), dropped: Number(dropped), uptimeMs: Number(uptime) }
  return { ...counts, boot, collector: by, statement: digest, checkpoint }
}

function history(all: readonly Events[]): {
  readonly deltas: readonly TranscriptDelta[]
  readonly ledger: Ledger
} {
  let ledger = openLedger(names)
  const deltas = all.map((events) => {
    const next = told(ledger, events)
    ledger = next.accepted('')
    return next.delta
  })
  return { deltas, ledger }
}

const events = fc.record({
  measurement: fc.array(fc.string({ minLength: 2, maxLength: 40 }), { maxLength: 4 }),
  behaviour: fc.array(fc.string({ minLength: 2, maxLength: 40 }), { maxLength: 4 }),
})
const histories = fc.array(events, { minLength: 1, maxLength: 6 })

describe('of any history', () => {
  test('the next message continues it, and the last one said again is a repetition', () =>
    fc.assert(
      fc.property(histories, events, (all, more) => {
        const { deltas, ledger } = history(all)
        const known = knownAfter(deltas)
        expect(continuationOf(known, told(ledger, more).delta).kind).toBe('next')
        expect(continuationOf(known, deltas.at(-1) as TranscriptDelta).kind).toBe('repeated')
      }),
    ))

  test('an earlier message is old, whatever it said', () =>
    fc.assert(
      fc.property(fc.array(events, { minLength: 2, maxLength: 6 }), (all) => {
        const { deltas } = history(all)
        const known = knownAfter(deltas)
        for (const delta of deltas.slice(0, -1))
          expect(continuationOf(known, delta).kind).toBe('old')
      }),
    ))

  test('a message after one that never came is ahead', () =>
    fc.assert(
      fc.property(histories, events, events, (all, lost, more) => {
        const { deltas, ledger } = history(all)
        const later = told(told(ledger, lost).accepted(''), more).delta
        expect(continuationOf(knownAfter(deltas), later).kind).toBe('ahead')
      }),
    ))

  test('two different messages of one number are a fork', () =>
    fc.assert(
      fc.property(histories, events, events, (all, one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        const { deltas, ledger } = history(all)
        const known = knownAfter([...deltas, told(ledger, one).delta])
        expect(continuationOf(known, told(ledger, other).delta).kind).toBe('broken')
      }),
    ))

  test('who goes on from another history breaks the chain, even where its events are the same', () =>
    fc.assert(
      fc.property(histories, events, events, (all, one, more) => {
        const { deltas, ledger } = history(all)
        const known = knownAfter([...deltas, told(ledger, one).delta])
        // The copy lost one event more, and says all else as the other did.
        const copy = told(ledger, one, 1).accepted('')
        expect(continuationOf(known, told(copy, more, 1).delta).kind).toBe('broken')
      }),
    ))

  test('a message whose events were reordered, left out or doubled breaks the chain', () =>
    fc.assert(
      fc.property(histories, events, fc.nat(), (all, { measurement, behaviour }, place) => {
        const { deltas, ledger } = history(all)
        const known = knownAfter(deltas)
        const { delta } = told(ledger, { measurement, behaviour })
        for (const chain of ['measurement', 'behaviour'] as const) {
          const own = delta[chain]
          const changed = [
            own.toReversed(),
            own.toSpliced(place % (own.length || 1), 1),
            [...own, ...own],
          ]
          for (const wrong of changed)
            if (JSON.stringify(wrong) !== JSON.stringify(own))
              expect(continuationOf(known, { ...delta, [chain]: wrong }).kind).toBe('broken')
        }
      }),
    ))

  test('who crashed between saying and remembering goes on by saying the same', () =>
    fc.assert(
      fc.property(histories, events, events, (all, said, more) => {
        const { deltas, ledger } = history(all)
        const { delta, accepted } = told(ledger, said)
        // The answer was lost: the ledger did not move on, and the same bytes come again.
        const known = knownAfter([...deltas, delta])
        expect(continuationOf(known, told(ledger, said).delta).kind).toBe('repeated')
        expect(continuationOf(known, told(accepted(''), more).delta).kind).toBe('next')
      }),
    ))
})

describe('a beginning', () => {
  test('is one of number 0, after nothing, whose events lead to its heads', () => {
    const { delta } = told(openLedger(names), { measurement: ['aa'], behaviour: [] })
    expect(typeof beginningOf(delta)).toBe('object')
    const { statement } = delta
    for (const wrong of [
      { ...delta, measurement: ['bb'] },
      { ...delta, statement: { ...statement, seq: '1' } },
      { ...delta, statement: { ...statement, previous: 'a'.repeat(96) } },
      { ...delta, statement: { ...statement, session: 'B'.repeat(22) } },
      { ...delta, statement: { ...statement, boot: 'b1b2c3d4' } },
    ])
      expect(typeof beginningOf(wrong)).toBe('string')
  })
})
