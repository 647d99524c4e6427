/** `dev`, `serve` and `doctor` as a person or a supervisor runs them: no terminal, real database, real git, real HTTP. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestRepository, testRepository } from '../adapters/repositories.ts'
import { valid } from '../policy/manifests.ts'
import { runProgram, startProgram } from './program.ts'

const SLOW = 120_000
const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-cli-'))
let policy: TestRepository
beforeAll(() => {
  policy = testRepository()
  policy.write('agents/prod/invoice-bot.yaml', valid)
  policy.commit()
})
afterAll(() => {
  policy.remove()
  rmSync(scratch, { recursive: true, force: true })
})

const place = (name: string) => mkdtempSync(join(scratch, `${name}-`))
const KEY = '0123456789abcdef'.repeat(4)

describe('vouchsafe dev', () => {
  test(
    '--once --json: a token for the one agent, an explained refusal for the other, exit 0',
    async () => {
      const { code, out } = await runProgram(['dev', '--once', '--json'], { cwd: place('dev') })
      expect(code).toBe(0)
      const [good, tampered] = JSON.parse(out).agents
      expect(good).toMatchObject({ asExpected: true, status: 200 })
      expect(decodeJwt(good.token)).toMatchObject({ sub: expect.stringMatching(/^simulated:/) })
      expect(tampered).toMatchObject({
        asExpected: true,
        status: 403,
        document: {
          code: 'evidence-rejected',
          stage: 'appraisal',
          failing: ['snp.measurement.expected'],
          nearest: { referenceValue: 'genoa' },
          policy: { file: 'agents/prod/invoice-bot.yaml' },
        },
      })
      expect(tampered).not.toHaveProperty('token')
      const tools = (agent: { folder: string }) =>
        readFileSync(join(agent.folder, 'tools.json'), 'utf8')
      expect(tools(good)).not.toBe(tools(tampered))
    },
    SLOW,
  )

  test(
    'prints both, keeps serving, and ends on SIGINT with 0',
    async () => {
      const cwd = place('dev')
      const program = startProgram(['dev'], { cwd })
      const text = await program.printed('Serving until Ctrl-C')
      for (const line of [
        'SIMULATED EVIDENCE - never for production',
        'TOKEN ISSUED',
        'REFUSED 403 evidence-rejected at appraisal',
        'snp.measurement.expected',
        'observed',
        'expected',
        'agents/prod/invoice-bot.yaml:',
        'reference value genoa',
        'next ',
      ])
        expect(text).toContain(line)
      const [, command = ''] = /try +curl -s (\S+)/.exec(text) ?? []
      const answer = await fetch(command, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
      expect(await answer.json()).toHaveProperty('nonce')
      program.kill('SIGINT')
      const { code, err } = await program.ended
      expect(code).toBe(0)
      expect(err).toContain('SIGINT: stopping')
      // Started again, it opens what it left: database, keys and all.
      expect((await runProgram(['dev', '--once'], { cwd })).code).toBe(0)
    },
    SLOW,
  )

  test(
    'where there is no git it says so and ends with 1',
    async () => {
      const { code, err } = await runProgram(['dev', '--once'], {
        cwd: place('dev'),
        env: { PATH: '/nonexistent' },
      })
      expect(code).toBe(1)
      expect(err).toContain('is it installed?')
    },
    SLOW,
  )
})

describe('vouchsafe serve', () => {
  test('refuses to start without a key-encryption key, and tells every mistake', async () => {
    const { code, out, err } = await runProgram(['serve'], {
      cwd: place('serve'),
      env: { VOUCHSAFE_PUBLIC_URL: 'http://a.example', VOUCHSAFE_PROT: '1' },
    })
    expect([code, out]).toEqual([1, ''])
    for (const name of ['PROT', 'PUBLIC_URL', 'POLICY', 'KEY_ENCRYPTION_KEY_FILE'])
      expect(err).toContain(`VOUCHSAFE_${name}`)
  })

  test(
    'serves, logs in JSON lines, and ends on SIGTERM with 0',
    async () => {
      const cwd = place('serve')
      const key = join(cwd, 'kek')
      writeFileSync(key, `${KEY}\n`)
      const port = await freePort()
      const env = {
        VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
        VOUCHSAFE_POLICY: policy.path,
        VOUCHSAFE_DATA: join(cwd, 'data'),
        VOUCHSAFE_PORT: String(port),
        VOUCHSAFE_OFFLINE: 'true',
        VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: key,
      }
      const program = startProgram(['serve'], { cwd, env })
      await program.printed('answers on')
      const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
      expect(await ready.json()).toMatchObject({ ready: true })
      const discovery = await fetch(`http://127.0.0.1:${port}/.well-known/openid-configuration`)
      expect(await discovery.json()).toMatchObject({ issuer: 'https://attest.example.com' })

      // Another one on the same directory would lose writes of both.
      const second = await runProgram(['serve'], { cwd, env: { ...env, VOUCHSAFE_PORT: '0' } })
      expect(second.code).toBe(1)
      expect(second.err).toContain('the data directory is in use')

      program.kill('SIGTERM')
      const { code, out } = await program.ended
      expect(code).toBe(0)
      const events = out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).event)
      expect(events).toEqual(['policy.accepted', 'service.started', 'service.stopped'])

      // Its keys open under no other key.
      writeFileSync(key, `${KEY.replace('0', 'f')}\n`)
      const other = await runProgram(['serve'], { cwd, env })
      expect(other.code).toBe(1)
      expect(other.err).toContain('key-encryption key is another one')
    },
    SLOW,
  )
})

describe('vouchsafe doctor', () => {
  test(
    'exits 0 where all is well and 2 where it is not, with what to mend',
    async () => {
      const cwd = place('doctor')
      const env = {
        VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
        VOUCHSAFE_POLICY: policy.path,
        VOUCHSAFE_DATA: join(cwd, 'data'),
        VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY,
      }
      const well = await runProgram(['doctor', '--json'], { cwd, env })
      expect(well.code).toBe(0)
      const report = JSON.parse(well.out)
      expect(report.healthy).toBe(true)
      expect(report.checks.map(({ name }: { name: string }) => name)).toEqual([
        'node',
        'settings',
        'vendor roots',
        'clock',
        'git',
        'data directory',
        'database',
        'policy default',
      ])
      const ill = await runProgram(['doctor'], {
        cwd,
        env: { ...env, VOUCHSAFE_POLICY: join(cwd, 'nowhere') },
      })
      expect(ill.code).toBe(2)
      expect(ill.out).toContain('failure  policy default')
      expect(ill.out).toContain('correct the path (VOUCHSAFE_POLICY)')
    },
    SLOW,
  )
})

async function freePort(): Promise<number> {
  return await new Promise((resolve) => {
    const probe = createServer()
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' ? address?.port : undefined
      probe.close(() => resolve(port ?? 0))
    })
  })
}
