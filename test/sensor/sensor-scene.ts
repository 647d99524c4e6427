/** A cgroup, a sensor over it, and a program that does what an agent should not: the parts that tests of the sensor share. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, onTestFinished } from 'vitest'
import {
  type AgentCgroup,
  createAgentCgroup,
  mountedCgroups,
} from '../../enclave/sensor/agent-cgroup.ts'
import { type Sensor, type SensorSettings, startSensor } from '../../enclave/sensor/sensor.ts'
import type { SeenFile, SensorEvent, SensorEventOf } from '../../enclave/sensor/sensor-event.ts'
import { builtSensorProgram, whyNoSensor } from '../../enclave/sensor/sensor-program.ts'

/** Where the machine can run the sensor, CI fails without the tools that build it; elsewhere the title says why it is skipped. */
export function describeSensor(title: string, body: () => void): void {
  const reason = whyNoSensor() ?? whyNoCgroup() ?? (process.env.CI ? undefined : whyNoTools())
  describe.skipIf(reason !== undefined)(reason ? `${title} (skipped: ${reason})` : title, body)
}

function whyNoCgroup(): string | undefined {
  const { unified } = mountedCgroups(readFileSync('/proc/self/mountinfo', 'utf8'))
  return unified === undefined ? 'cgroup v2 is not mounted' : undefined
}

function whyNoTools(): string | undefined {
  const missing = ['clang', 'bpftool', 'cc'].find(
    (tool) =>
      spawnSync(tool, ['--version'], {
        stdio: 'ignore',
        env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      }).error,
  )
  return missing && `there is no ${missing}`
}

export interface Scene {
  readonly cgroup: AgentCgroup
  /** Folder of the cgroup. */
  readonly folder: string
  readonly sensor: Sensor
  /** Of `attack.c`. */
  readonly attack: string
  /** Removed afterwards. */
  readonly scratch: string
  /** Runs a program in the cgroup; resolves with its end and with what was seen until then. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<Seen>
  /** What came until now, and was not yet asked for. */
  readonly seen: () => Promise<readonly SensorEvent[]>
  readonly close: () => Promise<void>
}

export interface Seen {
  /** 0 or errno for an act of attack.c; the signal's name for who was killed. */
  readonly outcome: number | NodeJS.Signals | null
  readonly pid: number
  readonly events: readonly SensorEvent[]
}

let scenes = 0

async function openScene(settings: Partial<SensorSettings> = {}): Promise<Scene> {
  const program = builtSensorProgram()
  const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-sensor-'))
  const attack = join(scratch, 'attack')
  execFileSync('gcc', [
    '-O1',
    '-w',
    join(import.meta.dirname, 'attack.c'),
    '-o',
    attack,
    '-pthread',
  ])
  const cgroup = createAgentCgroup(`vouchsafe-test-${process.pid}-${scenes++}`)
  const folder = cgroup.unified ?? ''
  const sensor = await startSensor({ program, scope: { cgroup: folder }, ...settings })

  let isClosed = false

  const seen = async () => {
    await sensor.interval()
    return sensor.read()
  }
  return {
    cgroup,
    folder,
    sensor,
    attack,
    scratch,
    seen,
    async run(program, ...args) {
      const { pid, ended } = runIn(folder, program, ...args)
      const outcome = await ended
      return { outcome, pid, events: await seen() }
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await sensor.close()
      await cgroup.remove()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

/** For one test, taken away at its end whatever becomes of it. */
export async function testScene(settings: Partial<SensorSettings> = {}): Promise<Scene> {
  const scene = await openScene(settings)
  onTestFinished(async () => await scene.close())
  return scene
}

/** One for all tests of a group, taken away at its end. */
export function sharedScene(settings: Partial<SensorSettings> = {}): () => Promise<Scene> {
  let scene: Promise<Scene> | undefined
  afterAll(async () => await (await scene)?.close())
  return async () => {
    scene ??= openScene(settings)
    const opened = await scene
    // What is left of the test before.
    await opened.seen()
    return opened
  }
}

/** The shell moves itself before it becomes the program. */
export function runIn(folder: string, program: string, ...args: readonly string[]) {
  const script = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
  const child = spawn('/bin/sh', ['-c', script, folder, program, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: process.env.PATH },
  })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? code)),
  )
  return { pid: child.pid ?? 0, stdin: child.stdin, ended }
}

export function of<Kind extends SensorEvent['kind']>(
  kind: Kind,
  events: readonly SensorEvent[],
): readonly SensorEventOf<Kind>[] {
  return events.filter((event): event is SensorEventOf<Kind> => event.kind === kind)
}

/** `memfd_create payload`: what was called, and about what. */
export function calls(events: readonly SensorEvent[]): readonly string[] {
  return of('sensitive', events).map(({ call, detail }) => `${call} ${detail}`.trim())
}

export async function until(isSo: () => boolean, mostMs = 5000): Promise<void> {
  const last = performance.now() + mostMs
  while (!isSo()) {
    if (performance.now() > last) throw new Error(`it did not become so within ${mostMs} ms`)
    await sleep(2)
  }
}

export function fileNamed(
  path: string,
  kind: 'exec' | 'map' | 'open',
  events: readonly SensorEvent[],
): SeenFile | undefined {
  return of(kind, events).find(({ file }) => file.path === path)?.file
}

/** As `SeenFile.inode`. */
export function inodeOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}

/** As `SeenFile.changedAt`. */
export function changedAt(path: string): string {
  return String(statSync(path, { bigint: true }).ctimeNs)
}
