/** What `vouchsafe doctor` sees of a PostgreSQL: one connection, a few questions, nothing changed. */
import { Client } from 'pg'
import { migrations } from './migrations.ts'

export interface ProbedPostgres {
  readonly version: string
  readonly aheadMs: number
  readonly roundTripMs: number
  readonly isReadOnly: boolean
  readonly isEncrypted: boolean
  readonly schema: 'none' | 'older' | 'current' | 'newer'
}

const LONGEST_MS = 5_000
/** The quickest of these says the most about how far clocks are apart. */
const ROUNDS = 5

/** Rejects with the driver's error, which holds no password. */
export async function probePostgres(url: string): Promise<ProbedPostgres> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: LONGEST_MS,
    query_timeout: LONGEST_MS,
    application_name: 'vouchsafe doctor',
  })
  // A connection that ends while nobody asks is told by the next question.
  client.on('error', () => {})
  try {
    await client.connect()
    const { aheadMs, roundTripMs } = await clockOf(client)
    const { rows } = await client.query(
      `select current_setting('server_version') as version, pg_is_in_recovery() as standby,
        current_setting('default_transaction_read_only') = 'on' as readonly,
        (select ssl from pg_stat_ssl where pid = pg_backend_pid()) as ssl,
        inet_server_addr() is null or inet_server_addr() <<= '127.0.0.0/8'
          or inet_server_addr() = '::1' as near`,
    )
    const [row] = rows
    return {
      version: String(row.version).split(' ')[0] ?? '',
      aheadMs,
      roundTripMs,
      isReadOnly: row.standby === true || row.readonly === true,
      // What stays on this machine nobody on the way can read.
      isEncrypted: row.ssl === true || row.near === true,
      schema: await schemaOf(client),
    }
  } finally {
    await client.end().catch(() => {})
  }
}

async function clockOf(client: Client) {
  let best = { aheadMs: 0, roundTripMs: Number.POSITIVE_INFINITY }
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now()
    const beganAt = Date.now()
    const { rows } = await client.query('select extract(epoch from clock_timestamp()) as at')
    const roundTripMs = performance.now() - began
    if (roundTripMs < best.roundTripMs)
      best = { roundTripMs, aheadMs: Number(rows[0].at) * 1000 - (beganAt + roundTripMs / 2) }
  }
  return best
}

async function schemaOf(client: Client): Promise<ProbedPostgres['schema']> {
  const { rows: known } = await client.query(
    `select to_regclass('drizzle.__drizzle_migrations') is not null as present`,
  )
  if (known[0].present !== true) return 'none'
  const { rows } = await client.query('select created_at from drizzle.__drizzle_migrations')
  const applied = new Set(rows.map(({ created_at }) => Number(created_at)))
  const ours = migrations.map(({ when }) => when)
  if ([...applied].some((when) => !ours.includes(when))) return 'newer'
  if (applied.size === 0) return 'none'
  return ours.every((when) => applied.has(when)) ? 'current' : 'older'
}
