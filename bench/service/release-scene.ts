/** Where releases are measured: a service on PostgreSQL with one secret, and agents that it attested. */
import { keyEncryptionBySecret } from '../../src/adapters/key-encryption-secret.ts'
import { openPostgresStore } from '../../src/adapters/postgres-store.ts'
import { systemRandom } from '../../src/adapters/system.ts'
import { putResource } from '../../src/service/put-resource.ts'
import { PUBLIC_URL } from './agents.ts'
import type { Generator, Served } from './processes.ts'
import { type AttestedAgent, attestedAgents, RESOURCE } from './release-agents.ts'
import { KEY_ENCRYPTION_KEY, openScene, startVariant, unconfigured } from './scene.ts'

export interface ReleaseScene {
  readonly served: Served
  readonly agents: readonly AttestedAgent[]
  readonly generators: readonly Generator[]
  readonly close: () => Promise<void>
}

/** `count`: so many agents are attested. */
export async function openReleaseScene(count: number): Promise<ReleaseScene> {
  const scene = await openScene(count, withScope)
  const running = await startVariant(scene, { kind: 'postgres', tee: 'sev-snp', replicas: 1 })
  const {
    url,
    served: [served],
  } = running
  if (url === undefined || !served) throw new Error('there is no service on PostgreSQL')
  await putSecret(url)
  const { generators, issued } = scene
  return {
    served,
    agents: await attestedAgents({ port: served.port, count, issued }),
    generators,
    async close() {
      await running.stop()
      await scene.close()
    },
  }
}

function withScope(manifest: string): string {
  return unconfigured(manifest).replace(
    /audience: kms\.example\n( *)ttl: 240s\n/,
    `audience: ${PUBLIC_URL}\n$1ttl: 15m\n$1scopes: ["${RESOURCE}"]\n`,
  )
}

/** Before anybody asks for it, and the service needs not know. */
async function putSecret(url: string): Promise<void> {
  const store = await openPostgresStore(url, { migrations: 'apply' })
  const secret = new Uint8Array(Buffer.from(KEY_ENCRYPTION_KEY, 'hex'))
  const room = {
    store,
    random: systemRandom,
    journal: { record: () => {} },
    keyEncryption: [keyEncryptionBySecret('file', secret)] as const,
  }
  const settings = { acceptsSimulated: true }
  const put = { tenant: 'default', name: RESOURCE, settings, secret, by: 'bench' }
  await putResource(room, put, new Date())
  await store.close()
}
