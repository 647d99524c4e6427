/**
 * The client for code that runs in an enclave: keys that are made here and never leave, tokens that are always fresh, and secrets
 * opened from what the pinned issuer signed. docs/agents.md is its guide.
 *
 *     const client = await attestedClient({
 *       service: 'https://attest.example.com',
 *       issuer: 'https://attest.example.com',
 *       attester: tsmAttester(),
 *       claims: { tenant: 'default', environment: 'prod', agent: 'invoice-bot' },
 *     })
 *     const key = await client.release('model:llama-small')
 *     const lease = client.openLease(key)
 *     lease.signal.addEventListener('abort', () => unloadTheModel())
 */
import { type AgentKeys, bornKeys } from '../attestation.ts'
import { type AttestForTokens, attestForTokens } from './attest-for-tokens.ts'
import { type Attested, type FreshToken, freshToken } from './fresh-token.ts'
import { assertProtected, type IssuerKeys, issuerKeys as openIssuerKeys } from './issuer-keys.ts'
import { keepLease, type Lease } from './lease.ts'
import { openAttested } from './own-token.ts'
import { type PartyRequest, partyHeaders } from './party-headers.ts'
import { presenting } from './present.ts'
import type { ReleasedSecret } from './released-secret.ts'
import {
  type Operation,
  operateResource,
  type ReleaseRequest,
  releaseResource,
} from './releases.ts'
import { retrying } from './retrying.ts'
import { machine, type Surroundings } from './surroundings.ts'

export interface AttestedClientRequest extends Omit<AttestForTokens, 'audiences'> {
  /** Of the release rule whose token the service itself takes. Default: `service`; the issuer's URL does as well. */
  readonly audience?: string
  /** Of the rules for whose tokens the agent asks besides: for relying parties, clouds and gateways. At most three. */
  readonly otherAudiences?: readonly string[]
  /** Default: the global one. Hand in one that trusts a certificate authority of your own. */
  readonly fetch?: typeof globalThis.fetch
  /** No lease is believed to be longer. Default: an hour. */
  readonly longestLeaseSeconds?: number
  /** For tests. */
  readonly surroundings?: Partial<Surroundings>
}

export interface AttestedClient {
  readonly keys: AgentKeys
  /** Those that hold now: attests where none do. */
  readonly tokens: () => Promise<Attested>
  /**
   * Authorization and DPoP of one request to a relying party: each proof is taken once. Throws RangeError where the agent holds
   * no token of possession for that audience.
   */
  readonly headersFor: (request: PartyRequest) => Promise<Readonly<Record<string, string>>>
  /** Throws ServiceRefusal, ServiceUnreachable, AnswerDistrusted; see faults.ts. */
  readonly release: (resource: string, request?: ReleaseRequest) => Promise<ReleasedSecret>
  /** With a key that never leaves the service. `input`: what is to be decrypted or signed. Throws as `release`. */
  readonly operate: (
    resource: string,
    operation: Operation,
    input: Uint8Array,
  ) => Promise<Uint8Array>
  /** Renews until it is closed or refused. */
  readonly openLease: (released: ReleasedSecret) => Lease
  /** No token is renewed any more; leases end by themselves. */
  readonly close: () => void
}

const LONGEST_LEASE_SECONDS = 3600

/** Asks nothing yet. Throws TypeError for addresses that the host could answer at. */
export async function attestedClient(request: AttestedClientRequest): Promise<AttestedClient> {
  const { service, issuer } = request
  assertProtected(service, 'service')
  assertProtected(issuer, 'issuer')
  const surroundings: Surroundings = {
    ...machine,
    ...(request.fetch && { fetch: request.fetch }),
    ...request.surroundings,
  }
  const keys = await bornKeys()
  const issuerKeys = openIssuerKeys(issuer, surroundings)
  const fresh = freshToken(
    async () =>
      await retrying(
        async () => await attestedAnew(request, { keys, issuerKeys, surroundings }),
        surroundings,
      ),
    surroundings,
  )
  return clientOver(fresh, { ...request, keys, issuerKeys, surroundings })
}

export interface ClientParts
  extends Pick<AttestedClientRequest, 'service' | 'issuer' | 'longestLeaseSeconds'> {
  readonly keys: AgentKeys
  readonly issuerKeys: IssuerKeys
  readonly surroundings: Surroundings
  /** When it fires no lease holds any more, whatever time it has left. */
  readonly until?: AbortSignal
}

/** What can be done with tokens, whoever keeps them fresh. */
export function clientOver(
  fresh: FreshToken,
  { longestLeaseSeconds = LONGEST_LEASE_SECONDS, ...parts }: ClientParts,
): AttestedClient {
  const releasing = {
    ...parts,
    present: presenting({ ...parts, fresh }),
    fresh,
    longestLeaseSeconds,
  }
  return {
    keys: parts.keys,
    tokens: fresh.current,
    headersFor: async (asked) => await partyHeaders(asked, { keys: parts.keys, fresh }),
    release: async (resource, asked) => await releaseResource(releasing, resource, asked),
    operate: async (resource, operation, input) =>
      await operateResource(releasing, resource, { operation, input }),
    openLease: (released) => keepLease(releasing, released),
    close: () => fresh.close(),
  }
}

/** Of the rules for whose tokens is asked; the first is for the token that the service itself takes. */
export function audiencesOf({
  service,
  audience = service,
  otherAudiences = [],
}: Pick<AttestedClientRequest, 'service' | 'audience' | 'otherAudiences'>): readonly [
  string,
  ...string[],
] {
  return [audience, ...otherAudiences]
}

/** The token that is presented to the service itself, checked; the others are for those who check them. */
async function attestedAnew(
  request: AttestedClientRequest,
  { keys, issuerKeys, surroundings }: Anew,
): Promise<Attested> {
  const audiences = audiencesOf(request)
  const tokens = await attestForTokens({ ...request, audiences }, { keys, surroundings })
  return await openAttested(tokens, { ...request, audience: audiences[0], issuerKeys, keys })
}

interface Anew {
  readonly keys: AgentKeys
  readonly issuerKeys: IssuerKeys
  readonly surroundings: Surroundings
}
