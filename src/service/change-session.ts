/**
 * Another standing for a session, with its leaf and event, and the end of its tokens where it costs them: all or nothing. Its
 * agent goes on sending meanwhile, so whoever was too late reads again and decides anew. Into quarantine, and out of it, its
 * agent's other sessions on that boot come along (session-quarantine.ts).
 */
import { Problem } from '../problems.ts'
import { revocationLeaf } from './log-leaves.ts'
import type { JournalEntry } from './ports.ts'
import { sessionLeaf } from './session-leaves.ts'
import type { SessionRecord, SessionStep } from './session-ports.ts'
import { othersComing } from './session-quarantine.ts'
import type { Revocation, TokenRecord } from './token-ports.ts'
import type { Verifier } from './verifier.ts'

export type ChangingSessions = Pick<Verifier, 'store' | 'random' | 'journal' | 'events'>

export interface StandingChange {
  readonly standing: SessionRecord['standing']
  /** Undefined: nothing is asked for. */
  readonly demanded: SessionRecord['demanded']
  /** What the log calls it: `quarantined`, `evicted`. */
  readonly change: string
  /** One sentence. */
  readonly reason: string
  /** Name of the operator, or of what decided. */
  readonly by: string
  /** Undefined: its tokens hold on. */
  readonly revocation: Revocation['reason'] | undefined
  /** The message that led to it, where it counts as told. Absent: nothing was told. */
  readonly told?: SessionStep | undefined
}

export interface ChangedSession {
  readonly session: SessionRecord
  /** False: it was so already. */
  readonly isChanged: boolean
}

/** A heartbeat comes every few seconds, and a few may be under way. */
const MOST_TRIES = 8
const LONGEST_REASON = 1_000

/** `decide` says what is to become of the record that it is shown; undefined: nothing. Throws Problem('session-unknown'), 'storage-unavailable', and what `decide` throws. */
export async function changeStanding(
  verifier: ChangingSessions,
  id: string,
  { decide, at }: { readonly decide: Decide; readonly at: Date },
): Promise<ChangedSession> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const session = await verifier.store.findSession(id)
    if (!session) throw new Problem('session-unknown', `there is no session ${id}`)
    const change = await decide(session)
    if (!change) return { session, isChanged: false }
    const changed = await attempt(verifier, { session, change, at })
    if (changed) return { session: changed, isChanged: true }
  }
  throw new Problem('storage-unavailable', `session ${id} changed each time that it was read`, {
    retryAfterSeconds: 1,
  })
}

export type Decide = (
  session: SessionRecord,
) => StandingChange | undefined | Promise<StandingChange | undefined>

/** Undefined where it is another by now. */
async function attempt(
  { store, random, journal, events }: ChangingSessions,
  {
    session,
    change,
    at,
  }: { readonly session: SessionRecord; readonly change: StandingChange; readonly at: Date },
): Promise<SessionRecord | undefined> {
  const { standing, demanded, by, change: name } = change
  const reason = change.reason.slice(0, LONGEST_REASON)
  const next: SessionRecord = {
    ...(change.told?.session ?? session),
    standing,
    demanded,
    reason,
    by,
    changedAt: at,
  }
  const revocation: Revocation | undefined = change.revocation && {
    ...{ at, by, reason: change.revocation },
    detail: `session ${session.id} was ${name}: ${reason}`,
  }
  const from = othersComing(session.standing, standing)
  const because = `session ${session.id} of this agent on this boot was ${name}: ${reason}`.slice(
    0,
    LONGEST_REASON,
  )
  const detailOf = (token: TokenRecord) =>
    token.session === session.id ? (revocation?.detail ?? reason) : because
  const leafOfSession = (changed: SessionRecord) =>
    sessionLeaf({ session: changed, change: name, at, by, reason: changed.reason }, random)
  const outcome = await store.changeSession({
    session: next,
    delta: change.told?.delta,
    leaf: leafOfSession(next),
    revocation,
    leafOf: (token) =>
      revocationLeaf(
        token,
        { at, by, reason: change.revocation ?? 'operator', detail: detailOf(token) },
        random,
      ),
    by,
    changed(sessions) {
      for (const each of sessions) journal.record(changedEvent(each, name))
    },
    ...(from.length > 0 && {
      others: {
        ...{ from, reason: because, sessionLeafOf: leafOfSession },
      },
    }),
  })
  if (outcome === 'superseded') return undefined
  // This replica's streams and lists need not wait for the next look; a look that fails is tried again by the chore.
  await events.poll().catch(() => {})
  return { ...next, revision: session.revision + 1 }
}

function changedEvent(
  { id, tenant, environment, agent, standing, reason, by, changedAt: at }: SessionRecord,
  change: string,
): JournalEntry {
  return {
    event: 'session.changed',
    at,
    fields: { session: id, tenant, environment, agent, standing, change, reason, by },
  }
}
