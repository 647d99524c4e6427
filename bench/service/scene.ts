/**
 * Where the service is measured: a policy of a thousand releases, PostgreSQL, roots of simulated vendors and load generators; and
 * the service, or the naive one, that is started there.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { usualTd15Body } from '../../enclave/simulator/dcap-bodies.ts'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { openPostgresStore } from '../../src/adapters/postgres-store.ts'
import { freePort } from '../../test/free-port.ts'
import { startPostgres } from '../../test/postgres.ts'
import { type MeasuredRepository, measuredRepository } from '../policy-repository.ts'
import { type MeasuredTee, measurementOf, PUBLIC_URL, platforms } from './agents.ts'
import { type Generator, type Served, startGenerator, startServer } from './processes.ts'

export interface Variant {
  readonly kind: 'postgres' | 'pglite' | 'naive'
  readonly tee: MeasuredTee
  readonly replicas: number
}

/** Replicas of one variant, that answer. */
export interface Running {
  readonly variant: Variant
  readonly served: readonly Served[]
  /** Of their database; undefined: PGlite. */
  readonly url: string | undefined
  readonly stop: () => Promise<void>
}

export interface Scene {
  readonly releases: number
  readonly repository: MeasuredRepository
  readonly roots: string
  readonly issued: Date
  readonly directory: string
  readonly postgres: Awaited<ReturnType<typeof startPostgres>>
  readonly generators: readonly Generator[]
  readonly close: () => Promise<void>
}

/** `manifestOf`: what becomes of each manifest of the policy; default: its agent may run on both kinds of machine. */
export async function openScene(releases: number, manifestOf = onBothMachines): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), 'vouchsafe-service-bench-'))
  const issued = new Date(Date.now() - 60_000)
  const roots = join(directory, 'roots')
  mkdirSync(roots)
  for (const [tee, { anchors }] of Object.entries(platforms(issued)))
    writeFileSync(join(roots, `${tee}.pem`), pemOf(anchors.map(({ der }) => der)))
  const repository = await measuredRepository(releases, manifestOf)
  const postgres = await startPostgres({ max_connections: '200', shared_buffers: '512MB' })
  const generators = [startGenerator(), startGenerator()]
  return {
    releases,
    repository,
    roots,
    issued,
    directory,
    postgres,
    generators,
    async close() {
      await Promise.all(generators.map(({ stop }) => stop()))
      await postgres.stop()
      repository.remove()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

const { rtmr0, rtmr1, rtmr2 } = usualTd15Body()
const registers = Object.entries({ rtmr0, rtmr1, rtmr2 })
  .map(([name, value]) => `      ${name}: sha384:${Buffer.from(value).toString('hex')}\n`)
  .join('')

/** What the sample's configuration would bind is left out. */
export function unconfigured(manifest: string): string {
  return manifest
    .replace(/^ *(# SHA-256 of the file|hostData:|runtimeConfig:).*\n/gm, '')
    .replace(/^ {2}(artifacts|models):\n( {4}.*\n)*/gm, '')
}

function onBothMachines(manifest: string, agent: string): string {
  const measurement = Buffer.from(measurementOf(agent)).toString('hex')
  return unconfigured(manifest).replace(
    '    - id: genoa\n',
    `    - id: tdx\n      tee: tdx\n      mrTd: sha384:${measurement}\n${registers}    - id: genoa\n`,
  )
}

export async function startVariant(scene: Scene, variant: Variant): Promise<Running> {
  const { kind, replicas } = variant
  const url = kind === 'pglite' ? undefined : await scene.postgres.database()
  if (url !== undefined && kind !== 'naive')
    await (await openPostgresStore(url, { migrations: 'apply' })).close()
  const served: Served[] = []
  for (let n = 0; n < replicas; n++) {
    const port = await freePort()
    const cwd = mkdtempSync(join(scene.directory, `${kind}-`))
    served.push(
      kind === 'naive'
        ? await startServer('bench/service/naive.ts', {
            args: [url ?? '', String(port), String(scene.releases), rootOf(scene)],
            env: {},
            cwd,
            ready: 'the naive one answers',
            port,
          })
        : await startServer('src/main.ts', {
            args: ['serve'],
            env: environmentOf(scene, port, url),
            cwd,
            ready: 'answers on',
            port,
          }),
    )
  }
  return {
    variant,
    served,
    url,
    async stop() {
      await Promise.all(served.map(({ stop }) => stop()))
    },
  }
}

/** 32 bytes in hex. */
export const KEY_ENCRYPTION_KEY = '0'.repeat(63).concat('1')

function environmentOf({ repository, roots }: Scene, port: number, url: string | undefined) {
  return {
    VOUCHSAFE_PUBLIC_URL: PUBLIC_URL,
    VOUCHSAFE_PORT: String(port),
    VOUCHSAFE_POLICY: repository.path,
    VOUCHSAFE_POLICY_PIN: repository.pin.digest,
    VOUCHSAFE_SIMULATED_ROOTS: roots,
    VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY_ENCRYPTION_KEY,
    ...(url !== undefined && { DATABASE_URL: url }),
    ...unlimited,
  }
}

/** One address sends everything here. */
const unlimited: Readonly<Record<string, string>> = {
  VOUCHSAFE_RATE_LIMIT_CHALLENGES: 'off',
  VOUCHSAFE_RATE_LIMIT_ATTESTATIONS: 'off',
  VOUCHSAFE_RATE_LIMIT_RELEASES: 'off',
  VOUCHSAFE_RATE_LIMIT_TENANT: 'off',
}

function rootOf({ roots }: Scene): string {
  return readFileSync(join(roots, 'sev-snp.pem'), 'utf8')
}
