/** What `vouchsafe agent run` does: the sidecar of enclave/, on this machine or on one that `vouchsafe dev` simulates. */
import { runtimeRegister } from '../../enclave/attester/tsm-mr.ts'
import type { AnsweredQuestion } from '../../enclave/endpoint/local-endpoint.ts'
import { EndpointFault } from '../../enclave/endpoint/socket-place.ts'
import { BootLogFault } from '../../enclave/measure/boot-log.ts'
import { refuseUnfree } from '../../enclave/measure/environment.ts'
import { hostNames } from '../../enclave/measure/host-names.ts'
import { type AgentCollector, watchAgent } from '../../enclave/measure/watching.ts'
import { type AgentCgroup, createAgentCgroup } from '../../enclave/sensor/agent-cgroup.ts'
import { reactor } from '../../enclave/sensor/reaction.ts'
import { type Sensor, startSensor } from '../../enclave/sensor/sensor.ts'
import { builtSensorProgram, whyNoSensor } from '../../enclave/sensor/sensor-program.ts'
import type { SessionNews } from '../../enclave/session/session-news.ts'
import { ApprovedFilesFault, readApprovedFiles } from '../../enclave/sidecar/approved-files.ts'
import { type LocalGuard, localGuard } from '../../enclave/sidecar/local-guard.ts'
import { type AgentRun, type RunAgent, runAgent } from '../../enclave/sidecar/run-agent.ts'
import type { AgentNews, AgentOutcome, AgentRunRequest } from '../cli/agent.ts'
import { Mistake } from '../cli/arguments.ts'
import { askedOf, mistakeOf, refusedBy } from './attest.ts'

export interface AgentSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ownUid: number
  /** Names a cgroup that nobody else has. */
  readonly ownPid: number
  readonly stopped: () => Promise<unknown>
}

/** Throws Mistake for what is wrong on this side. */
export async function runAgentHere(
  request: AgentRunRequest,
  say: (entry: AgentNews) => void,
  { env, ownUid, ownPid, stopped }: AgentSurroundings,
): Promise<AgentOutcome> {
  assertFree(request.freeVariables)
  const { audiences, attester, ...asked } = await askedOf(request)
  const [audience = asked.service, ...otherAudiences] = audiences
  const cgroup = ownCgroup(`vouchsafe-agent-${ownPid}`, { ownUid, say })
  const kernel = request.sensor ? await kernelSource(cgroup, request) : undefined
  const names = await hostNames({ hosts: request.hosts })
  kernel?.guard.onAlarm(({ reason }) => say({ event: 'frozen', detail: reason }))
  const { uid, gid, socket, socketGid } = request
  const run: RunAgent = {
    program: {
      command: request.command,
      env: { ...env, VOUCHSAFE_SOCKET: socket },
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(cgroup && { place: cgroup.place }),
    },
    socket: {
      path: socket,
      admitted: { uids: [uid ?? ownUid] },
      ...groupOf(socketGid ?? (uid === undefined ? undefined : gid)),
    },
    attester,
    session: { ...asked, audience, otherAudiences },
    watch: async (pid) =>
      await watching(request, pid, { kernel, isPrivileged: ownUid === 0, hostOf: names.hostOf }),
    ...(cgroup && { strike: (why) => reactor(cgroup.freezer).kill(why.slice(0, 256)) }),
    ...(kernel && { guard: kernel.guard }),
    told: (news) => say(newsOf(news)),
    asked: (question) => {
      if (question.status >= 500) say(complaintOf(question))
    },
    stopped: stopped(),
  }
  try {
    return outcomeOf(await runAgent(run), asked.issuer)
  } catch (fault) {
    throw mistakeHere(fault)
  } finally {
    names.close()
    await kernel?.sensor.close()
    await cgroup
      ?.remove()
      .catch((fault) => say({ event: 'left-behind', detail: sentenceOf(fault) }))
  }
}

/** Throws Mistake. */
function assertFree(names: readonly string[] = []): void {
  try {
    refuseUnfree(names)
  } catch (fault) {
    throw new Mistake(`--free-variable: ${sentenceOf(fault)}.`, 'Approve the value that it has.')
  }
}

/** Whoever is in it is ended with the program, whatever session or parent he made for himself. Undefined where there can be none. */
function ownCgroup(
  name: string,
  { ownUid, say }: Pick<AgentSurroundings, 'ownUid'> & { readonly say: (news: AgentNews) => void },
): AgentCgroup | undefined {
  try {
    if (ownUid !== 0) throw new Error('that takes root')
    return createAgentCgroup(name)
  } catch (fault) {
    const detail = `the program has no cgroup of its own (${sentenceOf(fault)}): what it starts in a session of its own is not ended with it`
    say({ event: 'not-contained', detail })
    return undefined
  }
}

interface KernelSource {
  readonly sensor: Sensor
  readonly guard: LocalGuard
}

/** Throws Mistake, and then the cgroup is gone. */
async function kernelSource(
  cgroup: AgentCgroup | undefined,
  { approved, allow, allowedCalls }: AgentRunRequest,
): Promise<KernelSource> {
  const reason = whyNoSensor()
  try {
    if (reason !== undefined || !cgroup) throw new Error(reason ?? 'the sensor needs a cgroup')
    const { unified } = cgroup
    if (unified === undefined) throw new Error('the sensor needs cgroup v2')
    const { freeze } = reactor(cgroup.freezer)
    const guard = localGuard({
      approved: approved.length === 0 ? undefined : readApprovedFiles(approved),
      allowedCalls,
      freeze,
    })
    const sensor = await startSensor({
      scope: { cgroup: unified },
      program: builtSensorProgram(),
      ...(allow.length > 0 && { allow }),
      onEvent: guard.judge,
      onBlind: guard.blinded,
    })
    return { sensor, guard }
  } catch (fault) {
    await cgroup?.remove()
    if (fault instanceof ApprovedFilesFault)
      throw new Mistake(`--approved: ${fault.message}.`, 'Name the lists of what is in this image.')
    throw new Mistake(
      `--sensor: ${fault instanceof Error ? fault.message : 'it did not start'}.`,
      'Run it as root with clang, libbpf-dev and bpftool, or without --sensor.',
    )
  }
}

async function watching(
  { measure, state, models, freeVariables, log, simulated }: AgentRunRequest,
  pid: number,
  {
    kernel,
    isPrivileged,
    hostOf,
  }: {
    readonly kernel: KernelSource | undefined
    readonly isPrivileged: boolean
    readonly hostOf: (address: string) => string
  },
): Promise<AgentCollector> {
  return await watchAgent({
    agent: {
      pid,
      trees: [
        ...measure.map((path) => ({ path, kind: 'code' as const })),
        ...state.map((path) => ({ path, kind: 'state' as const })),
      ],
      models,
      ...(freeVariables && { freeVariables }),
      // The link of a mapping is for the privileged alone.
      ...(!isPrivileged && { mappedFiles: 'by-path' as const }),
    },
    folder: log,
    hostOf,
    // A simulated machine has no register, whatever the one below it has.
    register: simulated ? undefined : await runtimeRegister(),
    ...(kernel && { sensor: kernel.sensor, onSeen: kernel.guard.looked }),
  })
}

function groupOf(gid: number | undefined): { readonly gid?: number } {
  return gid === undefined ? {} : { gid }
}

function outcomeOf(run: AgentRun, issuer: string): AgentOutcome {
  switch (run.outcome) {
    case 'ended':
      return { verdict: 'ended', code: run.code }
    case 'stopped':
      return { verdict: 'stopped' }
    case 'over':
      return { verdict: 'over', state: run.over.state, detail: run.over.message }
    case 'refused':
      return refusedBy(run.fault, issuer)
  }
}

function newsOf(news: SessionNews): AgentNews {
  switch (news.kind) {
    case 'refused': {
      const { code, detail, next, failing } = news.fault
      return { event: 'refused', code, detail, next, failing: failing.join(' ') }
    }
    case 'failing':
      return { event: 'failing', detail: sentenceOf(news.fault), times: news.failed }
    case 'over':
      return { event: 'stopping', state: news.over.state }
    default: {
      const { kind, ...said } = news
      return { event: kind, ...said }
    }
  }
}

function complaintOf({ method, path, status, fault }: AnsweredQuestion): AgentNews {
  return { event: 'not-answered', method, path, status, detail: sentenceOf(fault) }
}

function sentenceOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault)
}

function mistakeHere(fault: unknown): unknown {
  if (fault instanceof EndpointFault)
    return new Mistake(`--socket: ${fault.message}.`, 'Name another with --socket.')
  if (fault instanceof BootLogFault)
    return new Mistake(`--log: ${fault.message}.`, 'Only a restart of the machine begins it anew.')
  return mistakeOf(fault)
}
