/** Why did the agent not get what it asked for? As the service or the sidecar says it; never with a secret or a token in it. */

export class AgentFault extends Error {
  override readonly name = 'AgentFault'
  /** Stable: docs/agents.md. `endpoint-unreachable` where nobody answered. */
  readonly code: string
  readonly detail: string
  /** What can be done about it. */
  readonly next: string
  /** Of HTTP; 0 where nobody answered. */
  readonly status: number
  /** Under which operators of the service find it; empty where the service was not asked. */
  readonly requestId: string
  /** Ids of the checks that evidence failed. */
  readonly failing: readonly string[]
  readonly retryAfterSeconds: number | undefined

  constructor(document: { readonly [name: string]: unknown }, status: number) {
    const code = textOf(document.code) || 'no-problem-document'
    const detail = textOf(document.detail)
    super(`${code}: ${detail}`)
    this.code = code
    this.detail = detail
    this.next = textOf(document.next)
    this.status = status
    this.requestId = textOf(document.requestId)
    this.failing = Array.isArray(document.failing) ? document.failing.map(textOf) : []
    this.retryAfterSeconds =
      typeof document.retryAfterSeconds === 'number' ? document.retryAfterSeconds : undefined
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
