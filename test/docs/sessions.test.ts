/** Do the bytes of docs/sessions.md agree with what the service computes, reads and believes? */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { problemTypes } from '#src/problems.ts'
import { thumbprintOf } from '#src/rats/public-key.ts'
import { LONGEST_MEASUREMENT } from '#src/rats/runtime-event.ts'
import {
  HEARTBEAT_TYPE,
  heartbeatPayload,
  LONGEST_DELTA,
  MOST_EVENTS,
  MOST_MEASUREMENTS,
  quoteReasons,
  sessionStates,
} from '#src/rats/session-message.ts'
import {
  emptyCheckpoint,
  eventDigest,
  statementDigest,
  statementNames,
  watches,
} from '#src/rats/transcript.ts'
import { beginningOf, continuationOf } from '#src/service/session-chain.ts'
import { openSessionMessage } from '#src/service/signed-session-message.ts'

const page = readFileSync(new URL('../../docs/sessions.md', import.meta.url), 'utf8')
const examples = new Map(
  [...page.matchAll(/<!-- example: ([^>]+) -->\n```\w*\n([\s\S]*?)\n```/g)].map(
    ([, name = '', text = '']) => [name, text],
  ),
)
const example = (name: string): string => {
  const text = examples.get(name)
  if (text === undefined) throw new Error(`docs/sessions.md has no example ${name}`)
  return text
}

const statement = JSON.parse(example('opening statement'))
const opening = { statement, measurement: [example('event')], behaviour: [] }
const heartbeat = heartbeatPayload.parse(JSON.parse(example('heartbeat')))

test('the example begins as it says', () => {
  const { measurement, behaviour } = emptyCheckpoint(statement)
  expect(example('empty heads')).toBe(`${measurement.head}\n${behaviour.head}`)
  expect(eventDigest(example('event'))).toBe(example('event digest'))
  const beginning = beginningOf(opening)
  if (typeof beginning === 'string') throw new Error(beginning)
  expect(beginning.digest).toBe(example('opening digest'))
  expect(beginning.checkpoint.register).toBe(example('register'))
})

test('its heartbeat continues it', () => {
  const beginning = beginningOf(opening)
  if (typeof beginning === 'string') throw new Error(beginning)
  const { checkpoint, digest } = beginning
  const { boot, collector } = statement
  const told = {
    seq: 0,
    statement: digest,
    checkpoint,
    boot,
    collector,
    dropped: 0,
    uptimeMs: 61_000,
  }
  expect(continuationOf(told, heartbeat.transcript).kind).toBe('next')
  expect(statementDigest(heartbeat.transcript.statement)).toBe(example('heartbeat digest'))
})

test('its message is read, and verifies with its key', () => {
  const body = new TextEncoder().encode(example('message'))
  const expected = { typ: HEARTBEAT_TYPE, schema: heartbeatPayload, htu: heartbeat.htu }
  const jwk = JSON.parse(example('key'))
  expect(openSessionMessage(body, { jwk, jkt: thumbprintOf(jwk) }, expected)).toEqual(heartbeat)
})

test.each([
  ...statementNames,
  ...watches,
  ...sessionStates.filter((state) => state !== 'NEW'),
  ...quoteReasons,
  ...Object.keys(problemTypes).filter(
    (code) => code.startsWith('session-') && code !== 'session-action-refused',
  ),
])('%s is told', (name) => expect(page).toContain(`\`${name}\``))

test('limits are told as they are', () => {
  expect(page).toContain(`${MOST_EVENTS.toLocaleString('en')} events`)
  expect(page).toContain(`${LONGEST_DELTA.toLocaleString('en')} characters`)
  expect(page).toContain(`${LONGEST_MEASUREMENT / 1024} KiB for a measurement`)
  expect(page).toContain(`may have ${MOST_MEASUREMENTS.toLocaleString('en')})`)
})
