/** The third act of `vouchsafe dev`: an agent that is watched while it works, and who takes its tokens. */
import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { collectorDigest } from '../../enclave/measure/collector-digest.ts'
import { whyNoSensor } from '../../enclave/sensor/sensor-program.ts'
import {
  type NotWatched,
  sensitiveCalls,
  type WatchedProgram,
  watchedAgent,
} from '../../enclave/simulator/watched-agent.ts'
import {
  demonstrateWatching,
  type Ledger,
  type WatchedDemonstration,
} from '../../enclave/simulator/watched-demonstration.ts'
import { attestedOnly } from '../../kit/relying-party/node.ts'
import { relyingParty } from '../../kit/relying-party/relying-party.ts'
import type { DevWatched, WatchedShown } from '../cli/dev-watched.ts'
import { listLine } from '../policy/documents/measurement-list.ts'
import type { SampleRuntime } from '../policy/sample/sample.ts'

/** By which the agent's requests name it: nobody resolves it, it listens at a Unix socket. */
const LEDGER_URL = 'https://ledger.example'
/** The least that a manifest may say. */
const HEARTBEAT_SECONDS = 2
/** V8 compiles there: it makes less than one MiB for such an agent, and copies its own two MiB on some machines. */
const JIT_KIB = 16 * 1024
/** Once built, it is kept: the first start may go without. */
const MOST_BUILD_MS = 8_000
const BUILD = fileURLToPath(new URL('../../enclave/sensor/build.sh', import.meta.url))

export interface PreparedWatching {
  /** For the manifests of the agent. */
  readonly runtime: SampleRuntime
  readonly program: WatchedProgram | NotWatched
  /** Of the files that watch. */
  readonly collector: ReturnType<typeof collectorDigest>
  /** Path of the sensor, once it is built. Never rejects. */
  readonly sensor: Promise<string | undefined>
}

/** Never rejects for what this machine lacks. */
export async function prepareWatching(
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<PreparedWatching> {
  const sensor = builtSensor(env)
  const program = await watchedAgent(directory)
  const collector = collectorDigest()
  const collectors = [collector]
  const prepared = { program, collector, sensor }
  if ('because' in program) return { runtime: { collectors }, ...prepared }
  return {
    runtime: {
      ...{ collectors, watch: ['files'], anonymousTextKiB: JIT_KIB },
      heartbeatSeconds: HEARTBEAT_SECONDS,
      sensitiveCalls,
      loads: linesOf(program),
    },
    ...prepared,
  }
}

export interface Watching
  extends Pick<WatchedDemonstration, 'attester' | 'service' | 'issuer' | 'audience' | 'agent'> {
  /** Of the tokens that the ledger takes. */
  readonly ledgerAudience: string
  /** Why the policy does not approve what is loaded; undefined: it does. */
  readonly notRenewed: string | undefined
}

export function devWatched(
  { program, collector, sensor }: PreparedWatching,
  { notRenewed, ledgerAudience, ...watching }: Watching,
): DevWatched {
  if ('because' in program) return { leftOut: program.because }
  if (notRenewed !== undefined) return { leftOut: notRenewed }
  return {
    command: program.command,
    code: program.code,
    takesRoot: program.unwatched.length > 0,
    async show(): Promise<WatchedShown> {
      const listFile = join(program.folder, 'approved.list')
      await writeFile(
        listFile,
        linesOf(program)
          .map((line) => `${line}\n`)
          .join(''),
      )
      const socket = join(program.folder, 'ledger.sock')
      const { ledger, close } = await openLedger({ ...watching, socket, audience: ledgerAudience })
      const { unwatched } = program
      try {
        const built = await sensor
        const course = await demonstrateWatching({
          ...{ ...watching, program, collector, listFile, ledger, sensor: built },
        })
        return { verdict: 'stopped', unwatched, ...course }
      } catch (fault) {
        // The two acts before it were shown, and the service serves on.
        const detail = fault instanceof Error ? fault.message : String(fault)
        return { verdict: 'failed', unwatched, detail }
      } finally {
        await close()
      }
    },
  }
}

function linesOf({ loads }: WatchedProgram): readonly string[] {
  return loads.map(({ kind, path, digest }) => listLine(kind, digest, path))
}

interface LedgerRequest extends Pick<Ledger, 'socket' | 'audience'> {
  readonly issuer: string
  readonly agent: WatchedDemonstration['agent']
}

/** A relying party with the kit, which hears of revocations as they happen. */
async function openLedger({ socket, audience, issuer, agent }: LedgerRequest): Promise<{
  readonly ledger: Ledger
  readonly close: () => Promise<void>
}> {
  const party = relyingParty({ issuer, audience, required: { assurance: 'simulated', ...agent } })
  const follower = party.follow()
  const admit = attestedOnly(party, { publicUrl: LEDGER_URL })
  const first = Promise.withResolvers<string>()
  let booked = 0
  const server = createServer((request, response) => {
    const [, token = ''] = (request.headers.authorization ?? '').split(' ')
    void admit(request, response).then((admitted) => {
      if (!admitted) return
      booked++
      first.resolve(token)
      response.end('{}')
    })
  })
  await rm(socket, { force: true })
  await listening(server, socket)
  return {
    ledger: {
      ...{ socket, audience, firstToken: first.promise, booked: () => booked },
      async refusalOf(token) {
        const verdict = await party.verifyWithoutProof({ token })
        return verdict.accepted ? undefined : `${verdict.reason}: ${verdict.detail}`
      },
    },
    async close() {
      follower.close()
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

async function listening(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
}

/** Undefined where it cannot run, or was not built in a few seconds. Never rejects. */
async function builtSensor(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (whyNoSensor() !== undefined) return undefined
  const child = spawn(BUILD, {
    detached: true,
    env: { ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: MOST_BUILD_MS,
    killSignal: 'SIGKILL',
  })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  return await new Promise((resolve) => {
    child.on('error', () => resolve(undefined))
    child.on('close', (code) => resolve(code === 0 ? printed.trim() : undefined))
  })
}
