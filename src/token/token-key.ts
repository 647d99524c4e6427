/** ES256 signing keys: made once, kept encrypted, published as JWK. */
import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
} from 'jose'

export interface TokenKey {
  /** RFC 7638 thumbprint of the public key: two keys never share one, and nobody has to number them. */
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly publicJwk: PublishedKey
}

/** As a JWKS lists it. */
export interface PublishedKey {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
}

/** PKCS #8 in PEM, for sealing. The only time that a private key leaves the key store in clear. */
export async function generateTokenKey(): Promise<{
  readonly kid: string
  readonly pkcs8: string
}> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const pkcs8 = await exportPKCS8(privateKey)
  return { kid: await calculateJwkThumbprint(await exportJWK(privateKey)), pkcs8 }
}

/** Throws when the PEM is no P-256 key. */
export async function importTokenKey(pkcs8: string): Promise<TokenKey> {
  const { x, y, kty, crv } = await exportJWK(
    await importPKCS8(pkcs8, 'ES256', { extractable: true }),
  )
  if (!x || !y || kty !== 'EC' || crv !== 'P-256') throw new TypeError('not a P-256 key')
  const kid = await calculateJwkThumbprint({ kty, crv, x, y })
  return {
    kid,
    privateKey: await importPKCS8(pkcs8, 'ES256'),
    publicJwk: { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' },
  }
}
