/**
 * What watching costs the watched, and how much the sensor can tell: CPU per request of a Node HTTP agent with and without it,
 * interleaved on the same process; events per second without loss; time from an event to a frozen agent.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAgentCgroup } from '../enclave/sensor/agent-cgroup.ts'
import { reactor } from '../enclave/sensor/reaction.ts'
import { type SensorSettings, startSensor } from '../enclave/sensor/sensor.ts'
import type { SensorEvent } from '../enclave/sensor/sensor-event.ts'
import { builtSensorProgram, whyNoSensor } from '../enclave/sensor/sensor-program.ts'

export interface SensorPlan {
  /** Pairs of off and on. */
  readonly rounds: number
  readonly requests: number
  readonly floodSeconds: number
  readonly reactions: number
}

export const usualSensorPlan: SensorPlan = {
  rounds: 11,
  requests: 4000,
  floodSeconds: 4,
  reactions: 40,
}
export const quickSensorPlan: SensorPlan = {
  rounds: 5,
  requests: 1500,
  floodSeconds: 2,
  reactions: 15,
}

const agentProgram = join(import.meta.dirname, 'sensor-agent.ts')
const attackSource = join(import.meta.dirname, '../test/sensor/attack.c')
const AT_ONCE = 16
const MOST_WAIT_MS = 2_000

export async function* sensorRows(plan: SensorPlan): AsyncGenerator<object> {
  const reason = whyNoSensor()
  if (reason) {
    yield { bench: 'sensor', skipped: reason }
    return
  }
  const cgroup = createAgentCgroup(`vouchsafe-bench-${process.pid}`)
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-bench-'))
  const attack = join(folder, 'attack')
  execFileSync('gcc', ['-O2', '-w', attackSource, '-o', attack, '-pthread'])
  const scene: Scene = {
    attack,
    place: (pid) => cgroup.place(pid),
    scope: { cgroup: cgroup.unified ?? '' },
    program: builtSensorProgram(),
    freezer: reactor(cgroup.freezer),
  }
  try {
    yield await overheadRow(scene, plan)
    for (const perSecond of [20_000, 50_000, 100_000]) yield await floodRow(scene, plan, perSecond)
    yield await reactionRow(scene, plan)
  } finally {
    await cgroup.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Scene extends Pick<SensorSettings, 'program' | 'scope'> {
  readonly attack: string
  readonly place: (pid: number) => void
  readonly freezer: ReturnType<typeof reactor>
}

async function overheadRow(scene: Scene, { rounds, requests }: SensorPlan): Promise<object> {
  const agent = await startAgent(scene)
  const measured = async () => await cpuPerRequest(agent.port, requests)
  const off: number[] = []
  const on: number[] = []
  const ratios: number[] = []
  try {
    await measured()
    await measured()
    for (let round = 0; round < rounds; round++) {
      const without = await measured()
      const sensor = await startSensor(scene)
      const watched = await measured()
      await sensor.close()
      off.push(without)
      on.push(watched)
      ratios.push(watched / without)
    }
  } finally {
    agent.end()
  }
  const overhead = `${((median(ratios) - 1) * 100).toFixed(1)} %`
  return {
    bench: 'sensor: CPU per request of a Node agent',
    off_us: median(off).toFixed(1),
    on_us: median(on).toFixed(1),
    overhead,
    rounds,
  }
}

async function floodRow(
  scene: Scene,
  { floodSeconds }: SensorPlan,
  perSecond: number,
): Promise<object> {
  const sensor = await startSensor(scene)
  const count = perSecond * floodSeconds
  let received = 0
  const drained = () => {
    for (const event of sensor.read()) if (event.kind === 'sensitive') received++
  }
  const started = performance.now()
  const cpu = process.cpuUsage()
  const ended = runAttack(scene, ['flood', String(count), String(perSecond / 1000)])
  const reading = setInterval(drained, 50)
  await ended
  const seconds = (performance.now() - started) / 1000
  for (let wait = 0; received < count && wait < MOST_WAIT_MS; wait += 50) await sleep(50)
  await sensor.interval()
  drained()
  clearInterval(reading)
  const { user, system } = process.cpuUsage(cpu)
  const dropped = sensor.dropped()
  await sensor.close()
  return {
    bench: 'sensor: flood',
    asked_per_s: perSecond,
    made_per_s: Math.round(count / seconds),
    events: count,
    received,
    dropped,
    is_exact: received + dropped === count,
    reader_us_per_event: ((user + system) / Math.max(1, received)).toFixed(1),
  }
}

async function reactionRow(scene: Scene, { reactions }: SensorPlan): Promise<object> {
  const told: number[] = []
  const frozen: number[] = []
  const onEvent = (event: SensorEvent) => {
    if (event.kind !== 'sensitive' || event.call !== 'memfd_create') return
    told.push(sinceBootUs() - event.at)
    scene.freezer.freeze('bench')
    frozen.push(sinceBootUs() - event.at)
  }
  const sensor = await startSensor({ ...scene, onEvent })
  for (let round = 0; round < reactions; round++) {
    const ended = runAttack(scene, ['endless'])
    while (frozen.length <= round) await sleep(1)
    scene.freezer.thaw()
    scene.freezer.kill('bench')
    await ended
  }
  await sensor.close()
  return {
    bench: 'sensor: from the event to a frozen agent',
    told_us: Math.round(median(told)),
    frozen_us: Math.round(median(frozen)),
    worst_us: Math.round(Math.max(...frozen)),
    rounds: reactions,
  }
}

/** CLOCK_MONOTONIC, which is the sensor's clock on a machine that does not sleep. */
function sinceBootUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

async function runAttack({ attack, place }: Scene, words: readonly string[]): Promise<void> {
  const script = 'read line && exec "$0" "$@"'
  const child = spawn('/bin/sh', ['-c', script, attack, ...words], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  place(child.pid ?? 0)
  child.stdin.end('go\ngo\n')
  await new Promise((resolve) => child.once('exit', resolve))
}

async function startAgent({ place }: Scene) {
  const child = spawn(process.execPath, [agentProgram], { stdio: ['ignore', 'pipe', 'inherit'] })
  place(child.pid ?? 0)
  for await (const line of createInterface({ input: child.stdout }))
    return { port: Number(line), end: () => child.kill('SIGKILL') }
  throw new Error('the agent did not start')
}

/** Microseconds of the agent's own CPU time. */
async function cpuPerRequest(port: number, requests: number): Promise<number> {
  const connections = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const ask = async (path: string) =>
    await new Promise<string>((resolve, reject) => {
      get({ port, host: '127.0.0.1', path, agent: connections }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          body += part
        })
        response.on('end', () => resolve(body))
      }).on('error', reject)
    })
  const before = Number(await ask('/cpu'))
  let left = requests
  const worker = async () => {
    while (left-- > 0) await ask('/')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  const after = Number(await ask('/cpu'))
  connections.destroy()
  return (after - before) / requests
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
