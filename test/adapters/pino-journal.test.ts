/** What stands in the log, what never does, and whether all of it is there when the process ends. */
import { spawn } from 'node:child_process'
import { DrizzleQueryError } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { causeLine } from '#src/adapters/journal-cause.ts'
import { type JournalLevel, pinoJournal } from '#src/adapters/pino-journal.ts'
import type { JournalEntry } from '#src/service/ports.ts'

const at = new Date('2026-06-01T00:00:00Z')

function logged(level: JournalLevel, ...entries: readonly JournalEntry[]): readonly string[] {
  const lines: string[] = []
  const journal = pinoJournal({ level, to: { write: (line) => lines.push(line) } })
  for (const entry of entries) journal.record(entry)
  return lines
}

test('a line says level, time, event and request, and then the rest', () =>
  expect(
    logged('info', {
      event: 'attestation.refused',
      at,
      requestId: 'r1',
      fields: { tenant: 'default', failing: ['a', 'b'], agent: 'x\n{"level":"error"}' },
    }),
  ).toEqual([
    '{"level":"info","time":"2026-06-01T00:00:00.000Z","event":"attestation.refused","requestId":"r1","tenant":"default","failing":["a","b"],"agent":"x\\n{\\"level\\":\\"error\\"}"}\n',
  ]))

test.each<[JournalLevel, readonly string[]]>([
  ['info', ['service.started', 'policy.condition', 'policy.condition', 'request.failed']],
  ['warn', ['policy.condition', 'request.failed']],
  ['error', ['request.failed']],
])('at level %s: %j', (level, events) => {
  const lines = logged(
    level,
    { event: 'service.started', at },
    { event: 'policy.condition', at, fields: { condition: 'Synced' } },
    { event: 'policy.condition', at, fields: { condition: 'Stale' } },
    { event: 'request.failed', at, cause: new Error('x') },
  )
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(events)
})

describe('of an error', () => {
  const nonce = 'q83vEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0Vng'
  const short = 'hunter2'

  test.each<[string, unknown]>([
    [
      'a failed query',
      new DrizzleQueryError('insert into used_challenges values ($1)', [nonce, short]),
    ],
    ['a nonce in a sentence', new Error(`the challenge ${nonce} is unknown`)],
    ['hex', new Error(`expected ${Buffer.from(nonce).toString('hex')}`)],
    ['an address with its password', new Error(`connect postgres://u:${short}@db failed`)],
    ['what JSON.parse quotes', thrownBy(() => JSON.parse(`{"password":${short}}`))],
    ['lines that look like frames', new Error(`x\n    at ${short} (${nonce})`)],
    ['a cause', new Error('outer', { cause: new Error(`inner ${nonce}`) })],
    ['a code that is none', Object.assign(new Error('x'), { code: `${short} and ${nonce}` })],
    ['what is no error', `a string with ${nonce} and ${short}`],
    ['an object', { nonce, short }],
  ])('%s is told without its values', (_, cause) => {
    const text = JSON.stringify(causeLine(cause))
    expect(text).not.toContain(nonce.slice(0, 16))
    expect(text).not.toContain(short)
    expect(text).not.toContain(Buffer.from(nonce).toString('hex').slice(0, 16))
  })

  test('type, code, message, place and cause are told', () => {
    const inner = Object.assign(
      new Error(
        'duplicate key value violates unique constraint "policy_acceptances_tenant_sequence_pk"',
      ),
      { code: '23505' },
    )
    expect(causeLine(new TypeError('no such thing', { cause: inner }))).toEqual({
      type: 'TypeError',
      message: 'no such thing',
      at: expect.arrayContaining([expect.stringContaining('pino-journal.test.ts')]),
      cause: {
        type: 'Error',
        code: '23505',
        message:
          'duplicate key value violates unique constraint "policy_acceptances_tenant_sequence_pk"',
        at: expect.any(Array),
      },
    })
  })

  test('a circle of causes ends', () => {
    const error = new Error('x')
    error.cause = error
    expect(JSON.stringify(causeLine(error)).match(/"type"/g)).toHaveLength(4)
  })
})

describe('a process that ends has written every line', () => {
  const module = new URL('../../src/adapters/pino-journal.ts', import.meta.url)
  const LINES = 5_000

  test.each([
    ['by itself', '', 0],
    ['by process.exit', 'process.exit(3)', 3],
    ['by an error that nobody catches', 'setImmediate(() => { throw new Error("x") })', 1],
    ['by a promise that nobody catches', 'Promise.reject(new Error("x"))', 1],
  ])('%s', async (_, end, code) => {
    const program = `
      const { pinoJournal } = await import(${JSON.stringify(module.href)})
      const journal = pinoJournal({ level: 'info', to: 1 })
      for (let at = 0; at < ${LINES}; at++)
        journal.record({ event: 'attestation.issued', at: new Date(0), requestId: String(at) })
      ${end}`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk
    })
    const ended = await new Promise((resolve) => child.on('close', resolve))
    // What was on its way when the process threw may come behind what was written out then.
    const ids = out
      .trimEnd()
      .split('\n')
      .map((line) => Number(JSON.parse(line).requestId))
      .toSorted((a, b) => a - b)
    expect([ended, ids.length]).toEqual([code, LINES])
    expect(ids).toEqual(Array.from({ length: LINES }, (_, at) => at))
  })
})

function thrownBy(body: () => unknown): unknown {
  try {
    return body()
  } catch (error) {
    return error
  }
}
