/**
 * How is a model signed so that others can check it, and how is a signature by others checked? A Sigstore bundle v0.3 with a DSSE
 * envelope, signed by a long-lived key on P-256, P-384 or P-521 (OpenSSF Model Signing 1.0, section 4.1, method `key`).
 * Certificates and keyless signing are not supported; a key is known beforehand and never taken out of the bundle.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { fromBase64, toHex } from '../bytes/encoding.ts'
import { ModelRefused } from './model-refused.ts'
import { readStatement, type SignedModel, writeStatement } from './oms-statement.ts'

const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json'
const PAYLOAD_TYPE = 'application/vnd.in-toto+json'
export const LONGEST_BUNDLE = 32 * 1024 * 1024

/** OpenSSF Model Signing, algorithm registry; which hash goes with which curve says the Sigstore one. */
const hashes: Readonly<Record<string, string>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
}

/** The text of a bundle. Throws TypeError for a key that cannot sign one. */
export function signModel(model: SignedModel, privateKey: KeyObject): string {
  const payload = writeStatement(model)
  const publicKey = createPublicKey(privateKey)
  const sig = sign(signatureHash(privateKey), encodingOf(payload), privateKey).toString('base64')
  const bundle = {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint: hintOf(publicKey) }, tlogEntries: [] },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString('base64'),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig, keyid: '' }],
    },
  }
  return `${JSON.stringify(bundle)}\n`
}

const schema = z.object({
  mediaType: z.literal(BUNDLE_TYPE),
  verificationMaterial: z.object({
    publicKey: z.object({ hint: z.string().max(1024).nullish() }),
  }),
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.literal(PAYLOAD_TYPE),
    signatures: z.tuple([z.object({ sig: z.string().max(1024), keyid: z.string().nullish() })]),
  }),
})

/** Throws ModelRefused unless this key signed it; TypeError for a key that could not have. */
export function openSignature(bundle: Uint8Array, publicKey: KeyObject): SignedModel {
  const { payload, sig, hint } = read(bundle)
  if (!verify(signatureHash(publicKey), encodingOf(payload), publicKey, sig))
    throw new ModelRefused({
      where: 'signature of the model',
      observed: `one that this key did not make${hint ? ` (it says that it is by ${hint})` : ''}`,
      expected: `a signature by the key ${hintOf(publicKey)}`,
    })
  return readStatement(payload)
}

/** What a bundle says, which without the key that made it is anybody's word. Throws ModelRefused. */
export function readSignature(bundle: Uint8Array): SignedModel {
  return readStatement(read(bundle).payload)
}

function read(bundle: Uint8Array) {
  if (bundle.length > LONGEST_BUNDLE)
    throw malformed(`${bundle.length} bytes, more than ${LONGEST_BUNDLE}`)
  const parsed = schema.safeParse(jsonOf(bundle))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw malformed(`at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`)
  }
  const { verificationMaterial, dsseEnvelope } = parsed.data
  const payload = fromBase64(dsseEnvelope.payload)
  const sig = fromBase64(dsseEnvelope.signatures[0].sig)
  if (!payload || !sig) throw malformed('a payload or a signature that is not base64')
  return { payload, sig, hint: verificationMaterial.publicKey.hint }
}

/** DSSE v1.0, protocol.md: what is signed is the payload with its type, each after its length. */
function encodingOf(payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `
  return Buffer.concat([Buffer.from(head, 'latin1'), payload])
}

/** Section 4.1: hex of the SHA-256 over the PEM text of the public key. */
function hintOf(publicKey: KeyObject): string {
  const pem = publicKey.export({ type: 'spki', format: 'pem' })
  return toHex(createHash('sha256').update(pem).digest())
}

/** Throws TypeError for a key that neither signs models nor verifies them. */
export function signatureHash(key: KeyObject): string {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? ''
  const hash = Object.hasOwn(hashes, curve) ? hashes[curve] : undefined
  if (hash === undefined)
    throw new TypeError(
      `a model is signed by a key on P-256, P-384 or P-521, and this is ${curve || key.asymmetricKeyType || 'a secret key'}`,
    )
  return hash
}

function jsonOf(bundle: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bundle))
  } catch {
    throw malformed('bytes that are not JSON in UTF-8')
  }
}

function malformed(observed: string): ModelRefused {
  return new ModelRefused({
    where: 'signature of the model',
    observed,
    expected: 'a Sigstore bundle v0.3 with one DSSE signature by a key',
  })
}
