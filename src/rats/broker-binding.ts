/**
 * How does the Key Broker protocol tie evidence to a handshake? By a hash of the nonce, of the client's public key and of what
 * other devices said, which its hardware puts at the start of the report data. It names no agent, session or verifier.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'

/** What the binding of stored evidence is judged by again, in the place of our own runtime claims. */
export interface BrokerBinding {
  /** `0.4.0`; `attestation-service` where another service ran the handshake. */
  readonly protocol: string
  /** All 64 bytes of the report data that the evidence must have, in lower-case hex. */
  readonly reportData: string
}

/** What the protocol calls hash algorithms. `sm3` is one more, which nobody here can check. */
export const brokerHashes = ['sha256', 'sha384', 'sha512'] as const
export type BrokerHash = (typeof brokerHashes)[number]

/** An object of strings, and of such objects. */
export interface StringTree {
  readonly [name: string]: string | StringTree
}

/**
 * RFC 8785 (JCS) text. Numbers are left out on purpose, as in canonical-json.ts: nothing that this protocol binds has any.
 * `tree` must not be deeper than its reader allowed.
 */
export function canonicalTree(tree: StringTree): string {
  const members = Object.keys(tree)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((name) => {
      const value = tree[name]
      return typeof value === 'object'
        ? `${textOf(name)}:${canonicalTree(value)}`
        : flat(name, value)
    })
  return `{${members.join(',')}}`
}

function flat(name: string, value: string | undefined): string {
  return new TextDecoder().decode(canonicalJson({ [name]: value ?? '' })).slice(1, -1)
}

function textOf(name: string): string {
  return flat(name, '').slice(0, -':""'.length)
}

const REPORT_DATA_SIZE = 64

/** A digest that is shorter than report data stands at its start, with zeros after it: SNP's and TDX's own rule. */
export function reportDataOfText(text: string | Uint8Array, algorithm: BrokerHash): Uint8Array {
  const reportData = new Uint8Array(REPORT_DATA_SIZE)
  reportData.set(createHash(algorithm).update(text).digest())
  return reportData
}

export interface Handshake {
  readonly nonce: string
  readonly teePublicKey: StringTree
  readonly algorithm: BrokerHash
}

/** Since 0.4.0. `additionalEvidence`: the text as it came, hashed as it is. */
export function boundReportData(
  { nonce, teePublicKey, algorithm }: Handshake,
  additionalEvidence: string,
): Uint8Array {
  const bound = {
    'additional-evidence': additionalEvidence,
    nonce,
    'tee-pubkey': teePublicKey,
  }
  return reportDataOfText(canonicalTree(bound), algorithm)
}

/**
 * Until 0.2.0 the text was whatever the client's JSON library wrote: sorted, or in the order of its types, as it was built.
 * Both say the same and nothing else, so either counts. `teePublicKey` has its members in the order of those types.
 */
export function boundReportDataBefore(handshake: Handshake): readonly Uint8Array[] {
  const { nonce, teePublicKey, algorithm } = handshake
  const sorted = canonicalTree({ nonce, 'tee-pubkey': teePublicKey })
  const asTyped = JSON.stringify({ 'tee-pubkey': teePublicKey, nonce })
  return [sorted, asTyped].map((text) => reportDataOfText(text, algorithm))
}
