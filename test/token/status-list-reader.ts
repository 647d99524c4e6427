/**
 * A relying party's reading of a Token Status List, by the steps of draft-ietf-oauth-status-list-17 section 8.3 and with nothing of
 * ours: jose for the signature, zlib for the bits.
 */
import { inflateSync } from 'node:zlib'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'

export interface ReferencedToken {
  readonly uri: string
  readonly idx: number
}

/** 0 is VALID, 1 is INVALID (section 7.1). Throws for whatever makes a statement impossible (section 8.3). */
export async function statusOfToken(
  list: string,
  { uri, idx }: ReferencedToken,
  { jwks, at }: { readonly jwks: JSONWebKeySet; readonly at: Date },
): Promise<number> {
  const { payload } = await jwtVerify(list, createLocalJWKSet(jwks), {
    typ: 'statuslist+jwt',
    subject: uri,
    currentDate: at,
    algorithms: ['ES256'],
    requiredClaims: ['sub', 'iat', 'exp', 'ttl', 'status_list'],
  })
  const { bits, lst } = payload.status_list as { readonly bits: number; readonly lst: string }
  return statusIn(lst, { bits, idx })
}

export function statusIn(
  lst: string,
  { bits, idx }: { readonly bits: number; readonly idx: number },
): number {
  const bytes = inflateSync(Buffer.from(lst, 'base64url'))
  const perByte = 8 / bits
  const byte = bytes[Math.floor(idx / perByte)]
  if (byte === undefined) throw new RangeError(`index ${idx} is out of bounds`)
  return (byte >> ((idx % perByte) * bits)) & (2 ** bits - 1)
}
