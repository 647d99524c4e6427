/** What may a resource be called, how large may it be, and within which bounds may it be had? */

/** As the scopes of release rules name it: `secret:db-ro`, `model:llama-small`. */
export const RESOURCE_NAME = /^(secret|model):[a-z0-9][a-z0-9._-]{0,62}$/

/** `default/key/1`: repository, type and tag, as the Key Broker protocol has them. No segment begins with a dot. */
export const BROKER_PATH =
  /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}(\/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}){2}$/

/** Bytes. What is larger is encrypted elsewhere, under a key that is a resource. */
export const LARGEST_SECRET = 64 * 1024

/** One operator must never be enough where two are wanted, and nobody has more on call. */
export const MOST_APPROVALS = 8

export const SHORTEST_LEASE_SECONDS = 30
export const LONGEST_LEASE_SECONDS = 24 * 3600

export const MOST_RELEASES_PER_MINUTE = 1_000_000
