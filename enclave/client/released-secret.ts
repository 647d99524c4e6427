/** What an agent holds once something was released to it, and how it lets go of it. */
import type { OpenedRelease } from '../../src/seal/release-envelope.ts'
import type { Stopwatch } from './surroundings.ts'

export interface ReleasedSecret {
  readonly resource: string
  readonly version: number
  /** Digest of the policy under which it was released. */
  readonly policy: string
  /** Id of the release, in the log and in the operators' list. */
  readonly release: string
  /** Hex: the leaf of the transparency log that answers for it. */
  readonly logLeaf: string
  readonly lease: GrantedLease
  /** All zero after `wipe`. */
  readonly secret: Uint8Array
  /**
   * Overwrites `secret`, as well as a program in a language with a garbage collector can: copies that the caller made, and
   * those that the runtime made while it decrypted, are out of reach.
   */
  readonly wipe: () => void
}

/** As durations since the request was sent: whichever clock is wrong, the agent stops no later than the service thinks. */
export interface GrantedLease {
  readonly age: Stopwatch
  readonly seconds: number
  readonly renewAfterSeconds: number
}

export function keptSecret(
  { resource, version, policy, release, logLeaf, secret }: OpenedRelease,
  lease: GrantedLease,
): ReleasedSecret {
  return {
    resource,
    version,
    policy,
    release,
    logLeaf,
    lease,
    secret,
    wipe() {
      secret.fill(0)
    },
  }
}
