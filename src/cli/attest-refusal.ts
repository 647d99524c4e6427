/** How is it told that the service said no to an agent? An answer, and no fault: exit code 2 wherever it ends a command. */
import { printable } from './text.ts'

/** In the service's words. */
export interface Refusal {
  readonly verdict: 'refused'
  readonly issuer: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly next: string
  /** Checks that the evidence failed. */
  readonly failing: readonly string[]
  readonly requestId: string
}

/** Thrown where a command needs what was refused, and has more to do than to attest. */
export class AgentRefused extends Error {
  override readonly name = 'AgentRefused'
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(`the service refused with ${refusal.status} ${refusal.code}`)
    this.refusal = refusal
  }
}

export function refusalText({ status, code, detail, failing, next, requestId }: Refusal): string {
  return [
    `REFUSED ${status} ${printable(code)}`,
    printable(detail),
    ...(failing.length > 0 ? [`failing: ${failing.map(printable).join(', ')}`] : []),
    `What to do: ${printable(next)}`,
    `Request ${printable(requestId)}: an operator sees more with \`vouchsafe explain\`.`,
    '',
  ].join('\n')
}
