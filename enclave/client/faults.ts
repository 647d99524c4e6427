/**
 * What can go wrong between an agent and its verifier? Three kinds, told apart by class. None of their texts holds a secret, a
 * token or a key: what is in them came from the service's refusals, which the host can write too, so it is cut and made visible.
 */

/** The service answered, and the answer was no. `code` is stable: docs/problems.md. */
export class ServiceRefusal extends Error {
  override readonly name = 'ServiceRefusal'
  readonly status: number
  readonly code: string
  readonly detail: string
  /** What the caller can do about it, in the service's words. */
  readonly next: string
  /** Under which the operator finds it: `vouchsafe explain`. */
  readonly requestId: string
  readonly retryAfterSeconds: number | undefined
  /** What operators are to agree to, where that is what is missing: an id for `vouchsafe release approve`. */
  readonly approval: string
  /** Of the session that the question was about, where the refusal says it. */
  readonly sessionState: string
  /** What the service has for that session now, where it says it. Unread. */
  readonly session: unknown
  /** Ids of the checks that evidence failed; empty for any other refusal. */
  readonly failing: readonly string[]

  constructor({
    status,
    document,
    retryAfterSeconds,
  }: {
    readonly status: number
    readonly document: Readonly<Record<string, unknown>>
    readonly retryAfterSeconds?: number | undefined
  }) {
    const code = shown(document.code) || 'no-problem-document'
    const detail = shown(document.detail)
    super(`the service refused with ${status} ${code}: ${detail}`)
    this.status = status
    this.code = code
    this.detail = detail
    // Written for this very evidence, where there is one.
    this.next = shown(document.advice) || shown(document.next)
    this.requestId = shown(document.requestId)
    this.approval = shown(document.approval)
    this.sessionState = shown(document.state)
    this.session = document.session
    this.retryAfterSeconds = retryAfterSeconds
    this.failing = Array.isArray(document.failing) ? document.failing.slice(0, 64).map(shown) : []
  }
}

/** Nothing came, or nothing that this service answers. It may do better later. */
export class ServiceUnreachable extends Error {
  override readonly name = 'ServiceUnreachable'
}

/**
 * Something came that the pinned issuer did not say, or not about this. Never tried again: it is no accident, or the agent's
 * own configuration is wrong.
 */
export class AnswerDistrusted extends Error {
  override readonly name = 'AnswerDistrusted'
}

const LONGEST = 500

function shown(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, LONGEST).replace(/\p{C}/gu, '?') : ''
}
