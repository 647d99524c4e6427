/** The whole service while its PostgreSQL is gone, or says nothing at all: problems in bounded time and never a token, and back by itself. */
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { type Clients, openClients } from './attesting-clients.ts'
import { type Answer, openConnection } from './connection.ts'
import { expectKnown, expectLogged, expectOnce, watchLog } from './promises.ts'
import { type Place, place, type Serving } from './service-process.ts'

const SLOW = 180_000
const ROUNDS = 3
/** A server that is down refuses at once; the rest is for a machine that is busy. */
const REFUSED_WITHIN_MS = 5_000
/** src/adapters/postgres-store.ts waits so long for an answer, and as long again for a turn and a connection. */
const SILENT_WITHIN_MS = 30_000

describeWithPostgres('vouchsafe serve, whose PostgreSQL is gone', () => {
  let postgres: Postgres
  let line: Line
  let at: Place
  let serving: Serving
  let clients: Clients
  const connection = openConnection()
  const log = watchLog()
  beforeAll(async () => {
    postgres = await startPostgres()
    line = await lineTo(Number(new URL(postgres.url).port))
    const url = new URL(postgres.url)
    url.port = String(line.port)
    at = await place('database-gone', { DATABASE_URL: url.href })
    serving = await at.start()
    clients = await openClients(8)
  }, SLOW)
  afterAll(async () => {
    connection.close()
    at.remove()
    line.close()
    await postgres.stop()
  })

  const ask = (path: string) => connection.ask(serving.address, { path })

  async function firstTokenWithin(ms: number): Promise<void> {
    const before = clients.received.length
    await expect
      .poll(() => clients.received.length, { timeout: ms, interval: 50 })
      .toBeGreaterThan(before)
  }

  /** What was answered while `body` ran. */
  async function answersDuring(body: () => Promise<void>): Promise<readonly Answer[]> {
    const before = clients.attempts.length
    await body()
    return clients.attempts.slice(before).flatMap(({ answers }) => answers)
  }

  test(
    'under load, refuses until it is back',
    async () => {
      const running = clients.run(() => serving.address)
      for (let round = 0; round < ROUNDS; round += 1) {
        await firstTokenWithin(20_000)
        await postgres.crash()
        const issued = clients.received.length
        const answers = await answersDuring(() => sleep(2_500))
        // A token whose record was committed before the crash may still have been on its way.
        expect(clients.received.length - issued).toBeLessThanOrEqual(8)
        expect(answers.length).toBeGreaterThan(8)
        for (const { status, type, retryAfter, json, afterMs } of answers) {
          expect([status, type, retryAfter]).toEqual([503, 'application/problem+json', '5'])
          expect(json).toMatchObject({ code: 'storage-unavailable', status: 503 })
          expect(afterMs).toBeLessThan(REFUSED_WITHIN_MS)
        }
        const ready = await ask('/readyz')
        expect(ready.status).toBe(503)
        expect(ready.json.checks).toContainEqual(
          expect.objectContaining({ name: 'storage', ok: false }),
        )
        expect((await ask('/healthz')).status).toBe(200)
        expect((await ask('/.well-known/jwks.json')).status).toBe(200)
        await postgres.start()
        await firstTokenWithin(10_000)
        await expect.poll(async () => (await ask('/readyz')).status, { timeout: 5_000 }).toBe(200)
        await log.look(serving.address)
      }
      await running.stop()
      await expectKnown(serving.address, clients.received)
    },
    SLOW,
  )

  test(
    'and says nothing at all, is answered for in bounded time, and used again when it speaks',
    async () => {
      line.silence()
      const running = clients.run(() => serving.address)
      const issued = clients.received.length
      const answers = await answersDuring(async () => {
        await expect
          .poll(async () => (await ask('/readyz')).status, { timeout: SILENT_WITHIN_MS })
          .toBe(503)
        await sleep(SILENT_WITHIN_MS / 2)
      })
      expect(clients.received.length).toBe(issued)
      expect(answers.length).toBeGreaterThan(0)
      for (const { status, json, afterMs } of answers) {
        expect([status, json.code]).toEqual([503, 'storage-unavailable'])
        expect(afterMs).toBeLessThan(SILENT_WITHIN_MS)
      }
      expect((await ask('/healthz')).status).toBe(200)
      line.speak()
      await firstTokenWithin(20_000)
      await running.stop()
    },
    SLOW,
  )

  test(
    'has lost nothing in the end',
    async () => {
      expectOnce(clients.attempts, clients.received)
      expect([...clients.otherwise.keys()]).toEqual(['503 storage-unavailable'])
      await expectLogged(serving.address, clients.received)
      expect(await log.expectContinued(serving.address)).toBeGreaterThan(1)
      expect(await serving.stop()).toBe(0)
      console.log(
        `database gone: ${clients.received.length} tokens, ${JSON.stringify(Object.fromEntries(clients.otherwise))}`,
      )
    },
    SLOW,
  )
})

interface Line {
  readonly port: number
  /** Takes connections and bytes, and gives back none. */
  readonly silence: () => void
  /** Connections of before the silence are cut: what they were about to say is lost. */
  readonly speak: () => void
  readonly close: () => void
}

async function lineTo(port: number): Promise<Line> {
  const ends = new Set<Socket>()
  let isSilent = false
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from)
      from.on('data', (bytes) => {
        if (!isSilent) to.write(bytes)
      })
      from.on('error', () => {})
      from.on('close', () => {
        ends.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const address = server.address()
  const cut = () => {
    for (const end of ends) end.destroy()
  }
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    silence() {
      isSilent = true
    },
    speak() {
      cut()
      isSilent = false
    },
    close() {
      cut()
      server.close()
    },
  }
}
