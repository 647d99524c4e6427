/** Runtime events: exactly what is described is one, and whatever an attacker writes is decoded or refused in bounded time. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeBehaviour,
  decodeMeasurement,
  LONGEST_EVENT,
  measurementKinds,
} from '#src/rats/runtime-event.ts'
import {
  anonymousText,
  blind,
  call,
  changed,
  connection,
  exec,
  interval,
  loaded,
  pluginCall,
  reaction,
  textMismatch,
} from '../policy/runtime/subjects.ts'

const measurements = measurementKinds.map((kind) => loaded(kind, '/a', '01'))
const behaviours = [
  anonymousText(1),
  blind,
  call('ptrace'),
  changed,
  connection({}),
  exec({}),
  interval({}),
  pluginCall('01'),
  reaction('kill'),
  textMismatch,
]

test.each(measurements)('%s is a measurement, and no behaviour', (event) => {
  expect(decodeMeasurement(event)).toEqual(JSON.parse(event))
  expect(decodeBehaviour(event)).toBe(undefined)
})

test.each(behaviours)('%s is a behaviour, and no measurement', (event) => {
  expect(decodeBehaviour(event)).toEqual(JSON.parse(event))
  expect(decodeMeasurement(event)).toBe(undefined)
})

describe('what is near an event is none', () => {
  test.each<readonly [string, string]>([
    ['a member more', connection({ proof: '' })],
    ['a negative count', anonymousText(-1)],
    ['a fraction', anonymousText(0.5)],
    ['a number that is no integer any more', anonymousText(2 ** 53)],
    ['a port beyond', connection({ port: 65_536 })],
    ['another verdict', connection({ verdict: 'maybe' })],
    ['a call without name', call('')],
    ['513 system calls', interval({ systemCalls: counts(513) })],
    ['257 places that were opened', interval({ opens: counts(257) })],
    ['a count by an empty name', interval({ systemCalls: { '': 1 } })],
    ['a name of 129 characters', interval({ systemCalls: { ['c'.repeat(129)]: 1 } })],
    ['half a call', interval({ systemCalls: { read: 0.5 } })],
    ['fewer calls than none', interval({ systemCalls: { read: -1 } })],
    ['calls in words', interval({ systemCalls: { read: '1' } })],
    ['a list of calls', interval({ systemCalls: [1] })],
    ['no calls at all', interval({ systemCalls: null })],
    ['a path of 1025 characters', interval({ opens: { ['/'.repeat(1025)]: 1 } })],
    ['an array', `[${blind}]`],
    ['two events', `${blind}${blind}`],
    ['a digest in capitals', changed.replaceAll('0', 'A')],
    ['text beyond the longest', `${' '.repeat(LONGEST_EVENT)}${blind}`],
    ['half a character, which UTF-8 cannot hold', blind.replace('sensor', '\ud800')],
    ['nothing', ''],
  ])('%s', (_, event) => expect(decodeBehaviour(event)).toBe(undefined))

  test('a path without end', () =>
    expect(decodeMeasurement(loaded('code', 'x'.repeat(1025), '01'))).toBe(undefined))
})

function counts(n: number) {
  return Object.fromEntries(Array.from({ length: n }, (_, index) => [`c${index}`, 1]))
}

describe('whatever was written', () => {
  const decodedOrRefused = (text: string) => {
    for (const decode of [decodeMeasurement, decodeBehaviour]) {
      const event = decode(text)
      if (event !== undefined) expect(JSON.parse(text)).toEqual(event)
    }
  }

  test('text', () => fc.assert(fc.property(fc.string({ maxLength: 400 }), decodedOrRefused)))

  test('any JSON, names of prototypes among them', () =>
    fc.assert(fc.property(fc.json({ maxDepth: 5 }), decodedOrRefused), { numRuns: 300 }))

  test('events with one character changed, removed or doubled', () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...measurements, ...behaviours),
        fc.nat(),
        fc.constantFrom('', '"', '{', '}', ',', '9', '\\', '\u0000', 'é', '__proto__'),
        (seed, at, put) => {
          const place = at % seed.length
          decodedOrRefused(seed.slice(0, place) + put + seed.slice(place + 1))
        },
      ),
      { numRuns: 2000 },
    ))

  test('brackets without end take no time', () => {
    const before = performance.now()
    for (const text of [
      '['.repeat(LONGEST_EVENT),
      '{"a":'.repeat(3000),
      `"${'\\u0041'.repeat(2700)}"`,
    ])
      decodedOrRefused(text)
    expect(performance.now() - before).toBeLessThan(500)
  })

  test('a prototype is not polluted', () => {
    decodeBehaviour(interval({ systemCalls: JSON.parse('{"__proto__": 3, "constructor": 2}') }))
    expect(({} as Record<string, unknown>).polluted).toBe(undefined)
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
  })
})
