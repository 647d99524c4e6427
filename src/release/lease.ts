/** How long may what was released be used, and when is its holder to ask again? */

export interface Lease {
  /** After that it may not be used any more, unless it was renewed. */
  readonly expiresAt: Date
  /** Whoever begins to renew by then has a third of the lease left to try again. */
  readonly renewBy: Date
}

/** Every renewal is a whole lease from its own time on: what was left of the one before is not added. */
export function leaseFrom(at: Date, leaseSeconds: number): Lease {
  const ms = leaseSeconds * 1000
  return {
    expiresAt: new Date(at.getTime() + ms),
    renewBy: new Date(at.getTime() + Math.floor((ms * 2) / 3)),
  }
}
