/** Chance as a machine has it: keys from node:crypto that exist in this process only, unless whoever made one keeps it. */
import {
  constants,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { Chance, SigningKey, SigningScheme } from './signing.ts'

/** RSA-4096 keys take seconds each: those named here are made side by side, off the main thread. Others are made when first asked for. */
export async function freshChance(rsaLabels: readonly string[] = []): Promise<Chance> {
  const prepared = await Promise.all(
    rsaLabels.map(async (label) => [label, await rsaKey()] as const),
  )
  const rsa4096 = remember(
    () => signingKey(generateKeyPairSync('rsa', { modulusLength: 4096 })),
    prepared,
  )
  return {
    rsa4096,
    p256: remember(() => signingKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }))),
    p384: remember(() => signingKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }))),
    bytes: remember((size: number) => new Uint8Array(randomBytes(size))),
  }
}

async function rsaKey(): Promise<SigningKey> {
  return signingKey(await promisify(generateKeyPair)('rsa', { modulusLength: 4096 }))
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export function signingKey({ publicKey, privateKey }: KeyPair): SigningKey {
  return {
    publicKey,
    sign: (message, scheme) =>
      new Uint8Array(sign(scheme.digest, message, { key: privateKey, ...paddingOf(scheme) })),
  }
}

function paddingOf({ padding, saltLength }: SigningScheme) {
  switch (padding) {
    case 'pss':
      return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
    case 'pkcs1':
      return { padding: constants.RSA_PKCS1_PADDING }
    case 'ecdsa':
      return {}
  }
}

function remember<A extends readonly unknown[], T>(
  make: (...args: A) => T,
  known: Iterable<readonly [string, T]> = [],
): (label: string, ...args: A) => T {
  const made = new Map(known)
  return (label, ...args) => {
    const value = made.get(label) ?? make(...args)
    made.set(label, value)
    return value
  }
}
