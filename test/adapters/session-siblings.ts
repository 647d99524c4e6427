/** Sessions of one agent on one boot, and what a store is asked when they come into quarantine together, or out of it. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { OthersChange, SessionChange, SessionRecord } from '#src/service/session-ports.ts'
import { agentSession, change, open, tokensOf } from './session-records.ts'
import { leaf } from './store-records.ts'

/** Ordered by id, each with a live token that is named as it is. */
export async function siblings(
  store: Store,
  rests: readonly Partial<SessionRecord>[],
): Promise<readonly SessionRecord[]> {
  const boot = randomUUID()
  const opened = rests.map((rest) => agentSession(randomUUID(), { boot, ...rest }))
  for (const session of opened) {
    // Nobody whose session is not open is issued any.
    expect(await open(store, { ...session, standing: 'open' })).toBe('recorded')
    await store.recordSessionTokens(tokensOf(session, [session.id]))
    if (session.standing === 'open') continue
    const stood = change(session, { session, revocation: undefined })
    expect(await store.changeSession(stood)).toBe('changed')
  }
  const kept = await Promise.all(opened.map(({ id }) => store.findSession(id)))
  return kept
    .map((session) => session ?? expect.fail('it was not kept'))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

export const becauseOf = ({ id }: SessionRecord) => `session ${id} fell nul \0`

/** The first is quarantined, and whoever is open or suspended with it. */
export function together(
  first: SessionRecord,
  rest: Partial<SessionChange> = {},
  others: Partial<OthersChange> = {},
): SessionChange {
  return change(first, {
    others: {
      from: ['open', 'suspended'],
      reason: becauseOf(first),
      sessionLeafOf: ({ id }) => leaf({ kind: 'session', subject: id }),
      ...others,
    },
    ...rest,
  })
}

/** As it is once it came along. */
export function came(session: SessionRecord, first: SessionRecord): SessionRecord {
  const { standing, demanded, by, changedAt } = together(first).session
  const revision = session.revision + 1
  return { ...session, standing, demanded, by, changedAt, reason: becauseOf(first), revision }
}
