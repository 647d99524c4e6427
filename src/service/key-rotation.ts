/**
 * How do keys follow one another? A successor is published before it signs, what signed before it is published after, and a
 * revoked key goes at once. The database decides which replica was first; whoever was not finds the work done.
 */
import { Problem } from '../problems.ts'
import {
  forgettableAt,
  isDue,
  type KeySchedule,
  newestFirst,
  signerAt,
  successorOf,
} from './key-lifetime.ts'
import { addedLeaf, formOf, type KeyRoom, makeKey } from './key-room.ts'
import { keysLeaf } from './log-leaves.ts'
import type { Journal } from './ports.ts'
import { isForgotten } from './sealed-key.ts'
import type { KeyPurpose, SealedKey } from './token-ports.ts'

export interface RotationRoom extends KeyRoom {
  readonly journal: Journal
}

export interface KeyChange {
  readonly purpose: KeyPurpose
  readonly kid: string
  readonly activeFrom: Date
}

const DAY_MS = 24 * 3600_000
const DEFAULT_ROTATION_DAYS = 30
/** What they are good for lives two minutes, and nobody outside knows them: there is no reason to keep them long. */
const CHALLENGE_ROTATION_MS = DAY_MS
/** Three times as long as relying parties go by what they fetched (SPIFFE Federation section 4.1). */
const OVERLAP_MS = 15 * 60_000

export function scheduleOf(
  { keyRotationDays = DEFAULT_ROTATION_DAYS }: Pick<KeyRoom, 'keyRotationDays'>,
  purpose: KeyPurpose,
): KeySchedule {
  return {
    rotationMs: purpose === 'challenge' ? CHALLENGE_ROTATION_MS : keyRotationDays * DAY_MS,
    overlapMs: OVERLAP_MS,
  }
}

/** The log's key is its name: another key is another log, which nobody makes by the calendar. */
export function isRotated(purpose: KeyPurpose): boolean {
  return purpose === 'challenge' || formOf(purpose) !== undefined
}

export interface TendingRoom extends RotationRoom {
  /** Whether the clock is to be believed when it calls a key old: what was forgotten does not come back (steady-clock.ts). */
  readonly mayForget: (at: Date) => boolean
}

/** A successor where one is due, and whatever nobody needs any more forgotten. Throws Problem('storage-unavailable'). */
export async function tendKeys(room: TendingRoom, purpose: KeyPurpose): Promise<void> {
  const at = room.clock.now()
  const stored = await room.store.keysFor(purpose)
  const keys = stored.filter((key) => !isForgotten(key))
  if (stored.length > 0 && isDue(keys, scheduleOf(room, purpose), at)) {
    const isUrgent = signerAt(keys, at) === undefined
    await succeed(room, purpose, {
      keys: stored,
      activeFrom: isUrgent ? at : later(at),
      by: 'the calendar',
    })
  }
  const old = room.mayForget(at) ? forgettableAt(keys, at) : []
  const gone = [...old, ...forgottenForms(stored)].map(({ kid }) => kid)
  if (gone.length > 0) await room.store.forgetKeys(purpose, gone)
}

export interface RotationRequest {
  readonly purposes: readonly KeyPurpose[]
  /** Name of the operator. */
  readonly by: string
}

/** A successor of every key of these purposes that has none yet. Resolves to what each purpose has then. */
export async function rotateKeys(
  room: RotationRoom,
  { purposes, by }: RotationRequest,
): Promise<readonly KeyChange[]> {
  const changes: KeyChange[] = []
  for (const purpose of purposes) {
    const at = room.clock.now()
    const keys = await room.store.keysFor(purpose)
    const waiting = successorOf(keys, scheduleOf(room, purpose), at)
    if (waiting) changes.push(waiting)
    else {
      const made = await succeed(room, purpose, { keys, activeFrom: later(at), by })
      changes.push(made ?? (await expectedSuccessor(room, purpose)))
    }
  }
  return changes.map(({ purpose, kid, activeFrom }) => ({ purpose, kid, activeFrom }))
}

export interface KeyRevocation {
  readonly kid: string
  /** Name of the operator. */
  readonly by: string
}

export interface RevokedKey {
  readonly purpose: KeyPurpose
  readonly kid: string
  readonly revokedAt: Date
  /** What signs from now on; undefined where the revoked one did not sign. */
  readonly replacement: KeyChange | undefined
}

/**
 * Nothing that it signed is good any more. What takes its place comes first: if this is cut short, the key is still
 * there to be revoked, and never is there none. Throws Problem('key-unknown') and ('storage-unavailable').
 */
export async function revokeKey(
  room: RotationRoom,
  { kid, by }: KeyRevocation,
): Promise<RevokedKey> {
  const { store, clock, random, journal } = room
  const { purpose } = await revocable(room, kid)
  const replacement = await replacementFor(room, purpose, { kid, by })
  const at = clock.now()
  const leaf = keysLeaf({ purpose, kid, change: 'revoked', at }, random)
  if (!(await store.revokeKey(purpose, kid, { at, leaf })))
    throw new Problem('key-unknown', `the key ${kid} was revoked in this moment by somebody else`)
  journal.record({ event: 'keys.revoked', at, fields: { purpose, kid, by } })
  return { purpose, kid, revokedAt: at, replacement }
}

async function revocable({ store }: RotationRoom, kid: string): Promise<SealedKey> {
  const key = (await store.allKeys()).find((each) => each.kid === kid)
  if (!key) throw new Problem('key-unknown', `there is no key ${kid}`)
  if (!isRotated(key.purpose))
    throw new Problem(
      'key-unknown',
      `${kid} is a key for ${key.purpose}, which is not revoked here`,
    )
  if (key.revokedAt)
    throw new Problem('key-unknown', `the key ${kid} was revoked at ${key.revokedAt.toISOString()}`)
  return key
}

/** Two replicas may each find the other's key in their way, so it is tried again; more often than that is no accident. */
const MOST_TRIES = 5

async function replacementFor(
  room: RotationRoom,
  purpose: KeyPurpose,
  { kid, by }: KeyRevocation,
): Promise<KeyChange | undefined> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const at = room.clock.now()
    const keys = await room.store.keysFor(purpose)
    const signer = signerAt(keys, at)
    if (signer && signer.kid !== kid) return undefined
    const made = await succeed(room, purpose, { keys, activeFrom: at, by })
    if (made) return made
  }
  throw new Problem(
    'storage-unavailable',
    `others added keys for ${purpose} each time that the one to replace ${kid} was to be added`,
  )
}

interface Succession {
  /** All that are stored, as they are stored. */
  readonly keys: readonly SealedKey[]
  readonly activeFrom: Date
  readonly by: string
}

/** Undefined where another replica was first. */
async function succeed(
  room: RotationRoom,
  purpose: KeyPurpose,
  { keys, activeFrom, by }: Succession,
): Promise<KeyChange | undefined> {
  const [newest] = keys.toSorted(newestFirst)
  if (!newest) throw new Problem('key-unknown', `there is no key for ${purpose} yet`)
  const key = await makeKey(room, purpose, { activeFrom, others: keys })
  if ((await room.store.addKey(key, newest.kid, addedLeaf(key, room))) === 'superseded')
    return undefined
  const { kid } = key
  room.journal.record({
    event: 'keys.rotated',
    at: key.createdAt,
    fields: { purpose, kid, activeFrom: activeFrom.toISOString(), by },
  })
  return { purpose, kid, activeFrom }
}

async function expectedSuccessor(room: RotationRoom, purpose: KeyPurpose): Promise<KeyChange> {
  const [newest] = await room.store.keysFor(purpose)
  if (newest) return newest
  throw new Problem('key-unknown', `there is no key for ${purpose} any more`)
}

function forgottenForms(stored: readonly SealedKey[]): readonly SealedKey[] {
  // The newest stays: whatever comes next names it.
  return stored.filter((key, place) => place > 0 && isForgotten(key))
}

function later(at: Date): Date {
  return new Date(at.getTime() + OVERLAP_MS)
}
