/**
 * The signed messages of a session, ready to be sent: a message is bytes that are made once. When its answer is lost the very same
 * bytes go out again, and the verifier answers them as it did before; other bytes under the same number are a forked history.
 */
import { CompactSign } from 'jose'
import {
  HEARTBEAT_TYPE,
  type HeartbeatPayload,
  RENEWAL_TYPE,
  type RenewalPayload,
  type TranscriptDelta,
} from '../../src/rats/session-message.ts'
import {
  type AgentIdentity,
  type AgentKey,
  type Attesting,
  claimsFor,
  claimsInSession,
  signedAttestation,
} from '../attestation.ts'

export interface SessionMessage {
  /** Below the service's address. */
  readonly path: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Signer {
  /** Public address of the service, without a slash at the end. */
  readonly service: string
  /** The session's signing key. */
  readonly key: AgentKey
}

/** A full quote over the transcript. Number 0 opens the session, any other renews its evidence. Throws what the attester throws. */
export async function quoteMessage(
  identity: AgentIdentity,
  {
    nonce,
    transcript,
    ...made
  }: Omit<Attesting, 'path' | 'post'> & {
    /** A challenge: no nonce of an answer serves here. */
    readonly nonce: string
    readonly transcript: TranscriptDelta
  },
): Promise<SessionMessage> {
  const { session, seq } = transcript.statement
  const path = seq === '0' ? '/v1/sessions' : `/v1/sessions/${session}/attestations`
  const claims = claimsInSession(claimsFor(identity, made.keys, nonce), transcript)
  const { body, proof } = await signedAttestation(claims, { ...made, transcript, path })
  return { path, body, headers: { 'attestation-proof': proof } }
}

export async function heartbeatMessage(
  signer: Signer,
  { nonce, transcript }: Pick<HeartbeatPayload, 'nonce' | 'transcript'>,
): Promise<SessionMessage> {
  const path = `/v1/sessions/${transcript.statement.session}/heartbeats`
  const payload: HeartbeatPayload = { htu: `${signer.service}${path}`, nonce, transcript }
  return await signedMessage(signer, { path, typ: HEARTBEAT_TYPE, payload })
}

/** `audience`: of release rules, at most four. Absent: the release's only one. */
export async function renewalMessage(
  signer: Signer,
  asked: Pick<RenewalPayload, 'session' | 'nonce' | 'audience'>,
): Promise<SessionMessage> {
  return await signedRenewal(signer, `/v1/sessions/${asked.session}/tokens`, asked)
}

/** The session is over and its tokens are revoked, because the agent says so. */
export async function closingMessage(
  signer: Signer,
  asked: Pick<RenewalPayload, 'session' | 'nonce'>,
): Promise<SessionMessage> {
  return await signedRenewal(signer, `/v1/sessions/${asked.session}/close`, asked)
}

async function signedRenewal(
  signer: Signer,
  path: string,
  asked: Omit<RenewalPayload, 'htu'>,
): Promise<SessionMessage> {
  const payload: RenewalPayload = { htu: `${signer.service}${path}`, ...asked }
  return await signedMessage(signer, { path, typ: RENEWAL_TYPE, payload })
}

async function signedMessage(
  { key }: Signer,
  { path, typ, payload }: { readonly path: string; readonly typ: string; readonly payload: object },
): Promise<SessionMessage> {
  const body = await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'ES256', typ })
    .sign(key.privateKey)
  return { path, body, headers: { 'content-type': 'application/jose' } }
}
