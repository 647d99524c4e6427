/**
 * What runs on a machine when it is banned? Its sessions are revoked, and so are tokens of one-shot attestations, whose evidence
 * is judged again for it. Done by whoever bans, by every replica that hears of it, and once more a little later, for what was
 * being judged while the news was on its way.
 */
import { bansOn, type HeldBans } from './bans.ts'
import { type ChangingSessions, changeStanding, type StandingChange } from './change-session.ts'
import { reappraiseLive } from './reappraise-live.ts'
import { sessionPages } from './session-pages.ts'
import type { Ban, SessionRecord } from './session-ports.ts'
import type { Chore, Tenant, Verifier } from './verifier.ts'

/** One whose bans are held here. */
export type BannableTenant = Tenant & { readonly bans: HeldBans }

type Enforcing = ChangingSessions &
  Pick<Verifier, 'store' | 'events' | 'pause' | 'clock' | 'proofs'>

const EVERY_MS = 1_000
/** A replica hears of a ban within a second; what it was judging then is kept within some more. */
const ROUNDS_MS = [0, 12_000] as const
/** No token lives longer than fifteen minutes (token/lifetime.ts); the rest is for clocks. */
const LONGEST_TOKEN_MS = 20 * 60_000
const RECORDS_PER_TURN = 64
const standings = ['open', 'suspended', 'quarantined'] as const

export function banChore(verifier: Enforcing, tenant: BannableTenant): Chore {
  const { clock, events } = verifier
  const { bans: held } = tenant
  /** In ms since 1970. What a predecessor left undone is not known. */
  let due: readonly number[] = [0]
  events.subscribe((event) => {
    if (event.kind !== 'ban.changed' || event.tenant !== tenant.name) return
    const now = clock.now().getTime()
    due = ROUNDS_MS.map((ms) => now + ms)
  })
  return {
    name: `bans ${tenant.name}`,
    everyMs: EVERY_MS,
    async run() {
      // What could not be read when it changed is read again here.
      if (!isKnown(held)) await held.reload()
      const at = clock.now()
      const [next] = due
      // One that is further away than any is made was made by a clock that has been set back since.
      if (next === undefined || (next > at.getTime() && next <= at.getTime() + MOST_WAIT_MS)) return
      const before = due
      if (held.all().length > 0) {
        await endBannedSessions(verifier, tenant, at)
        await endBannedTokens(verifier, tenant, at)
      }
      // Unless somebody banned meanwhile.
      if (due === before) due = before.slice(1)
    },
  }
}

const MOST_WAIT_MS = Math.max(...ROUNDS_MS) + 1_000

/** Resolves to how many it ended. Throws Problem('storage-unavailable'). */
export async function endBannedSessions(
  verifier: ChangingSessions & Pick<Verifier, 'pause'>,
  tenant: Pick<Tenant, 'name' | 'bans'>,
  at: Date,
): Promise<number> {
  let ended = 0
  for (const standing of standings)
    for await (const page of sessionPages(verifier.store, tenant.name, { standing })) {
      for (const [place, session] of page.entries()) {
        if (place % RECORDS_PER_TURN === 0) await verifier.pause()
        if (!banOf(session, tenant)) continue
        const { isChanged } = await changeStanding(verifier, session.id, {
          at,
          decide: (now) => revoked(now, banOf(now, tenant)),
        })
        if (isChanged) ended++
      }
    }
  return ended
}

function banOf(session: SessionRecord, tenant: Pick<Tenant, 'bans'>): Ban | undefined {
  return bansOn(tenant, session).find(({ platform }) => session.platforms.includes(platform))
}

function revoked(session: SessionRecord, ban: Ban | undefined): StandingChange | undefined {
  const isOver = session.standing === 'revoked' || session.standing === 'closed'
  if (!ban || isOver) return undefined
  return {
    ...{ standing: 'revoked', demanded: undefined, change: 'banned', revocation: 'operator' },
    reason: `the machine ${ban.platform} was banned: ${ban.reason}`,
    by: ban.by,
  }
}

/** Their evidence says which machine it is, so it is judged again: as after a policy that refuses that machine. */
async function endBannedTokens(verifier: Enforcing, tenant: Tenant, at: Date): Promise<void> {
  const policy = tenant.policy.accepted()
  const bans = tenant.bans?.all() ?? []
  if (!policy || !bans.some((ban) => at.getTime() - ban.at.getTime() < LONGEST_TOKEN_MS)) return
  const settled = {
    token: (token: { readonly environment: string; readonly agent: string }) =>
      bansOn(tenant, token).length === 0,
    record: () => false,
  }
  const request = { verifier, tenant, policy, at, aspects: ['policy'], settled } as const
  for await (const _ of reappraiseLive({ ...request, by: 'bans', scope: 'live' }));
}

function isKnown(held: HeldBans): boolean {
  try {
    held.all()
    return true
  } catch {
    return false
  }
}
