/** Webhooks against a real receiver: signed as Standard Webhooks has it, at least once and in order, whatever fails in between. */
import { createHmac, createSecretKey } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { httpWebhook } from '#src/adapters/http-webhook.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { JournalEntry, Store } from '#src/service/ports.ts'
import type { EventKind } from '#src/service/token-ports.ts'
import { webhookChore } from '#src/service/webhooks.ts'
import { ban } from '../adapters/session-records.ts'
import { leaf } from '../adapters/store-records.ts'

const AT = new Date('2026-06-01T00:00:00Z')
const secret = new Uint8Array(32).fill(0x5e)

interface Taken {
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What it answers is the test's choice: a status, or nothing at all. */
let taken: Taken[]
let answers: (request: Taken, response: ServerResponse) => void
let url: string
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const one = { headers: request.headers, body: Buffer.concat(chunks).toString('utf8') }
    taken.push(one)
    answers(one, response)
  })
})

beforeEach(async () => {
  taken = []
  answers = (_, response) => void response.writeHead(204).end()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const store = () => memoryStore()
const happened = async (kept: Store, name: string) =>
  await kept.ban(
    ban({ platform: Buffer.from(name.padEnd(16)).toString('hex'), reason: 'SECRET-REASON' }),
    leaf({ subject: name }),
  )
const namesTaken = () =>
  taken.map(({ body }) =>
    Buffer.from(JSON.parse(body).data.platform, 'hex').toString('utf8').trim(),
  )

function replica(
  kept: Pick<Store, 'claimWebhook' | 'advanceWebhook' | 'eventsAfter'>,
  {
    events = ['ban.changed'],
    clock = { at: AT },
    timeoutMs = 500,
    name = 1,
  }: {
    readonly events?: readonly EventKind[]
    readonly clock?: { at: Date }
    readonly timeoutMs?: number
    readonly name?: number
  } = {},
) {
  const journal: JournalEntry[] = []
  const made = webhookChore(
    {
      store: kept,
      clock: { now: () => clock.at },
      random: { bytes: (size) => new Uint8Array(size).fill(name) },
      journal: { record: (entry) => void journal.push(entry) },
    },
    {
      name: 'soc',
      tenant: undefined,
      events,
      secret: createSecretKey(secret),
      send: httpWebhook(url, timeoutMs),
    },
  )
  const later = (seconds: number) => {
    clock.at = new Date(clock.at.getTime() + seconds * 1000)
  }
  return { ...made, run: made.chore.run, journal, clock, later }
}

test('an event is told once, signed over id, time and body, and without what is for operators alone', async () => {
  const kept = store()
  await happened(kept, 'one')
  const { run, figures } = replica(kept)
  await run()
  await run()
  expect(taken).toHaveLength(1)
  const { headers, body } = taken[0] as Taken
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const expected = createHmac('sha256', secret).update(signed).digest('base64')
  expect(headers['webhook-signature']).toBe(`v1,${expected}`)
  expect(headers['webhook-timestamp']).toBe(String(AT.getTime() / 1000))
  expect(JSON.parse(body)).toMatchObject({ type: 'ban.changed', data: { change: 'banned' } })
  expect(body).not.toContain('SECRET-REASON')
  expect(figures().lag).toEqual({ failures: 0, oldestWaiting: undefined })
})

test('one that fails is told again, later and later, under the same id, and what comes after it waits', async () => {
  const kept = store()
  for (const name of ['one', 'two']) await happened(kept, name)
  let refusals = 3
  answers = (_, response) => void response.writeHead(refusals-- > 0 ? 500 : 200).end()
  const { run, later, journal, figures } = replica(kept)
  const waits: number[] = []
  for (let seconds = 0; taken.length < 5 && seconds < 60; seconds++) {
    const before = taken.length
    await run()
    if (taken.length > before) waits.push(seconds)
    later(1)
  }
  expect(namesTaken()).toEqual(['one', 'one', 'one', 'one', 'two'])
  expect(new Set(taken.slice(0, 4).map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  const gaps = waits.slice(1).map((each, n) => each - (waits[n] ?? 0))
  expect(gaps.every((gap, n) => n === 0 || gap > (gaps[n - 1] ?? 0))).toBe(true)
  expect(journal.map(({ event }) => event)).toEqual(['webhook.failing', 'webhook.delivers'])
  expect(figures().lag?.failures).toBe(0)
})

test.each([
  [
    'a redirect',
    (response: ServerResponse) => response.writeHead(307, { location: url }).end(),
    'answered 307: a webhook is never redirected',
  ],
  ['no answer', () => {}, 'gave no answer within 0.2 s'],
  [
    'a connection that breaks',
    (response: ServerResponse) => response.destroy(),
    /^cannot be reached/,
  ],
  ['410', (response: ServerResponse) => response.writeHead(410).end(), 'answered 410'],
])('%s is no yes', async (_, answer, trouble) => {
  const kept = store()
  await happened(kept, 'one')
  answers = (_request, response) => void answer(response)
  const { run, journal, figures } = replica(kept, { timeoutMs: 200 })
  await run()
  expect(taken).toHaveLength(1)
  const [told] = journal
  expect(told?.event).toBe('webhook.failing')
  expect(told?.fields?.trouble).toEqual(
    typeof trouble === 'string' ? trouble : expect.stringMatching(trouble),
  )
  expect(JSON.stringify(journal)).not.toContain('/hook')
  expect(figures().lag).toMatchObject({ failures: 1, oldestWaiting: expect.any(Date) })
})

test('a body without end is not read', async () => {
  const kept = store()
  await happened(kept, 'one')
  const endless = setInterval(() => {}, 1000)
  answers = (_, response) => {
    response.writeHead(200)
    const more = () =>
      response.write(Buffer.alloc(64 * 1024), () => !response.destroyed && setImmediate(more))
    more()
  }
  const { run, figures } = replica(kept)
  await run()
  clearInterval(endless)
  expect(figures().lag?.oldestWaiting).toBeUndefined()
})

test('who ends between sending and noting is followed by who sends it again, under the same id', async () => {
  const kept = store()
  for (const name of ['one', 'two']) await happened(kept, name)
  const clock = { at: AT }
  const dying = replica(
    {
      ...kept,
      advanceWebhook: async () => {
        throw new Error('killed')
      },
    },
    { clock },
  )
  await expect(dying.run()).rejects.toThrow('killed')
  const next = replica(kept, { clock, name: 2 })
  await next.run()
  // The claim of the one that is gone is not over.
  expect(namesTaken()).toEqual(['one'])
  expect(next.figures().lag).toBeUndefined()
  next.later(31)
  await next.run()
  expect(namesTaken()).toEqual(['one', 'one', 'two'])
  expect(taken[0]?.headers['webhook-id']).toBe(taken[1]?.headers['webhook-id'])
})

test('two replicas at once tell each event once', async () => {
  const kept = store()
  for (let n = 0; n < 20; n++) await happened(kept, `n${n}`)
  const [here, there] = [replica(kept), replica(kept, { name: 2 })]
  await Promise.all([here.run(), there.run()])
  expect(namesTaken()).toEqual(Array.from({ length: 20 }, (_, n) => `n${n}`))
})

test('whoever was replaced while it sent stops, and goes on from nothing of its own', async () => {
  const kept = store()
  for (const name of ['one', 'two', 'three']) await happened(kept, name)
  const clock = { at: AT }
  const slow = replica(kept, { clock })
  const other = replica(kept, { clock, name: 2 })
  answers = (_, response) => {
    // Longer than the claim: the other one takes it over meanwhile.
    if (taken.length > 1) return void response.writeHead(204).end()
    clock.at = new Date(clock.at.getTime() + 60_000)
    void other.run().then(() => response.writeHead(204).end())
  }
  await slow.run()
  expect(namesTaken()).toEqual(['one', 'one', 'two', 'three'])
})

test('only events of its kinds are told, and the others do not hold it up', async () => {
  const kept = store()
  await happened(kept, 'one')
  const { run, figures } = replica(kept, { events: ['session.changed'] })
  await run()
  expect(taken).toEqual([])
  expect(figures().lag?.oldestWaiting).toBeUndefined()
})
