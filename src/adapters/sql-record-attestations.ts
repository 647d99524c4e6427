/**
 * The hot path: attestations are kept many in one transaction, with one statement and one round trip. Who inserts a
 * challenge's row wins it; everything else follows from that, so losers write nothing.
 */
import { fromHex } from '../bytes/encoding.ts'
import type { RecordedAttestation, Store } from '../service/ports.ts'
import type { TokenRecord } from '../service/token-ports.ts'
import { answered } from './sql-answered.ts'
import { documentOf } from './sql-appraisal-document.ts'
import { arraysOf, type Column, unnest } from './sql-columns.ts'
import {
  type Content,
  contentColumns,
  contentsOf,
  LAST_USE_GRANULARITY_MS,
  type Named,
  type RecentContents,
  type SentContent,
} from './sql-contents.ts'
import type { SqlEngine, SqlSession, Statement } from './sql-engine.ts'
import { groupCommit } from './sql-group-commit.ts'
import { leafColumns, nextBody, queueFrom } from './sql-leaves.ts'

/** Measured: more saves nothing, and lets the first of them wait longer. */
const MOST_IN_A_BATCH = 64
/** Some seconds of work. */
const MOST_WAITING = 10_000
/**
 * Its statement fills five tables: half a millisecond before the first row. Measured at 400 attestations a second, half of the
 * full load: 350 µs of the server's CPU for each in place of 700, and a quarter less of the machine at work.
 */
export function attestationsGatherMs({ gatherMs }: Pick<SqlEngine, 'gatherMs'>): number {
  return 2 * gatherMs
}

/** With what it has in common with others. */
export interface PreparedAttestation extends RecordedAttestation {
  readonly named: Named
}
type Prepared = PreparedAttestation

type Outcome = 'recorded' | 'challenge-used'

export function attestationRecorder(
  engine: SqlEngine,
  recent: RecentContents,
): Store['recordAttestation'] {
  const commit = groupCommit<Prepared, Outcome>({
    most: MOST_IN_A_BATCH,
    inFlight: engine.concurrency,
    gatherMs: attestationsGatherMs(engine),
    mostWaiting: MOST_WAITING,
    async write(batch) {
      const { outcomes, remember } = await writeAttestations(engine, recent, batch)
      remember()
      return outcomes
    },
  })
  return (attestation) => answered(async () => await commit(prepareAttestation(attestation)))
}

export function prepareAttestation(attestation: RecordedAttestation): PreparedAttestation {
  const { appraisal, endorsements } = attestation
  return { ...attestation, named: contentsOf(appraisal, endorsements) }
}

/** `remember`: to be called once they are committed, so that what they have in common is not sent again. */
export async function writeAttestations(
  session: SqlSession,
  recent: RecentContents,
  batch: readonly PreparedAttestation[],
): Promise<{ readonly outcomes: readonly Outcome[]; readonly remember: () => void }> {
  const firsts = firstOfEachChallenge(batch)
  const rows = await session.rows(statementFor(firsts, recent))
  const winners = new Set(rows.map(({ challenge }) => challenge))
  const isFirst = new Set(firsts)
  return {
    outcomes: batch.map((each) =>
      isFirst.has(each) && winners.has(each.challenge.id) ? 'recorded' : 'challenge-used',
    ),
    remember() {
      for (const { appraisal, named, challenge } of firsts)
        if (winners.has(challenge.id))
          for (const content of all(named)) recent.remember(content, appraisal.at)
    },
  }
}

/** In one order for everybody, so that two replicas that write the same challenges wait for each other and never in a circle. */
function firstOfEachChallenge(batch: readonly Prepared[]): readonly Prepared[] {
  const firsts = new Map<string, Prepared>()
  for (const each of batch) if (!firsts.has(each.challenge.id)) firsts.set(each.challenge.id, each)
  return [...firsts.values()].toSorted((a, b) => (a.challenge.id < b.challenge.id ? -1 : 1))
}

function statementFor(attestations: readonly Prepared[], recent: RecentContents): Statement {
  const issued = attestations.flatMap(({ challenge, tokens }) =>
    tokens.map((token): IssuedToken => ({ challenge: challenge.id, token })),
  )
  const sent = attestations.flatMap(({ challenge, appraisal, named }): readonly SentContent[] =>
    all(named)
      .filter((content) => recent.isStale(content, appraisal.at))
      .map((content) => ({ challenge: challenge.id, content, at: appraisal.at })),
  )
  return {
    name: 'record-attestations',
    text,
    values: [
      ...arraysOf(attestationColumns, attestations),
      ...arraysOf(issuedColumns, issued),
      ...arraysOf(contentColumns, sent),
    ],
  }
}

function all({ findings, auxblob, eventLog, endorsements }: Named): readonly Content[] {
  return [findings, auxblob, eventLog, endorsements].filter((content) => content !== undefined)
}

/** No evidence is empty: sql-appraisal-document.ts reads it as none. */
const NOTHING = new Uint8Array()

const attestationColumns: readonly Column<Prepared>[] = [
  { name: 'challenge', type: 'text', of: ({ challenge }) => challenge.id },
  { name: 'challenge_expires_at', type: 'timestamptz', of: ({ challenge }) => challenge.expiresAt },
  { name: 'id', type: 'uuid', of: ({ appraisal }) => appraisal.id },
  { name: 'at', type: 'timestamptz', of: ({ appraisal }) => appraisal.at },
  { name: 'tenant', type: 'text', of: ({ appraisal }) => appraisal.tenant },
  { name: 'environment', type: 'text', of: ({ appraisal }) => appraisal.environment },
  { name: 'agent', type: 'text', of: ({ appraisal }) => appraisal.agent },
  { name: 'verdict', type: 'text', of: ({ appraisal }) => appraisal.verdict },
  { name: 'record', type: 'json', of: ({ appraisal, tokens }) => documentOf(appraisal, tokens) },
  { name: 'quote', type: 'bytea', of: ({ appraisal }) => appraisal.evidence?.quote ?? NOTHING },
  { name: 'findings', type: 'text', of: ({ named }) => named.findings.digest },
  { name: 'auxblob', type: 'text', of: ({ named }) => named.auxblob?.digest ?? null },
  { name: 'event_log', type: 'text', of: ({ named }) => named.eventLog?.digest ?? null },
  { name: 'endorsements', type: 'text', of: ({ appraisal }) => appraisal.endorsementsDigest },
  // What is not hexadecimal becomes null, which the column refuses.
  {
    name: 'appraisal_leaf',
    type: 'bytea',
    of: ({ appraisal }) => fromHex(appraisal.leafHash) ?? null,
  },
  ...leafColumns.map(
    ({ name, type, of }): Column<Prepared> => ({ name, type, of: ({ leaf }) => of(leaf) }),
  ),
]

export const tokenColumns: readonly Column<TokenRecord>[] = [
  { name: 'jti', type: 'text', of: ({ jti }) => jti },
  { name: 'appraisal', type: 'uuid', of: ({ appraisal }) => appraisal },
  { name: 'tenant', type: 'text', of: ({ tenant }) => tenant },
  { name: 'environment', type: 'text', of: ({ environment }) => environment },
  { name: 'agent', type: 'text', of: ({ agent }) => agent },
  { name: 'form', type: 'text', of: ({ form }) => form },
  { name: 'issuer', type: 'text', of: ({ issuer }) => issuer },
  { name: 'audience', type: 'text', of: ({ audience }) => audience },
  { name: 'scopes', type: 'json', of: ({ scopes }) => JSON.stringify(scopes) },
  { name: 'jkt', type: 'text', of: ({ jkt }) => jkt },
  { name: 'subject', type: 'text', of: ({ subject }) => subject },
  { name: 'issued_at', type: 'timestamptz', of: ({ issuedAt }) => issuedAt },
  { name: 'expires_at', type: 'timestamptz', of: ({ expiresAt }) => expiresAt },
  { name: 'list', type: 'integer', of: ({ status }) => status.list },
  { name: 'index', type: 'integer', of: ({ status }) => status.index },
  { name: 'session', type: 'text', of: ({ session }) => session ?? null },
]
export const tokenNames = tokenColumns.map(({ name }) => name).join(', ')

interface IssuedToken {
  readonly challenge: string
  readonly token: TokenRecord
}

const issuedColumns: readonly Column<IssuedToken>[] = [
  { name: 'challenge', type: 'text', of: ({ challenge }) => challenge },
  ...tokenColumns.map(
    ({ name, type, of }): Column<IssuedToken> => ({ name, type, of: ({ token }) => of(token) }),
  ),
]

const firstToken = attestationColumns.length + 1
const firstContent = firstToken + issuedColumns.length

const text = `
  with given as materialized (
    select * from ${unnest(attestationColumns, { alias: 'attestation', first: 1 })}
  ),
  won as (
    insert into used_challenges (id, expires_at)
    select challenge, challenge_expires_at from given
    on conflict (id) do nothing
    returning id
  ),
  winners as materialized (
    select ${nextBody} as leaf, given.* from given join won on won.id = given.challenge
  ),
  kept_contents as (
    insert into contents (kind, digest, content, last_used_at)
    select distinct on (kind, digest) kind, digest, content, sent.at
    from ${unnest(contentColumns, { alias: 'sent', first: firstContent })}
    where challenge in (select challenge from winners)
    order by kind, digest, sent.at desc
    on conflict (kind, digest) do update set last_used_at = excluded.last_used_at
    where contents.last_used_at
      < excluded.last_used_at - interval '${LAST_USE_GRANULARITY_MS} milliseconds'
  ),
  kept_appraisals as (
    insert into appraisals
      (id, at, tenant, environment, agent, verdict, record, quote,
       findings_digest, auxblob_digest, event_log_digest, endorsements_digest, leaf_hash)
    select id, at, tenant, environment, agent, verdict, record, quote,
      findings, auxblob, event_log, endorsements, appraisal_leaf
    from winners
  ),
  kept_tokens as (
    insert into tokens (${tokenNames})
    select ${tokenNames} from ${unnest(issuedColumns, { alias: 'issued', first: firstToken })}
    where challenge in (select challenge from winners)
  ),
  ${queueFrom('winners')}
  select challenge from winners`
