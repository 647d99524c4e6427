/**
 * The agent's half of an attestation: keys that are born here and never leave, claims bound into hardware evidence, a signed
 * request, and the tokens opened with the key that only this enclave has. What the verifier's half is: src/service/attest.ts.
 */
import { createHash } from 'node:crypto'
import { CompactSign, type CryptoKey, compactDecrypt, exportJWK, generateKeyPair } from 'jose'
import { z } from 'zod'
import { toBase64Url } from '../src/bytes/encoding.ts'
import { PROOF_TYPE, type ProofPayload } from '../src/rats/attestation-proof.ts'
import type { EndorsementParts } from '../src/rats/endorsements.ts'
import type { Evidence } from '../src/rats/evidence.ts'
import { type PublicKey, thumbprintOf } from '../src/rats/public-key.ts'
import { type RuntimeClaims, reportDataOf } from '../src/rats/runtime-claims.ts'
import type { TranscriptDelta } from '../src/rats/session-message.ts'
import { statementDigest } from '../src/rats/transcript.ts'

export interface AgentKeys {
  /** Signs requests and proofs of possession. */
  readonly sig: AgentKey
  /** Receives tokens. */
  readonly enc: AgentKey
}

export interface AgentKey {
  readonly privateKey: CryptoKey
  readonly publicKey: PublicKey
  readonly thumbprint: string
}

export interface Attester {
  /** A simulator answers at once; hardware takes its time, and may fail: see configfs-tsm.ts. */
  readonly attest: (reportData: Uint8Array) => Evidence | Promise<Evidence>
  /** Certificates and lists that the platform hands out with its evidence. */
  readonly endorsements: Pick<EndorsementParts, 'certificates' | 'crls'>
}

export interface Attesting {
  /** Address of the service, without a slash at the end. */
  readonly service: string
  readonly keys: AgentKeys
  readonly attester: Attester
  /** One to four, each the name of a release rule. Absent: the release's only one. */
  readonly audiences?: readonly string[]
  /** Default: one question, answered or not. See client/service-call.ts for more. */
  readonly post?: PostJson
  /** Default: where attestations are taken that belong to no session. */
  readonly path?: string
  /** What opens a session, or comes with a new quote in it: its digest is in the claims. */
  readonly transcript?: TranscriptDelta
}

/** Resolves to what was answered in JSON, a refusal too, unless the implementation throws those. */
export type PostJson = (
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
) => Promise<Pick<AttestationAnswer, 'status' | 'document'>>

export interface AgentIdentity {
  readonly tenant: string
  readonly environment: string
  readonly agent: string
  /** Pinned: part of what is measured. Evidence for this issuer is refused by every other. */
  readonly verifier: string
}

export interface AttestationAnswer {
  readonly status: number
  /** The answer's JSON: the attestation, or the problem document of a refusal. */
  readonly document: Readonly<Record<string, unknown>>
  /** Opened; none where it was refused. */
  readonly tokens: readonly OpenedToken[]
}

export interface OpenedToken {
  readonly form: string
  readonly audience: string
  /** A JWT. */
  readonly token: string
}

export interface SignedAttestation {
  readonly body: string
  /** The Attestation-Proof header. */
  readonly proof: string
}

/** The whole exchange: challenge, evidence, tokens. Rejects when the service does not answer in JSON. */
export async function attestOverHttp(
  identity: AgentIdentity,
  made: Attesting,
): Promise<AttestationAnswer> {
  const { service, keys, post = postOnce } = made
  const asked = await askChallenge(identity, { service, post })
  if (asked.nonce === undefined) return { ...asked, tokens: [] }
  const signed = await signedAttestation(claimsFor(identity, keys, asked.nonce), made)
  const answer = await post(attestationAddress(made), signed.body, {
    'attestation-proof': signed.proof,
  })
  return { ...answer, tokens: await openTokens(answer.document, keys) }
}

/** Without a nonce: what was answered instead. */
export async function askChallenge(
  { tenant }: Pick<AgentIdentity, 'tenant'>,
  { service, post }: Required<Pick<Attesting, 'service' | 'post'>>,
): Promise<Awaited<ReturnType<PostJson>> & { readonly nonce: string | undefined }> {
  const asked = await post(`${service}/v1/challenges`, JSON.stringify({ tenant }), {})
  return { ...asked, nonce: challengeSchema.safeParse(asked.document).data?.nonce }
}

export async function bornKeys(): Promise<AgentKeys> {
  const [sig, enc] = await Promise.all([bornKey('ES256'), bornKey('ECDH-ES')])
  return { sig, enc }
}

/** Where the service takes attestations. */
function attestationAddress({
  service,
  path = '/v1/attestations',
}: Pick<Attesting, 'service' | 'path'>): string {
  return `${service}${path}`
}

/** As `claimsFor`, with what a session's quote binds besides. */
export function claimsInSession(
  claims: RuntimeClaims,
  { statement }: TranscriptDelta,
): RuntimeClaims {
  const { session, seq } = statement
  return { ...claims, session, seq, transcript: statementDigest(statement) }
}

export function claimsFor(identity: AgentIdentity, keys: AgentKeys, nonce: string): RuntimeClaims {
  return {
    nonce,
    verifier: identity.verifier,
    sig_jkt: keys.sig.thumbprint,
    enc_jkt: keys.enc.thumbprint,
    tenant: identity.tenant,
    agent: identity.agent,
    environment: identity.environment,
    session: '',
    seq: '0',
    transcript: '',
  }
}

export async function signedAttestation(
  claims: RuntimeClaims,
  made: Attesting,
): Promise<SignedAttestation> {
  const { keys, attester, audiences, transcript } = made
  const { quote, auxblob, eventLog } = await attester.attest(reportDataOf(claims))
  const { certificates, crls } = attester.endorsements
  const body = JSON.stringify({
    evidence: {
      quote: toBase64Url(quote),
      ...(auxblob && { auxblob: toBase64Url(auxblob) }),
      ...(eventLog && { eventLog: toBase64Url(eventLog) }),
    },
    endorsements: { certificates: certificates.map(toBase64Url), crls: crls.map(toBase64Url) },
    runtimeClaims: claims,
    jwk: keys.sig.publicKey,
    enc_jwk: keys.enc.publicKey,
    ...(audiences && { audience: audiences }),
    ...(transcript && { transcript }),
  })
  return { body, proof: await signProof(body, { ...made, claims, key: keys.sig }) }
}

export async function signProof(
  body: string,
  {
    claims,
    key,
    ...route
  }: Pick<Attesting, 'service' | 'path'> & {
    readonly claims: RuntimeClaims
    readonly key: AgentKey
  },
): Promise<string> {
  const payload: ProofPayload = {
    nonce: claims.nonce,
    bodySha256: createHash('sha256').update(body).digest('base64url'),
    htu: attestationAddress(route),
  }
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'ES256', typ: PROOF_TYPE })
    .sign(key.privateKey)
}

/** Of an answer of the service; none where it is a refusal. Throws when one was encrypted to another key. */
export async function openTokens(
  document: unknown,
  keys: AgentKeys,
): Promise<readonly OpenedToken[]> {
  const issued = issuedSchema.safeParse(document)
  if (!issued.success) return []
  return await Promise.all(
    issued.data.tokens.map(async ({ form, audience, ...sent }) => ({
      form,
      audience,
      token: await openToken(sent, keys),
    })),
  )
}

/** The token inside, or the token itself where it was not encrypted. */
async function openToken(
  answer: { readonly token: string; readonly encoding: string },
  keys: AgentKeys,
): Promise<string> {
  if (answer.encoding === 'jwt') return answer.token
  const { plaintext } = await compactDecrypt(answer.token, keys.enc.privateKey, {
    keyManagementAlgorithms: ['ECDH-ES'],
    contentEncryptionAlgorithms: ['A256GCM'],
  })
  return new TextDecoder().decode(plaintext)
}

const documentSchema = z.record(z.string(), z.unknown())
const challengeSchema = z.object({ nonce: z.string() })
const issuedSchema = z.object({
  tokens: z.array(
    z.object({
      form: z.string(),
      audience: z.string(),
      token: z.string(),
      encoding: z.string(),
    }),
  ),
})

const postOnce: PostJson = async (address, body, headers) => {
  const response = await fetch(address, {
    method: 'POST',
    body,
    redirect: 'error',
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: response.status, document: documentSchema.parse(await response.json()) }
}

async function bornKey(algorithm: 'ES256' | 'ECDH-ES'): Promise<AgentKey> {
  const pair = await generateKeyPair(algorithm, { crv: 'P-256', extractable: false })
  const { x, y } = await exportJWK(pair.publicKey)
  if (x === undefined || y === undefined) throw new TypeError('a P-256 key has two coordinates')
  const publicKey: PublicKey = { kty: 'EC', crv: 'P-256', x, y }
  return { privateKey: pair.privateKey, publicKey, thumbprint: thumbprintOf(publicKey) }
}
