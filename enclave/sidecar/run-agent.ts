/**
 * A watched agent from its start to its end: the program, what watches it, its session, and the socket at which it gets its
 * tokens. In that order, since the session begins with what the program has loaded.
 */
import type { Attester } from '../attestation.ts'
import { ServiceRefusal } from '../client/faults.ts'
import { backOffMs, isPassing } from '../client/retrying.ts'
import { machine } from '../client/surroundings.ts'
import type { AdmittedPeers } from '../endpoint/admitted-peers.ts'
import { type LocalEndpointRequest, openLocalEndpoint } from '../endpoint/local-endpoint.ts'
import { openingClient } from '../endpoint/opening-client.ts'
import type { SocketPlace } from '../endpoint/socket-place.ts'
import type { AgentCollector } from '../measure/watching.ts'
import { type SessionNews, SessionOver } from '../session/session-news.ts'
import {
  type WatchedSession,
  type WatchedSessionRequest,
  watchedSession,
} from '../session/watched-session.ts'
import { type AgentProgramRequest, startAgentProgram } from './agent-program.ts'
import { guarding, tellAtOnce } from './guarding.ts'
import type { LocalGuard } from './local-guard.ts'

export interface RunAgent {
  readonly program: AgentProgramRequest
  readonly socket: SocketPlace & { readonly admitted: AdmittedPeers }
  readonly attester: Attester
  readonly session: Omit<WatchedSessionRequest, 'attester' | 'collector' | 'told'>
  /** What watches the program, once it runs. */
  readonly watch: (pid: number) => Promise<AgentCollector>
  /** Stops the program by itself, and is told of what is seen. */
  readonly guard?: LocalGuard
  /** Faster than this process's own signals, where the machine has it: before anything else when the session is over. */
  readonly strike?: (reason: string) => void
  readonly told: (news: SessionNews) => void
  readonly asked?: LocalEndpointRequest['told']
  /** Resolves when the sidecar itself is to end. */
  readonly stopped: Promise<unknown>
}

export type AgentRun =
  | { readonly outcome: 'ended'; readonly code: number }
  | { readonly outcome: 'stopped' }
  | { readonly outcome: 'over'; readonly over: SessionOver }
  | { readonly outcome: 'refused'; readonly fault: ServiceRefusal }

const LONGEST_WAIT_MS = 15_000
const MOST_DOUBLINGS = 10

/** The program has ended when this resolves, and when it rejects: with what kept it from being watched. */
export async function runAgent(run: RunAgent): Promise<AgentRun> {
  const opening = Promise.withResolvers<WatchedSession>()
  const endpoint = await openLocalEndpoint(openingClient(opening.promise), {
    ...run.socket,
    ...(run.asked && { told: run.asked }),
  })
  // Whoever else may ask there: nobody speaks for an agent that was stopped.
  run.guard?.onAlarm(() => void endpoint.close())
  const ending = new AbortController()
  let session: WatchedSession | undefined
  let collector: AgentCollector | undefined
  const program = await startAgentProgram(run.program).catch(async (fault) => {
    await endpoint.close()
    throw fault
  })
  const over = Promise.withResolvers<AgentRun>()
  const watched = async () => {
    collector = await run.watch(program.pid)
    const { guard } = run
    const { signal: ended } = ending
    if (guard) void guarding({ guard, collector, surroundings: machine, signal: ended })
    const kept = await opened(run, collector, ending.signal)
    session = kept
    if (ending.signal.aborted) await kept.close()
    const { signal } = kept
    const strike = () => {
      run.strike?.(String(signal.reason))
      program.kill()
      over.resolve({ outcome: 'over', over: signal.reason })
    }
    if (signal.aborted) strike()
    signal.addEventListener('abort', strike)
    if (guard) tellAtOnce(guard, kept, machine)
    opening.resolve(kept)
    return await over.promise
  }
  try {
    return await Promise.race([
      program.ended.then(({ code }): AgentRun => ({ outcome: 'ended', code })),
      run.stopped.then((): AgentRun => ({ outcome: 'stopped' })),
      watched().catch((fault): AgentRun => {
        if (fault instanceof ServiceRefusal) return { outcome: 'refused', fault }
        // Before it began: another session of this agent on this boot is in quarantine.
        if (fault instanceof SessionOver) return { outcome: 'over', over: fault }
        throw fault
      }),
    ])
  } finally {
    ending.abort()
    opening.reject(new SessionOver('CLOSED', 'the sidecar ends'))
    // One that is frozen cannot end by itself.
    if (run.guard?.alarm()) program.kill()
    // First the program: whatever is closed before it, it could still use the time.
    await program.stop()
    await endpoint.close()
    await (session ? session.close() : collector?.close())
  }
}

/** The agent runs and waits meanwhile: a service that is not there yet is no reason to start it again. */
async function opened(
  { session, attester, told }: RunAgent,
  collector: AgentCollector,
  signal: AbortSignal,
): Promise<WatchedSession> {
  const { wait, fraction } = machine
  for (let failed = 1; ; failed++) {
    try {
      return await watchedSession({ ...session, attester, collector, told })
    } catch (fault) {
      if (!isPassing(fault) || signal.aborted) throw fault
      told({ kind: 'failing', fault, failed })
      const limits = { longest: LONGEST_WAIT_MS, fraction }
      await wait(backOffMs(Math.min(failed, MOST_DOUBLINGS), 0, limits), signal)
    }
  }
}
