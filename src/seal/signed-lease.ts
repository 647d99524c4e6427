/** How does a lease stand in what the issuer signs? NumericDate (RFC 7519 section 2), rounded down: an agent ends no later than the service. */
import { z } from 'zod'

export interface SignedLease {
  /** After that what was released may not be used any more, unless it was renewed. */
  readonly expiresAt: Date
  readonly renewBy: Date
}

/** 9999-12-31T23:59:59Z */
const instant = z.int().min(0).max(253_402_300_799)

export const leaseSchema = z.strictObject({ exp: instant, renew: instant })

export function leaseClaims({ expiresAt, renewBy }: SignedLease): z.output<typeof leaseSchema> {
  return { exp: secondsOf(expiresAt), renew: secondsOf(renewBy) }
}

export function leaseOf({ exp, renew }: z.output<typeof leaseSchema>): SignedLease {
  return { expiresAt: new Date(exp * 1000), renewBy: new Date(renew * 1000) }
}

function secondsOf(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
