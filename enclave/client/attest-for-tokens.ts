/** One attestation, and the tokens that it was answered with, opened. Nothing in them is checked here. */
import { errors } from 'jose'
import {
  type AgentIdentity,
  type AgentKeys,
  type Attester,
  attestOverHttp,
  type OpenedToken,
} from '../attestation.ts'
import { AnswerDistrusted } from './faults.ts'
import { callService } from './service-call.ts'
import type { Surroundings } from './surroundings.ts'

export interface AttestForTokens {
  /** Public address of the service, https, without a slash at the end. */
  readonly service: string
  /** Pinned: part of what is measured, and never taken from an answer. Evidence for it is refused by every other. */
  readonly issuer: string
  readonly attester: Attester
  /** Which release the agent asks to be judged as. */
  readonly claims: Pick<AgentIdentity, 'tenant' | 'environment' | 'agent'>
  /** Of release rules; at most four. None: the release's only one. */
  readonly audiences: readonly string[]
}

/** Throws ServiceRefusal, ServiceUnreachable, AnswerDistrusted, and what the attester throws. */
export async function attestForTokens(
  { service, issuer, attester, claims, audiences }: AttestForTokens,
  { keys, surroundings }: { readonly keys: AgentKeys; readonly surroundings: Surroundings },
): Promise<readonly OpenedToken[]> {
  const { tokens } = await attestOverHttp(
    { ...claims, verifier: issuer },
    {
      service,
      keys,
      attester,
      ...(audiences.length > 0 && { audiences }),
      post: async (address, body, headers) =>
        await callService(surroundings, { method: 'POST', address, body, headers }),
    },
  ).catch(undecryptable)
  return tokens
}

/** jose's own words say nothing about what was inside. */
export function undecryptable(cause: unknown): never {
  if (cause instanceof errors.JOSEError)
    throw new AnswerDistrusted('a token came that was not encrypted to this agent’s key')
  throw cause
}
