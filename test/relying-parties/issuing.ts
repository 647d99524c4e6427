/**
 * Real tokens of the running service for relying parties to judge: hardware evidence (the simulated root counts as a vendor's
 * here), three rules, one public URL with the shape that clouds demand, and a way to fetch from it.
 */
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import {
  claimsFor,
  type OpenedToken,
  openTokens,
  signedAttestation,
  signProof,
} from '../../enclave/attestation.ts'
import {
  agentOf,
  anchorsOf,
  attester,
  manifest,
  platform,
  policyOf,
  post,
  type RunningService,
  runService,
} from '../http/running-service.ts'

export const ISSUER = 'https://attest.example.com'
export const SUBJECT = 'spiffe://attest.example.com/t/default/env/prod/agent/invoice-bot'

/** The strictest that each relying party asks for; Entra's is fixed. */
export const audiences = {
  possession: 'kms.example',
  federation: 'sts.amazonaws.com',
  workload: 'wit',
} as const

const rules = `    - audience: ${audiences.federation}
      token: federation
      ttl: 300s
      scopes: ["secret:db-ro"]
    - audience: api://AzureADTokenExchange
      token: federation
      ttl: 300s
    - audience: ${audiences.workload}
      token: workload
      ttl: 15m
`

type Fetching = (input: string | URL | Request, init?: unknown) => Promise<Response>

export interface Issuing {
  readonly service: RunningService
  /** `audience` as the request has it. Throws where the service refuses. */
  readonly tokens: (request: {
    readonly audience: string | readonly string[]
    readonly query?: string
    readonly body?: Readonly<Record<string, unknown>>
  }) => Promise<readonly OpenedToken[]>
  /** Of the whole answer, before its tokens are opened. */
  readonly attest: (request: {
    readonly audience: string | readonly string[]
    readonly query?: string
    readonly body?: Readonly<Record<string, unknown>>
  }) => ReturnType<typeof post>
  /** Takes addresses of ISSUER to the port on which it listens. */
  readonly fetch: Fetching
  readonly json: (url: string) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** `change`: of the manifest, after the three rules were added. */
export async function issuing(change: (text: string) => string = (text) => text): Promise<Issuing> {
  const service = await runService({
    publicUrl: ISSUER,
    anchors: anchorsOf(platform.anchors, 'hardware'),
    policy: await policyOf(manifest((text) => change(`${text}${rules}`))),
  })
  const reach: Fetching = async (input, init) => {
    const url = String(input instanceof Request ? input.url : input)
    if (!url.startsWith(`${ISSUER}/`)) throw new TypeError(`nobody answers at ${url}`)
    // Each library has its own notion of what it hands on, and fetch takes all of them.
    return await fetch(url.replace(ISSUER, service.address), init as RequestInit)
  }
  const attest: Issuing['attest'] = async ({ audience, query = '', body = {} }) => {
    const { identity, keys } = await agentOf(service)
    const { json } = await post(`${service.address}/v1/challenges`, '{}')
    const claims = claimsFor({ ...identity, verifier: ISSUER }, keys, json.nonce)
    const signed = await signedAttestation(claims, { service: ISSUER, keys, attester: attester() })
    const text = JSON.stringify({ ...JSON.parse(signed.body), audience, ...body })
    const proof = await signProof(text, { claims, service: ISSUER, key: keys.sig })
    return await post(`${service.address}/v1/attestations${query}`, text, {
      'attestation-proof': proof,
    })
  }
  return {
    service,
    attest,
    async tokens(request) {
      const { status, json } = await attest(request)
      if (status !== 200) throw new Error(JSON.stringify(json))
      return await openTokens(json, (await agentOf(service)).keys)
    },
    fetch: reach,
    json: async (url) => await (await reach(url)).json(),
    close: () => service.close(),
  }
}

export interface Read {
  readonly token: string
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: JWTPayload & Readonly<Record<string, unknown>>
}

/** Of the only token that is asked for. */
export async function oneOf(from: Issuing, audience: string, query?: string): Promise<Read> {
  const [opened] = await from.tokens({ audience, ...(query !== undefined && { query }) })
  if (!opened) throw new Error('no token')
  const { token } = opened
  return { token, header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) }
}
