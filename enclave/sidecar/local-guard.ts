/**
 * What stops the agent before anybody was asked? What was approved is known on the machine itself, so the guard freezes the agent
 * while its act is still under way, and has the verifier told at once. To kill it is the verifier's to say; until then, and
 * where it cannot be reached, the agent stays as it is: nothing here lets it run on.
 *
 * The guard judges what is reported. A process outside that reaches into the agent is none that the sensor follows: that it traces,
 * and which code it changed, is seen by the next look; which data it changed, by nobody.
 */
import type { Behaviour, Measurement } from '../../src/rats/runtime-event.ts'
import { printable } from '../measure/budget.ts'
import type { ReactionEvent } from '../sensor/reaction.ts'
import type { SeenFile, SensorEvent } from '../sensor/sensor-event.ts'
import type { ApprovedFiles } from './approved-files.ts'

export interface GuardRequest {
  /** Undefined: only what no manifest can allow is stopped. */
  readonly approved: ApprovedFiles | undefined
  /** Sensitive system calls that it may make (docs/policy.md, spec.runtime.sensitiveCalls). They count where `approved` does. */
  readonly allowedCalls?: readonly string[]
  /** A destination that was denied. Default `freeze`. */
  readonly denied?: 'freeze' | 'report'
  /** Synchronous. Throws what went wrong. */
  readonly freeze: (reason: string) => ReactionEvent
}

export interface Alarm {
  readonly reason: string
  /** What was done, or why nothing was. */
  readonly event: Behaviour
  /** Milliseconds of `performance.now()`, when the agent was frozen. */
  readonly at: number
}

export interface LocalGuard {
  /** For `onEvent` of the sensor. */
  readonly judge: (event: SensorEvent) => void
  /** What a look has shown, that no event had told. */
  readonly looked: (seen: Behaviour | Measurement) => void
  /** Nobody sees what the agent does any more. */
  readonly blinded: (reason: string) => void
  readonly alarm: () => Alarm | undefined
  /** Told once, and at once where it has happened already. */
  readonly onAlarm: (listener: (alarm: Alarm) => void) => void
  /** Told whenever the verifier should not wait for the next heartbeat: an alarm, or a plugin that the sandbox has refused. */
  readonly onUrgent: (listener: () => void) => void
}

/** Of another process's memory and course, allowed or not: an agent has no business there. */
const NEVER = ['ptrace', 'process_vm_writev']

export function localGuard(request: GuardRequest): LocalGuard {
  const { approved, allowedCalls = [], denied = 'freeze' } = request
  const listeners: ((alarm: Alarm) => void)[] = []
  const hurried: (() => void)[] = []
  let alarm: Alarm | undefined
  let isUrgent = false
  const hurry = () => {
    isUrgent = true
    for (const listener of hurried) listener()
  }
  const stop = (text: string) => {
    // Frozen is frozen: what other threads did in that instant, the verifier hears with the rest.
    if (alarm) return
    const reason = printable(text).slice(0, 256)
    const event = frozen(request, reason)
    alarm = { reason, event, at: performance.now() }
    for (const listener of listeners.splice(0)) listener(alarm)
    hurry()
  }
  const unlisted = (what: string, { path, isAnonymous }: SeenFile) =>
    stop(
      `${what}: ${path || 'a file without a name'}${isAnonymous ? ', which no path leads to' : ''}`,
    )
  return {
    judge(event) {
      switch (event.kind) {
        case 'exec':
          if (event.file.isAnonymous) unlisted('a program was started from memory', event.file)
          else if (approved && !approved.mayStart(event.file))
            unlisted('a program was started that is not approved', event.file)
          break
        case 'map':
          if (approved && (event.file.isAnonymous || !approved.mayMap(event.file)))
            unlisted('code was loaded that is not approved', event.file)
          break
        case 'sensitive':
          if (NEVER.includes(event.call) || (approved && !allowedCalls.includes(event.call)))
            stop(`a sensitive system call was made: ${event.call} ${event.detail}`.trimEnd())
          break
        case 'connection':
          if (event.verdict === 'denied' && denied === 'freeze')
            stop(`a connection was denied: ${event.address} port ${event.port}`)
          break
        default:
          break
      }
    },
    looked(seen) {
      switch (seen.kind) {
        case 'text-mismatch':
          stop(`executable memory is not what its file says: ${seen.path} at ${seen.offset}`)
          break
        case 'changed':
          stop(`a file changed under the running agent: ${seen.path}`)
          break
        case 'sensitive':
          if (NEVER.includes(seen.call)) stop(`${seen.comm} is ${seen.detail}`)
          break
        case 'exec':
          if (seen.isAnonymous) stop(`a program runs that no path leads to: ${seen.path}`)
          break
        case 'plugin-call':
          // It was not run, and is no reason to stop those that are.
          if (seen.outcome === 'refused') hurry()
          break
        default:
          if ('digest' in seen && 'path' in seen && approved && !approved.names(seen))
            stop(`${seen.kind} is not approved: ${seen.path}`)
          break
      }
    },
    blinded: (reason) => stop(`nobody sees what the agent does: ${reason}`),
    alarm: () => alarm,
    onAlarm(listener) {
      if (alarm) listener(alarm)
      else listeners.push(listener)
    },
    onUrgent(listener) {
      hurried.push(listener)
      if (isUrgent) listener()
    },
  }
}

function frozen({ freeze }: GuardRequest, reason: string): Behaviour {
  try {
    return freeze(reason)
  } catch (fault) {
    const why = fault instanceof Error ? fault.message : String(fault)
    return { kind: 'blind', reason: printable(`not frozen (${why}): ${reason}`).slice(0, 256) }
  }
}
