/**
 * What does one attestation cost the whole service, and how long does an agent wait for it? Real processes, real HTTP, a
 * policy of a thousand releases, durable storage, every challenge used once. CPU is read from /proc for the service, the
 * database and the load generator apart.
 */
import { interleave, median, type Plan } from './harness.ts'
import { p384Limit } from './limits.ts'
import {
  type Peak,
  peakRound,
  prepare,
  quantile,
  type RoundPlan,
  round,
  warmUp,
} from './service/rounds.ts'
import { openScene, type Running, type Scene, startVariant, type Variant } from './service/scene.ts'

export interface ServicePlan extends RoundPlan {
  readonly releases: number
  readonly rounds: number
}

export const usualServicePlan: ServicePlan = {
  releases: 1000,
  rounds: 3,
  milliseconds: 4_000,
  warmUp: 30_000,
  connections: 32,
  requests: 12_000,
}
export const quickServicePlan: ServicePlan = {
  releases: 100,
  rounds: 1,
  milliseconds: 1_500,
  warmUp: 500,
  connections: 32,
  requests: 3_000,
}

export async function* serviceRows(
  plan: ServicePlan,
  limitPlan: Plan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openScene(plan.releases)
  try {
    const limitMicros = interleave({ limit: p384Limit() }, limitPlan).limit.cpuMicros
    yield { name: 'service.limit', p384Micros: round(limitMicros) }
    const naive = await naivePeak(scene, plan)
    yield { name: 'service.naive.snp', ...shown(naive, limitMicros) }
    for (const { isTimed, ...variant } of variants) {
      const running = await startVariant(scene, variant)
      try {
        const peak = await measuredPeak(scene, plan, running)
        yield {
          name: `service.${variant.kind}.${variant.tee === 'tdx' ? 'tdx' : 'snp'}.x${variant.replicas}`,
          ...shown(peak, limitMicros),
          ...(variant.tee === 'sev-snp' && {
            timesNaive: round(peak.perSecond / naive.perSecond),
            timesNaiveCpu: round(naive.cpuMicros / peak.cpuMicros),
          }),
        }
        if (isTimed) yield* latencyRows(scene, plan, { running, peak })
      } finally {
        await running.stop()
      }
    }
  } finally {
    await scene.close()
  }
}

const variants: readonly (Variant & { readonly isTimed?: boolean })[] = [
  { kind: 'postgres', tee: 'sev-snp', replicas: 1, isTimed: true },
  { kind: 'postgres', tee: 'sev-snp', replicas: 2, isTimed: true },
  { kind: 'postgres', tee: 'sev-snp', replicas: 4 },
  { kind: 'postgres', tee: 'tdx', replicas: 1 },
  { kind: 'pglite', tee: 'sev-snp', replicas: 1, isTimed: true },
]

async function naivePeak(scene: Scene, plan: ServicePlan): Promise<Peak> {
  const running = await startVariant(scene, { kind: 'naive', tee: 'sev-snp', replicas: 1 })
  try {
    // It calls libraries, which need no more than that; the whole would take it minutes.
    return await measuredPeak(scene, { ...plan, warmUp: plan.warmUp / 10 }, running)
  } finally {
    await running.stop()
  }
}

async function measuredPeak(scene: Scene, plan: ServicePlan, running: Running): Promise<Peak> {
  await warmUp(scene, plan, running)
  const rounds: Peak[] = []
  for (let n = 0; n < plan.rounds; n++) rounds.push(await peakRound(scene, plan, running))
  const of = (name: keyof Peak) => median(rounds.map((each) => each[name]))
  return {
    perSecond: of('perSecond'),
    turnedAway: of('turnedAway'),
    cpuMicros: of('cpuMicros'),
    serverMicros: of('serverMicros'),
    databaseMicros: of('databaseMicros'),
    loadMicros: of('loadMicros'),
    p99Ms: of('p99Ms'),
    residentMiB: of('residentMiB'),
  }
}

const loads = [0.5, 0.7, 2]
/** Of a run at a fixed rate: its own connections open, which is no agent's wait. */
const SETTLE_MS = 1_000

/** At a fixed rate, whatever the answers: what an agent waits for, and what is turned away. */
async function* latencyRows(
  scene: Scene,
  plan: ServicePlan,
  { running, peak }: { readonly running: Running; readonly peak: Peak },
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const { variant, served } = running
  const ports = served.map(({ port }) => port)
  for (const load of loads) {
    const rate = (peak.perSecond * load) / scene.generators.length
    const milliseconds = SETTLE_MS + plan.milliseconds
    const needed = (rate * scene.generators.length * milliseconds) / 1000
    await prepare(scene, { requests: Math.ceil(needed * 1.1) }, running)
    const fired = await Promise.all(
      scene.generators.map(({ fire }) =>
        fire({ ports, connections: 128, rate, milliseconds, settleMs: SETTLE_MS }),
      ),
    )
    const latencies = fired.flatMap((each) => each.latencies)
    const shed = fired.flatMap((each) => each.shed)
    yield {
      name: `service.${variant.kind}.snp.x${variant.replicas}.at${load}`,
      offeredPerSecond: round(rate * scene.generators.length),
      answered: latencies.length,
      p50Ms: round(quantile(latencies, 0.5)),
      p99Ms: round(quantile(latencies, 0.99)),
      shed: shed.length,
      shedP99Ms: round(quantile(shed, 0.99)),
      statuses: JSON.stringify(fired.map(({ statuses }) => statuses)),
    }
  }
}

function shown(peak: Peak, limitMicros: number): Readonly<Record<string, number>> {
  return {
    perSecond: round(peak.perSecond),
    ...(peak.turnedAway > 0 && { turnedAway: round(peak.turnedAway) }),
    cpuMicros: round(peak.cpuMicros),
    serverMicros: round(peak.serverMicros),
    databaseMicros: round(peak.databaseMicros),
    loadMicros: round(peak.loadMicros),
    // Of what both cores could verify if they did nothing else.
    limitRatio: round(peak.perSecond / (2e6 / limitMicros)),
    limitRatioCpu: round(limitMicros / peak.cpuMicros),
    p99Ms: round(peak.p99Ms),
    residentMiB: round(peak.residentMiB),
  }
}
