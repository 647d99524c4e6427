/**
 * Which keys sign tokens and envelopes, and how? One row for each form of token, and one for envelopes: its algorithm, its
 * JOSE `typ`, and how a key of it is made and used.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
} from 'node:crypto'
import { promisify } from 'node:util'
import { toBase64Url } from '../bytes/encoding.ts'
import { bigEndianFromDer } from '../pki/ecdsa-value.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import type { TokenForm } from '../rats/release.ts'
import { ENVELOPE_TYPE } from '../seal/release-envelope.ts'

/** What a key signs and nothing else: tokens of one form, or the envelopes in which secrets leave. */
export type KeyForm = TokenForm | 'release'

/** What relying parties need. */
export interface PublishedKey {
  /** RFC 7638 thumbprint: two keys never share one, and nobody has to number them. */
  readonly kid: string
  readonly form: KeyForm
  readonly publicKey: KeyObject
  /** The members of the key itself, and no others. */
  readonly jwk: PublicJwk
}

export interface TokenKey extends PublishedKey {
  readonly privateKey: KeyObject
}

export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }

export interface SigningAlgorithm {
  readonly alg: 'ES256' | 'RS256'
  /** PKCS #8 DER. */
  readonly generate: () => Promise<Uint8Array>
  /** Throws TypeError for a key of another kind or size. */
  readonly publicJwk: (key: KeyObject) => PublicJwk
  /** Over the bytes as JOSE wants it (RFC 7518 section 3). */
  readonly sign: (bytes: Uint8Array, key: KeyObject) => Promise<Uint8Array>
}

const makeKeyPair = promisify(generateKeyPair)

/**
 * At once, on the calling thread: 20 µs, less than a thread pool's hop. In DER, which Node 24 makes in half the time of
 * `ieee-p1363`.
 */
const es256: SigningAlgorithm = {
  alg: 'ES256',
  generate: async () => derOf(await makeKeyPair('ec', { namedCurve: 'P-256' })),
  publicJwk(key) {
    const { kty, crv, x, y } = key.export({ format: 'jwk' })
    if (kty !== 'EC' || crv !== 'P-256' || !x || !y) throw new TypeError('not a P-256 key')
    return { kty, crv, x, y }
  },
  sign: async (bytes, key) => bigEndianFromDer(sign('sha256', bytes, key), 32),
}

const RSA_BITS = 2048

/** On the thread pool: 220 µs to sign and up to a second to make a key, which the event loop has not got. */
const rs256: SigningAlgorithm = {
  alg: 'RS256',
  generate: async () => derOf(await makeKeyPair('rsa', { modulusLength: RSA_BITS })),
  publicJwk(key) {
    const { kty, n, e } = key.export({ format: 'jwk' })
    if (kty !== 'RSA' || !n || !e || key.asymmetricKeyDetails?.modulusLength !== RSA_BITS)
      throw new TypeError(`not an RSA key of ${RSA_BITS} bits`)
    return { kty, n, e }
  },
  sign: async (bytes, key) =>
    await new Promise((resolve, reject) =>
      sign('sha256', bytes, key, (error, signature) =>
        error ? reject(error) : resolve(signature),
      ),
    ),
}

export interface SigningForm {
  readonly algorithm: SigningAlgorithm
  /** RFC 9068 section 2.1 for the first, RFC 7519 section 5.1, and SPIFFE WIT-SVID section 2. */
  readonly typ: 'at+jwt' | 'JWT' | 'wit+jwt'
}

interface EnvelopeForm extends Pick<SigningForm, 'algorithm'> {
  readonly typ: typeof ENVELOPE_TYPE
}

/** RS256 for federation: the only algorithm that every cloud takes. */
export const signingForms: Readonly<
  Record<TokenForm, SigningForm> & Record<'release', EnvelopeForm>
> = {
  possession: { algorithm: es256, typ: 'at+jwt' },
  federation: { algorithm: rs256, typ: 'JWT' },
  workload: { algorithm: es256, typ: 'wit+jwt' },
  release: { algorithm: es256, typ: ENVELOPE_TYPE },
}

/** PKCS #8 DER, for sealing: the only time that a private key is outside of a KeyObject. */
export async function generateTokenKey(
  form: KeyForm,
): Promise<{ readonly kid: string; readonly pkcs8: Uint8Array }> {
  const pkcs8 = await signingForms[form].algorithm.generate()
  return { kid: importTokenKey(form, pkcs8).kid, pkcs8 }
}

/** Throws when the bytes are no private key, or one of another form's kind. */
export function importTokenKey(form: KeyForm, pkcs8: Uint8Array): TokenKey {
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const jwk = signingForms[form].algorithm.publicJwk(publicKey)
  // The members are those that RFC 7638 section 3.2 asks for, and canonical JSON orders them as section 3 does.
  const kid = toBase64Url(createHash('sha256').update(canonicalJson(jwk)).digest())
  return { kid, form, privateKey, publicKey, jwk }
}

function derOf({ privateKey }: { readonly privateKey: KeyObject }): Uint8Array {
  return new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' }))
}
