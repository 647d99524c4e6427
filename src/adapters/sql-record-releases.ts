/**
 * The hot path of releases: many in one statement, each with a verdict of its own. Who is refused writes nothing, and fails
 * nobody else. What a release rests on, and why one statement is enough, is in sql-release-grounds.ts.
 *
 * Counted are minutes of the clocks of whoever records, and a minute that another has left behind does not come back: clocks
 * that disagree never let more through, and a clock that is ahead makes the others wait.
 */
import { fromHex } from '../bytes/encoding.ts'
import type {
  RecordedRelease,
  ReleaseRecord,
  ReleaseRefusal,
  ReleaseStore,
} from '../service/release-ports.ts'
import { answered } from './sql-answered.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import type { SqlEngine } from './sql-engine.ts'
import { groupCommit } from './sql-group-commit.ts'
import { leafColumns, nextBody, queueFrom } from './sql-leaves.ts'
import { fallen, heldFor, joinedTo } from './sql-release-grounds.ts'

/** As for attestations (sql-record-attestations.ts). */
const MOST_IN_A_BATCH = 64
const MOST_WAITING = 10_000

const MINUTE_MS = 60_000

type Outcome = 'recorded' | ReleaseRefusal

export function releaseRecorder(engine: SqlEngine): ReleaseStore['recordRelease'] {
  const commit = groupCommit<RecordedRelease, Outcome>({
    most: MOST_IN_A_BATCH,
    inFlight: engine.concurrency,
    gatherMs: engine.gatherMs,
    mostWaiting: MOST_WAITING,
    write: (batch) => write(engine, batch),
  })
  return (release) => answered(() => commit(release))
}

async function write(
  engine: SqlEngine,
  batch: readonly RecordedRelease[],
): Promise<readonly Outcome[]> {
  const places = new Map<string, number>()
  const placed = batch.map((recorded, place): Placed => {
    const { proof } = recorded
    const first = proof && places.get(proof.id)
    if (proof && first === undefined) places.set(proof.id, place)
    return { recorded, place, first: first ?? place }
  })
  const rows = await engine.rows({
    name: 'record-releases',
    text,
    values: arraysOf(
      columns,
      placed.filter(({ place, first }) => place === first),
    ),
  })
  // The column holds what the statement below says.
  const verdicts = new Map(rows.map(({ place, verdict }) => [Number(place), verdict as Outcome]))
  return placed.map(({ place, first }) => {
    const verdict = verdicts.get(first)
    if (verdict === undefined) throw new Error('a release has no verdict')
    // A proof is bound to its token and its request: whoever brings it again asks for the same, and hears the same.
    return place !== first && verdict === 'recorded' ? 'proof-used' : verdict
  })
}

interface Placed {
  readonly recorded: RecordedRelease
  /** In the batch. */
  readonly place: number
  /** The first place that has the same proof. */
  readonly first: number
}

const releaseColumns: readonly Column<ReleaseRecord>[] = [
  { name: 'id', type: 'uuid', of: ({ id }) => id },
  { name: 'at', type: 'timestamptz', of: ({ at }) => at },
  { name: 'tenant', type: 'text', of: ({ tenant }) => tenant },
  { name: 'environment', type: 'text', of: ({ environment }) => environment },
  { name: 'agent', type: 'text', of: ({ agent }) => agent },
  { name: 'resource', type: 'text', of: ({ resource }) => resource },
  { name: 'version', type: 'integer', of: ({ version }) => version },
  { name: 'use', type: 'text', of: ({ use }) => use },
  { name: 'jti', type: 'text', of: ({ jti }) => jti },
  { name: 'face', type: 'text', of: ({ face }) => face },
  { name: 'jkt', type: 'text', of: ({ jkt }) => jkt },
  { name: 'policy_commit', type: 'text', of: ({ policyCommit }) => policyCommit },
  { name: 'policy_digest', type: 'text', of: ({ policyDigest }) => policyDigest },
  { name: 'lease_until', type: 'timestamptz', of: ({ leaseUntil }) => leaseUntil ?? null },
]
const names = releaseColumns.map(({ name }) => name).join(', ')

const columns: readonly Column<Placed>[] = [
  { name: 'place', type: 'integer', of: ({ place }) => place },
  ...releaseColumns.map(
    ({ name, type, of }): Column<Placed> => ({
      name,
      type,
      of: ({ recorded }) => of(recorded.release),
    }),
  ),
  // What is not hexadecimal becomes null, which the column refuses.
  {
    name: 'release_leaf',
    type: 'bytea',
    of: ({ recorded }) => fromHex(recorded.release.leafHash) ?? null,
  },
  { name: 'revision', type: 'integer', of: ({ recorded }) => recorded.revision },
  { name: 'proof', type: 'text', of: ({ recorded }) => recorded.proof?.id ?? null },
  {
    name: 'proof_expires_at',
    type: 'timestamptz',
    of: ({ recorded }) => recorded.proof?.expiresAt ?? null,
  },
  { name: 'approval', type: 'text', of: ({ recorded }) => recorded.approval?.id ?? null },
  { name: 'at_least', type: 'integer', of: ({ recorded }) => recorded.approval?.atLeast ?? null },
  { name: 'session', type: 'text', of: ({ recorded }) => recorded.session?.id ?? null },
  {
    name: 'heard_since',
    type: 'timestamptz',
    of: ({ recorded }) => recorded.session?.heardSince ?? null,
  },
  { name: 'per_minute', type: 'integer', of: ({ recorded }) => recorded.releasesPerMinute ?? null },
  {
    name: 'at_minute',
    type: 'integer',
    of: ({ recorded }) => Math.floor(recorded.release.at.getTime() / MINUTE_MS),
  },
  ...leafColumns.map(
    ({ name, type, of }): Column<Placed> => ({
      name,
      type,
      of: ({ recorded }) => of(recorded.leaf),
    }),
  ),
]

/** An approval only gains operators, and ends when it said from the first: as it was when the statement began will do. */
const text = `
  with given as materialized (
    select * from ${unnest(columns, { alias: 'given', first: 1 })}
  ),
  ${heldFor('given')},
  judged as materialized (
    select given.*, held_resources.counted_minute, held_resources.counted,
      case
        when ${fallen.token('given')} then 'token-revoked'
        when ${fallen.session('given')} then 'session-over'
        when ${fallen.proof} then 'proof-used'
        when ${fallen.policy('given')} then 'policy-behind'
        when held_resources.revision is distinct from given.revision then 'resource-changed'
        when ${fallen.version} then 'version-revoked'
        when approval is not null and not coalesce(
          release_approvals.expires_at > given.at
            and json_array_length(release_approvals.approved_by) >= at_least, false)
          then 'approval-missing'
      end as refusal
    from ${joinedTo('given')}
    left join release_approvals on release_approvals.id = given.approval
  ),
  timed as (
    select judged.*,
      greatest(counted_minute, max(at_minute) over (partition by tenant, resource)) as in_minute,
      row_number() over
        (partition by tenant, resource, refusal is null and per_minute is not null order by place)
        as nth
    from judged
  ),
  admitted as materialized (
    select timed.*,
      case
        when refusal is null
          and nth > per_minute - case when counted_minute = in_minute then counted else 0 end
          then 'too-many-releases'
        else refusal
      end as verdict
    from timed
  ),
  used as (
    insert into used_proofs (kind, id, expires_at)
    select 'dpop', proof, proof_expires_at from admitted
    where verdict is null and proof is not null
    order by proof
    on conflict (kind, id) do nothing
    returning id
  ),
  winners as materialized (
    select ${nextBody} as leaf, admitted.* from admitted
    where verdict is null and (proof is null or proof in (select id from used))
  ),
  counts as (
    update resources set counted_minute = added.in_minute,
      counted = added.winners
        + case when resources.counted_minute = added.in_minute then resources.counted else 0 end
    from (
      select tenant, resource, in_minute, count(*) as winners from winners
      where per_minute is not null group by tenant, resource, in_minute
    ) as added
    where resources.tenant = added.tenant and resources.name = added.resource
  ),
  kept as (
    insert into releases (${names}, leaf_hash) select ${names}, release_leaf from winners
  ),
  ${queueFrom('winners')}
  select place, coalesce(admitted.verdict,
    case when winners.place is null then 'proof-used' else 'recorded' end) as verdict
  from admitted left join winners using (place)`
