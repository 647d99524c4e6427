/**
 * The whole service on a loopback port, for tests: real HTTP, real signatures, simulated platforms, a clock that the test
 * moves, and a policy that the test writes.
 */
import { randomBytes } from 'node:crypto'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { app } from '#src/http/app.ts'
import { type RunningServer, startServer } from '#src/http/server.ts'
import { type AnchorSet, anchorSet } from '#src/pki/anchor.ts'
import { decodeCertificate } from '#src/pki/certificate.ts'
import { mistakeText, type Policy, readPolicy } from '#src/policy/policy.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import type { VectorAnchor } from '#src/rats/vector.ts'
import { broughtOnly } from '#src/service/brought-endorsements.ts'
import type { CollectEndorsements } from '#src/service/collect-endorsements.ts'
import { openVerifier } from '#src/service/open-verifier.ts'
import type { JournalEntry, PolicySource, Store } from '#src/service/ports.ts'
import { readinessOf } from '#src/service/readiness.ts'
import type { Verifier } from '#src/service/verifier.ts'
import {
  type AgentIdentity,
  type AgentKeys,
  type Attester,
  bornKeys,
} from '../../enclave/attestation.ts'
import { simulatedSnp } from '../../enclave/simulator/agent.ts'
import { seededChance } from '../../fixtures/seeded.ts'

const ISSUED = new Date('2026-01-01T00:00:00Z')
export const AT = new Date('2026-06-01T00:00:00Z')

const chance = seededChance('service tests')
export const platform = simulatedSnp({ chance, issued: ISSUED })
export const goodMeasurement = new Uint8Array(48).fill(0xa1)

/** An attester on the simulated platform; what is launched on it is the test's choice. */
export function attester(
  measurement = goodMeasurement,
  fields: Parameters<typeof platform.attest>[0]['fields'] = {},
): Attester {
  return {
    attest: (reportData) => platform.attest({ reportData, measurement, fields }),
    endorsements: platform.endorsements,
  }
}

export function manifest(change: (text: string) => string = (text) => text): string {
  return change(`apiVersion: vouchsafe.dev/v1alpha1
kind: AgentRelease
metadata:
  name: invoice-bot
  version: "1.8.0"
  generation: 42
  notBefore: 2026-01-01T00:00:00Z
  notAfter: 2027-01-01T00:00:00Z
spec:
  referenceValues:
    - id: previous
      tee: sev-snp
      measurement: sha384:${'b2'.repeat(48)}
      minimumTcb: {snp: 99}
    - id: current
      tee: sev-snp
      measurement: sha384:${'a1'.repeat(48)}
  release:
    - audience: kms.example
      ttl: 240s
`)
}

export function policyOf(text = manifest()): Policy {
  const reading = readPolicy(
    [{ path: 'agents/prod/invoice-bot.yaml', bytes: new TextEncoder().encode(text) }],
    { commit: 'c'.repeat(40), waivable: new Set(['revocation']) },
  )
  if ('policy' in reading) return reading.policy
  throw new Error(reading.mistakes.map(mistakeText).join('\n'))
}

export interface ServiceRequest {
  readonly store?: Store
  readonly policy?: Policy | undefined
  readonly explainRefusals?: boolean
  /** Default: both tenants, of which only `default` takes simulated evidence. */
  readonly anchors?: AnchorSet
  readonly collect?: CollectEndorsements
  readonly selfTest?: () => boolean
}

export interface RunningService {
  readonly url: string
  /** Issuer URL for simulated evidence of the tenant `default`. */
  readonly simulated: string
  readonly verifier: Verifier
  readonly journal: readonly JournalEntry[]
  readonly clock: { at: Date }
  readonly policy: { current: Policy | undefined }
  readonly close: () => Promise<void>
}

export async function runService(request: ServiceRequest = {}): Promise<RunningService> {
  const clock = { at: AT }
  const journal: JournalEntry[] = []
  const policy = { current: 'policy' in request ? request.policy : policyOf() }
  const ports = {
    store: request.store ?? memoryStore(),
    random: { bytes: (size: number) => new Uint8Array(randomBytes(size)) },
    clock: { now: () => clock.at },
    journal: { record: (entry: JournalEntry) => journal.push(entry) },
  }
  let verifier: Verifier | undefined
  const tenant = (name: string, anchors: AnchorSet) => ({
    name,
    anchors,
    collect: request.collect ?? broughtOnly,
    policy: sourceOf(policy),
  })
  const server: RunningServer = await startServer({
    host: '127.0.0.1',
    port: 0,
    app: async (port) => {
      const made = await openVerifier({
        ...ports,
        keyEncryptionKey: new Uint8Array(32).fill(7),
        proofs: proofCache(64),
        publicUrl: `http://127.0.0.1:${port}`,
        build: 'vouchsafe/test',
        tenants: [
          tenant('default', request.anchors ?? anchorsOf(platform.anchors)),
          tenant('acme', anchorSet([])),
        ],
      })
      verifier = made
      const { selfTest = () => true, explainRefusals = true } = request
      return app({ verifier, explainRefusals, ready: readinessOf(made, selfTest) })
    },
  })
  if (!verifier) throw new Error('the application was not made')
  const url = verifier.publicUrl
  return {
    url,
    simulated: `${url}/simulated`,
    verifier,
    journal,
    clock,
    policy,
    close: () => server.close(),
  }
}

const keysMade = bornKeys()

/** The agent that the policy knows, pinned to this service's issuer for simulated evidence. */
export async function agentOf(
  service: RunningService,
): Promise<{ readonly keys: AgentKeys; readonly identity: AgentIdentity }> {
  const identity = {
    tenant: 'default',
    environment: 'prod',
    agent: 'invoice-bot',
    verifier: service.simulated,
  }
  return { keys: await keysMade, identity }
}

export async function post(
  url: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
) {
  return await answer(
    fetch(url, {
      method: 'POST',
      body: typeof body === 'string' ? body : body.slice(),
      headers: { 'content-type': 'application/json', ...headers },
    }),
  )
}

export async function get(url: string) {
  return await answer(fetch(url))
}

/** Every answer but /healthz is JSON; a test that gets something else should fail here. */
async function answer(asked: Promise<Response>) {
  const response = await asked
  const text = await response.text()
  return { status: response.status, headers: response.headers, json: JSON.parse(text) }
}

export async function challenge(service: RunningService, tenant = 'default'): Promise<string> {
  const { status, json } = await post(`${service.url}/v1/challenges`, JSON.stringify({ tenant }))
  if (status !== 200) throw new Error(JSON.stringify(json))
  return json.nonce
}

export function anchorsOf(anchors: readonly VectorAnchor[]): AnchorSet {
  return anchorSet(
    anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated',
    })),
  )
}

function sourceOf(policy: { readonly current: Policy | undefined }): PolicySource {
  return {
    accepted: () => policy.current,
    condition: () => ({
      name: policy.current ? 'Synced' : 'SchemaInvalid',
      message: '',
      since: AT,
      commit: undefined,
    }),
    refresh: async () => {},
  }
}
