/**
 * What a running agent did, as far as it was watched: two append-only hash chains and a statement over their heads, which a
 * heartbeat signs and a quote binds (`transcript` of the runtime claims). Verifier and enclave share this one definition:
 * docs/design.md, section 8.
 *
 * An event is text. Its UTF-8 bytes are hashed as they were sent and never written anew, so nobody's JSON has to agree with
 * anybody's. What an event may say is runtime-event.ts.
 */
import { hash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'

/** `measurement`: what was loaded, each thing once. `behaviour`: what it did: sums per interval, and what is worth a line of its own. */
export type Chain = 'measurement' | 'behaviour'

/** Where a chain stands. */
export interface ChainHead {
  /** Events so far. */
  readonly count: number
  /** Hex of SHA-384. */
  readonly head: string
}

/** Where a session stands: everything that the next delta continues. */
export interface Checkpoint {
  readonly measurement: ChainHead
  readonly behaviour: ChainHead
  /**
   * Hex: what RTMR3 holds after these measurements, if the machine extended it by each of them, in this order, since it
   * started. Replayed whether there is such a register or not.
   */
  readonly register: string
}

/** All strings, as every object here that is hashed (canonical-json.ts). */
export interface TranscriptStatement {
  /** Id of the session: 16 random bytes in base64url, born in the enclave. */
  readonly session: string
  /** Of the kernel: a machine that started again has another, and needs another session. */
  readonly boot: string
  /** Decimal, 0 when the session opens and one more with each message. */
  readonly seq: string
  /** Decimal counts and heads in hex, with the events of this message. */
  readonly measurements: string
  readonly measurement_head: string
  readonly behaviours: string
  readonly behaviour_head: string
  /** Decimal: events that the sensor lost since it started. It only rises. */
  readonly dropped: string
  /** Hex digest of the statement before; empty for the first. */
  readonly previous: string
  /** Digest of the policy that the verifier named last; empty for the first. */
  readonly policy: string
  /** Decimal: milliseconds since the machine started, by a clock that nobody sets. */
  readonly uptime: string
  /** `sha256:<hex>` over the files of whatever watches. */
  readonly collector: string
  /** What is watched, from `watches`, each once, sorted, separated by one space. */
  readonly modes: string
}

export const statementNames = [
  'session',
  'boot',
  'seq',
  'measurements',
  'measurement_head',
  'behaviours',
  'behaviour_head',
  'dropped',
  'previous',
  'policy',
  'uptime',
  'collector',
  'modes',
] as const satisfies readonly (keyof TranscriptStatement)[]

/**
 * `files`: code, libraries, models by path and inode. `kernel-events`: the kernel reports exec, mappings, connections.
 * `memory-text`: executable memory is compared with its files. `rtmr3`: each measurement extends the register.
 * `sandbox`: plugins run in one.
 */
export const watches = ['files', 'kernel-events', 'memory-text', 'rtmr3', 'sandbox'] as const
export type Watch = (typeof watches)[number]

const STATEMENT_DOMAIN = 'vouchsafe/transcript/v1\0'
const CHAIN_DOMAIN: Readonly<Record<Chain, string>> = {
  measurement: 'vouchsafe/measurement-chain/v1\0',
  behaviour: 'vouchsafe/behaviour-chain/v1\0',
}
const EMPTY_REGISTER = '0'.repeat(96)

/** Names session and boot, so that no part of another history can stand at the beginning of this one. */
export function emptyCheckpoint(
  session: Pick<TranscriptStatement, 'session' | 'boot'>,
): Checkpoint {
  return {
    measurement: emptyChain('measurement', session),
    behaviour: emptyChain('behaviour', session),
    register: EMPTY_REGISTER,
  }
}

/** The checkpoint after these events, in this order. */
export function extended(
  { measurement, behaviour, register }: Checkpoint,
  events: { readonly measurement: readonly string[]; readonly behaviour: readonly string[] },
): Checkpoint {
  let { head } = measurement
  let extendedRegister = register
  for (const event of events.measurement) {
    const digest = eventDigest(event)
    head = linked(head, digest)
    // Intel TDX Module ABI, TDG.MR.RTMR.EXTEND: SHA-384 over the old value and 48 bytes.
    extendedRegister = linked(extendedRegister, digest)
  }
  let behaviourHead = behaviour.head
  for (const event of events.behaviour) behaviourHead = linked(behaviourHead, eventDigest(event))
  return {
    measurement: { count: measurement.count + events.measurement.length, head },
    behaviour: { count: behaviour.count + events.behaviour.length, head: behaviourHead },
    register: extendedRegister,
  }
}

/** Hex of SHA-384 over the event's bytes: what the chain links, and what extends RTMR3. */
export function eventDigest(event: string): string {
  return hash('sha384', event, 'hex')
}

/** Hex of SHA-384: the claim `transcript`. Throws TypeError for what is not all strings. */
export function statementDigest(statement: TranscriptStatement): string {
  const exactly = Object.fromEntries(statementNames.map((name) => [name, statement[name]]))
  return hash(
    'sha384',
    Buffer.concat([Buffer.from(STATEMENT_DOMAIN), canonicalJson(exactly)]),
    'hex',
  )
}

/** Whether the statement names this checkpoint. */
export function names(
  statement: TranscriptStatement,
  { measurement, behaviour }: Checkpoint,
): boolean {
  return (
    statement.measurements === String(measurement.count) &&
    statement.measurement_head === measurement.head &&
    statement.behaviours === String(behaviour.count) &&
    statement.behaviour_head === behaviour.head
  )
}

function emptyChain(
  chain: Chain,
  { session, boot }: Pick<TranscriptStatement, 'session' | 'boot'>,
): ChainHead {
  const start = Buffer.concat([Buffer.from(CHAIN_DOMAIN[chain]), canonicalJson({ boot, session })])
  return { count: 0, head: hash('sha384', start, 'hex') }
}

/** `SHA-384(head || digest)`, both 48 bytes. */
function linked(head: string, digest: string): string {
  return hash('sha384', Buffer.from(head + digest, 'hex'), 'hex')
}
