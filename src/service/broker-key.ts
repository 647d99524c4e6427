/**
 * Which key does a Key Broker client name, as revoked/ and POST /v1/revocations name it? RFC 7638 over SHA-256, in base64url:
 * its members are those of the key alone, so that neither `alg` nor anything else that stands beside them makes a second name.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { fromBase64Url } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import type { StringTree } from '../rats/broker-binding.ts'
import { canonicalJson } from '../rats/canonical-json.ts'
import { type BrokerKey, importBrokerKey } from '../seal/broker-jwe.ts'

/** Of a key that was imported. */
export function thumbprintOf(key: BrokerKey): string {
  switch (key.kty) {
    case 'EC':
      return digestOf({ crv: key.crv, kty: key.kty, x: key.x, y: key.y })
    case 'RSA':
      return digestOf({ e: key.e, kty: key.kty, n: key.n })
  }
}

/** Where a stock Key Broker reads the key to which it seals. */
const MEMBER = 'tee-pubkey'

const unpadded = z.string().refine((text) => text !== '' && fromBase64Url(text) !== undefined)
/** `alg` is not asked about: the Key Broker that sent it knows what it seals with, and no thumbprint has it, but an AKP's. */
const namedKey = z.union([
  z.object({ kty: z.literal('EC'), crv: z.enum(['P-256', 'P-521']), x: unpadded, y: unpadded }),
  z.object({ kty: z.literal('RSA'), n: unpadded, e: unpadded }),
  z.object({ kty: z.literal('AKP'), alg: z.string().min(1), pub: unpadded }),
])

/**
 * Of the key in runtime data that another service collected; empty where it names none. Throws Problem('request-malformed')
 * for one that has no thumbprint, or more than one: it could not be refused when it is revoked. An AKP key is taken as it is
 * written, since nothing here can import it: whether it is one is for the Key Broker that seals to it.
 */
export function thumbprintIn(tree: StringTree): string {
  if (!Object.hasOwn(tree, MEMBER)) return ''
  const { data: key } = namedKey.safeParse(tree[MEMBER])
  const thumbprint = key && thumbprintOfNamed(key)
  if (thumbprint !== undefined) return thumbprint
  throw new Problem(
    'request-malformed',
    'runtime_data.structured.tee-pubkey: must be a public JWK of kty EC (a point on P-256 or P-521), RSA (2048 to 4096 bits, exponent 65537, without leading zeros) or AKP, in base64url without padding: another could not be told from one that is revoked',
  )
}

function thumbprintOfNamed(key: z.output<typeof namedKey>): string | undefined {
  switch (key.kty) {
    case 'EC':
      return thumbprintOfSpelt({ ...key, alg: 'ECDH-ES+A256KW' })
    case 'RSA':
      return thumbprintOfSpelt({ ...key, alg: 'RSA-OAEP-256' })
    case 'AKP':
      // draft-ietf-cose-dilithium section 6: `alg` is of the key, and among what is hashed.
      return digestOf({ alg: key.alg, kty: key.kty, pub: key.pub })
  }
}

/** Undefined for what cannot be imported, and for a spelling that is not the only one: a coordinate with a zero before it imports. */
function thumbprintOfSpelt(key: BrokerKey): string | undefined {
  const written = importBrokerKey(key)?.export({ format: 'jwk' })
  const members: readonly [string, string][] = Object.entries(key)
  const isSpelt = members.every(([name, value]) => name === 'alg' || written?.[name] === value)
  return written && isSpelt ? thumbprintOf(key) : undefined
}

function digestOf(members: Readonly<Record<string, string>>): string {
  return hash('sha256', canonicalJson(members), 'base64url')
}
