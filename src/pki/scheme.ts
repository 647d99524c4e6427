/**
 * Which signature schemes the vendors prescribe: one row each, and code below receives the row, never its name.
 * A scheme is key type, digest and padding together, so that a certificate cannot pick a weaker combination.
 */
import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto'

export interface Scheme {
  readonly name: string
  /** The only key this scheme accepts, as `keyTypeOf` spells it. */
  readonly keyType: string
  /** The signature algorithm identifier of X.509, as `certificate.ts` spells it. */
  readonly identifier: string
  /** Signature bytes as X.509 carries them (ECDSA: DER). False for anything malformed; never throws for received bytes. */
  readonly verifies: (key: KeyObject, message: Uint8Array, signature: Uint8Array) => boolean
  /** The same on another thread: dearer by 15 µs or more, and nothing waits meanwhile. */
  readonly verifiesAside: (
    key: KeyObject,
    message: Uint8Array,
    signature: Uint8Array,
  ) => Promise<boolean>
}

/** ARK, ASK and ASVK sign with RSA-4096: AMD 57230 (VCEK certificate specification), section 3, "RSASSA-PSS, SHA-384, salt 48". */
export const rsaPssSha384: Scheme = {
  name: 'RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a 48-byte salt',
  keyType: 'RSA-4096',
  identifier: 'rsassa-pss-sha384-mgf1-sha384-salt48',
  ...verifying('sha384', (key) => ({
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 48,
  })),
}

/** Intel's certificates, CRLs and collateral: Intel SGX PCK Certificate and CRL Profile, section 1.3. */
export const ecdsaP256Sha256: Scheme = {
  name: 'ECDSA with P-256 and SHA-256',
  keyType: 'P-256',
  identifier: 'ecdsa-sha256',
  ...verifying('sha256', (key) => key),
}

/** VCEK and VLEK sign attestation reports: AMD 56860, table "Signature Algorithm Encodings", value 1. */
export const ecdsaP384Sha384: Scheme = {
  name: 'ECDSA with P-384 and SHA-384',
  keyType: 'P-384',
  identifier: 'ecdsa-sha384',
  ...verifying('sha384', (key) => key),
}

function verifying(
  digest: 'sha256' | 'sha384',
  keyed: (key: KeyObject) => KeyObject | VerifyKeyObjectInput,
): Pick<Scheme, 'verifies' | 'verifiesAside'> {
  return {
    verifies: (key, message, signature) => verify(digest, message, keyed(key), signature),
    verifiesAside: (key, message, signature) =>
      new Promise((resolve, reject) =>
        verify(digest, message, keyed(key), signature, (error, isGenuine) =>
          error ? reject(error) : resolve(isGenuine),
        ),
      ),
  }
}

/** `RSA-4096`, `P-256`, `P-384`; any other key under the name that OpenSSL gives it. */
export function keyTypeOf(key: KeyObject): string {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'rsa') return `RSA-${details?.modulusLength}`
  if (key.asymmetricKeyType === 'ec')
    return (
      { prime256v1: 'P-256', secp384r1: 'P-384' }[details?.namedCurve ?? ''] ??
      `EC ${details?.namedCurve}`
    )
  return String(key.asymmetricKeyType)
}
