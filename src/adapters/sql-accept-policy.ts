/** One acceptance of a policy: compare-and-swap, its link in the history, its leaf and its event, in one transaction. */
import { linkAfter } from '../service/acceptance-chain.ts'
import type { PendingLeaf } from '../service/log-ports.ts'
import type { AcceptanceLink, PolicyRecord } from '../service/policy-ports.ts'
import type { SqlEngine, SqlSession } from './sql-engine.ts'
import { publish } from './sql-events.ts'
import { queueLeaves } from './sql-leaves.ts'
import { policyEvent } from './store-events.ts'

interface Acceptance {
  /** The commit that is replaced. */
  readonly previous: string | undefined
  readonly next: PolicyRecord
  readonly leaf: PendingLeaf
}

export async function acceptPolicy(
  engine: SqlEngine,
  { previous, next, leaf }: Acceptance,
): Promise<'accepted' | 'superseded'> {
  return await engine.transaction(async (session) => {
    const isFirst =
      previous === undefined ? await insert(session, next) : await swap(session, previous, next)
    if (!isFirst) return 'superseded'
    // The row of `policies` is locked until the end of this transaction, so nobody else adds a link meanwhile.
    await addLink(session, linkAfter(await lastLink(session, next.tenant), next))
    await queueLeaves(session, [leaf])
    await publish(session, [policyEvent(next)])
    return 'accepted'
  })
}

async function insert(session: SqlSession, next: PolicyRecord): Promise<boolean> {
  const rows = await session.rows({
    text: `insert into policies (tenant, sequence, commit, digest, marks, provenance, accepted_at)
      values ($1, $2, $3, $4, $5, $6, $7)
      on conflict (tenant) do nothing returning tenant`,
    values: valuesOf(next),
  })
  return rows.length === 1
}

/** The sequence is compared too: a reset can bring back a commit that was accepted before. */
async function swap(session: SqlSession, previous: string, next: PolicyRecord): Promise<boolean> {
  const rows = await session.rows({
    text: `update policies set sequence = $2, commit = $3, digest = $4, marks = $5, provenance = $6, accepted_at = $7
      where tenant = $1 and commit = $8 and sequence = $2 - 1 returning tenant`,
    values: [...valuesOf(next), previous],
  })
  return rows.length === 1
}

function valuesOf({
  tenant,
  sequence,
  commit,
  digest,
  marks,
  provenance,
  acceptedAt,
}: PolicyRecord) {
  return [
    tenant,
    sequence,
    commit,
    digest,
    JSON.stringify(marks),
    JSON.stringify(provenance),
    acceptedAt,
  ]
}

async function lastLink(session: SqlSession, tenant: string): Promise<AcceptanceLink | undefined> {
  const [row] = await session.rows({
    text: `select sequence, commit, digest, state_digest, accepted_at, previous, hash
      from policy_acceptances where tenant = $1 order by sequence desc limit 1`,
    values: [tenant],
  })
  if (!row) return undefined
  if (!(row.accepted_at instanceof Date)) throw new TypeError('an acceptance has no time')
  return {
    tenant,
    sequence: Number(row.sequence),
    commit: String(row.commit),
    digest: String(row.digest),
    stateDigest: String(row.state_digest),
    acceptedAt: row.accepted_at,
    previous: String(row.previous),
    hash: String(row.hash),
  }
}

async function addLink(session: SqlSession, link: AcceptanceLink): Promise<void> {
  await session.rows({
    text: `insert into policy_acceptances
      (tenant, sequence, commit, digest, state_digest, accepted_at, previous, hash)
      values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      link.tenant,
      link.sequence,
      link.commit,
      link.digest,
      link.stateDigest,
      link.acceptedAt,
      link.previous,
      link.hash,
    ],
  })
}
