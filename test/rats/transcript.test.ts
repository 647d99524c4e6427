/** The two chains of a session and the statement over them: whatever is not the history that was told has other heads. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Checkpoint,
  emptyCheckpoint,
  eventDigest,
  extended,
  names,
  statementDigest,
  statementNames,
  type TranscriptStatement,
} from '#src/rats/transcript.ts'

const session = { session: 'AAAAAAAAAAAAAAAAAAAAAA', boot: '0d8c0d7e-0000-4000-8000-000000000001' }
const start = emptyCheckpoint(session)

interface Told {
  readonly measurement: readonly string[]
  readonly behaviour: readonly string[]
}
const event = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
const events = fc.array(event, { maxLength: 12 })
const told: fc.Arbitrary<Told> = fc.record({ measurement: events, behaviour: events })
const nothing: Told = { measurement: [], behaviour: [] }

/** Names exactly this checkpoint. */
function stating(at: Checkpoint, more: Partial<TranscriptStatement> = {}): TranscriptStatement {
  return {
    ...session,
    seq: '0',
    measurements: String(at.measurement.count),
    measurement_head: at.measurement.head,
    behaviours: String(at.behaviour.count),
    behaviour_head: at.behaviour.head,
    dropped: '0',
    previous: '',
    policy: '',
    uptime: '1000',
    collector: `sha256:${'c0'.repeat(32)}`,
    modes: 'files',
    ...more,
  }
}

/** What a verifier asks of a delta: does it lead from here to where the statement stands? */
const leads = (from: Checkpoint, delta: Told, statement: TranscriptStatement) =>
  names(statement, extended(from, delta))

function always<T extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...values: T) => void,
) {
  fc.assert(fc.property<T>(...arbitraries, holds), { numRuns: 150 })
}

const sha384 = (...parts: readonly (string | Uint8Array)[]) => {
  const hash = createHash('sha384')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

describe('the format, computed here a second time', () => {
  const id = `{"boot":"${session.boot}","session":"${session.session}"}`
  const link = (head: Uint8Array, text: string) => sha384(head, sha384(text))

  test('chains begin with their domain, the boot and the session', () => {
    expect(start.measurement).toEqual({
      count: 0,
      head: sha384('vouchsafe/measurement-chain/v1\0', id).toString('hex'),
    })
    expect(start.behaviour.head).toBe(sha384('vouchsafe/behaviour-chain/v1\0', id).toString('hex'))
    expect(start.register).toBe('00'.repeat(48))
  })

  test('links hash head and event digest; RTMR3 is extended by the same digests', () => {
    const at = extended(start, { measurement: ['ä', 'b'], behaviour: ['c'] })
    const from = (head: string, texts: readonly string[]) =>
      texts.reduce(link, Buffer.from(head, 'hex')).toString('hex')
    expect(at.measurement).toEqual({ count: 2, head: from(start.measurement.head, ['ä', 'b']) })
    expect(at.behaviour).toEqual({ count: 1, head: from(start.behaviour.head, ['c']) })
    expect(at.register).toBe(from('00'.repeat(48), ['ä', 'b']))
  })

  test('the statement is hashed with its domain, members in order of their names', () => {
    const statement = stating(start)
    const members = [...statementNames].sort().map((name) => `"${name}":"${statement[name]}"`)
    expect(statementDigest(statement)).toBe(
      sha384('vouchsafe/transcript/v1\0', `{${members}}`).toString('hex'),
    )
  })
})

describe('a history', () => {
  test('arrives at the same heads in however many messages it is told', () =>
    always([told, told, told], (a, b, c) => {
      const whole = {
        measurement: [...a.measurement, ...b.measurement, ...c.measurement],
        behaviour: [...a.behaviour, ...b.behaviour, ...c.behaviour],
      }
      expect(extended(extended(extended(start, a), b), c)).toEqual(extended(start, whole))
    }))

  test('does not depend on how the chains were interleaved', () =>
    always([told], ({ measurement, behaviour }) => {
      const apart = extended(extended(start, { ...nothing, behaviour }), {
        ...nothing,
        measurement,
      })
      expect(apart).toEqual(extended(start, { measurement, behaviour }))
    }))

  test('that says nothing new stays where it is', () =>
    always([told], (before) => {
      const at = extended(start, before)
      expect(extended(at, nothing)).toEqual(at)
    }))
})

const chain = fc.constantFrom('measurement' as const, 'behaviour' as const)

/** One thing changed in one chain, so that its events differ. */
const rewritten = fc
  .record({
    before: told,
    delta: told,
    chain,
    how: fc.constantFrom('change', 'drop', 'insert', 'swap', 'split', 'join', 'truncate', 'repeat'),
    at: fc.nat(),
    other: event,
  })
  .map(({ before, delta, chain: which, how, at, other }) => {
    const own = [...delta[which]]
    const place = own.length === 0 ? 0 : at % own.length
    const one = own[place] ?? ''
    const next = own[place + 1]
    switch (how) {
      case 'change':
        own[place] = `${one}${other}`
        break
      case 'drop':
        own.splice(place, 1)
        break
      case 'insert':
        own.splice(place, 0, other)
        break
      case 'swap':
        if (next !== undefined) own.splice(place, 2, next, one)
        break
      case 'split':
        own.splice(place, 1, one.slice(0, 1), one.slice(1))
        break
      case 'join':
        if (next !== undefined) own.splice(place, 2, one + next)
        break
      case 'truncate':
        own.length = place
        break
      case 'repeat':
        own.push(...own)
        break
    }
    return { before, delta, forged: { ...delta, [which]: own } }
  })
  .filter(({ delta, forged }) => JSON.stringify(delta) !== JSON.stringify(forged))

describe('whoever tells another history than the statement names is found out', () => {
  test('events changed, dropped, inserted, reordered, split, joined, truncated or repeated', () =>
    always([rewritten], ({ before, delta, forged }) => {
      const checkpoint = extended(start, before)
      const statement = stating(extended(checkpoint, delta))
      expect(leads(checkpoint, delta, statement)).toBe(true)
      expect(leads(checkpoint, forged, statement)).toBe(false)
    }))

  test('a gap: a delta that leaves a message out', () =>
    always([told, told, told], (first, missed, last) => {
      fc.pre(missed.measurement.length + missed.behaviour.length > 0)
      const stored = extended(start, first)
      const statement = stating(extended(extended(stored, missed), last))
      expect(leads(stored, last, statement)).toBe(false)
    }))

  test('a replay: a message that was accepted leads nowhere from where it led', () =>
    always([told, told], (first, second) => {
      fc.pre(second.measurement.length + second.behaviour.length > 0)
      const stored = extended(start, first)
      const statement = stating(extended(stored, second))
      expect(leads(extended(stored, second), second, statement)).toBe(false)
    }))

  test('a fork: two histories that part never meet again, whatever follows', () =>
    always([rewritten, told], ({ before, delta, forged }, later) => {
      const checkpoint = extended(start, before)
      const [mine, forked] = [extended(checkpoint, delta), extended(checkpoint, forged)]
      expect(leads(forked, later, stating(extended(mine, later)))).toBe(false)
    }))

  test('a fork shows in `previous` too, when no event tells it apart', () => {
    const [one, other] = [stating(start, { uptime: '1000' }), stating(start, { uptime: '1001' })]
    const next = stating(start, { seq: '1', previous: statementDigest(one) })
    expect(next.previous).not.toBe(statementDigest(other))
  })

  test('events of one chain told in the other', () =>
    always([events], (same) => {
      fc.pre(same.length > 0)
      const statement = stating(extended(start, { measurement: same, behaviour: [] }))
      expect(leads(start, { measurement: [], behaviour: same }, statement)).toBe(false)
      const both = extended(start, { measurement: same, behaviour: same })
      expect(both.measurement.head).not.toBe(both.behaviour.head)
    }))

  test.each(['session', 'boot'] as const)('the history of another %s, from its beginning', (name) =>
    always([told], (history) => {
      const other = emptyCheckpoint({ ...session, [name]: 'BBBBBBBBBBBBBBBBBBBBBB' })
      expect(leads(other, history, stating(extended(start, history)))).toBe(false)
    }),
  )

  test('a count that does not fit its head', () => {
    const at = extended(start, { measurement: ['a'], behaviour: ['b'] })
    expect(names(stating(at), at)).toBe(true)
    for (const wrong of [
      { measurements: '2' },
      { measurements: '01' },
      { measurements: '1.0' },
      { behaviours: '0' },
      { measurement_head: at.measurement.head.toUpperCase() },
      { behaviour_head: start.behaviour.head },
    ])
      expect(names(stating(at, wrong), at), JSON.stringify(wrong)).toBe(false)
  })
})

describe('a statement', () => {
  test.each(statementNames)('has another digest when %s is another', (name) => {
    const statement = stating(start)
    const other = statementDigest({ ...statement, [name]: `${statement[name]}1` })
    expect(other).not.toBe(statementDigest(statement))
  })

  test('cannot say the same with its text moved to the next member', () =>
    always([fc.string(), fc.string()], (a, b) => {
      const digest = (collector: string, modes: string) =>
        statementDigest(stating(start, { collector, modes }))
      fc.pre(a !== '' && b !== '')
      expect(digest(a + b, '')).not.toBe(digest(a, b))
    }))

  test('is hashed as it is named: members that nobody knows do not count, missing ones are no text', () => {
    const statement = stating(start)
    expect(statementDigest({ ...statement, more: 'x' } as TranscriptStatement)).toBe(
      statementDigest(statement),
    )
    const { policy: _, ...without } = statement
    expect(() => statementDigest(without as TranscriptStatement)).toThrow(TypeError)
    expect(() => statementDigest({ ...statement, seq: 0 } as never)).toThrow(TypeError)
  })
})

describe('the register', () => {
  const extendedBy = (register: string, text: string) =>
    sha384(Buffer.from(register + eventDigest(text), 'hex')).toString('hex')

  test('holds the measurements of a boot in their order, whoever’s session it is', () =>
    always([events], (measurement) => {
      const other = emptyCheckpoint({ ...session, session: 'BBBBBBBBBBBBBBBBBBBBBB' })
      const hardware = measurement.reduce(extendedBy, start.register)
      expect(extended(start, { measurement, behaviour: [] }).register).toBe(hardware)
      expect(extended(other, { measurement, behaviour: ['x'] }).register).toBe(hardware)
    }))

  /** The machine that measures: intent, extend, append, clear. It may stop after any step. */
  type Step = 'intent' | 'extend' | 'append' | 'clear'
  const steps: readonly Step[] = ['intent', 'extend', 'append', 'clear']

  function stoppedAfter(stop: Step, history: readonly string[], last: string) {
    const done = (step: Step) => steps.indexOf(step) <= steps.indexOf(stop)
    const register = history.reduce(extendedBy, start.register)
    return {
      register: done('extend') ? extendedBy(register, last) : register,
      log: done('append') ? [...history, last] : history,
      intent: done('clear') ? undefined : last,
    }
  }

  const replayed = (measurement: readonly string[]) =>
    extended(start, { measurement, behaviour: [] }).register

  test.each(steps)('after a crash that follows %s, log and intent say what it holds', (stop) =>
    always([events, event], (history, last) => {
      const { register, log, intent } = stoppedAfter(stop, history, last)
      const candidates = [log, ...(intent === undefined ? [] : [[...log, intent]])]
      const fitting = candidates.filter((each) => replayed(each) === register)
      expect(fitting).toHaveLength(1)
      // Nothing that was measured is forgotten by it.
      if (stop !== 'intent') expect(fitting[0]).toEqual([...history, last])
    }),
  )

  test('without an intent, a crash between extend and append leaves a history that never fits again', () =>
    always([events, event, events], (history, last, later) => {
      const { register, log } = stoppedAfter('extend', history, last)
      const hardware = later.reduce(extendedBy, register)
      expect(replayed([...log, ...later])).not.toBe(hardware)
    }))
})
