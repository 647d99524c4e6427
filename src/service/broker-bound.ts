/**
 * To which report data must evidence be bound that answered this handshake, with this key? Made from what the handshake is asked
 * with, so that whoever can write its row, and names a key of his own there, finds no evidence that is bound to it.
 */
import { toHex } from '../bytes/encoding.ts'
import { boundReportData, boundReportDataBefore, type StringTree } from '../rats/broker-binding.ts'
import type { BrokerKey } from '../seal/broker-jwe.ts'
import { termsOf } from './broker-session.ts'
import type { BrokerSession } from './release-ports.ts'

/** Hex; any of them. Throws Problem('broker-handshake-refused') for a protocol that is spoken no more. */
export function boundTo(
  session: Pick<BrokerSession, 'nonce' | 'version'>,
  key: BrokerKey,
): readonly string[] {
  const { form, hash: algorithm } = termsOf(session)
  const handshake = { nonce: session.nonce, teePublicKey: treeOf(key), algorithm }
  // Evidence of further devices is refused at the door.
  const bound =
    form === 'composed' ? [boundReportData(handshake, '')] : boundReportDataBefore(handshake)
  return bound.map((each) => toHex(each))
}

/** In the order of the client's own types, which until 0.2.0 may be what was hashed. */
export function treeOf(key: BrokerKey): StringTree {
  switch (key.kty) {
    case 'EC':
      return { kty: key.kty, crv: key.crv, alg: key.alg, x: key.x, y: key.y }
    case 'RSA':
      return { kty: key.kty, alg: key.alg, n: key.n, e: key.e }
  }
}
