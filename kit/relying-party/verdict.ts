/** What is said of a token: accepted with what it says, or refused for one of these reasons. */
import type { AttestedClaims } from './attested-claims.ts'

/** HTTP status by reason: 401 where another token or proof would do, 403 where it says too little, 503 where nobody can tell now. */
export const statuses = {
  'token-missing': 401,
  'token-malformed': 401,
  /** Not of an accepted form: `typ`, `alg`, or a header member that no token of ours has, `crit` among them. */
  'token-form-other': 401,
  'key-unknown': 401,
  'keys-unavailable': 503,
  'signature-wrong': 401,
  'claims-malformed': 401,
  'issuer-other': 401,
  'audience-other': 401,
  'token-expired': 401,
  'token-not-yet-good': 401,
  /** It was to live longer than any token of its form does. */
  'token-too-long-lived': 401,
  'nonce-other': 401,
  'token-revoked': 401,
  'status-unavailable': 503,
  'proof-missing': 401,
  'proof-malformed': 401,
  'proof-key-other': 401,
  'proof-signature-wrong': 401,
  'proof-method-other': 401,
  'proof-address-other': 401,
  'proof-stale': 401,
  'proof-token-other': 401,
  'proof-body-other': 401,
  'proof-used': 401,
  'proof-store-unavailable': 503,
  'body-too-large': 413,
  'status-insufficient': 403,
  'trust-claim-insufficient': 403,
  'assurance-other': 403,
  'scope-missing': 403,
  'tenant-other': 403,
  'environment-other': 403,
  'agent-other': 403,
  'subject-other': 403,
  'generation-old': 403,
  'tee-other': 403,
  'measurement-other': 403,
  'policy-other': 403,
} as const

export type Reason = keyof typeof statuses

export type Verdict = Accepted | Refused

export interface Accepted {
  readonly accepted: true
  readonly claims: AttestedClaims
  /** Whether the request was proved by the attested key. Without it, whoever has a copy of the token may have sent it. */
  readonly proved: boolean
  /** Of the body, where the proof names one and nobody here read the body: compare it where the body is read. */
  readonly uncheckedBodySha256: string | undefined
}

export interface Refused {
  readonly accepted: false
  readonly reason: Reason
  /** One sentence with observed and expected, for a log: the caller needs none of it. */
  readonly detail: string
  readonly status: 401 | 403 | 413 | 503
}

export function refused(reason: Reason, detail: string): Refused {
  return { accepted: false, reason, detail, status: statuses[reason] }
}

/** For what others wrote: bounded, on one line. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
