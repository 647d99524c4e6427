/**
 * What does a service cost that has run for long? Half an hour of load: its memory, minute by minute. Then a million appraisals are
 * in the database, and an attestation should cost what it cost when there were none.
 */
import pg from 'pg'
import { residentBytes } from './service/processes.ts'
import {
  peakRound,
  prepare,
  type RoundPlan,
  round,
  sendInPortions,
  warmUp,
} from './service/rounds.ts'
import { openScene, type Running, type Scene, startVariant } from './service/scene.ts'

export interface EndurancePlan extends RoundPlan {
  readonly releases: number
  readonly minutes: number
  readonly rows: number
}

export const usualEndurancePlan: EndurancePlan = {
  releases: 1000,
  minutes: 30,
  rows: 1_000_000,
  milliseconds: 6_000,
  warmUp: 30_000,
  connections: 32,
  requests: 16_000,
}
export const quickEndurancePlan: EndurancePlan = {
  releases: 100,
  minutes: 1,
  rows: 20_000,
  milliseconds: 1_500,
  warmUp: 500,
  connections: 32,
  requests: 3_000,
}

export async function* enduranceRows(
  plan: EndurancePlan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openScene(plan.releases)
  const running = await startVariant(scene, { kind: 'postgres', tee: 'sev-snp', replicas: 1 })
  const database = new pg.Client({ connectionString: running.url })
  try {
    await database.connect()
    await warmUp(scene, plan, running)
    yield await costRow('new', { scene, plan, running, database })
    yield* memoryRows(scene, plan, running)
    yield await costRow('before', { scene, plan, running, database })
    await fill(database, plan.rows)
    yield await costRow('full', { scene, plan, running, database })
  } finally {
    await database.end()
    await running.stop()
    await scene.close()
  }
}

async function costRow(
  name: string,
  at: {
    readonly scene: Scene
    readonly plan: EndurancePlan
    readonly running: Running
    readonly database: pg.Client
  },
): Promise<Readonly<Record<string, unknown>>> {
  const rows = await stored(at.database)
  const peak = await peakRound(at.scene, at.plan, at.running)
  return {
    name: `endurance.cost.${name}`,
    rows,
    perSecond: round(peak.perSecond),
    serverMicros: round(peak.serverMicros),
    databaseMicros: round(peak.databaseMicros),
    residentMiB: round(peak.residentMiB),
  }
}

/** Requests are made in portions, since a challenge lives for five minutes: the load stands still while the next are made. */
async function* memoryRows(
  scene: Scene,
  plan: EndurancePlan,
  running: Running,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const begun = performance.now()
  const minutesSince = () => (performance.now() - begun) / 60_000
  let answered = 0
  for (let minute = 1; minute <= plan.minutes; minute++) {
    while (minutesSince() < minute)
      answered += await sendInPortions(scene, {
        ...{ served: running.served, connections: plan.connections },
        ...{ total: PORTION, portion: PORTION },
        prepare: async (requests) => await prepare(scene, { requests }, running),
      })
    const [pid = 0] = running.served.map((each) => each.pid)
    yield {
      name: 'endurance.memory',
      minute,
      answered,
      residentMiB: round(residentBytes(pid) / 2 ** 20),
    }
  }
}

const PORTION = 4_000

async function stored(database: pg.Client): Promise<number> {
  const { rows } = await database.query('select count(*)::int as count from appraisals')
  return rows[0].count
}

/** Copies of what is there, of the same day and so in the same partition, until there are so many: the worst that can be. */
async function fill(database: pg.Client, wanted: number): Promise<void> {
  const { rows } = await database.query(
    `select string_agg(quote_ident(column_name), ', ' order by ordinal_position) as columns
      from information_schema.columns where table_name = 'appraisals' and column_name <> 'id'`,
  )
  const columns: string = rows[0].columns
  for (let count = await stored(database); count < wanted; count = await stored(database)) {
    await database.query(
      `insert into appraisals (id, ${columns})
        select gen_random_uuid(), ${columns} from appraisals limit $1`,
      [Math.min(50_000, wanted - count)],
    )
  }
  await database.query('checkpoint')
}
