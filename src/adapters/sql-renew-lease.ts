/** A lease is given more time: one statement, which looks at what the release rests on as recording it does. */
import type { ReleaseStore } from '../service/release-ports.ts'
import type { SqlEngine } from './sql-engine.ts'
import { fallen, heldFor, joinedTo } from './sql-release-grounds.ts'

type RenewLease = ReleaseStore['renewLease']
type Outcome = Awaited<ReturnType<RenewLease>>

export async function renewLease(
  engine: SqlEngine,
  ...[id, { at, until, jti, proof, policyCommit, session }]: Parameters<RenewLease>
): Promise<Outcome> {
  const [row] = await engine.rows({
    name: 'renew-lease',
    text,
    values: [
      ...[id, at, until, jti, proof.id, proof.expiresAt],
      ...[session?.id ?? null, session?.heardSince ?? null, policyCommit],
    ],
  })
  // The column holds what the statement below says; without a row there is no such release.
  return row ? (row.verdict as Outcome) : 'lease-over'
}

const text = `
  with given as materialized (
    select tenant, resource, version, face, lease_until,
      $2::timestamptz as at, $4::text as jti, $5::text as proof,
      $7::text as session, $8::timestamptz as heard_since, $9::text as policy_commit
    from releases where id = $1::uuid
  ),
  ${heldFor('given')},
  judged as materialized (
    select case
      when not coalesce(given.lease_until >= given.at, false) then 'lease-over'
      when ${fallen.token('given')} then 'token-revoked'
      when ${fallen.session('given')} then 'session-over'
      when ${fallen.proof} then 'proof-used'
      when ${fallen.policy('given')} then 'policy-behind'
      when ${fallen.version} then 'version-revoked'
    end as refusal
    from ${joinedTo('given')}
  ),
  used as (
    insert into used_proofs (kind, id, expires_at)
    select 'dpop', $5::text, $6::timestamptz from judged where refusal is null
    on conflict (kind, id) do nothing
    returning id
  ),
  renewed as (
    update releases set lease_until = $3::timestamptz
    where id = $1::uuid and lease_until >= $2::timestamptz and exists (select from used)
    returning id
  )
  select coalesce(refusal, case
    when not exists (select from used) then 'proof-used'
    when not exists (select from renewed) then 'lease-over'
    else 'renewed'
  end) as verdict from judged`
