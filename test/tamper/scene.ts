/**
 * An agent that is taken over, before everything that is there to notice it: a service over HTTP, the agent under the real
 * sidecar with sensor, guard and measurement, and a relying party that follows the service's stream. One clock for all of
 * them, which runs on as clocks do and may be set forward.
 */

import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, constants, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChores } from '#src/http/chores.ts'
import type { MeasurementRegister } from '../../enclave/attester/tsm-mr.ts'
import { machine } from '../../enclave/client/surroundings.ts'
import { collectorDigest } from '../../enclave/measure/collector-digest.ts'
import { type AgentCollector, watchAgent } from '../../enclave/measure/watching.ts'
import { createAgentCgroup } from '../../enclave/sensor/agent-cgroup.ts'
import { type Reactor, reactor } from '../../enclave/sensor/reaction.ts'
import { type Sensor, startSensor } from '../../enclave/sensor/sensor.ts'
import { builtSensorProgram } from '../../enclave/sensor/sensor-program.ts'
import type { SessionNews } from '../../enclave/session/session-news.ts'
import { readApprovedFiles } from '../../enclave/sidecar/approved-files.ts'
import { type LocalGuard, localGuard } from '../../enclave/sidecar/local-guard.ts'
import { type AgentRun, runAgent } from '../../enclave/sidecar/run-agent.ts'
import { type LocalAgent, localAgent } from '../../kit/agent/agent.ts'
import { relyingParty } from '../../kit/relying-party/relying-party.ts'
import {
  attester,
  bearer,
  get,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { COLLECTOR, codeEvent } from '../http/session-scene.ts'
import { type AgentFiles, agentCommand, agentFiles } from './agent-files.ts'

export interface TamperScene {
  readonly service: RunningService
  readonly files: AgentFiles
  readonly forward: (seconds: number) => void
  readonly start: (change?: AgentChange) => Promise<TamperedAgent>
  /** Verdicts of the relying party that follows the stream: `accepted`, or the reason. */
  readonly asked: (token: string) => Promise<string>
  /** Resolves with milliseconds of performance.now() at which the token was refused. */
  readonly refused: (token: string) => Promise<number>
  readonly sessionOf: (id: string) => Promise<SessionSeen>
  readonly close: () => Promise<void>
}

export interface SessionSeen {
  readonly state: string
  readonly reason: string
  readonly demanded: string | null
}

export interface AgentChange {
  /** Where the register of the machine is, on one that has it. */
  readonly register?: MeasurementRegister
  /** Folder of the measurement log. Default: one of its own. */
  readonly log?: string
  readonly approved?: 'listed' | 'nothing'
}

export interface TamperedAgent {
  readonly pid: number
  readonly session: string
  readonly token: string
  /** What a program of the agent has. */
  readonly local: LocalAgent
  readonly guard: LocalGuard
  readonly group: Reactor
  readonly sensor: Sensor
  readonly collector: AgentCollector
  readonly log: string
  readonly news: readonly SessionNews[]
  /** A line for its shell. Resolves with performance.now() just before. */
  readonly tell: (line: string) => number
  /** From now on nothing that the sidecar says arrives, or it does again. */
  readonly network: { isCut: boolean }
  readonly ended: Promise<AgentRun>
  readonly stop: () => Promise<void>
}

/** Nobody listens there: what is let through is refused by the machine itself. */
export const ALLOWED_PORT = 9
const MOST_MS = 20_000
/** Once: its files are read, and where they are being worked on they change. */
const COLLECTING = collectorDigest()

/** `launched`: hex of what the machine says that it has launched; by default what `attester` says. */
export async function tamperScene(launched?: string): Promise<TamperScene> {
  const files = agentFiles()
  const text = tamperManifest(files)
  const policy = await policyOf(launched ? text.replace('a1'.repeat(48), launched) : text)
  const service = await runService({ policy })
  const began = { at: service.clock.at.getTime(), ms: performance.now() }
  let forwardMs = 0
  const now = () => began.at + forwardMs + performance.now() - began.ms
  Object.defineProperty(service.clock, 'at', { get: () => new Date(now()) })
  const chores = startChores(service.verifier)
  const party = relyingParty({
    issuer: service.simulated,
    audience: 'kms.example',
    required: { assurance: 'simulated', environment: 'prod', agent: 'invoice-bot' },
    now,
  })
  const follower = party.follow()
  await until(() => follower.state() === 'following')
  const asked = async (token: string) => {
    const verdict = await party.verifyWithoutProof({ token })
    return verdict.accepted ? 'accepted' : verdict.reason
  }
  const agents: TamperedAgent[] = []
  return {
    service,
    files,
    asked,
    forward(seconds) {
      forwardMs += seconds * 1000
    },
    async start(change = {}) {
      const agent = await startAgent({ service, files, now }, change)
      agents.push(agent)
      return agent
    },
    async refused(token) {
      await until(async () => (await asked(token)) !== 'accepted')
      return performance.now()
    },
    async sessionOf(id) {
      const { status, json } = await get(`${service.url}/v1/sessions/${id}`, bearer('auditor'))
      if (status !== 200) throw new Error(JSON.stringify(json))
      return json
    },
    async close() {
      for (const agent of agents) await agent.stop()
      follower.close()
      await chores.stop()
      await service.close()
      files.clear()
    },
  }
}

export async function until(
  isSo: () => boolean | Promise<boolean>,
  mostMs = MOST_MS,
): Promise<void> {
  const last = performance.now() + mostMs
  while (!(await isSo())) {
    if (performance.now() > last) throw new Error(`it did not become so within ${mostMs} ms`)
    await sleep(3)
  }
}

interface Before {
  readonly service: RunningService
  readonly files: AgentFiles
  readonly now: () => number
}

let agents = 0
const boots = new Map<string, string>()

/** A boot for each log: what one agent did would keep the next one of the same boot from its session. */
function bootOf(log: string): string {
  const boot = boots.get(log) ?? randomUUID()
  boots.set(log, boot)
  return boot
}

/** As src/compose/agent.ts puts it together. */
async function startAgent(
  { service, files, now }: Before,
  change: AgentChange,
): Promise<TamperedAgent> {
  const place = join(files.folder, `run-${agents}`)
  mkdirSync(place, { mode: 0o700 })
  const pipe = join(place, 'lines')
  execFileSync('mkfifo', [pipe])
  const cgroup = createAgentCgroup(`vouchsafe-tamper-${process.pid}-${agents++}`)
  const group = reactor(cgroup.freezer)
  const { approved = 'listed', register, log = join(place, 'log') } = change
  const guard = localGuard({
    approved: approved === 'listed' ? readApprovedFiles([files.list]) : undefined,
    freeze: group.freeze,
  })
  const sensor = await startSensor({
    scope: { cgroup: cgroup.unified ?? '' },
    program: builtSensorProgram(),
    allow: [`127.0.0.1:${ALLOWED_PORT}`],
    onEvent: guard.judge,
    onBlind: guard.blinded,
  })
  // Open for both, so that nobody waits for the other side of it.
  const lines = openSync(pipe, constants.O_RDWR)
  const news: SessionNews[] = []
  const network = { isCut: false }
  const stopped = Promise.withResolvers<void>()
  const watched = Promise.withResolvers<AgentCollector>()
  const started = { pid: 0 }
  const socket = join(place, 'agent.sock')
  const ended = runAgent({
    program: { command: agentCommand(files, pipe), env: { PATH: '/bin' }, place: cgroup.place },
    socket: { path: socket, admitted: { uids: [process.getuid?.() ?? 0] } },
    attester: attester(),
    session: {
      service: service.url,
      issuer: service.simulated,
      audience: 'kms.example',
      claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
      surroundings: {
        ...machine,
        wallMs: now,
        fetch: async (...call) => {
          if (network.isCut) throw new TypeError('fetch failed')
          return await fetch(...call)
        },
      },
    },
    watch: async (pid) => {
      started.pid = pid
      const { folder, model } = files
      const collector = await watchAgent({
        agent: {
          pid,
          trees: [{ path: join(folder, 'app'), kind: 'code' }],
          models: [{ name: 'm', path: model }],
        },
        folder: log,
        boot: bootOf(log),
        register,
        collector: COLLECTING,
        sensor,
        onSeen: guard.looked,
      })
      watched.resolve(collector)
      return collector
    },
    strike: (reason) => group.kill(reason.slice(0, 256)),
    guard,
    told: (each) => news.push(each),
    stopped: stopped.promise,
  })
  const untilCleared = async () => {
    try {
      return await ended
    } finally {
      await sensor.close()
      await cgroup.remove()
    }
  }
  const finished = untilCleared()
  finished.catch((fault) => watched.reject(fault))
  const collector = await watched.promise
  const local = localAgent({ socket })
  const token = await local.tokenFor().catch(async () => failed(await finished, service))
  const { id = '' } = await local.session()
  let isStopped = false
  return {
    ...{ pid: started.pid, session: id, token, local, guard, group, sensor, collector, log, news },
    tell(line) {
      const at = performance.now()
      writeSync(lines, `${line}\n`)
      return at
    },
    network,
    ended: finished,
    async stop() {
      stopped.resolve()
      await finished.catch(() => {})
      if (isStopped) return
      isStopped = true
      closeSync(lines)
      rmSync(place, { recursive: true, force: true })
    },
  }
}

function failed(run: AgentRun, { journal }: RunningService): never {
  const last = JSON.stringify(journal.slice(-2))
  throw new Error(`the agent ended before it had a token: ${JSON.stringify(run)}, after ${last}`)
}

/** For the real sidecar, and for whoever speaks the protocol by hand (test/http/session-scene.ts). */
function tamperManifest({ lines, modelDigest }: AgentFiles): string {
  const speaker = JSON.parse(codeEvent()) as { readonly digest: string }
  const measurements = lines.map((line) => {
    const [, kind, hex, path] = /^(\w+) ([0-9a-f]{64}) {2}(.*)$/.exec(line) ?? []
    return `      - {kind: ${kind}, path: ${path}, digest: "sha256:${hex}"}\n`
  })
  return manifest((text) =>
    text.replace(
      '  release:\n',
      `  models:
    - {name: m, version: 1, digest: "${modelDigest}"}
  runtime:
    attestEvery: 300s
    heartbeatEvery: 10s
    collectors: ["${COLLECTING}", "${COLLECTOR}"]
    watch: [files]
    measurements:
${measurements.join('')}      - {kind: code, digest: "${speaker.digest}"}
    egress:
      - {host: 127.0.0.1, ports: [${ALLOWED_PORT}]}
  release:
`,
    ),
  )
}
