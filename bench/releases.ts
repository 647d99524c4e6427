/**
 * What does a release cost the service beside the sealing itself, and how long does an agent wait for it? A real process, real
 * HTTP, PostgreSQL, attested agents that ask again and again with a new proof each time. The limit is one seal by @hpke/core to
 * a parsed key, measured in the same run before and after each round.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { pemOf } from '../enclave/simulator/pem.ts'
import { keyEncryptionBySecret } from '../src/adapters/key-encryption-secret.ts'
import { openPostgresStore } from '../src/adapters/postgres-store.ts'
import { systemRandom } from '../src/adapters/system.ts'
import { putResource } from '../src/service/put-resource.ts'
import { freePort } from '../test/free-port.ts'
import { startPostgres } from '../test/postgres.ts'
import { median } from './harness.ts'
import { type MeasuredRepository, measuredRepository } from './policy-repository.ts'
import { PUBLIC_URL, platforms } from './service/agents.ts'
import {
  childrenCalled,
  cpuMsOf,
  type Generator,
  type Served,
  startGenerator,
  startServer,
} from './service/processes.ts'
import { type AttestedAgent, attestedAgents, RESOURCE } from './service/release-agents.ts'

export interface ReleasePlan {
  readonly agents: number
  readonly rounds: number
  readonly milliseconds: number
  readonly connections: number
  /** Proofs that are made ahead for each round. */
  readonly requests: number
  readonly seals: number
}

export const usualReleasePlan: ReleasePlan = {
  agents: 200,
  rounds: 3,
  milliseconds: 4_000,
  connections: 32,
  requests: 8_000,
  seals: 2_000,
}
export const quickReleasePlan: ReleasePlan = {
  agents: 20,
  rounds: 1,
  milliseconds: 1_500,
  connections: 32,
  requests: 2_000,
  seals: 500,
}

export async function* releaseRows(
  plan: ReleasePlan,
): AsyncGenerator<Readonly<Record<string, unknown>>> {
  const scene = await openScene(plan)
  try {
    await sealMicros(plan.seals)
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

interface Scene {
  readonly served: Served
  readonly agents: readonly AttestedAgent[]
  readonly generators: readonly Generator[]
  readonly close: () => Promise<void>
}

const KEY = '0'.repeat(63).concat('1')

async function openScene({ agents }: ReleasePlan): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'vouchsafe-release-bench-'))
  const issued = new Date(Date.now() - 60_000)
  const roots = join(directory, 'roots')
  mkdirSync(roots)
  writeFileSync(
    join(roots, 'snp.pem'),
    pemOf(platforms(issued)['sev-snp'].anchors.map(({ der }) => der)),
  )
  const repository = await measuredRepository(agents, withScope)
  const postgres = await startPostgres({ max_connections: '200', shared_buffers: '512MB' })
  await putSecret(postgres.url)
  const served = await startService({ repository, roots, directory, url: postgres.url })
  const generators = [startGenerator(), startGenerator()]
  return {
    served,
    agents: await attestedAgents({ port: served.port, count: agents, issued }),
    generators,
    async close() {
      await Promise.all(generators.map(({ stop }) => stop()))
      await served.stop()
      await postgres.stop()
      repository.remove()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** What the sample's configuration would bind is left out, as in service.ts. */
function withScope(manifest: string): string {
  return manifest
    .replace(/^ *(# SHA-256 of the file|hostData:|runtimeConfig:).*\n/gm, '')
    .replace(/^ {2}(artifacts|models):\n( {4}.*\n)*/gm, '')
    .replace(
      /audience: kms\.example\n( *)ttl: 240s\n/,
      `audience: ${PUBLIC_URL}\n$1ttl: 15m\n$1scopes: ["${RESOURCE}"]\n`,
    )
}

async function putSecret(url: string): Promise<void> {
  const store = await openPostgresStore(url, { migrations: 'apply' })
  const secret = new Uint8Array(Buffer.from(KEY, 'hex'))
  const room = {
    store,
    random: systemRandom,
    journal: { record: () => {} },
    keyEncryption: [keyEncryptionBySecret('file', secret)] as const,
  }
  const put = { tenant: 'default', name: RESOURCE, settings: {}, secret, by: 'bench' }
  await putResource(room, put, new Date())
  await store.close()
}

async function startService({
  repository,
  roots,
  directory,
  url,
}: {
  readonly repository: MeasuredRepository
  readonly roots: string
  readonly directory: string
  readonly url: string
}): Promise<Served> {
  const port = await freePort()
  return await startServer('src/main.ts', {
    args: ['serve'],
    env: {
      VOUCHSAFE_PUBLIC_URL: PUBLIC_URL,
      VOUCHSAFE_PORT: String(port),
      VOUCHSAFE_POLICY: repository.path,
      VOUCHSAFE_POLICY_PIN: repository.pin.digest,
      VOUCHSAFE_SIMULATED_ROOTS: roots,
      VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY,
      DATABASE_URL: url,
      // One address sends everything here.
      VOUCHSAFE_RATE_LIMIT_CHALLENGES: 'off',
      VOUCHSAFE_RATE_LIMIT_ATTESTATIONS: 'off',
      VOUCHSAFE_RATE_LIMIT_RELEASES: 'off',
      VOUCHSAFE_RATE_LIMIT_TENANT: 'off',
    },
    cwd: directory,
    ready: 'answers on',
    port,
  })
}

interface Round {
  readonly limitMicros: number
  readonly perSecond: number
  readonly cpuMicros: number
  readonly serverMicros: number
  readonly databaseMicros: number
  readonly loadMicros: number
  readonly p99Ms: number
}

async function peakRound({ served, agents, generators }: Scene, plan: ReleasePlan): Promise<Round> {
  const { connections, milliseconds, seals } = plan
  const ports = [served.port]
  const sealBefore = await sealMicros(seals)
  await prepare({ agents, generators }, plan)
  await generators[0]?.fire({ ports, connections: 4, milliseconds: 300 })
  const [serverBefore, databaseBefore] = [cpuMsOf([served.pid]), databaseMs()]
  const fired = await Promise.all(
    generators.map(({ fire }) => fire({ ports, connections: connections / 2, milliseconds })),
  )
  const [server, database] = [cpuMsOf([served.pid]) - serverBefore, databaseMs() - databaseBefore]
  const sealAfter = await sealMicros(seals)
  const statuses = fired.map((each) => each.statuses)
  const answered = statuses.reduce((sum, each) => sum + (each['200'] ?? 0), 0)
  const others = statuses
    .flatMap((each) => Object.keys(each))
    .filter((each) => each !== '200' && each !== '503')
  if (others.length > 0 || answered === 0)
    throw new Error(`releases were answered otherwise: ${JSON.stringify(statuses)}`)
  const micros = (ms: number) => (ms * 1000) / answered
  return {
    limitMicros: (sealBefore + sealAfter) / 2,
    perSecond: (answered * 1000) / Math.max(...fired.map(({ wallMs }) => wallMs)),
    cpuMicros: micros(server + database),
    serverMicros: micros(server),
    databaseMicros: micros(database),
    loadMicros: micros(fired.reduce((sum, { cpuMs }) => sum + cpuMs, 0)),
    p99Ms: p99(fired.flatMap(({ latencies }) => latencies)),
  }
}

async function latencyRow(scene: Scene, plan: ReleasePlan, perSecond: number) {
  await prepare(scene, plan)
  const rate = perSecond / scene.generators.length
  const { milliseconds } = plan
  const fired = await Promise.all(
    scene.generators.map(({ fire }) =>
      fire({ ports: [scene.served.port], connections: 128, rate, milliseconds }),
    ),
  )
  const latencies = fired.flatMap((each) => each.latencies)
  return {
    name: 'releases.postgres.x1.at0.7',
    offeredPerSecond: round(perSecond),
    answered: latencies.length,
    p99Ms: round(p99(latencies)),
    statuses: JSON.stringify(fired.map(({ statuses }) => statuses)),
  }
}

/** Proofs are good for a minute: just before they are sent. */
async function prepare(
  { agents, generators }: Pick<Scene, 'agents' | 'generators'>,
  { requests }: ReleasePlan,
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

function databaseMs(): number {
  return cpuMsOf(childrenCalled('postgres'))
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}
