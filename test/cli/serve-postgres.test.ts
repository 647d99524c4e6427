/** `vouchsafe serve` on a real PostgreSQL: two replicas of one database, what they print, and how one ends under load. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { describeWithPostgres, type Postgres, startPostgres } from '../postgres.ts'
import { runProgram, startProgram } from './program.ts'
import { type SignedPolicy, signedPolicy } from './signed-policy.ts'

const SLOW = 120_000
const KEY = '0123456789abcdef'.repeat(4)
const PASSWORD = 'hunter2-of-the-database'

describeWithPostgres('vouchsafe serve on PostgreSQL', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-serve-postgres-'))
  let policy: SignedPolicy
  let postgres: Postgres
  let url: string
  beforeAll(async () => {
    ;[policy, postgres] = await Promise.all([signedPolicy(), startPostgres()])
    // The server asks for no password, which must not be printed all the same.
    url = postgres.url.replace('postgres@', `postgres:${PASSWORD}@`)
    writeFileSync(join(scratch, 'url'), `${url}\n`, { mode: 0o600 })
  }, SLOW)
  afterAll(async () => {
    await postgres.stop()
    policy.remove()
    rmSync(scratch, { recursive: true, force: true })
  })

  const env = (name: string) => ({
    VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
    VOUCHSAFE_POLICY: policy.path,
    VOUCHSAFE_POLICY_PIN: policy.pin,
    VOUCHSAFE_DATA: join(scratch, name),
    VOUCHSAFE_OFFLINE: 'true',
    VOUCHSAFE_DRAIN_SECONDS: '1',
    VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY,
    VOUCHSAFE_DATABASE_URL_FILE: join(scratch, 'url'),
    VOUCHSAFE_RATE_LIMIT_CHALLENGES: 'off',
  })

  async function serve(name: string) {
    const port = await freePort()
    const program = startProgram(['serve', '--port', String(port)], {
      cwd: scratch,
      env: env(name),
    })
    await program.printed('answers on')
    return { program, port, url: `http://127.0.0.1:${port}` }
  }

  test(
    'two replicas begin at once on an empty database, and say nothing of PGlite or the password',
    async () => {
      const replicas = await Promise.all([serve('a'), serve('b')])
      for (const { url: at } of replicas) expect((await fetch(`${at}/readyz`)).status).toBe(200)
      const keys = await Promise.all(
        replicas.map(
          async ({ url: at }) => await (await fetch(`${at}/.well-known/jwks.json`)).text(),
        ),
      )
      expect(keys[0]).toBe(keys[1])
      for (const { program } of replicas) program.kill('SIGINT')
      for (const { program } of replicas) {
        const { code, out, err } = await program.ended
        expect(code).toBe(0)
        expect(err).not.toContain('PGlite')
        expect(`${out}${err}`).not.toContain(PASSWORD)
      }
    },
    SLOW,
  )

  test(
    'one that is told to end says so at once, and loses no request',
    async () => {
      const { program, url: at } = await serve('a')
      const balancer = { isReady: true }
      const counted = { answered: 0, failed: [] as string[] }
      const agent = new Agent({ keepAlive: true })
      // As a load balancer does it: connections are kept, and what is not ready gets no new requests.
      const watching = watch(`${at}/readyz`, balancer)
      const clients = Array.from({ length: 16 }, async () => {
        while (balancer.isReady) {
          const outcome = await ask(`${at}/v1/challenges`, agent)
          if (outcome === '200') counted.answered++
          else counted.failed.push(outcome)
        }
      })
      await sleep(700)
      const before = counted.answered
      const slow = slowly(`${at}/v1/challenges`)
      await slow.begun
      program.kill('SIGTERM')
      const told = performance.now()
      await watching
      const notReadyAfter = performance.now() - told
      await Promise.all(clients)
      await refused(at)
      slow.finish()
      expect(await slow.answer).toBe('200')
      const { code, err, out } = await program.ended
      expect({ code, failed: counted.failed }).toEqual({ code: 0, failed: [] })
      expect(before).toBeGreaterThan(50)
      expect(counted.answered).toBeGreaterThan(before)
      expect(notReadyAfter).toBeLessThan(900)
      expect(err).toContain('SIGTERM: not ready from now on; the port closes in 1 s')
      expect(JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
        event: 'service.stopped',
      })
      agent.destroy()
    },
    SLOW,
  )

  test(
    'doctor finds its tables, its keys and its clock, and does not print the password',
    async () => {
      const { code, out } = await runProgram(['doctor', '--json', '--port', '0'], {
        cwd: scratch,
        env: env('a'),
      })
      expect(out).not.toContain(PASSWORD)
      const { checks } = JSON.parse(out)
      const named = (name: string) => checks.find((check: { name: string }) => check.name === name)
      expect(named('database')).toMatchObject({
        state: 'ok',
        detail: expect.stringMatching(/^PostgreSQL \d+\.\d+, answers in .* ms, tables up to date$/),
      })
      expect(named('keys')).toMatchObject({
        state: 'ok',
        detail: expect.stringMatching(
          /^\d+ keys for \d+ purposes open; .* the next rotation at 20/,
        ),
      })
      expect(named('files')).toMatchObject({ state: 'ok', detail: '1 named, none open to others' })
      expect(code).toBe(0)
    },
    SLOW,
  )

  test(
    'doctor says that a database is gone, and how to go on',
    async () => {
      const { code, out } = await runProgram(['doctor', '--port', '0'], {
        cwd: scratch,
        env: { ...env('a'), VOUCHSAFE_DATABASE_URL_FILE: join(scratch, 'gone') },
      })
      expect(code).toBe(2)
      expect(out).toContain('VOUCHSAFE_DATABASE_URL_FILE (databaseUrlFile)')
      writeFileSync(join(scratch, 'gone'), `postgres://u:${PASSWORD}@127.0.0.1:1/none`)
      const gone = await runProgram(['doctor', '--port', '0'], {
        cwd: scratch,
        env: { ...env('a'), VOUCHSAFE_DATABASE_URL_FILE: join(scratch, 'gone') },
      })
      expect(gone.code).toBe(2)
      expect(gone.out).toMatch(/\[failure\] +database +.*ECONNREFUSED/)
      expect(gone.out).toContain('Correct DATABASE_URL, or mend PostgreSQL')
      // Written with the mode that everybody gets by default.
      expect(gone.out).toMatch(/\[warning\] +files .*everybody may read it/)
      expect(gone.out).not.toContain(PASSWORD)
    },
    SLOW,
  )
})

async function watch(url: string, balancer: { isReady: boolean }): Promise<void> {
  while (balancer.isReady) {
    const outcome = await ask(url, undefined, 'GET')
    if (outcome !== '200') balancer.isReady = false
    else await sleep(50)
  }
}

/** The status, or what went wrong. */
async function ask(url: string, agent?: Agent, method = 'POST'): Promise<string> {
  return await new Promise((resolve) => {
    const headers = { 'content-type': 'application/json' }
    const asked = httpRequest(url, { method, headers, ...(agent && { agent }) }, (response) => {
      response.resume()
      response.on('end', () => resolve(String(response.statusCode)))
      response.on('error', (error) => resolve(error.message))
    })
    asked.on('error', (error) => resolve(error.message))
    asked.end(method === 'POST' ? '{}' : undefined)
  })
}

/** A request whose body comes in two parts, the second when the test says so. */
function slowly(url: string) {
  const headers = { 'content-type': 'application/json', 'content-length': '2' }
  let answered = (_: string) => {}
  const answer = new Promise<string>((resolve) => {
    answered = resolve
  })
  const asked = httpRequest(url, { method: 'POST', headers }, (response) => {
    response.resume()
    answered(String(response.statusCode))
  })
  asked.on('error', (error) => answered(error.message))
  const begun = new Promise<void>((resolve) => asked.write('{', () => resolve()))
  return { begun, answer, finish: () => asked.end('}') }
}

/** Resolves once nobody listens there any more. */
async function refused(url: string): Promise<void> {
  for (;;) {
    if ((await ask(`${url}/healthz`, undefined, 'GET')).includes('ECONNREFUSED')) return
    await sleep(50)
  }
}
