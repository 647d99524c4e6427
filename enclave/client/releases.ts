/**
 * How does an agent get a secret, or have a key used for it that never leaves? It presents its token with a proof over this very
 * request, and opens what comes only if the pinned issuer signed it, for this request and this agent's key. Whoever else
 * seals a secret to that key, which is public, is refused.
 */
import { z } from 'zod'
import { toBase64Url } from '../../src/bytes/encoding.ts'
import {
  EnvelopeRefused,
  type OpenedRelease,
  openRelease,
} from '../../src/seal/release-envelope.ts'
import type { AgentKeys } from '../attestation.ts'
import { AnswerDistrusted } from './faults.ts'
import type { FreshToken } from './fresh-token.ts'
import { grantedLease } from './granted-lease.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import type { Present, Presented } from './present.ts'
import { keptSecret, type ReleasedSecret } from './released-secret.ts'
import { type Surroundings, stopwatch } from './surroundings.ts'

export interface Releasing {
  readonly present: Present
  readonly fresh: Pick<FreshToken, 'serviceSeconds' | 'latestServiceSeconds'>
  readonly keys: AgentKeys
  /** Pinned. */
  readonly issuer: string
  readonly issuerKeys: IssuerKeys
  readonly surroundings: Surroundings
  /** No lease is believed to be longer, whatever the service says. */
  readonly longestLeaseSeconds: number
}

export interface ReleaseRequest {
  /** Default: the newest that is not revoked. */
  readonly version?: number
  /** An older one is refused, by the service and once more here: who restores an old database brings no old secret back. */
  readonly minimumVersion?: number
}

/** What the service does with a key that never leaves it. */
export type Operation = 'decrypt' | 'sign'

/** Whatever else stands beside it, nobody signed. */
const releaseAnswer = z.looseObject({ envelope: z.string() })

/** Throws ServiceRefusal, ServiceUnreachable, AnswerDistrusted. */
export async function releaseResource(
  releasing: Releasing,
  resource: string,
  { version, minimumVersion }: ReleaseRequest = {},
): Promise<ReleasedSecret> {
  const { fresh, surroundings, longestLeaseSeconds, present, keys } = releasing
  const age = stopwatch(surroundings)
  const body = { resource, version, minimumVersion, encJwk: keys.enc.publicKey }
  const presented = await present('/v1/releases', JSON.stringify(body))
  const answer = readAnswer(releaseAnswer, presented)
  const opened = await openEnvelope(releasing, answer.envelope, {
    resource,
    presented,
    minimumVersion: version ?? minimumVersion ?? 1,
  })
  try {
    if (version !== undefined && opened.version !== version)
      throw new AnswerDistrusted(`version ${opened.version} came, and ${version} was asked for`)
    const lease = grantedLease(opened.lease, {
      age,
      askedAtSeconds: fresh.latestServiceSeconds() - age() / 1000,
      longestSeconds: longestLeaseSeconds,
    })
    return keptSecret(opened, lease)
  } catch (fault) {
    opened.secret.fill(0)
    throw fault
  }
}

/** Resolves to the result, which was sealed to this agent's key as secrets are. Throws as `releaseResource`. */
export async function operateResource(
  releasing: Releasing,
  resource: string,
  { operation, input }: { readonly operation: Operation; readonly input: Uint8Array },
): Promise<Uint8Array> {
  const { present, keys } = releasing
  const body = {
    resource,
    operation,
    input: toBase64Url(input),
    encJwk: keys.enc.publicKey,
  }
  const presented = await present('/v1/operations', JSON.stringify(body))
  const { envelope } = readAnswer(releaseAnswer, presented)
  return (await openEnvelope(releasing, envelope, { resource, presented })).secret
}

async function openEnvelope(
  { keys, issuer, issuerKeys, fresh }: Releasing,
  envelope: string,
  {
    resource,
    presented: { token, proof },
    minimumVersion = 1,
  }: {
    readonly resource: string
    readonly presented: Presented
    readonly minimumVersion?: number
  },
): Promise<OpenedRelease> {
  const published = await issuerKeys.signing(envelope)
  try {
    return await openRelease(envelope, {
      keys: published,
      issuer,
      resource,
      minimumVersion,
      token,
      proof,
      recipient: keys.enc,
      at: new Date(fresh.serviceSeconds() * 1000),
    })
  } catch (cause) {
    if (!(cause instanceof EnvelopeRefused)) throw cause
    throw new AnswerDistrusted(`what came for ${resource} is not opened: ${cause.message}`)
  }
}

function readAnswer<T>(schema: z.ZodType<T>, { document }: Presented): T {
  const parsed = schema.safeParse(document)
  if (parsed.success) return parsed.data
  throw new AnswerDistrusted('the answer is not what a service answers to this')
}
