/**
 * A service with secrets and agents that were attested, over real HTTP. Every request is good but for what a test changes: the
 * token, the key that proves it, the proof's claims, the key to seal to.
 */
import { createHash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { expect } from 'vitest'
import type { Policy } from '#src/policy/policy.ts'
import type { PublicKey } from '#src/rats/public-key.ts'
import type { RuntimeClaims } from '#src/rats/runtime-claims.ts'
import { type OpenedRelease, openRelease } from '#src/seal/release-envelope.ts'
import { resourceLeaf } from '#src/service/log-leaves.ts'
import { putResource } from '#src/service/put-resource.ts'
import type { SettingsChange } from '#src/service/resource-settings.ts'
import { type AgentKeys, type Attester, bornKeys, openTokens } from '../../enclave/attestation.ts'
import { attestAt } from '../http/attempt.ts'
import {
  get,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
  type ServiceRequest,
} from '../http/running-service.ts'

export const SECRET = new TextEncoder().encode('the planted secret of the database')
export const OTHER_AUDIENCE = 'kms.example'

export interface Agent {
  readonly keys: AgentKeys
  readonly token: string
  readonly jti: string
  /** Id of the appraisal. */
  readonly appraisal: string
}

export interface ReleaseScene {
  readonly service: RunningService
  /** `change`: of the manifest. */
  readonly policy: (
    change?: (text: string) => string,
    commit?: string,
    revoked?: string,
  ) => Promise<Policy>
  /** Attests. Default: with keys of its own, for the audience of this service. */
  readonly agent: (attempt?: {
    readonly keys?: AgentKeys
    readonly audience?: string
    readonly claims?: Partial<RuntimeClaims>
    readonly attester?: Attester
  }) => Promise<Agent>
  /** Accepts simulated evidence, unless `settings` says otherwise: agents here have no other. */
  readonly put: (
    name: string,
    settings?: SettingsChange,
    secret?: Uint8Array,
    by?: string,
  ) => Promise<number>
  readonly revoke: (name: string, versions: readonly number[] | 'all') => Promise<void>
  /** POST /v1/releases. */
  readonly release: (agent: Agent, asked?: Asked) => ReturnType<typeof post>
  /** POST to any path of agents; `body` replaces the whole. */
  readonly ask: (path: string, agent: Agent, asked: Asked) => ReturnType<typeof post>
  /** With the keys that the issuer publishes, and what the agent itself sent. */
  readonly open: (answer: { readonly json: ReleaseAnswer }, agent: Agent) => Promise<OpenedRelease>
}

interface ReleaseAnswer {
  readonly resource: string
  readonly envelope: string
}

export interface Asked {
  readonly body?: Readonly<Record<string, unknown>>
  readonly encJwk?: PublicKey
  /** In place of the agent's token. */
  readonly token?: string
  /** In place of the agent's signing key, and of the key that the header names. */
  readonly provedBy?: AgentKeys['sig']
  /** Changes to the proof's claims. */
  readonly proof?: Readonly<Record<string, unknown>>
  /** A whole proof, as another request had it. */
  readonly sentProof?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** jti of the last proof of each agent's signing key. */
const lastProofs = new WeakMap<AgentKeys['sig'], string>()

export async function releaseScene(request: ServiceRequest = {}): Promise<ReleaseScene> {
  const service = await runService(request)
  const scene: ReleaseScene = {
    service,
    policy: async (change = (text) => text, commit = 'c'.repeat(40), revoked) =>
      await policyOf(
        manifest((text) => change(withRules(text, service.url))),
        {
          commit,
          ...(revoked !== undefined && { revoked }),
        },
      ),
    async agent({ keys, audience = service.url, claims, attester } = {}) {
      const own = keys ?? (await bornKeys())
      const { status, json } = await attestAt(service, {
        keys: own,
        ...(claims && { claims }),
        ...(attester && { attester }),
        body: (body) => ({ ...body, audience }),
      })
      if (status !== 200) throw new Error(JSON.stringify(json))
      const [opened] = await openTokens(json, own)
      if (!opened) throw new Error('there is no token')
      return { keys: own, token: opened.token, jti: json.tokens[0].jti, appraisal: json.id }
    },
    async put(name, settings = {}, secret = SECRET, by = 'sara') {
      const given = { acceptsSimulated: true, ...settings }
      const put = { tenant: 'default', name, settings: given, secret, by }
      return (await putResource(service.verifier, put, service.clock.at)).version.version
    },
    async revoke(name, versions) {
      const { store, random } = service.verifier
      const { at } = service.clock
      const news = { tenant: 'default', name, change: 'revoked', versions, by: 'sara', at } as const
      await store.revokeVersions('default', name, { versions, at }, resourceLeaf(news, random))
    },
    release: async (agent, asked = {}) => await scene.ask('/v1/releases', agent, asked),
    async ask(path, agent, asked) {
      const { body = { resource: 'secret:db' }, encJwk = agent.keys.enc.publicKey } = asked
      const whole = path.endsWith('/renewals') ? body : { encJwk, ...body }
      const text = JSON.stringify(whole)
      const token = asked.token ?? agent.token
      const proof =
        asked.sentProof ??
        (await proofOf(`${service.url}${path}`, {
          agent,
          asked,
          token,
          text,
          at: service.clock.at,
        }))
      return await post(`${service.address}${path}`, text, {
        authorization: `DPoP ${token}`,
        dpop: proof,
        ...asked.headers,
      })
    },
    async open({ json }, agent) {
      const issuer = issuerOf(agent.token)
      const { json: jwks } = await get(`${issuer}/.well-known/jwks.json`)
      return await openRelease(json.envelope, {
        keys: jwks.keys,
        issuer,
        resource: json.resource,
        token: agent.jti,
        proof: lastProofs.get(agent.keys.sig) ?? 'none',
        recipient: agent.keys.enc,
        at: service.clock.at,
      })
    },
  }
  service.policy.current = await scene.policy()
  return scene
}

/** Two for possession, one of which is for somebody else; what the manifest has is that one. */
function withRules(text: string, url: string): string {
  const scopes = '["secret:db", "secret:other", "secret:marked", "secret:key", "model:small"]'
  return `${text.replace('      ttl: 240s\n', `      ttl: 240s\n      scopes: ${scopes}\n`)}    - audience: ${url}
      ttl: 15m
      scopes: ${scopes}
`
}

async function proofOf(
  htu: string,
  {
    agent,
    asked,
    token,
    text,
    at,
  }: {
    readonly agent: Agent
    readonly asked: Asked
    readonly token: string
    readonly text: string
    readonly at: Date
  },
): Promise<string> {
  const key = asked.provedBy ?? agent.keys.sig
  const jti = randomUUID()
  lastProofs.set(agent.keys.sig, jti)
  const claims = {
    jti,
    htm: 'POST',
    htu,
    iat: Math.floor(at.getTime() / 1000),
    ath: sha256(token),
    bodySha256: sha256(text),
    ...asked.proof,
  }
  return await new SignJWT(claims)
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: { ...key.publicKey } })
    .sign(key.privateKey)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function issuerOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).iss
}

/** To be matched with what a request was answered. */
export const refusal = (status: number, code: string, says = '') => ({
  status,
  json: expect.objectContaining({ code, detail: expect.stringContaining(says) }),
})
