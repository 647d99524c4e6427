/** Which sessions does a change of one take along, and what becomes of them? As every store does it. */
import type { OthersChange, SessionRecord } from '../service/session-ports.ts'
import type { Revocation } from '../service/token-ports.ts'

/** Of the same agent on the same boot, and so watched by the same collector on the same kernel. */
export function isTakenAlong(
  session: SessionRecord,
  first: SessionRecord,
  { from }: Pick<OthersChange, 'from'>,
): boolean {
  return (
    session.id !== first.id &&
    session.tenant === first.tenant &&
    session.environment === first.environment &&
    session.agent === first.agent &&
    session.boot === first.boot &&
    from.includes(session.standing)
  )
}

/** Its history stays its own: it goes on from there if it is ever released. */
export function takenAlong(
  session: SessionRecord,
  { standing, demanded, by, changedAt }: SessionRecord,
  { reason }: Pick<OthersChange, 'reason'>,
): SessionRecord {
  const revision = session.revision + 1
  return { ...session, standing, demanded, reason, by, changedAt, revision }
}

/** Of a token of one that is taken along. */
export function takenRevocation(
  revocation: Revocation,
  { reason }: Pick<OthersChange, 'reason'>,
): Revocation {
  return { ...revocation, detail: reason }
}
