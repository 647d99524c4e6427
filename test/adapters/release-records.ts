/** What the stores are given to keep of resources and releases. */
import { createHash, randomUUID } from 'node:crypto'
import type { Store } from '#src/service/ports.ts'
import type {
  BrokerSession,
  RecordedRelease,
  ReleaseApproval,
  ReleaseRecord,
  Resource,
  SealedVersion,
} from '#src/service/release-ports.ts'
import type { TokenRecord } from '#src/service/token-ports.ts'
import { AT, attestation, LATER, leaf, record, token } from './store-records.ts'

/** By which everything here is judged. */
export const COMMIT = 'c'.repeat(40)

export function resource(name: string, change: Partial<Resource> = {}): Resource {
  return {
    tenant: 'acme',
    name,
    use: 'release',
    approvals: 0,
    leaseSeconds: 300,
    releasesPerMinute: undefined,
    brokerPath: undefined,
    requiresSession: false,
    acceptsSimulated: false,
    revision: 1,
    ...change,
  }
}

export function version(number: number, change: Partial<SealedVersion> = {}): SealedVersion {
  return {
    version: number,
    createdAt: AT,
    createdBy: 'alice "\\ {é}',
    revokedAt: undefined,
    sealed: new Uint8Array([0, 255, number]),
    ...change,
  }
}

/** Its first version. */
export async function put(store: Store, name: string, change: Partial<Resource> = {}) {
  const added = { resource: resource(name, change), version: version(1), after: 0 }
  return await store.addResourceVersion(added, leaf({ kind: 'resource' }))
}

/** Tokens of one attestation, kept. */
export async function issue(
  store: Store,
  jtis: readonly string[],
  change: Partial<TokenRecord> = {},
): Promise<void> {
  const appraisal = record(randomUUID())
  const tokens = jtis.map((jti) => token(appraisal.id, { jti, ...change }))
  await store.recordAttestation(attestation(appraisal, { tokens }))
}

export function approval(name: string, change: Partial<ReleaseApproval> = {}): ReleaseApproval {
  return {
    id: createHash('sha256').update(name).digest('hex'),
    tenant: 'acme',
    resource: 'secret:db-ro',
    version: 1,
    environment: 'prod',
    agent: 'invoice-bot',
    jkt: 'thumbprint',
    requestedAt: AT,
    expiresAt: LATER,
    approvedBy: [],
    ...change,
  }
}

export function session(id: string, change: Partial<BrokerSession> = {}): BrokerSession {
  return {
    id,
    tenant: 'acme',
    tee: 'snp',
    version: '0.4.0',
    nonce: 'bm9uY2U=',
    createdAt: AT,
    expiresAt: LATER,
    attested: undefined,
    ...change,
  }
}

let proofs = 0

/** Another proof each time, and another id. */
export function release(
  change: Partial<ReleaseRecord> & Pick<ReleaseRecord, 'resource' | 'jti'>,
  rest: Partial<Omit<RecordedRelease, 'release'>> = {},
): RecordedRelease {
  proofs += 1
  const id = randomUUID()
  return {
    release: {
      id,
      at: AT,
      tenant: 'acme',
      environment: 'prod',
      agent: 'invoice-bot',
      version: 1,
      use: 'release',
      face: 'releases',
      jkt: 'thumbprint',
      policyCommit: COMMIT,
      policyDigest: 'sha256:00',
      leaseUntil: new Date(AT.getTime() + 300_000),
      leafHash: 'ab'.repeat(32),
      ...change,
    },
    revision: 1,
    proof: { id: `proof-${proofs}`, expiresAt: LATER },
    approval: undefined,
    releasesPerMinute: undefined,
    leaf: leaf({ kind: 'release', subject: id }),
    ...rest,
  }
}
