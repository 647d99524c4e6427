/**
 * What `vouchsafe dev` shows of a session: an agent that is attested and works, is tampered with while it runs, and is stopped and
 * loses its tokens; and after how many milliseconds. Sidecar, collector, sensor and guard are those of production.
 */
import { randomUUID } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attester } from '../attestation.ts'
import { ServiceRefusal } from '../client/faults.ts'
import { watchAgent } from '../measure/watching.ts'
import type { SessionNews, SessionOver } from '../session/session-news.ts'
import { startAgentProgram } from '../sidecar/agent-program.ts'
import { readApprovedFiles } from '../sidecar/approved-files.ts'
import { localGuard } from '../sidecar/local-guard.ts'
import { type AgentRun, runAgent } from '../sidecar/run-agent.ts'
import { type Stopping, stopping } from './stopping.ts'
import { killGroup, sensitiveCalls, type WatchedProgram } from './watched-agent.ts'

export interface WatchedDemonstration {
  readonly program: WatchedProgram
  /** Measurement list of what it may load, on this machine: for its guard. */
  readonly listFile: string
  readonly attester: Attester
  readonly service: string
  readonly issuer: string
  /** Of tokens for the service itself. */
  readonly audience: string
  readonly agent: { readonly environment: string; readonly agent: string }
  /** Who takes the agent's tokens. */
  readonly ledger: Ledger
  /** Digest of what watches, as the policy names it. */
  readonly collector: `sha256:${string}`
  /** The compiled sensor; undefined: without it. */
  readonly sensor: string | undefined
}

export interface Ledger {
  /** Unix socket. */
  readonly socket: string
  readonly audience: string
  /** Of the first request that it took. Never rejects. */
  readonly firstToken: Promise<string>
  readonly booked: () => number
  /** Undefined: it takes the token. */
  readonly refusalOf: (token: string) => Promise<string | undefined>
}

/** Milliseconds since it was tampered with. */
export interface WatchedTimeline {
  readonly noticed: number
  readonly stopped: number
  readonly quarantined: number
  readonly tokenRefused: number
}

export interface WatchedCourse {
  readonly session: string
  /** Requests that the ledger took before, and after it. */
  readonly bookedBefore: number
  readonly bookedAfter: number
  readonly acts: readonly string[]
  readonly timeline: WatchedTimeline
  /** By the guard on the machine. */
  readonly alarm: string
  readonly stoppedBy: Stopping['by']
  readonly source: 'kernel events' | 'looks'
  /** Of the verifier. */
  readonly failing: readonly string[]
  readonly sentence: string
  /** By the relying party. */
  readonly refusal: string
}

/** What did not come within its time. */
class DemonstrationFault extends Error {
  override readonly name = 'DemonstrationFault'
}

const WORKING_MS = 20_000
const NOTICING_MS = 15_000
const REFUSING_MS = 10_000
const ENDING_MS = 20_000
/** Under another name it is a program that nobody approved. */
const INTRUDER = '/bin/true'
/** So often it books before anything happens to it. */
const BOOKINGS = 3

/** Throws DemonstrationFault, and what the sidecar throws. The program has ended by then. */
export async function demonstrateWatching(request: WatchedDemonstration): Promise<WatchedCourse> {
  const { program, listFile, ledger } = request
  const approved = readFileSync(program.changed)
  const socket = join(program.folder, 'run/agent.sock')
  const guard = localGuard({
    approved: readApprovedFiles([listFile]),
    allowedCalls: sensitiveCalls,
    freeze: (reason) => stop.freeze(reason),
  })
  const stop = await stopping(request.sensor, guard.judge)
  const news: (SessionNews & { readonly at: number })[] = []
  const ended = Promise.withResolvers<void>()
  const run = runAgent({
    program: {
      command: program.command,
      env: { VOUCHSAFE_SOCKET: socket, LEDGER_SOCKET: ledger.socket },
      place: stop.place,
    },
    socket: {
      path: socket,
      admitted: { uids: [process.getuid?.() ?? 0] },
    },
    attester: request.attester,
    session: {
      ...{ service: request.service, issuer: request.issuer, audience: request.audience },
      claims: { tenant: 'default', ...request.agent },
      otherAudiences: [ledger.audience],
    },
    guard,
    watch: async (pid) =>
      await watchAgent({
        agent: {
          pid,
          trees: [{ path: program.code, kind: 'code', as: 'each' }],
          models: [],
          ...program.sight,
        },
        folder: join(program.folder, 'log'),
        // Nothing of the machine below is the simulated one's.
        register: undefined,
        onSeen: guard.looked,
        // The simulated machine is another at every start, and what happened on the one before is not held against it.
        boot: randomUUID(),
        // Read once: whoever works on it saves a file now and then.
        collector: request.collector,
        ...(stop.sensor && { sensor: stop.sensor }),
      }),
    strike: stop.kill,
    told: (each) => news.push({ ...each, at: performance.now() }),
    stopped: ended.promise,
  })
  // Whoever waits for it below hears of it.
  run.catch(() => {})
  try {
    return await course(request, { run, news, stop, alarm: guard.alarm })
  } finally {
    stop.kill('the demonstration ends')
    ended.resolve()
    await within(ENDING_MS, run, () => 'the sidecar did not end').catch(() => {})
    await stop.close()
    // For whoever runs it by hand.
    writeFileSync(program.changed, approved)
  }
}

interface Running {
  readonly run: Promise<AgentRun>
  readonly news: readonly (SessionNews & { readonly at: number })[]
  readonly stop: Stopping
  readonly alarm: ReturnType<typeof localGuard>['alarm']
}

async function course(
  { program, ledger }: WatchedDemonstration,
  { run, news, stop, alarm }: Running,
): Promise<WatchedCourse> {
  const token = await within(
    WORKING_MS,
    Promise.race([ledger.firstToken, endedEarly(run)]),
    () => `the agent did not get a token${lastTrouble(news)}`,
  )
  const until = performance.now() + WORKING_MS
  while (ledger.booked() < BOOKINGS && performance.now() < until) await sleep(20)
  const bookedBefore = ledger.booked()

  const intruder = join(program.folder, 'intruder')
  if (stop.sensor) copyFileSync(INTRUDER, intruder)
  const at = performance.now()
  const acts = await tamper(program, stop, intruder)
  const outcome = await within(
    NOTICING_MS,
    run,
    () => `nobody stopped the agent within ${NOTICING_MS / 1000} s${lastTrouble(news)}`,
  )
  if (outcome.outcome !== 'over') throw new DemonstrationFault(`the agent ${wordsOf(outcome)}`)
  const over = news.find(({ kind }) => kind === 'over')?.at ?? performance.now()
  const { refusal, refusedAt } = await refused(ledger, token)
  const seen = alarm()
  if (!seen) throw new DemonstrationFault('the guard did not notice what the verifier did')
  const frozenMs = seen.event.kind === 'reaction' ? seen.event.microseconds / 1000 : 0
  const { cause } = outcome.over
  const opened = news.find((each) => each.kind === 'opened')
  return {
    session: opened?.session ?? '',
    ...{ bookedBefore, bookedAfter: ledger.booked() - bookedBefore, acts },
    timeline: {
      noticed: tenths(seen.at - frozenMs - at),
      stopped: tenths(seen.at - at),
      quarantined: tenths(over - at),
      tokenRefused: tenths(refusedAt - at),
    },
    alarm: seen.reason,
    stoppedBy: stop.by,
    source: stop.sensor ? 'kernel events' : 'looks',
    failing: cause instanceof ServiceRefusal ? cause.failing : [],
    sentence: sentenceOf(outcome.over),
    refusal,
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}

/** What somebody could do who got into the agent's machine. */
async function tamper(
  { changed }: WatchedProgram,
  { sensor, place }: Stopping,
  intruder: string,
): Promise<readonly string[]> {
  const text = readFileSync(changed, 'utf8')
  writeFileSync(changed, text.replace("account: '4711'", "account: '0815'"))
  const acts = [`its file ${changed} was changed`]
  if (!sensor) return acts
  const { pid, ended } = await startAgentProgram({ command: [intruder], env: {}, place })
  // Frozen with the agent, it ends when that is killed.
  void ended.then(() => killGroup(pid))
  return [...acts, `a program that nobody approved was started beside it: ${intruder}`]
}

async function refused(
  { refusalOf }: Ledger,
  token: string,
): Promise<{ readonly refusal: string; readonly refusedAt: number }> {
  const until = performance.now() + REFUSING_MS
  for (; performance.now() < until; await sleep(2)) {
    const refusal = await refusalOf(token)
    if (refusal !== undefined) return { refusal, refusedAt: performance.now() }
  }
  throw new DemonstrationFault(`the token was still taken after ${REFUSING_MS / 1000} s`)
}

/** Without what the line above it says, and without the data that follow it. */
function sentenceOf({ message, cause }: SessionOver): string {
  if (!(cause instanceof ServiceRefusal)) return message
  const [sentence = ''] = cause.detail.split(' (observed ')
  return sentence.replace(/^session \S+ is QUARANTINED: /, '')
}

async function endedEarly(run: Promise<AgentRun>): Promise<never> {
  const outcome = await run
  throw new DemonstrationFault(`the agent ${wordsOf(outcome)} before anything happened to it`)
}

function wordsOf(outcome: AgentRun): string {
  switch (outcome.outcome) {
    case 'ended':
      return `ended by itself with ${outcome.code}`
    case 'over':
      return `was stopped: ${outcome.over.message}`
    case 'refused':
      return `was refused: ${outcome.fault.message}`
    case 'stopped':
      return 'was ended'
  }
}

function lastTrouble(news: readonly SessionNews[]): string {
  const last = news.findLast((each) => each.kind === 'failing' || each.kind === 'refused')
  return last ? `: ${last.fault instanceof Error ? last.fault.message : String(last.fault)}` : ''
}

async function within<T>(ms: number, work: Promise<T>, otherwise: () => string): Promise<T> {
  const late = new AbortController()
  const over = sleep(ms, undefined, { signal: late.signal }).then(() => {
    throw new DemonstrationFault(otherwise())
  })
  try {
    return await Promise.race([work, over])
  } finally {
    late.abort()
    over.catch(() => {})
  }
}
