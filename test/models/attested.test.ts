/**
 * The whole way of a model: sealed by one who puts its key into a running service, stored anywhere, and opened by a program that
 * never had the key and gets it by attestation; another agent does not get it.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { modelCommand } from '#src/cli/model.ts'
import { modelDeps } from '#src/compose/models.ts'
import { measureAgent, readAgent, simulatedSnp } from '../../enclave/simulator/agent.ts'
import { keptChipKey, keptMachineText, withChipKey } from '../../enclave/simulator/kept-machine.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { output } from '../cli/command.ts'
import {
  manifest,
  policyOf,
  type RunningService,
  runService,
  tokens,
} from '../http/running-service.ts'
import { filled } from './sealed-in-memory.ts'

const place = mkdtempSync(join(tmpdir(), 'vouchsafe-attested-model-'))
const at = (...names: string[]) => join(place, ...names)
const weights = filled(5 * 1024 * 1024)
let service: RunningService
let sealed: { readonly digest: string }

beforeAll(async () => {
  mkdirSync(at('agent'))
  writeFileSync(at('agent', 'main.py'), 'print("hello")\n')
  const measurement = Buffer.from(measureAgent(readAgent(at('agent')))).toString('hex')
  service = await runService()
  const rule = `    - {audience: "${service.url}", ttl: 240s, scopes: ["model:llama"]}\n`
  service.policy.current = await policyOf(
    manifest((text) => `${text.replace('a1'.repeat(48), measurement)}${rule}`),
  )
  const privateKey = keptChipKey()
  const chance = withChipKey(seededChance('service tests'), privateKey)
  const platform = simulatedSnp({ chance, issued: new Date('2026-01-01T00:00:00Z') })
  writeFileSync(
    at('machine.json'),
    keptMachineText({ product: 'Genoa', platform, chance, privateKey }),
  )
  mkdirSync(at('model'))
  writeFileSync(at('model', 'w.bin'), weights)
  writeFileSync(at('token'), tokens['secret-admin'])
})
afterAll(async () => {
  await service.close()
  rmSync(place, { recursive: true })
})

async function run(...args: string[]) {
  const { written, out, err } = output()
  const code = await modelCommand(args, {
    ...modelDeps(async () => {}),
    out,
    err,
    terminal: false,
    files: localFiles,
  })
  return { code, ...written }
}

async function opening(folder: string, ...more: string[]) {
  return await openingWith('model:llama', folder, ...more)
}

async function openingWith(resource: string, folder: string, ...more: string[]) {
  const asked = ['--agent', 'invoice-bot', '--resource', resource]
  if (!more.includes('--service')) asked.push('--service', service.url)
  const machine = ['--simulator', at('agent'), '--machine', at('machine.json')]
  return await run('open', at('sealed'), '--out', at(folder), ...asked, ...machine, ...more)
}

test('a model whose key lies nowhere but in the service opens for the attested agent', async () => {
  const to = ['--out', at('sealed'), '--release-url', service.url, '--token-file', at('token')]
  to.push('--simulated', 'accepted')
  const made = await run('seal', at('model'), '--name', 'llama', '--version', '3', ...to, '--json')
  expect({ code: made.code, err: made.err }).toMatchObject({ code: 0 })
  sealed = JSON.parse(made.out)
  const { code, err } = await opening(
    'o',
    '--expect-digest',
    sealed.digest,
    '--minimum-version',
    '3',
  )
  expect({ code, err }).toMatchObject({ code: 0 })
  expect(readFileSync(at('o', 'w.bin')).equals(weights)).toBe(true)
})

test('and no older one than it asks for', async () => {
  const { code, err } = await opening('p', '--minimum-version', '4')
  expect(code).toBe(2)
  expect(err).toContain('REFUSED model version')
})

test('nor for an agent with one file changed', async () => {
  writeFileSync(at('agent', 'extra.py'), '')
  const { code, out, err } = await opening('p')
  const { code: same, out: document } = await opening('p', '--json')
  rmSync(at('agent', 'extra.py'))
  expect({ code, out, same }).toEqual({ code: 2, out: '', same: 2 })
  expect(err).toContain('REFUSED 403 evidence-rejected')
  expect(err).toContain('failing: snp.measurement.expected')
  expect(err).toContain('What to do: Run what was approved')
  expect(JSON.parse(document)).toMatchObject({
    verdict: 'refused',
    status: 403,
    code: 'evidence-rejected',
    failing: expect.arrayContaining(['snp.measurement.expected']),
  })
  expect(existsSync(at('p'))).toBe(false)
})

test('nor by a key that its release does not name', async () => {
  const { code, err } = await openingWith('model:other', 'p')
  expect(code).toBe(2)
  expect(err).toContain('REFUSED 403 release-refused')
  expect(err).toContain('model:other')
  expect(existsSync(at('p'))).toBe(false)
})

test('nor can be told from a service that does not answer whether it would', async () => {
  const server = createServer((_, response) => response.writeHead(403).end('<html>proxy</html>'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { code, err } = await opening('p', '--service', `http://127.0.0.1:${port}`)
  await new Promise((resolve) => server.close(resolve))
  expect(code).toBe(1)
  expect(err).toContain('no-problem-document')
})
