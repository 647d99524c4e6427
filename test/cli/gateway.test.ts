/** `vouchsafe gateway`: does it listen, judge and say why, and what does it say to settings that cannot be meant? */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { gatewayCommand } from '#src/cli/gateway.ts'
import { startGateway } from '#src/compose/gateway.ts'
import { openTokens } from '../../enclave/attestation.ts'
import { attestAt } from '../http/attempt.ts'
import { AT, agentOf, type RunningService, runService } from '../http/running-service.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-gateway-'))
const required = join(folder, 'required.json')
const needed = [
  '--for',
  'nginx',
  '--audience',
  'kms.example',
  '--public-url',
  'https://kms.example',
]

let service: RunningService
beforeAll(async () => {
  service = await runService()
  writeFileSync(required, JSON.stringify({ assurance: 'simulated', environment: 'prod' }))
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})
// The program has the machine's clock, and the service that of the tests.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: AT })
})
afterEach(() => {
  vi.useRealTimers()
})

async function running(args: readonly string[]) {
  const out: string[] = []
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  let err = ''
  const ended = gatewayCommand([...args], {
    out: (text) => out.push(text),
    err: (text) => {
      err += text
    },
    files: localFiles,
    start: startGateway,
    stopped: () => stopped,
  })
  return { out, stop, ended, err: () => err }
}

test('it answers a gateway, writes each decision and nothing secret, and ends when it is told to', async () => {
  const [opened] = await openTokens((await attestAt(service)).json, (await agentOf(service)).keys)
  const issuer = ['--issuer', service.simulated, '--require', required]
  const { out, stop, ended } = await running([
    ...needed,
    ...issuer,
    '--listen',
    '127.0.0.1:0',
    '--json',
  ])
  await expect.poll(() => out.length).toBeGreaterThan(0)
  const { listening } = JSON.parse(out[0] ?? '')
  expect(await (await fetch(`${listening}/healthz`)).text()).toBe('ok\n')
  const headers = {
    authorization: `DPoP ${opened?.token}`,
    'x-original-method': 'GET',
    'x-original-uri': '/v1/unwrap?secret=1',
  }
  expect((await fetch(listening, { headers })).status).toBe(401)
  expect((await fetch(listening)).status).toBe(401)
  await expect.poll(() => out.join('')).toContain('"revocations":"following"')
  const decided = out.slice(1).map((line) => JSON.parse(line))
  expect(decided).toContainEqual({
    at: expect.stringMatching(/^2026-06-01T00:00:/),
    method: 'GET',
    path: '/v1/unwrap',
    decision: 'refused',
    reason: 'proof-missing',
    detail: expect.stringContaining('possession'),
  })
  expect(decided).toContainEqual(
    expect.objectContaining({ reason: 'token-missing', method: 'none' }),
  )
  expect(out.join('')).not.toContain('secret')
  expect(out.join('')).not.toContain(opened?.token)
  stop()
  expect(await ended).toBe(0)
  await expect(fetch(listening)).rejects.toThrow()
})

describe('a command line that cannot be meant', () => {
  test.each<[string, readonly string[], RegExp]>([
    ['no issuer', needed, /--issuer/],
    ['another gateway', ['--for', 'haproxy'], /nginx, caddy, envoy/],
    ['a stray word', ['now'], /takes no now/],
    ['an issuer over plain HTTP', [...needed, '--issuer', 'http://attest.example'], /https/],
    [
      'a form of its own',
      [...needed, '--issuer', 'https://a.example', '--accept', 'x'],
      /possession/,
    ],
    ['no port', [...needed, '--issuer', 'https://a.example', '--listen', 'here'], /HOST:PORT/],
    [
      'no such file',
      [...needed, '--issuer', 'https://a.example', '--require', '/none'],
      /cannot be read/,
    ],
    [
      'a file that is no JSON',
      [...needed, '--issuer', 'https://a.example', '--require', import.meta.filename],
      /not JSON/,
    ],
    [
      'a requirement that nobody knows',
      [
        ...needed,
        '--issuer',
        'https://a.example',
        '--require',
        join(import.meta.dirname, '../../package.json'),
      ],
      /nothing that can be required/,
    ],
    [
      'an address that is not of this machine',
      [...needed, '--issuer', 'https://a.example', '--listen', '192.0.2.1:1'],
      /cannot listen/,
    ],
  ])('%s is said, and nothing runs', async (_, args, said) => {
    const { ended, err } = await running(args)
    expect(await ended).toBe(1)
    expect(err()).toMatch(said)
  })

  test('--help says how', async () => {
    const { ended, out } = await running(['--help'])
    expect([await ended, out.join('')]).toEqual([0, expect.stringContaining('--public-url')])
  })
})
