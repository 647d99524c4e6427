/** Which keys has one simulated agent? Its own, in the two forms in which they are used: a thread’s crypto for speed, and WebCrypto. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type PublicKey, thumbprintOf } from '../../src/rats/public-key.ts'
import type { AgentKey, AgentKeys } from '../attestation.ts'

export function fleetKeys(): { readonly signing: KeyObject; readonly keys: AgentKeys } {
  const [sig, enc] = [bornKey(), bornKey()]
  return {
    signing: sig.privateKey,
    keys: {
      sig: agentKey(sig, { name: 'ECDSA', usages: ['sign'] }),
      enc: agentKey(enc, { name: 'ECDH', usages: ['deriveBits'] }),
    },
  }
}

function bornKey() {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function agentKey(
  { privateKey, publicKey: born }: ReturnType<typeof bornKey>,
  { name, usages }: { readonly name: string; readonly usages: readonly ('sign' | 'deriveBits')[] },
): AgentKey {
  const { x = '', y = '' } = born.export({ format: 'jwk' })
  const publicKey: PublicKey = { kty: 'EC', crv: 'P-256', x, y }
  return {
    privateKey: privateKey.toCryptoKey({ name, namedCurve: 'P-256' }, false, [...usages]),
    publicKey,
    thumbprint: thumbprintOf(publicKey),
  }
}
