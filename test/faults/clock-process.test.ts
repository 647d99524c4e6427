/** The real process, whose clock is set while it runs (libfaketime): what it issues, what it refuses, and that it goes on. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bornKeys } from '../../enclave/attestation.ts'
import { requestFor } from './attesting-clients.ts'
import { type Answer, openConnection } from './connection.ts'
import { watchLog } from './promises.ts'
import { bearer, type Place, place, type Serving } from './service-process.ts'

const SLOW = 120_000
/** Of a challenge: src/service/challenge.ts. */
const LIFETIME_MS = 120_000
const HOUR = 3600
const YEAR = 365 * 24 * HOUR

/** Debian's package libfaketime, on either kind of machine. */
const library = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file))

function describeWithFaketime(title: string, body: () => void): void {
  if (library === undefined && process.env.CI)
    describe(title, () => {
      throw new Error('there is no libfaketime, which CI must have')
    })
  else
    describe.skipIf(library === undefined)(
      library === undefined ? `${title} (skipped: there is no libfaketime)` : title,
      body,
    )
}

describeWithFaketime('vouchsafe serve, whose clock is set', () => {
  let at: Place
  let serving: Serving
  let file: string
  const connection = openConnection()
  const log = watchLog()
  beforeAll(async () => {
    at = await place('clock')
    file = join(at.folder, 'offset')
    writeFileSync(file, '+0\n')
    serving = await at.start({
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      // Seconds after which it looks again; at every reading of the clock it would take half of the time.
      FAKETIME_CACHE_DURATION: '1',
      DONT_FAKE_MONOTONIC: '1',
    })
  }, SLOW)
  afterAll(() => {
    connection.close()
    at.remove()
  })

  const post = (path: string, body: string, headers = {}) =>
    connection.ask(serving.address, { method: 'POST', path, body, headers })

  /** To so many seconds beside the truth; resolves when the process goes by it. */
  async function set(offset: number): Promise<void> {
    writeFileSync(file, `${offset < 0 ? '' : '+'}${offset}\n`)
    const believed = async () => {
      const { json } = await post('/v1/challenges', '{}')
      return Math.round((Date.parse(json.expiresAt) - LIFETIME_MS - Date.now()) / 1000) + 0 // never -0
    }
    await expect.poll(believed, { timeout: 10_000 }).toBe(offset)
  }

  async function challenged() {
    const { json } = await post('/v1/challenges', '{}')
    return await requestFor(json.nonce, await bornKeys())
  }

  async function attest(): Promise<Answer> {
    return await connection.ask(serving.address, await challenged())
  }

  test.each<[string, number, number, string | undefined]>([
    ['an hour on', HOUR, 200, 'challenge-expired'],
    ['an hour back', -HOUR, 200, 'challenge-expired'],
    ['ten years back', -10 * YEAR, 403, 'challenge-expired'],
    ['two years on, when its policy is over', 2 * YEAR, 403, 'challenge-expired'],
    ['four seconds on', 4, 200, undefined],
  ])(
    '%s',
    async (_, offset, status, code) => {
      const [before, once] = [await challenged(), await challenged()]
      expect((await connection.ask(serving.address, once)).status).toBe(200)
      await set(offset)
      // What was issued by another clock is refused; what is issued by this one is judged by it.
      expect((await connection.ask(serving.address, before)).json.code).toBe(code)
      const answer = await attest()
      expect(answer.status).toBe(status)
      if (status !== 200) expect(answer.type).toBe('application/problem+json')
      await log.look(serving.address)
      await set(0)
      expect((await connection.ask(serving.address, once)).json.code).toBe('challenge-used')
      expect((await attest()).status).toBe(200)
      await log.look(serving.address)
      expect((await connection.ask(serving.address, { path: '/healthz' })).status).toBe(200)
    },
    SLOW,
  )

  test(
    'has the keys that it had, and one log',
    async () => {
      const asked = { path: '/v1/keys', headers: bearer('operator') }
      const { json } = await connection.ask(serving.address, asked)
      const states = json.keys.map(({ state }: { state: string }) => state)
      expect(new Set(states)).toEqual(new Set(['active']))
      expect(await log.expectContinued(serving.address)).toBeGreaterThan(2)
      expect((await connection.ask(serving.address, { path: '/readyz' })).status).toBe(200)
      expect(await serving.stop()).toBe(0)
    },
    SLOW,
  )
})
