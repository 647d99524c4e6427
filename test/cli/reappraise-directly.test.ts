/** `vouchsafe reappraise` on the database itself: not while a service holds it, and by the policy that the service accepted. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { runProgram, startProgram } from './program.ts'
import { type SignedPolicy, signedPolicy } from './signed-policy.ts'

const cwd = mkdtempSync(join(tmpdir(), 'vouchsafe-reappraise-'))
let policy: SignedPolicy
beforeAll(async () => {
  policy = await signedPolicy()
})
afterAll(() => {
  policy.remove()
  rmSync(cwd, { recursive: true, force: true })
})

test('waits for the service to end, and then judges by what it accepted', async () => {
  const env = {
    VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
    VOUCHSAFE_POLICY: policy.path,
    VOUCHSAFE_POLICY_PIN: policy.pin,
    VOUCHSAFE_DATA: join(cwd, 'data'),
    VOUCHSAFE_OFFLINE: 'true',
    VOUCHSAFE_DRAIN_SECONDS: '0',
    VOUCHSAFE_KEY_ENCRYPTION_KEY: '0123456789abcdef'.repeat(4),
    VOUCHSAFE_PORT: `${await freePort()}`,
  }
  const run = async (...args: readonly string[]) =>
    await runProgram(['reappraise', '--json', ...args], { cwd, env })
  const service = startProgram(['serve'], { cwd, env })
  await service.printed('answers on')
  const held = await run()
  expect([held.code, JSON.parse(held.out).error.detail]).toEqual([
    1,
    expect.stringContaining('the data directory is in use'),
  ])
  service.kill('SIGTERM')
  await service.ended

  const { code, out } = await run('--all')
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toEqual([
    { type: 'tenant', tenant: 'default', commit: expect.stringMatching(/^[0-9a-f]{40}$/) },
    {
      type: 'report',
      dryRun: false,
      skipped: 0,
      examined: 0,
      unexaminable: 0,
      fallen: 0,
      revoked: 0,
    },
  ])
  expect(code).toBe(0)
  const unknown = await run('--tenant', 'nobody')
  expect([unknown.code, JSON.parse(unknown.out).error.detail]).toEqual([
    1,
    'the settings name no tenant nobody',
  ])
}, 120_000)
