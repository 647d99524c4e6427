/**
 * What leaves when a resource is released: the secret sealed to the attested key (hpke.ts), inside a JWS that says who sealed it
 * and for which request. HPKE's base mode alone would let the host of the agent, which owns the network, hand it a secret of
 * its own; so the signature is looked at first, and nothing inside is believed before.
 */
import { compactVerify, importJWK } from 'jose'
import { z } from 'zod'
import { fromBase64Url, toBase64Url } from '../bytes/encoding.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import { type PublicKey, thumbprintOf } from '../rats/public-key.ts'
import { type HpkeRecipient, hpkeOpen, hpkeSeal } from './hpke.ts'
import { leaseClaims, leaseOf, leaseSchema, type SignedLease } from './signed-lease.ts'

/** JOSE `typ`: no token has it. */
export const ENVELOPE_TYPE = 'vouchsafe-release+jwt'
/** `use` of the keys that sign envelopes, in the issuer's JWK Set: no relying party takes one of them for a token's. */
export const ENVELOPE_KEY_USE = 'vouchsafe-release'
/** It is opened at once or never. */
export const ENVELOPE_SECONDS = 60
/** The agent's clock need not agree with the service's. */
const LEEWAY_SECONDS = 60
/** 64 KiB in base64url, in JSON in base64url, and some more. */
const LONGEST_ENVELOPE = 160 * 1024

const info = new TextEncoder().encode('vouchsafe/release/v1')

/** Who asked for what: everything that envelope and request must agree on. */
export interface ReleaseNames {
  readonly resource: string
  readonly version: number
  /** `jti` of the token that was presented. */
  readonly token: string
  /** Digest of the policy under which it was allowed. */
  readonly policy: string
  /** `jti` of the proof of possession, as the agent wrote it. */
  readonly proof: string
}

export interface SealedRelease extends ReleaseNames {
  /** URL. */
  readonly issuer: string
  /** Id of the release. */
  readonly release: string
  readonly at: Date
  /** Undefined for the result of an operation. */
  readonly lease: SignedLease | undefined
  /** Hex: the leaf of the transparency log that answers for it. */
  readonly logLeaf: string
}

export interface Sealer {
  /** The attested encryption key. */
  readonly recipient: PublicKey
  /** A compact JWS over these claims, by a key that signs envelopes and nothing else. */
  readonly sign: (typ: string, claims: Readonly<Record<string, unknown>>) => Promise<string>
}

export async function sealRelease(
  names: SealedRelease,
  secret: Uint8Array,
  { recipient, sign }: Sealer,
): Promise<string> {
  const { enc, ct } = await hpkeSeal(recipient, secret, { info, aad: associatedData(names) })
  const iat = Math.floor(names.at.getTime() / 1000)
  return await sign(ENVELOPE_TYPE, {
    iss: names.issuer,
    iat,
    exp: iat + ENVELOPE_SECONDS,
    jti: names.release,
    resource: names.resource,
    version: names.version,
    token: names.token,
    policy: names.policy,
    proof: names.proof,
    enc_jkt: thumbprintOf(recipient),
    ...(names.lease && { lease: leaseClaims(names.lease) }),
    att_log: { leaf: names.logLeaf },
    hpke: { enc: toBase64Url(enc), ct: toBase64Url(ct) },
  })
}

/** What the agent knows by itself: nothing of it comes from the envelope. */
export interface ExpectedRelease {
  /** Members of the pinned issuer's JWK Set, of any kind. */
  readonly keys: readonly Readonly<Record<string, unknown>>[]
  /** Pinned: part of what is measured. */
  readonly issuer: string
  readonly resource: string
  /** An older one is refused, whoever signed it. Default: any. */
  readonly minimumVersion?: number
  /** `jti` of the token and of the proof that this agent sent. */
  readonly token: string
  readonly proof: string
  readonly recipient: HpkeRecipient
  readonly at: Date
}

export interface OpenedRelease extends ReleaseNames {
  /** Id of the release, by which its lease is renewed. */
  readonly release: string
  /** Undefined for the result of an operation. */
  readonly lease: SignedLease | undefined
  /** Hex: the leaf of the transparency log that answers for it. */
  readonly logLeaf: string
  readonly secret: Uint8Array
}

/** The envelope is not what was asked for. The message says what was found and expected, and nothing of what was sealed. */
export class EnvelopeRefused extends Error {
  override readonly name = 'EnvelopeRefused'
}

/** Throws EnvelopeRefused. */
export async function openRelease(
  envelope: string,
  expected: ExpectedRelease,
): Promise<OpenedRelease> {
  const claims = await authenticClaims(envelope, expected)
  const { resource, version, token, policy, proof, jti, hpke } = claims
  const names = { resource, version, token, policy, proof }
  const [enc, ct] = [fromBase64Url(hpke.enc), fromBase64Url(hpke.ct)]
  if (!enc || !ct) throw new EnvelopeRefused('what is sealed is not in base64url')
  try {
    const aad = associatedData(names)
    const secret = await hpkeOpen(expected.recipient, { enc, ct }, { info, aad })
    const lease = claims.lease && leaseOf(claims.lease)
    return { ...names, release: jti, lease, logLeaf: claims.att_log.leaf, secret }
  } catch (cause) {
    throw new EnvelopeRefused(
      'what is sealed does not open: it was sealed to another key or for another request',
      { cause },
    )
  }
}

const text = z.string().max(1024)
/** Exactly these: whatever else stood there would be signed, and looked at by nobody. */
const claimsSchema = z.strictObject({
  iss: text,
  iat: z.int(),
  exp: z.int(),
  jti: text,
  resource: text,
  version: z.int().min(1),
  token: text,
  policy: text,
  proof: text,
  enc_jkt: text,
  lease: leaseSchema.exactOptional(),
  // As in tokens: the issuer's word that it is in the log.
  att_log: z.strictObject({ leaf: z.string().regex(/^[0-9a-f]{64}$/) }),
  hpke: z.strictObject({ enc: text, ct: z.string() }),
})
type Claims = z.output<typeof claimsSchema>

const headerSchema = z.strictObject({ alg: z.literal('ES256'), kid: text, typ: text })

async function authenticClaims(envelope: string, expected: ExpectedRelease): Promise<Claims> {
  const kind = { typ: ENVELOPE_TYPE, longest: LONGEST_ENVELOPE }
  const payload = await verifiedPayload(envelope, expected.keys, kind)
  const parsed = claimsSchema.safeParse(payload)
  if (!parsed.success) throw new EnvelopeRefused('it does not say what an envelope says')
  const claims = parsed.data
  const names = [
    ['iss', expected.issuer],
    ['resource', expected.resource],
    ['token', expected.token],
    ['proof', expected.proof],
    ['enc_jkt', thumbprintOf(expected.recipient.publicKey)],
  ] as const
  for (const [name, value] of names)
    if (claims[name] !== value)
      throw new EnvelopeRefused(`its ${name} is ${claims[name]}, and ${value} was expected`)
  const { minimumVersion = 1 } = expected
  if (claims.version < minimumVersion)
    throw new EnvelopeRefused(
      `it holds version ${claims.version}, and at least ${minimumVersion} is needed`,
    )
  assertTimely(claims, expected.at)
  return claims
}

/** Throws EnvelopeRefused. */
export function assertTimely(
  { iat, exp }: { readonly iat: number; readonly exp: number },
  at: Date,
): void {
  const now = at.getTime() / 1000
  if (now > exp + LEEWAY_SECONDS || now < iat - LEEWAY_SECONDS)
    throw new EnvelopeRefused(
      `it holds from ${instant(iat)} to ${instant(exp)}, and it is ${at.toISOString()}`,
    )
}

/**
 * By a key of the pinned issuer that is for envelopes. A key for tokens, whose signatures others ask for, is none. What has
 * another `typ` was signed to say something else. Throws EnvelopeRefused.
 */
export async function verifiedPayload(
  jws: string,
  keys: ExpectedRelease['keys'],
  { typ, longest }: { readonly typ: string; readonly longest: number },
): Promise<unknown> {
  if (jws.length > longest) throw new EnvelopeRefused('it is too long')
  try {
    const { payload } = await compactVerify(
      jws,
      async (header) => {
        const { kid, typ: found } = headerSchema.parse(header)
        if (found !== typ) throw new Error('it is of another kind')
        const jwk = keys.find((key) => key.kid === kid && key.use === ENVELOPE_KEY_USE)
        if (!jwk) throw new Error('no such key')
        const { kty, crv, x, y } = jwk
        return await importJWK({ kty, crv, x, y } as Parameters<typeof importJWK>[0], 'ES256')
      },
      { algorithms: ['ES256'] },
    )
    return JSON.parse(utf8.decode(payload))
  } catch (cause) {
    throw new EnvelopeRefused('no key of the pinned issuer signed it as an envelope', { cause })
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Design section 7: what is sealed opens for this resource, version, token, policy and proof, and for no other. */
function associatedData({ resource, version, token, policy, proof }: ReleaseNames): Uint8Array {
  return canonicalJson({ resource, version: String(version), jti: token, policy, proof })
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
