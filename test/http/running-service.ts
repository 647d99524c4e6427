/**
 * The whole service on a loopback port, for tests: real HTTP, real signatures, simulated platforms, a clock that the test
 * moves, and a policy that the test writes.
 */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { openRuleEngine } from '#src/adapters/rule-engine.ts'
import { type GuardConfig, guardDefaults } from '#src/config/guard-settings.ts'
import { app } from '#src/http/app.ts'
import { type EventStreams, eventStreams } from '#src/http/event-streams.ts'
import type { BodyRoom } from '#src/http/guard/body-room.ts'
import { openGuard } from '#src/http/guard/guard.ts'
import { type RunningServer, startServer } from '#src/http/server.ts'
import { type AnchorSet, anchorSet } from '#src/pki/anchor.ts'
import { decodeCertificate } from '#src/pki/certificate.ts'
import { mistakeText, type Policy, readPolicy } from '#src/policy/policy.ts'
import type { RemotePolicy } from '#src/policy/rules/rule.ts'
import { heartbeatText, samplePolicyFiles } from '#src/policy/sample/sample.ts'
import { sshKeyOf, sshKeyText } from '#src/policy/signatures/ssh-key.ts'
import { Problem } from '#src/problems.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import type { Assurance } from '#src/rats/trust-vector.ts'
import type { VectorAnchor } from '#src/rats/vector.ts'
import type { BrokerSwitches } from '#src/service/broker-session.ts'
import { broughtOnly } from '#src/service/brought-endorsements.ts'
import type { CollectEndorsements } from '#src/service/collect-endorsements.ts'
import { driftWatch } from '#src/service/drift-watch.ts'
import { policyLeaf } from '#src/service/log-leaves.ts'
import { openVerifier } from '#src/service/open-verifier.ts'
import type { IdentityProvider } from '#src/service/operators.ts'
import type { PolicySource } from '#src/service/policy-ports.ts'
import type { JournalEntry, Store } from '#src/service/ports.ts'
import { readinessOf } from '#src/service/readiness.ts'
import type { SelfAttesting } from '#src/service/self-attestation.ts'
import { statusLists } from '#src/service/status-lists.ts'
import type { Verifier } from '#src/service/verifier.ts'
import { tees } from '#src/tee/registry.ts'
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

export interface PolicyOptions {
  /** Default: forty times c. */
  readonly commit?: string
  /** `rules/prod.yaml` */
  readonly rules?: string
  /** `revoked/revoked.yaml` */
  readonly revoked?: string
  /** The root then asks for one, with a day of grace. */
  readonly heartbeat?: { readonly notAfter: Date }
}

/** One manifest with trust files that nobody needs here: the commit was accepted already, its manifest as alice signed it. */
export async function policyOf(
  text = manifest(),
  { commit = 'c'.repeat(40), rules, revoked, heartbeat }: PolicyOptions = {},
): Promise<Policy> {
  const sample = samplePolicyFiles({
    repository: 'test-policy',
    agent: 'invoice-bot',
    measurement: 'a1'.repeat(48),
    at: AT,
    signers: [signer('alice')],
    heartbeat: heartbeat && signer('clock'),
  })
  const files = {
    'trust/root.yaml': sample['trust/root.yaml'],
    'trust/allowed_signers': sample['trust/allowed_signers'],
    'agents/prod/invoice-bot.yaml': text,
    'rules/prod.yaml': rules,
    'revoked/revoked.yaml': revoked,
    'heartbeat.yaml': heartbeat && heartbeatText(heartbeat.notAfter),
  }
  const reading = await readPolicy(
    Object.entries(files).flatMap(([path, content]) =>
      content === undefined ? [] : [{ path, bytes: new TextEncoder().encode(content) }],
    ),
    {
      commit,
      waivable: new Set(['revocation']),
      claimSchemas: new Map(tees.map(({ name, claimSchema }) => [name, claimSchema])),
      engine,
      provenance: {
        'agents/prod/invoice-bot.yaml': { commit: 'b'.repeat(40), principal: 'alice' },
      },
    },
  )
  if ('policy' in reading) return reading.policy
  throw new Error(reading.mistakes.map(mistakeText).join('\n'))
}

function signer(principal: string) {
  const { publicKey } = generateKeyPairSync('ed25519')
  return { principal, publicKey: sshKeyText(sshKeyOf(publicKey)) }
}

/** Without rules it starts no thread. */
const engine = openRuleEngine()

/** Of a file whose policies had rules: call it when its tests are over. */
export async function closeEngine(): Promise<void> {
  await engine.close()
}

/** One token for each role, and two for those who decide on secrets: it may take more than one of them. */
export const tokens = {
  viewer: 'token-of-vera',
  auditor: 'token-of-anna',
  operator: 'token-of-otto',
  enforcer: 'token-of-edda',
  'secret-admin': 'token-of-sara',
  'other-secret-admin': 'token-of-theo',
} as const
const people = [
  ['viewer', 'viewer', 'vera'],
  ['auditor', 'auditor', 'anna'],
  ['operator', 'operator', 'otto'],
  ['enforcer', 'enforcer', 'edda'],
  ['secret-admin', 'secret-admin', 'sara'],
  ['other-secret-admin', 'secret-admin', 'theo'],
] as const

const operators = people.map(([key, role, name]) => ({
  role,
  name,
  sha256: new Uint8Array(createHash('sha256').update(tokens[key]).digest()),
}))

export function bearer(role: keyof typeof tokens): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${tokens[role]}` }
}

export interface ServiceRequest {
  readonly store?: Store
  readonly policy?: Policy | undefined
  readonly explainRefusals?: boolean
  /** Default: both tenants, of which only `default` takes simulated evidence. */
  readonly anchors?: AnchorSet
  /** Default: the tenant `acme` trusts nobody. */
  readonly acmeAnchors?: AnchorSet
  readonly collect?: CollectEndorsements
  readonly selfTest?: () => boolean
  readonly remotePolicy?: RemotePolicy
  /** Of every tenant. Default: none speaks the Key Broker protocol. */
  readonly broker?: BrokerSwitches
  /** Of the tenant `default`; there is none otherwise. */
  readonly webhookSecret?: string
  /** Default: nobody counts. */
  readonly guard?: Partial<GuardConfig>
  /** Default: as large as in production. */
  readonly bodies?: BodyRoom
  readonly identityProvider?: IdentityProvider
  readonly self?: SelfAttesting
  readonly timeouts?: NonNullable<Parameters<typeof startServer>[0]['timeouts']>
  /** Where the service says that it is. Default: where it is reached. */
  readonly publicUrl?: string
  /** The clock of the test is also the one that nobody sets: a replica that does not look for long knows nothing. */
  readonly isClockSteady?: true
}

/** A machine that runs many tests at once is late all the time. */
const admission = { ...guardDefaults.admission, mostLoopDelayMs: 10_000 }
/** Tests ask more than anybody may. */
const uncounted = {
  challenges: undefined,
  handshakes: undefined,
  attestations: undefined,
  releases: undefined,
  public: undefined,
  operators: undefined,
  failedOperators: undefined,
  tenant: undefined,
  session: undefined,
  tenantSessions: undefined,
  refusedMessages: undefined,
}

export interface RunningService {
  readonly url: string
  /** Where it is reached, whatever its public URL says. */
  readonly address: string
  /** Issuer URL for simulated evidence of the tenant `default`. */
  readonly simulated: string
  readonly verifier: Verifier
  readonly journal: readonly JournalEntry[]
  readonly clock: { at: Date }
  readonly policy: { current: Policy | undefined }
  /** As the reconciler does for the tenant `default`: in the database, in force, and stored evidence appraised again. */
  readonly accept: (policy: Policy) => Promise<void>
  /** What the archive holds beside what was accepted. */
  readonly known: (policy: Policy) => void
  readonly nudges: () => number
  readonly streams: EventStreams
  /** Does what the service does again and again, once: all of it in order, or one by its name. */
  readonly chores: (name?: string) => Promise<void>
  readonly close: () => Promise<void>
}

export async function runService(request: ServiceRequest = {}): Promise<RunningService> {
  const clock = { at: AT }
  const journal: JournalEntry[] = []
  const policy = { current: 'policy' in request ? request.policy : await policyOf() }
  const archive = new Map<string, Policy>()
  const drift = driftWatch()
  let nudges = 0
  const ports = {
    store: request.store ?? memoryStore(),
    random: { bytes: (size: number) => new Uint8Array(randomBytes(size)) },
    clock: { now: () => clock.at },
    journal: { record: (entry: JournalEntry) => journal.push(entry) },
  }
  let verifier: Verifier | undefined
  let address = ''
  const guardConfig = { ...guardDefaults, rateLimits: uncounted, admission, ...request.guard }
  const guard = { ...openGuard(guardConfig), ...(request.bodies && { bodies: request.bodies }) }
  const streams = eventStreams()
  const tenant = (name: string, anchors: AnchorSet) => ({
    name,
    anchors,
    collect: request.collect ?? broughtOnly,
    policy: sourceOf(policy),
    ...(request.remotePolicy && { remotePolicy: request.remotePolicy }),
    ...(request.broker && { broker: request.broker }),
  })
  const server: RunningServer = await startServer({
    host: '127.0.0.1',
    port: 0,
    mostConnections: guardConfig.mostConnections,
    connections: guard.connections,
    ...(request.timeouts && { timeouts: request.timeouts }),
    app: async (port) => {
      address = `http://127.0.0.1:${port}`
      const made = await openVerifier({
        ...ports,
        keyEncryption: [keyEncryptionBySecret('file', new Uint8Array(32).fill(7))],
        proofs: proofCache(64),
        publicUrl: request.publicUrl ?? address,
        build: 'vouchsafe/test',
        pause: () => new Promise((resume) => setImmediate(resume)),
        ...(request.isClockSteady && { elapsedMs: () => clock.at.getTime() }),
        drift,
        tenants: [
          tenant('default', request.anchors ?? anchorsOf(platform.anchors)),
          tenant('acme', request.acmeAnchors ?? anchorSet([])),
        ],
      })
      verifier = made
      const { selfTest = () => true, explainRefusals = true, webhookSecret: secret } = request
      return app({
        verifier,
        explainRefusals,
        operators: { tokens: operators, provider: request.identityProvider },
        guard,
        streams,
        statusLists: statusLists(made),
        self: request.self,
        archive: {
          async policyOf(_, commit) {
            const found = archive.get(commit)
            if (found) return found
            throw new Problem('commit-unusable', `the service has not fetched commit ${commit}`)
          },
        },
        webhooks: new Map(
          secret === undefined ? [] : [['default', { secret, nudge: () => nudges++ }]],
        ),
        ready: readinessOf(made, selfTest),
      })
    },
  })
  if (!verifier) throw new Error('the application was not made')
  const { publicUrl: url, chores } = verifier
  let sequence = 0
  return {
    url,
    address,
    simulated: `${url}/simulated`,
    verifier,
    journal,
    clock,
    policy,
    async accept(next) {
      const from = policy.current
      const known = await ports.store.policyOf('default')
      const record = {
        tenant: 'default',
        sequence: ++sequence,
        commit: next.commit,
        digest: next.digest,
        marks: {},
        provenance: {},
        acceptedAt: clock.at,
      }
      await ports.store.acceptPolicy(known?.commit, record, policyLeaf(record, ports.random))
      archive.set(next.commit, next)
      policy.current = next
      drift.accepted({ tenant: 'default', from, to: next })
      await drift.idle()
    },
    known: (each) => archive.set(each.commit, each),
    nudges: () => nudges,
    async chores(name) {
      for (const chore of chores) if (name === undefined || chore.name === name) await chore.run()
    },
    streams,
    async close() {
      streams.end()
      await server.close()
      guard.close()
      await drift.stop()
    },
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

export async function get(url: string, headers: Readonly<Record<string, string>> = {}) {
  return await answer(fetch(url, { headers }))
}

/** Every answer with a body but /healthz is JSON; a test that gets something else should fail here. */
async function answer(asked: Promise<Response>) {
  const response = await asked
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    json: text === '' ? undefined : JSON.parse(text),
  }
}

export async function challenge(service: RunningService, tenant = 'default'): Promise<string> {
  const { status, json } = await post(`${service.url}/v1/challenges`, JSON.stringify({ tenant }))
  if (status !== 200) throw new Error(JSON.stringify(json))
  return json.nonce
}

/** `hardware`: for what only happens where a vendor vouches for the machine. */
export function anchorsOf(
  anchors: readonly VectorAnchor[],
  assurance: Assurance = 'simulated',
): AnchorSet {
  return anchorSet(
    anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance,
    })),
  )
}

function sourceOf(policy: { readonly current: Policy | undefined }): PolicySource {
  return {
    accepted: () => policy.current,
    conditions: () => [
      {
        name: policy.current ? 'Synced' : 'SchemaInvalid',
        message: 'told to operators only',
        since: AT,
        commit: policy.current?.commit,
      },
    ],
    refresh: async () => {},
  }
}
