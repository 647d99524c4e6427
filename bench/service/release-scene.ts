/** Where releases are measured: a policy, PostgreSQL with one secret, the service, agents that it attested, and load generators. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pemOf } from '../../enclave/simulator/pem.ts'
import { keyEncryptionBySecret } from '../../src/adapters/key-encryption-secret.ts'
import { openPostgresStore } from '../../src/adapters/postgres-store.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import { putResource } from '../../src/service/put-resource.ts'
import { freePort } from '../../test/free-port.ts'
import { startPostgres } from '../../test/postgres.ts'
import { type MeasuredRepository, measuredRepository } from '../policy-repository.ts'
import { PUBLIC_URL, platforms } from './agents.ts'
import { type Generator, type Served, startGenerator, startServer } from './processes.ts'
import { type AttestedAgent, attestedAgents, RESOURCE } from './release-agents.ts'
import { environmentOf, KEY_ENCRYPTION_KEY } from './scene.ts'

export interface ReleaseScene {
  readonly served: Served
  readonly agents: readonly AttestedAgent[]
  readonly generators: readonly Generator[]
  readonly close: () => Promise<void>
}

/** `agents`: so many are attested. */
export async function openReleaseScene(agents: number): Promise<ReleaseScene> {
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
  const secret = new Uint8Array(Buffer.from(KEY_ENCRYPTION_KEY, 'hex'))
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
      ...environmentOf({ repository, roots }, port, url),
      VOUCHSAFE_RATE_LIMIT_RELEASES: 'off',
    },
    cwd: directory,
    ready: 'answers on',
    port,
  })
}
