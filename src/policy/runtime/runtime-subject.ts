/** What the runtime checks judge: one message of a session, with what is known of the session from before. */
import type { AgentRelease, RuntimeLimits } from '../../rats/release.ts'
import {
  type Behaviour,
  decodeBehaviour,
  decodeMeasurement,
  type Measurement,
} from '../../rats/runtime-event.ts'
import type { RuntimeUsage } from '../../rats/runtime-usage.ts'
import type { TranscriptStatement, Watch } from '../../rats/transcript.ts'

/**
 * That the events lead from the stored checkpoint to the statement's heads, and who signed them, is proven before: whatever
 * stands here is what the collector said. Every text of it may have been chosen by an attacker.
 */
export interface RuntimeSubject {
  readonly release: AgentRelease
  /** As much of it as a stored session has too, so that a session can be judged again by another policy. */
  readonly statement: Pick<
    TranscriptStatement,
    'boot' | 'seq' | 'dropped' | 'uptime' | 'collector' | 'modes'
  >
  /** The session as stored; undefined when it opens, and when what is stored is judged again. */
  readonly before: SessionBefore | undefined
  /** Events of this message, verbatim. */
  readonly measurement: readonly string[]
  readonly behaviour: readonly string[]
  /** With this message: what `usageAfter` makes of it. */
  readonly usage: RuntimeUsage
  /** Undefined: no quote came with this message. */
  readonly register: RuntimeRegister | undefined
  /** Revocations.digests of the policy: hex to reason. Absent: nobody asked, which the finding says. */
  readonly revoked?: ReadonlyMap<string, string>
}

export interface RuntimeRegister {
  /** Hex of what Tee.runtimeRegister reads; undefined where this TEE has no such register. */
  readonly quoted: string | undefined
  /** Hex: Checkpoint.register with this message. */
  readonly replayed: string
}

/** As the last accepted message left it. A SessionRecord is one. */
export interface SessionBefore {
  readonly seq: number
  readonly dropped: number
  readonly uptimeMs: number
  readonly boot: string
  readonly collector: string
  readonly modes: string
}

/** A manifest without a section `runtime` allows nothing, no collector to begin with. */
export const nothing: RuntimeLimits = {
  isSessionRequired: false,
  attestEverySeconds: undefined,
  heartbeatSeconds: 10,
  measurements: [],
  lists: [],
  state: [],
  watch: [],
  collectors: [],
  mostDropped: 0,
  sensitiveCalls: [],
  anonymousTextKiB: 0,
  egress: [],
  budget: {},
}

export function limitsOf({ release }: RuntimeSubject): RuntimeLimits {
  return release.runtime ?? nothing
}

export function watchesMode({ statement }: RuntimeSubject, mode: Watch): boolean {
  return statement.modes.split(' ').includes(mode)
}

export interface Decoded<T> {
  readonly events: readonly T[]
  /** Places, from 1, of what is no event of ours. */
  readonly malformed: readonly number[]
}

export function measurementsIn(events: readonly string[]): Decoded<Measurement> {
  return decodedOnce(measurements, events, decodeMeasurement)
}

export function behavioursIn(events: readonly string[]): Decoded<Behaviour> {
  return decodedOnce(behaviours, events, decodeBehaviour)
}

/** Many checks ask for the events of one message, which nobody changes. */
const measurements = new WeakMap<readonly string[], Decoded<Measurement>>()
const behaviours = new WeakMap<readonly string[], Decoded<Behaviour>>()

function decodedOnce<T>(
  memory: WeakMap<readonly string[], Decoded<T>>,
  texts: readonly string[],
  decode: (event: string) => T | undefined,
): Decoded<T> {
  const known = memory.get(texts)
  if (known) return known
  const events: T[] = []
  const malformed: number[] = []
  for (const [index, text] of texts.entries()) {
    const event = decode(text)
    if (event === undefined) malformed.push(index + 1)
    else events.push(event)
  }
  const decoded = { events, malformed }
  memory.set(texts, decoded)
  return decoded
}
