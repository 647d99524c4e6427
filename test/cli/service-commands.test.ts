/** `dev`, `serve` and `doctor` as a person or a supervisor runs them: no terminal, real database, real git, real HTTP. */
import { createHash, createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { runProgram, startProgram } from './program.ts'
import { type SignedPolicy, signedPolicy } from './signed-policy.ts'

const SLOW = 120_000
/** Each starts whole processes, some of them several: only the long run has them all. */
const long = test.runIf(process.env.VOUCHSAFE_LONG)
const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-cli-'))
let policy: SignedPolicy
beforeAll(async () => {
  policy = await signedPolicy()
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
      expect(decodeJwt(good.tokens[0].token)).toMatchObject({
        sub: expect.stringMatching(/^simulated:/),
      })
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
      expect(tampered.tokens).toEqual([])
      const tools = (agent: { folder: string }) =>
        readFileSync(join(agent.folder, 'tools.json'), 'utf8')
      expect(tools(good)).not.toBe(tools(tampered))
    },
    SLOW,
  )

  long(
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

  long(
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

const forServe = (cwd: string, of: SignedPolicy = policy) => ({
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: of.path,
  VOUCHSAFE_POLICY_PIN: of.pin,
  VOUCHSAFE_DATA: join(cwd, 'data'),
  VOUCHSAFE_OFFLINE: 'true',
  VOUCHSAFE_DRAIN_SECONDS: '0',
  VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY,
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

  test('does not start without a pin, and says how to get one', async () => {
    const cwd = place('serve')
    const { VOUCHSAFE_POLICY_PIN: _, ...env } = forServe(cwd)
    const { code, err } = await runProgram(['serve'], { cwd, env })
    expect(code).toBe(1)
    expect(err).toContain('VOUCHSAFE_POLICY_PIN (policy.pin) is missing')
    expect(err).toContain('vouchsafe policy pin --repository')
  })

  test(
    'serves, logs in JSON lines, and ends on SIGTERM with 0',
    async () => {
      const cwd = place('serve')
      const key = join(cwd, 'kek')
      writeFileSync(key, `${KEY}\n`)
      const port = await freePort()
      const { VOUCHSAFE_KEY_ENCRYPTION_KEY: _, ...usual } = forServe(cwd)
      const env = {
        ...usual,
        VOUCHSAFE_PORT: String(port),
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
      expect(other.err).toContain('does not open: it is sealed under the key-encryption key')
    },
    SLOW,
  )

  long(
    'takes a signed change after a nudge, keeps it when an unsigned one follows, and shows both',
    async () => {
      const cwd = place('serve')
      const own = await signedPolicy()
      const token = 'a-long-token-of-an-operator'
      const secret = 'feedface'.repeat(4)
      writeFileSync(join(cwd, 'secret'), secret)
      const digest = createHash('sha256').update(token).digest('hex')
      writeFileSync(join(cwd, 'operators'), `${digest} viewer vera\n`)
      const [port, metricsPort] = [await freePort(), await freePort()]
      const program = startProgram(['serve'], {
        cwd,
        env: {
          ...forServe(cwd, own),
          VOUCHSAFE_PORT: String(port),
          VOUCHSAFE_METRICS_PORT: String(metricsPort),
          VOUCHSAFE_OPERATORS_FILE: 'operators',
          VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: 'secret',
          VOUCHSAFE_POLICY_POLL_SECONDS: '3600',
        },
      })
      try {
        await program.printed('metrics are at')
        const url = `http://127.0.0.1:${port}`
        const nudge = async () =>
          await fetch(`${url}/v1/webhooks/policy/default`, {
            method: 'POST',
            body: '{}',
            headers: {
              'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update('{}').digest('hex')}`,
            },
          })
        const seen = async () => {
          const response = await fetch(`${url}/v1/policies/default`, {
            headers: { authorization: `Bearer ${token}` },
          })
          expect(response.status).toBe(200)
          const { accepted, conditions, enforcementPoints } = JSON.parse(await response.text())
          const [point] = enforcementPoints
          return {
            commit: accepted?.commit,
            sequence: accepted?.sequence,
            condition: conditions[0].name,
            enforced: point?.commit,
          }
        }
        expect(await seen()).toEqual({
          commit: own.first,
          sequence: 1,
          condition: 'Synced',
          enforced: own.first,
        })
        const signed = await own.change('signed')
        expect((await nudge()).status).toBe(202)
        await expect.poll(seen, { timeout: 20_000, interval: 200 }).toEqual({
          commit: signed,
          sequence: 2,
          condition: 'Synced',
          enforced: signed,
        })
        await own.change('unsigned')
        expect((await nudge()).status).toBe(202)
        await expect.poll(seen, { timeout: 20_000, interval: 200 }).toEqual({
          commit: signed,
          sequence: 2,
          condition: 'UnknownSigner',
          enforced: signed,
        })
        const ready = JSON.parse(await (await fetch(`${url}/readyz`)).text())
        expect(ready.checks).toContainEqual({
          name: 'policy.default',
          ok: true,
          detail: 'UnknownSigner',
        })
        const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
        expect(metrics).toContain(
          'vouchsafe_policy_condition{tenant="default",condition="UnknownSigner"} 1\n',
        )
        expect(metrics).toContain('vouchsafe_policy_accepted_sequence{tenant="default"} 2\n')
      } finally {
        program.kill('SIGTERM')
        await program.ended
        own.remove()
      }
    },
    SLOW,
  )

  long(
    'begins to serve where its repository cannot be reached, releases nothing, and says so',
    async () => {
      const cwd = place('serve')
      const port = await freePort()
      const program = startProgram(['serve'], {
        cwd,
        env: {
          ...forServe(cwd),
          VOUCHSAFE_POLICY: join(cwd, 'nowhere'),
          VOUCHSAFE_PORT: String(port),
        },
      })
      await program.printed('answers on')
      const response = await fetch(`http://127.0.0.1:${port}/readyz`)
      expect(response.status).toBe(503)
      const { checks } = JSON.parse(await response.text())
      expect(checks).toContainEqual({ name: 'policy.default', ok: false, detail: 'FetchFailed' })
      program.kill('SIGTERM')
      expect((await program.ended).code).toBe(0)
    },
    SLOW,
  )
})

describe('vouchsafe doctor', () => {
  const examine = async (cwd: string, env: Readonly<Record<string, string>>) => {
    const { code, out } = await runProgram(['doctor', '--json'], { cwd, env })
    const { healthy, checks } = JSON.parse(out)
    const named = (name: string) => checks.find((check: { name: string }) => check.name === name)
    return { code, healthy, checks, named }
  }

  long(
    'exits 0 where all is well and 2 where it is not, with what to mend',
    async () => {
      const cwd = place('doctor')
      const env = forServe(cwd)
      const well = await examine(cwd, env)
      expect([well.code, well.healthy]).toEqual([0, true])
      expect(
        well.checks.map(({ group, name }: { group: string; name: string }) => `${group}: ${name}`),
      ).toEqual([
        'machine: node',
        'machine: vendor roots',
        'machine: clock',
        'machine: git',
        'machine: ssh',
        'machine: gpgv',
        'settings: settings',
        'settings: files',
        'settings: operators',
        'settings: port',
        'storage: data directory',
        'storage: database',
        'storage: keys',
        'storage: collateral',
        'tenant default: repository default',
        'tenant default: policy default',
      ])
      expect(well.named('database')).toMatchObject({
        state: 'warning',
        detail: expect.stringContaining('PGlite in the data directory, opens'),
        advice: expect.stringContaining('DATABASE_URL'),
      })
      expect(well.named('repository default').detail).toContain(policy.first)
      expect(well.named('policy default').detail).toContain(`judged from the pin ${policy.pin}`)

      const away = await runProgram(['doctor'], {
        cwd,
        env: { ...env, VOUCHSAFE_POLICY: join(cwd, 'nowhere') },
      })
      expect(away.code).toBe(2)
      expect(away.out).toMatch(
        /^\[failure\] +tenant default\n {2}\[failure\] +repository default /m,
      )
      expect(away.out).toMatch(/^\[ok\] +machine\n {2}\[ok\] +node /m)
      expect(away.out).toContain('Correct the address, branch or credentials (VOUCHSAFE_POLICY')
      expect(away.out).toContain('not judged: the repository cannot be read')
    },
    SLOW,
  )

  long(
    'says what is wrong with a policy, an OPA or a pin before anybody serves it',
    async () => {
      const cwd = place('doctor')
      const unsigned = await signedPolicy()
      await unsigned.change('unsigned')
      const ill = await examine(cwd, {
        ...forServe(cwd, unsigned),
        VOUCHSAFE_OPA_URL: `http://127.0.0.1:${await freePort()}`,
      })
      unsigned.remove()
      expect([ill.code, ill.healthy]).toEqual([2, false])
      expect(ill.named('policy default')).toMatchObject({
        state: 'failure',
        detail: expect.stringMatching(/^UnknownSigner, judged from the pin sha256:/),
        advice: expect.stringContaining('vouchsafe policy verify'),
      })
      expect(ill.named('opa default')).toMatchObject({ state: 'failure' })

      const other = await examine(cwd, {
        ...forServe(cwd),
        VOUCHSAFE_POLICY_PIN: `sha256:${'0'.repeat(64)}`,
      })
      expect(other.named('policy default')).toMatchObject({ state: 'failure' })
    },
    SLOW,
  )
})
