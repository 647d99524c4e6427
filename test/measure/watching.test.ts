import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Collector, Measured } from '../../enclave/measure/collector.ts'
import { collectorDigest } from '../../enclave/measure/collector-digest.ts'
import { lookThread } from '../../enclave/measure/look-thread.ts'
import {
  type AgentCollector,
  type WatchRequest,
  watchAgent,
} from '../../enclave/measure/watching.ts'
import type { SensorEvent } from '../../enclave/sensor/sensor-event.ts'
import { simulatedRegister } from '../../enclave/simulator/runtime-register.ts'
import { type Behaviour, decodeBehaviour, decodeMeasurement } from '../../src/rats/runtime-event.ts'
import { emptyCheckpoint, extended } from '../../src/rats/transcript.ts'

let folder: string
let agent: ChildProcess
const collectors: Collector[] = []

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-watching-')))
  mkdirSync(join(folder, 'app'))
  writeFileSync(join(folder, 'app/main.js'), 'main')
  agent = spawn('sleep', ['600'], { stdio: 'ignore' })
  await new Promise((resolve) => agent.once('spawn', resolve))
})
afterEach(async () => {
  for (const collector of collectors.splice(0)) await collector.close()
  agent.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

async function watched(changes: Partial<WatchRequest> = {}): Promise<AgentCollector> {
  const collector = await watchAgent({
    agent: {
      pid: agent.pid ?? 0,
      trees: [{ path: join(folder, 'app'), kind: 'code' }],
      models: [],
      memoryText: 'unwatched',
    },
    folder: join(folder, 'log'),
    ...changes,
  })
  collectors.push(collector)
  return collector
}

function told({ behaviour }: Pick<Measured, 'behaviour'>): readonly Behaviour[] {
  return behaviour.flatMap((event) => decodeBehaviour(event) ?? [])
}

const all = ({ measurement, behaviour }: Measured) => ({
  measurement: measurement.length,
  behaviour: behaviour.length,
})

describe('a collector', () => {
  it('hands out what is new until it is confirmed', async () => {
    const collector = await watched()
    const first = await collector.measure()
    expect(first.measurement.length).toBeGreaterThan(1)
    expect(first.measurement.every((event) => decodeMeasurement(event))).toBe(true)
    expect(first).toMatchObject({ dropped: 0, isComplete: true })
    const again = await collector.measure()
    expect(again.measurement).toEqual(first.measurement)
    expect(again.behaviour.slice(0, first.behaviour.length)).toEqual(first.behaviour)
    expect(again.uptimeMs).toBeGreaterThanOrEqual(first.uptimeMs)
    collector.confirm(all(again))
    const next = await collector.measure()
    expect(next.measurement).toEqual([])
    expect(told(next)).toMatchObject([{ kind: 'interval', processes: 1 }])
  })

  it('tells a file that is changed, and counts what was used between', async () => {
    const collector = await watched()
    collector.confirm(all(await collector.measure()))
    writeFileSync(join(folder, 'app/main.js'), 'other')
    collector.spent({ tokens: 100, microUsd: 7 })
    collector.spent({ tokens: 20, microUsd: 1 })
    const seen = await collector.measure()
    expect(seen.measurement.map(decodeMeasurement)).toMatchObject([
      { kind: 'code', path: join(folder, 'app/main.js') },
    ])
    expect(told(seen)).toMatchObject([
      { kind: 'changed' },
      { kind: 'interval', modelTokens: 120, modelMicroUsd: 8 },
    ])
  })

  it('begins again with the first measurement for another session, in the register’s order', async () => {
    const register = simulatedRegister()
    const collector = await watched({ register })
    expect(collector.modes).toEqual(['files', 'rtmr3'])
    const first = await collector.measure()
    collector.confirm(all(first))
    writeFileSync(join(folder, 'app/second.js'), 'second')
    collector.confirm(all(await collector.measure()))
    collector.restart()
    const { measurement } = await collector.measure()
    expect(measurement.slice(0, -1)).toEqual(first.measurement)
    const { boot } = collector
    const replayed = extended(emptyCheckpoint({ session: '', boot }), {
      measurement,
      behaviour: [],
    })
    expect(replayed.register).toBe(Buffer.from(await register.read()).toString('hex'))
  })

  it('goes on with the log of this boot after its own restart', async () => {
    const register = simulatedRegister()
    const first = await watched({ register })
    const { measurement } = await first.measure()
    await first.close()
    const second = await watched({ register })
    expect((await second.measure()).measurement).toEqual(measurement)
  })

  it('says that it is blind where the log was broken, and does not claim the register', async () => {
    const register = simulatedRegister()
    const collector = await watched({ register })
    await register.extend(new Uint8Array(48))
    writeFileSync(join(folder, 'app/second.js'), 'second')
    const seen = await collector.measure()
    expect(told(seen)).toContainEqual({
      kind: 'blind',
      reason: expect.stringContaining('measurement log'),
    })
    expect(collector.modes).toEqual(['files'])
  })

  it('says that it is blind when the agent is gone', async () => {
    const collector = await watched()
    agent.kill('SIGKILL')
    await new Promise((resolve) => agent.once('exit', resolve))
    expect(told(await collector.measure())).toContainEqual({
      kind: 'blind',
      reason: expect.stringContaining('not there any more'),
    })
  })

  it('records a plugin before it runs, and not while a message is under way', async () => {
    const register = simulatedRegister()
    const collector = await watched({ register })
    const plugin = (name: string) =>
      ({ kind: 'plugin', path: name, digest: `sha256:${'a'.repeat(64)}` }) as const
    await collector.record(plugin('early'))
    const first = await collector.measure()
    expect(first.measurement.at(-1)).toBe(JSON.stringify(plugin('early')))
    const before = await register.read()
    let isRecorded = false
    const late = collector.record(plugin('late')).then(() => {
      isRecorded = true
    })
    await sleep(50)
    expect(isRecorded).toBe(false)
    expect(await register.read()).toEqual(before)
    collector.confirm(all(first))
    await late
    expect((await collector.measure()).measurement).toEqual([JSON.stringify(plugin('late'))])
    await expect(collector.record(plugin(''))).rejects.toThrow(TypeError)
  })

  it('refuses to confirm what it did not hand out, and to report what is no event', async () => {
    const collector = await watched()
    expect(() => collector.confirm({ measurement: 1, behaviour: 0 })).toThrow(RangeError)
    expect(() => collector.report({ kind: 'blind', reason: 'x'.repeat(300) })).toThrow(TypeError)
  })
})

describe('with a sensor', () => {
  const process_ = { pid: 7, tid: 7, parent: 1, uid: 1000, comm: 'agent' }
  const numbered = { seq: 1, at: 1 }

  function sensorOf(events: SensorEvent[]) {
    const state: { blindness: string | undefined } = { blindness: undefined }
    return {
      state,
      read: () => events.splice(0),
      dropped: () => 3,
      interval: async () => {},
      blindness: () => state.blindness,
      close: async () => {},
    }
  }

  it('tells what the kernel saw, each thing once', async () => {
    const connection: SensorEvent = {
      kind: 'connection',
      ...process_,
      ...numbered,
      address: '192.0.2.1',
      port: 443,
      protocol: 'tcp',
      how: 'connect',
      verdict: 'denied',
    }
    const sensitive: SensorEvent = {
      kind: 'sensitive',
      ...process_,
      ...numbered,
      call: 'ptrace',
      arguments: ['10'],
      detail: '',
      action: 'killed',
    }
    const sensor = sensorOf([connection, { ...connection, seq: 2 }, sensitive])
    const collector = await watched({ sensor, hostOf: () => 'api.example.com' })
    expect(collector.modes).toContain('kernel-events')
    const seen = await collector.measure()
    expect(seen.dropped).toBe(3)
    expect(told(seen)).toMatchObject([
      { kind: 'connection', address: '192.0.2.1', host: 'api.example.com', verdict: 'denied' },
      { kind: 'sensitive', call: 'ptrace' },
      { kind: 'reaction', action: 'kill', reason: 'ptrace' },
      { kind: 'interval' },
    ])
  })

  it('says so when the sensor has ended, and claims it no more', async () => {
    const sensor = sensorOf([])
    const collector = await watched({ sensor })
    sensor.state.blindness = 'it was killed'
    const seen = await collector.measure()
    expect(told(seen)).toContainEqual({ kind: 'blind', reason: 'sensor: it was killed' })
    expect(collector.modes).toEqual(['files'])
    // Now by looking, as without a sensor.
    expect(seen.measurement.map(decodeMeasurement)).toContainEqual(
      expect.objectContaining({ path: join(folder, 'app/main.js') }),
    )
  })
})

describe('a look that does not come back', () => {
  it('is said, and another thread takes its place', async () => {
    const request = {
      nonce: '',
      extent: 'sample',
      limits: { milliseconds: 20_000, files: 100 },
      opened: [],
      source: 'files',
      changed: [],
    } as const
    const thread = lookThread({ pid: agent.pid ?? 0, trees: [], models: [] }, 1)
    expect(await thread.look({ ...request, limits: { milliseconds: 0, files: 0 } })).toEqual({
      fault: 'a look did not come back within 1 ms',
    })
    expect(await thread.look(request)).toMatchObject({ usage: { processes: 1 } })
    await thread.close()
  })
})

describe('the digest of the collector', () => {
  it('is that of the files that watch', () => {
    expect(collectorDigest()).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(collectorDigest()).toBe(collectorDigest())
  })
})
