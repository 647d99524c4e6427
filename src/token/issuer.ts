/** Who signs tokens and envelopes: one issuer URL, its keys, and the act of issuing. Simulated evidence has an issuer of its own. */
import { toBase64Url } from '../bytes/encoding.ts'
import type { TokenForm } from '../rats/release.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import { type KeyForm, type PublishedKey, signingForms, type TokenKey } from './token-key.ts'

export interface Issuer {
  readonly url: string
  /** Only evidence of this assurance is answered under this URL and these keys. */
  readonly assurance: Assurance
  /** Which tokens this issuer has keys for: a simulated one has none for federation. Every one has keys for envelopes. */
  readonly forms: readonly TokenForm[]
  /** Throws where the issuer has no keys of this form: no policy and no request may get a token out of it. */
  readonly signer: (form: KeyForm, at: Date) => TokenKey
  /** Of every form: what signs, what will, and what did and still counts. */
  readonly published: () => readonly PublishedKey[]
  /** Another, and greater, whenever what is published is another. */
  readonly sequence: () => number
}

export interface TokenRequest {
  readonly form: TokenForm
  /** JSON. The caller has decided that they are true. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly at: Date
}

/** A JWS in compact form (RFC 7515 section 7.1), with the `typ` of its form. */
export async function signToken(
  issuer: Issuer,
  { form, claims, at }: TokenRequest,
): Promise<string> {
  return await signJwt(issuer.signer(form, at), signingForms[form].typ, claims)
}

/**
 * For what is no token of a form, and is signed by its key all the same: a status list. The header is exactly this:
 * JWT-SVID allows no other member, and nothing in it can lead a relying party to another key.
 */
export async function signJwt(
  key: TokenKey,
  typ: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  return await signJws(key, { typ }, claims)
}

/** For those who need more in the header than that: `alg` and `kid` come first, and are the key's. */
export async function signJws(
  { kid, form, privateKey }: TokenKey,
  header: Readonly<Record<string, unknown>> & {
    readonly typ: string
    readonly alg?: never
    readonly kid?: never
  },
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { algorithm } = signingForms[form]
  const signed = `${encoded({ alg: algorithm.alg, kid, ...header })}.${encoded(claims)}`
  const signature = await algorithm.sign(Buffer.from(signed, 'latin1'), privateKey)
  return `${signed}.${toBase64Url(signature)}`
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
