/**
 * `POST /v1/bans` and `POST /v1/bans/lifts`: may a machine be attested at all? A ban ends what runs on it as well: its sessions
 * at once, and tokens that belong to none when their evidence is looked at again (enforce-bans.ts).
 */
import { Problem } from '../problems.ts'
import { endBannedSessions } from './enforce-bans.ts'
import { banLeaf } from './session-leaves.ts'
import type { Ban } from './session-ports.ts'
import { tenantNamed, type Verifier } from './verifier.ts'

export type Banning = Pick<
  Verifier,
  'store' | 'random' | 'journal' | 'events' | 'pause' | 'tenants'
>

export interface Banned {
  readonly ban: Ban
  /** How many of its sessions ended by it. */
  readonly sessions: number
}

/** Who bans twice has banned once, with the newer reason. Throws Problem: `request-malformed` for one too many, `storage-unavailable`. */
export async function banMachine(verifier: Banning, ban: Ban): Promise<Banned> {
  const { store, random, events } = verifier
  const known = await store.bansOf(ban.tenant)
  if (known.length >= MOST_BANS && !known.some((each) => isSame(each, ban)))
    throw new Problem(
      'request-malformed',
      `there are ${known.length} bans, which is the most: lift some, or revoke platforms in the policy (revoked/)`,
    )
  await store.ban(ban, banLeaf({ ban, change: 'banned' }, random))
  report(verifier, ban, 'banned')
  // Here it holds from now on; what was being judged meanwhile, the chore finds.
  await events.poll()
  const tenant = tenantNamed(verifier, ban.tenant, 'tenant')
  await tenant.bans?.reload()
  return { ban, sessions: await endBannedSessions(verifier, tenant, ban.at) }
}

/** Throws Problem('ban-unknown'), 'storage-unavailable'. */
export async function liftBan(verifier: Banning, lift: Ban): Promise<void> {
  const { store, random, events } = verifier
  if (!(await store.liftBan(lift, banLeaf({ ban: lift, change: 'lifted' }, random))))
    throw new Problem(
      'ban-unknown',
      `${lift.platform} is not banned for ${lift.agent === undefined ? 'every agent' : `${lift.environment}/${lift.agent}`}`,
    )
  report(verifier, lift, 'lifted')
  await events.poll()
  await tenantNamed(verifier, lift.tenant, 'tenant').bans?.reload()
}

/** Every attestation looks through them. */
const MOST_BANS = 10_000

function isSame(a: Ban, b: Ban): boolean {
  return a.platform === b.platform && a.environment === b.environment && a.agent === b.agent
}

function report(
  { journal }: Banning,
  { tenant, platform, environment, agent, reason, by, at }: Ban,
  change: 'banned' | 'lifted',
): void {
  journal.record({
    event: 'ban.changed',
    at,
    fields: {
      ...{ tenant, platform, change, reason, by },
      environment: environment ?? null,
      agent: agent ?? null,
    },
  })
}
