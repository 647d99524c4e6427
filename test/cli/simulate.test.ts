/** What does `vouchsafe simulate fleet` ask for, and what does it refuse to do? */
import { expect, test } from 'vitest'
import { type FleetAsked, simulateCommand } from '../../src/cli/simulate.ts'
import type { FleetDone } from '../../src/cli/simulate-report.ts'
import { output } from './command.ts'

const spread = { count: 600, p50: 2.5, p95: 7.1, p99: 12.3, max: 40 }
const none = { count: 0, p50: 0, p95: 0, p99: 0, max: 0 }
const report: FleetDone = {
  agents: 100,
  open: 99,
  heartbeatSeconds: 10,
  opening: { seconds: 2.1, latency: spread, errors: { 'open too-many-requests': 3 } },
  measured: {
    seconds: 60,
    heartbeatsPerSecond: 9.9,
    heartbeats: spread,
    quotes: none,
    tokens: none,
    errors: {},
    overrun: 0,
  },
  states: { ACTIVE: 98, LATE: 1 },
  generator: { cpuPercent: 4, residentMiB: 90, lateP99Ms: 0.4, connections: 256 },
  service: [{ pid: 77, cpuPercent: 12.5, residentMiB: 210, peakMiB: 260 }],
}
const agent = ['--agent', 'invoice-bot', '--simulator', 'folder']
const here = ['--service', 'http://127.0.0.1:8080']

async function run(...args: string[]) {
  const { written, out, err } = output()
  const asked: FleetAsked[] = []
  const code = await simulateCommand(['fleet', ...args], {
    ...{ out, err, terminal: false },
    async fleet(request) {
      asked.push(request)
      return { verdict: 'ran', report }
    },
  })
  return { code, asked, ...written }
}

test('what is not said is a thousand agents for a minute, as the service paces them', async () => {
  const { code, asked } = await run(...here, ...agent)
  expect(code).toBe(0)
  expect(asked).toMatchObject([
    {
      connect: 'http://127.0.0.1:8080',
      agents: 1000,
      heartbeatSeconds: undefined,
      durationSeconds: 60,
      connections: 256,
      renewTokensSeconds: 0,
      closes: false,
      modes: 'files kernel-events memory-text',
    },
  ])
})

test('the table tells the generator apart, and that machines are shared', async () => {
  const { out } = await run(...here, ...agent)
  expect(out).toContain(
    '99 open of 100, each with its own keys and session; they share one machine',
  )
  expect(out).toContain('9.9/s over 60 s')
  expect(out).toContain('p99 12.3 ms')
  expect(out).toContain('ACTIVE 98, LATE 1')
  expect(out).toContain('process 77: 12.5 % of a core, 210 MiB resident, at most 260')
  expect(out).toContain('open too-many-requests 3')
  expect(out).toContain('generator  4 % of a core')
})

test('--json is the report', async () => {
  expect(JSON.parse((await run(...here, ...agent, '--json')).out)).toEqual(report)
})

test.each([
  'https://attest.example.com',
  'http://10.0.0.1:8080',
  'http://127.0.0.1.evil.example',
  'http://0.0.0.0:8080',
  'http://[::ffff:10.0.0.1]:8080',
  'http://localhost.evil.example',
])('%s is left alone unless it is said to be one’s own', async (address) => {
  const refused = await run('--service', address, ...agent)
  expect(refused.code).toBe(1)
  expect(refused.err).toContain('--my-own-service')
  expect(refused.asked).toEqual([])
  expect((await run('--service', address, ...agent, '--my-own-service')).code).toBe(0)
})

test('where it answers decides, and not what it is called', async () => {
  const named = ['--service', 'https://attest.example.com', '--connect', 'http://127.0.0.1:9']
  expect((await run(...named, ...agent)).code).toBe(0)
  const away = ['--service', 'http://127.0.0.1:9', '--connect', 'http://192.0.2.1']
  expect((await run(...away, ...agent)).code).toBe(1)
})

test.each([
  [[...here, '--agent', 'a'], '--simulator is missing'],
  [[...agent], '--service is missing'],
  [[...here, ...agent, '--agents', '0'], '--agents 0'],
  [[...here, ...agent, '--agents', '1e9'], '--agents 1e9'],
  [[...here, ...agent, '--duration', '-1'], 'duration'],
  [['--service', 'ftp://127.0.0.1', ...agent], 'no address'],
])('%j is a mistake', async (args, says) => {
  const { code, err } = await run(...args)
  expect(code).toBe(1)
  expect(err).toContain(says)
})
