/**
 * What does a release cost the service beside the sealing itself, and how long does an agent wait for it? A real process, real
 * HTTP, PostgreSQL, attested agents that ask again and again with a new proof each time. The limit is one seal by @hpke/core to
 * a parsed key, measured in the same run before and after each round.
 *
 * A service runs for days: some thousand go before all others and are not counted, so that neither code that is not compiled yet
 * nor the first read of a resource is what is measured.
 */
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { median } from './harness.ts'
import { openReleaseScene, type ReleaseScene } from './service/release-scene.ts'
import { type Load, measuredLoad, quantile, round, sendInPortions } from './service/rounds.ts'

export interface ReleasePlan {
  readonly agents: number
  readonly rounds: number
  /** Of each round. */
  readonly milliseconds: number
  /** Answered at full load before anything is counted. */
  readonly warmUp: number
  readonly connections: number
  /** Proofs that are made ahead for each round; more than are sent. */
  readonly requests: number
  readonly seals: number
}

export const usualReleasePlan: ReleasePlan = {
  agents: 200,
  rounds: 3,
  milliseconds: 8_000,
  warmUp: 30_000,
  connections: 32,
  requests: 12_000,
  seals: 2_000,
}
export const quickReleasePlan: ReleasePlan = {
  agents: 20,
  rounds: 1,
  milliseconds: 2_000,
  warmUp: 1_000,
  connections: 32,
  requests: 3_000,
  seals: 500,
}

export async function* releaseRows(
  plan: ReleasePlan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openReleaseScene(plan.agents)
  try {
    await sealMicros(plan.seals)
    await sendInPortions(scene, {
      ...{ served: [scene.served], connections: plan.connections },
      ...{ total: plan.warmUp, portion: plan.requests },
      prepare: async (requests) => await prepare(scene, { requests }),
    })
    const rounds: Round[] = []
    for (let n = 0; n < plan.rounds; n++) rounds.push(await peakRound(scene, plan))
    const of = (name: keyof Round) => median(rounds.map((each) => each[name]))
    yield { name: 'releases.limit', hpkeSealMicros: round(of('limitMicros')) }
    yield {
      name: 'releases.postgres.x1',
      perSecond: round(of('perSecond')),
      // What one core would do that has nothing else to do, the database included.
      perSecondPerCore: round(1e6 / of('cpuMicros')),
      cpuMicros: round(of('cpuMicros')),
      serverMicros: round(of('serverMicros')),
      databaseMicros: round(of('databaseMicros')),
      loadMicros: round(of('loadMicros')),
      limitRatioCpu: round(median(rounds.map((each) => each.limitMicros / each.cpuMicros))),
      limitRatioServer: round(median(rounds.map((each) => each.limitMicros / each.serverMicros))),
      p99Ms: round(of('p99Ms')),
    }
    yield await latencyRow(scene, plan, of('perSecond') * 0.7)
  } finally {
    await scene.close()
  }
}

interface Round extends Load {
  readonly limitMicros: number
}

async function peakRound(
  { served, agents, generators }: ReleaseScene,
  plan: ReleasePlan,
): Promise<Round> {
  const sealBefore = await sealMicros(plan.seals)
  await prepare({ agents, generators }, plan)
  await generators[0]?.fire({ ports: [served.port], connections: 4, milliseconds: 300 })
  const load = await measuredLoad(generators, [served], plan)
  const sealAfter = await sealMicros(plan.seals)
  return { ...load, limitMicros: (sealBefore + sealAfter) / 2 }
}

/** The generators open their connections, and start to keep time. */
const SETTLE_MS = 700

async function latencyRow(scene: ReleaseScene, plan: ReleasePlan, perSecond: number) {
  await prepare(scene, plan)
  const rate = perSecond / scene.generators.length
  const ports = [scene.served.port]
  const milliseconds = plan.milliseconds + SETTLE_MS
  const timing = { rate, milliseconds, settleMs: SETTLE_MS }
  const fired = await Promise.all(
    scene.generators.map(({ fire }) => fire({ ports, connections: 128, ...timing })),
  )
  const latencies = fired.flatMap((each) => each.latencies)
  const shed = fired.flatMap((each) => each.shed)
  return {
    name: 'releases.postgres.x1.at0.7',
    offeredPerSecond: round(perSecond),
    answered: latencies.length,
    p50Ms: round(quantile(latencies, 0.5)),
    p99Ms: round(quantile(latencies, 0.99)),
    shed: shed.length,
    statuses: JSON.stringify(fired.map(({ statuses }) => statuses)),
  }
}

/** Proofs are good for a minute: just before they are sent. */
async function prepare(
  { agents, generators }: Pick<ReleaseScene, 'agents' | 'generators'>,
  { requests }: Pick<ReleasePlan, 'requests'>,
): Promise<void> {
  const each = Math.ceil(requests / generators.length)
  await Promise.all(
    generators.map(({ prepareReleases }) => prepareReleases({ agents, requests: each })),
  )
}

const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
})
const recipient = suite.kem.generateKeyPair()

/** CPU of one seal, the library's own and the thread pool's. */
async function sealMicros(seals: number): Promise<number> {
  const { publicKey: recipientPublicKey } = await recipient
  const [info, aad, secret] = [20, 220, 32].map((size) => new Uint8Array(size))
  if (!info || !aad || !secret) throw new Error('nothing to seal')
  const before = process.cpuUsage()
  for (let n = 0; n < seals; n++) await suite.seal({ recipientPublicKey, info }, secret, aad)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / seals
}
