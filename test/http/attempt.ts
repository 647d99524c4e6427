/** One attestation over real HTTP, with whatever the test changes: claims, evidence, keys, the body before or after it is signed. */
import type { RuntimeClaims } from '#src/rats/runtime-claims.ts'
import {
  type AgentKeys,
  type Attester,
  claimsFor,
  signedAttestation,
  signProof,
} from '../../enclave/attestation.ts'
import { agentOf, attester, challenge, post, type RunningService } from './running-service.ts'

export interface AttemptRequest {
  /** Changes to the claims, before evidence is made for them. */
  readonly claims?: Partial<RuntimeClaims>
  readonly attester?: Attester
  readonly keys?: AgentKeys
  /** Changes to the body, before it is signed. */
  readonly body?: (body: Record<string, unknown>) => Record<string, unknown>
  /** Changes to what is sent, after it was signed. */
  readonly sent?: (sent: { body: string; proof: string }) => { body: string; proof?: string }
  /** Beside those of every attempt. */
  readonly headers?: Readonly<Record<string, string>>
}

export async function attestAt(
  at: RunningService,
  { claims = {}, body, sent, headers, ...by }: AttemptRequest = {},
) {
  const { identity, keys } = await agentOf(at)
  const signer = by.keys ?? keys
  const nonce = claims.nonce ?? (await challenge(at))
  const all = { ...claimsFor(identity, signer, nonce), ...claims }
  const made = { service: at.url, keys: signer, attester: by.attester ?? attester() }
  const signed = await signedAttestation(all, made)
  const text = body ? JSON.stringify(body(JSON.parse(signed.body))) : signed.body
  const proof = await signProof(text, { claims: all, service: at.url, key: signer.sig })
  const last = sent ? sent({ body: text, proof }) : { body: text, proof }
  return await post(`${at.url}/v1/attestations`, last.body, {
    ...headers,
    ...(last.proof !== undefined && { 'attestation-proof': last.proof }),
  })
}
