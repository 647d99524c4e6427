/**
 * What does a DSSE envelope hold (secure-systems-lab/dsse, protocol and envelope 1.0.2), and did this key sign it? The
 * algorithm follows from the key and never from the envelope. `keyid` must be the key's SSH fingerprint, as agreed here.
 */
import { verify } from 'node:crypto'
import { z } from 'zod'
import { concat } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { visible } from '../visible-text.ts'
import type { SshKey } from './ssh-key.ts'

export interface DsseEnvelope {
  readonly payload: Uint8Array
  readonly payloadType: string
  readonly signatures: readonly DsseSignature[]
}

export interface DsseSignature {
  /** Only a hint where to look: no signature covers it. */
  readonly keyid: string
  readonly signature: Uint8Array
}

/** `bytes` come from anyone. Throws Malformed; also where the payload is of another type than `payloadType`. */
export function readDsseEnvelope(bytes: Uint8Array, payloadType: string): DsseEnvelope {
  if (bytes.length > LARGEST) throw malformed(`${bytes.length} bytes`, `at most ${LARGEST} bytes`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    throw malformed('bytes that are no JSON', 'a JSON object in UTF-8')
  }
  const parsed = envelopeSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw malformed(
      `${issue?.path.join('.') || 'the envelope'}: ${issue?.message}`,
      'payload, payloadType and signatures with keyid and sig',
    )
  }
  // Exactly: another type says that the payload is to be read otherwise.
  if (parsed.data.payloadType !== payloadType)
    throw malformed(`payloadType "${visible(parsed.data.payloadType)}"`, payloadType)
  return {
    payloadType,
    payload: parsed.data.payload,
    signatures: parsed.data.signatures.map(({ keyid, sig }) => ({ keyid, signature: sig })),
  }
}

/** Ed25519; ECDSA in DER with its curve's hash; RSA PKCS #1 v1.5 with SHA-256. `true`, or a clause that says why not. */
export function isGenuineDsse(
  { payloadType, payload }: Pick<DsseEnvelope, 'payload' | 'payloadType'>,
  { key, signature }: { readonly key: SshKey; readonly signature: Uint8Array },
): true | string {
  const hash = hashes.get(key.type)
  if (hash === undefined)
    return `is by a key of type ${key.type}, which makes no DSSE signatures: approve with "ssh-keygen -Y sign"`
  return (
    verify(hash, preAuthenticationEncoding(payloadType, payload), key.publicKey, signature) ||
    'does not belong to this payload: it was changed, or another key signed'
  )
}

/** What is signed: lengths in bytes keep type and payload from running into each other. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType)
  return concat(
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  )
}

const LARGEST = 32 * 1024

/** Null: Ed25519 hashes by itself. Security keys sign only what their own protocol frames. */
const hashes: ReadonlyMap<string, 'sha256' | 'sha384' | 'sha512' | null> = new Map([
  ['ssh-ed25519', null],
  ['ecdsa-sha2-nistp256', 'sha256'],
  ['ecdsa-sha2-nistp384', 'sha384'],
  ['ecdsa-sha2-nistp521', 'sha512'],
  ['ssh-rsa', 'sha256'],
])

/** The specification has verifiers accept both alphabets; within one, bytes have one spelling. */
const base64 = z.string().transform((text, context) => {
  for (const alphabet of ['base64', 'base64url'] as const) {
    const bytes = Buffer.from(text, alphabet)
    const unpadded = bytes.toString(alphabet).replace(/=+$/, '')
    if (`${unpadded}${'='.repeat(-unpadded.length & 3)}` === text) return new Uint8Array(bytes)
  }
  context.addIssue('is no padded base64')
  return z.NEVER
})

/** Members that are not known are ignored, as the specification demands: none of them is used. */
const envelopeSchema = z.object({
  payload: base64,
  payloadType: z.string().max(255),
  signatures: z
    .array(z.object({ keyid: z.string().max(255).default(''), sig: base64 }))
    .min(1)
    .max(64),
})

function malformed(observed: string, expected: string): Malformed {
  return new Malformed({ path: 'dsse', offset: 0 }, observed, expected)
}
