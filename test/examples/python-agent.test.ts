/**
 * Does an agent in Python, with the standard library alone, do what it must beside `vouchsafe agent run`: real processes, a real
 * collector, a real service, a relying party with the kit?
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { collectorDigest } from '../../enclave/measure/collector-digest.ts'
import { watchAgent } from '../../enclave/measure/watching.ts'
import { measureAgent, readAgent, simulatedSnp } from '../../enclave/simulator/agent.ts'
import { keptChipKey, keptMachineText, withChipKey } from '../../enclave/simulator/kept-machine.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { attestedOnly } from '../../kit/relying-party/node.ts'
import { relyingParty } from '../../kit/relying-party/relying-party.ts'
import { runProgram } from '../cli/program.ts'
import { put } from '../enclave/release-scene.ts'
import { manifest, policyOf, type RunningService, runService } from '../http/running-service.ts'

const root = join(import.meta.dirname, '../..')
const example = join(root, 'examples/python-agent')
const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-python-'))
const launched = join(folder, 'launched')
const machine = join(folder, 'machine.json')
/** The interpreter itself: what stands in PATH may be a script that looks for it. */
const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
  encoding: 'utf8',
}).trim()

let service: RunningService
const ledger = createServer()
beforeAll(async () => {
  mkdirSync(launched)
  writeFileSync(join(launched, 'release.txt'), 'python agent 1\n')
  service = await runService()
  const party = relyingParty({
    issuer: service.simulated,
    audience: 'kms.example',
    required: { assurance: 'simulated', environment: 'prod', agent: 'invoice-bot' },
    now: () => service.clock.at.getTime(),
  })
  await new Promise<void>((resolve) => ledger.listen(0, '127.0.0.1', resolve))
  const publicUrl = ledgerUrl()
  const admit = attestedOnly(party, { publicUrl })
  ledger.on('request', async (request, response) => {
    if (await admit(request, response)) response.end('booked')
  })
  service.policy.current = await policyOf(await watchedPython())
  await put(service, 'secret:db-ro', 'correct horse')
  const privateKey = keptChipKey()
  const chance = withChipKey(seededChance('service tests'), privateKey)
  const platform = simulatedSnp({ chance, issued: new Date('2026-01-01T00:00:00Z') })
  writeFileSync(machine, keptMachineText({ product: 'Genoa', platform, chance, privateKey }))
}, 120_000)
afterAll(async () => {
  ledger.close()
  await service.close()
  rmSync(folder, { recursive: true, force: true })
})

const ledgerUrl = () => `http://127.0.0.1:${(ledger.address() as AddressInfo).port}`

/** What this machine's Python loads when it runs the example: learned once, as an operator would, and approved. */
async function watchedPython(): Promise<string> {
  const silent = join(folder, 'silent.sock')
  const listener = createSocket().listen(silent)
  const child = spawn(python, [join(example, 'agent.py')], {
    env: { ...process.env, VOUCHSAFE_SOCKET: silent, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: 'ignore',
  })
  await new Promise((resolve) => listener.once('connection', resolve))
  const collector = await watchAgent({
    agent: { pid: child.pid ?? 0, trees: [{ path: example, kind: 'code' }], models: [] },
    folder: join(folder, 'learning'),
  })
  const { measurement } = await collector.measure()
  await collector.close()
  child.kill('SIGKILL')
  listener.close()
  const measured = JSON.stringify(measurement.map((event) => JSON.parse(event)))
  const launch = Buffer.from(measureAgent(readAgent(launched))).toString('hex')
  return manifest(
    (text) =>
      `${text.replace('a1'.repeat(48), launch).replace(
        '  release:\n',
        `  runtime:
    heartbeatEvery: 2s
    collectors: ["${collectorDigest()}"]
    watch: [files]
    measurements: ${measured}
    egress:
      - {host: 127.0.0.1, ports: [${(ledger.address() as AddressInfo).port}]}
  release:
`,
      )}    - audience: ${service.url}\n      ttl: 120s\n      scopes: ["secret:db-ro"]\n`,
  )
}

const sidecar = (name: string, ...command: readonly string[]) => [
  ...['agent', 'run', '--service', service.url, '--agent', 'invoice-bot', '--json'],
  ...['--audience', service.url, '--audience', 'kms.example'],
  ...['--simulator', launched, '--machine', machine, '--measure', example],
  ...['--socket', join(folder, name, 'run/agent.sock'), '--log', join(folder, name, 'log')],
  ...['--', ...command],
]
const env = { PYTHONDONTWRITEBYTECODE: '1' }

describe('an agent in Python', () => {
  test('books at a relying party, uses a secret, and ends as it likes', async () => {
    const asked = ['--ledger', `${ledgerUrl()}/bookings`, '--audience', 'kms.example']
    const command = [python, join(example, 'agent.py'), ...asked, '--resource', 'secret:db-ro']
    const { code, out, err } = await runProgram(sidecar('one', ...command), { cwd: folder, env })
    expect([
      code,
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
      err,
    ]).toMatchObject([
      0,
      [
        { event: 'session', state: 'ACTIVE' },
        { event: 'booked', status: 200 },
        { event: 'released', resource: 'secret:db-ro', version: 1, bytes: 13 },
        { event: 'lease', held: true },
        { event: 'done' },
      ],
      expect.stringContaining('"opened"'),
    ])
    expect(out + err).not.toContain('correct horse')
  })

  test('that was launched with another file is refused, and its program never hears a token', async () => {
    writeFileSync(join(launched, 'changed.txt'), 'x')
    const command = [python, join(example, 'agent.py')]
    const { code, out, err } = await runProgram(sidecar('three', ...command), { cwd: folder, env })
    rmSync(join(launched, 'changed.txt'))
    expect([code, err]).toMatchObject([2, expect.stringContaining('evidence-rejected')])
    expect(out).toBe('')
  })

  // Last: afterwards this agent gets no session on this boot.
  test('is killed with what it started, once it did what was not approved, and gets no session again', async () => {
    const tampering = join(folder, 'tampering.py')
    const library = join(folder, 'libinjected.so')
    const program = `import os, sys, time
sys.path.insert(0, ${JSON.stringify(example)})
from vouchsafe_agent import Agent
Agent().token_for()
print(os.getpid(), flush=True)
import mmap
# As a library that was injected is: a file, mapped executable.
file = open(${JSON.stringify(library)}, "rb")
held = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
time.sleep(120)`
    writeFileSync(tampering, program)
    execFileSync('cp', [python, library])
    const { code, out, err } = await runProgram(sidecar('two', python, tampering), {
      ...{ cwd: folder, env },
    })
    expect([code, err]).toMatchObject([2, expect.stringContaining('QUARANTINED')])
    await sleep(100)
    expect(() => process.kill(Number(out), 0)).toThrow('ESRCH')
    const again = await runProgram(sidecar('four', python, tampering), { cwd: folder, env })
    expect([again.code, again.out]).toEqual([2, ''])
    expect(again.err).toContain('an operator must release it first')
  })
})

test('the example imports nothing but the standard library', () => {
  const modules = ['agent.py', 'vouchsafe_agent.py'].flatMap((name) =>
    [...readFileSync(join(example, name), 'utf8').matchAll(/^(?:import|from) (\w+)/gm)].map(
      ([, module = '']) => module,
    ),
  )
  const known = `import sys; print(all(m in sys.stdlib_module_names for m in ${JSON.stringify(modules.filter((each) => each !== 'vouchsafe_agent'))}))`
  expect(execFileSync(python, ['-c', known], { encoding: 'utf8' }).trim()).toBe('True')
})
