/**
 * What an agent says about itself, and how its hardware vouches for having said so: design section 4. Verifier and enclave
 * both make the bytes here, so the binding has one definition.
 */
import { createHash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'

/** All strings. Empty means "none" for `enc_jkt`, `session` and `transcript`. */
export interface RuntimeClaims {
  /** The challenge, single-use, as the verifier issued it. */
  readonly nonce: string
  /** Issuer URL that this evidence is meant for: another verifier must refuse it. */
  readonly verifier: string
  /** RFC 7638 thumbprints of keys that were born in the enclave, base64url. */
  readonly sig_jkt: string
  readonly enc_jkt: string
  readonly tenant: string
  /** Which release the agent asks to be judged as. */
  readonly agent: string
  readonly environment: string
  /** Session, number of this evidence in it (decimal) and digest of the runtime transcript. */
  readonly session: string
  readonly seq: string
  readonly transcript: string
}

export const runtimeClaimNames = [
  'nonce',
  'verifier',
  'sig_jkt',
  'enc_jkt',
  'tenant',
  'agent',
  'environment',
  'session',
  'seq',
  'transcript',
] as const satisfies readonly (keyof RuntimeClaims)[]

/** Tags the purpose, so that no other use of SHA-512 over JSON can be passed off as a binding. */
const DOMAIN = 'vouchsafe/report-data/v1\0'

/** `SHA-512(domain || 0x00 || JCS(claims))`, 64 bytes: all of REPORT_DATA, with no padding rule to get wrong. */
export function reportDataOf(claims: RuntimeClaims): Uint8Array {
  const exactly = Object.fromEntries(runtimeClaimNames.map((name) => [name, claims[name]]))
  return new Uint8Array(createHash('sha512').update(DOMAIN).update(canonicalJson(exactly)).digest())
}
