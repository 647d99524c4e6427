/** What does the local endpoint answer when something is wrong? `{code, detail, next}` as the service does, and never a secret. */
import { AnswerDistrusted, ServiceRefusal, ServiceUnreachable } from '../client/faults.ts'
import { SessionOver } from '../session/session-news.ts'

export interface Answer {
  readonly status: number
  readonly document: Readonly<Record<string, unknown>>
}

/** A wrong question, in words for whoever wrote the program that asked. */
export class WrongQuestion extends Error {
  override readonly name = 'WrongQuestion'
  readonly answer: Answer

  constructor(status: number, code: string, { detail, next }: Sentences) {
    super(detail)
    this.answer = { status, document: { code, detail, next } }
  }
}

interface Sentences {
  readonly detail: string
  readonly next: string
}

export function answerTo(fault: unknown): Answer {
  if (fault instanceof WrongQuestion) return fault.answer
  if (fault instanceof SessionOver)
    return {
      status: 410,
      document: {
        code: 'session-over',
        detail: fault.message,
        next: 'Stop: this agent gets no tokens and no secrets any more. Its operators know why.',
        state: fault.state,
      },
    }
  if (fault instanceof ServiceRefusal) {
    const { status, code, detail, next, failing, approval, requestId, retryAfterSeconds } = fault
    return {
      status,
      document: { code, detail, next, failing, approval, requestId, retryAfterSeconds },
    }
  }
  if (fault instanceof ServiceUnreachable)
    return {
      status: 503,
      document: {
        code: 'service-unreachable',
        detail: fault.message,
        next: 'Ask again in a while: it was tried several times.',
      },
    }
  if (fault instanceof AnswerDistrusted)
    return {
      status: 502,
      document: {
        code: 'answer-distrusted',
        detail: fault.message,
        next: 'Tell your operators: somebody else answers in the place of the service, or the pinned issuer is wrong.',
      },
    }
  return {
    status: 500,
    document: {
      code: 'internal-error',
      detail: 'it failed in a way that it should not',
      next: 'Tell your operators: the sidecar’s own output says more.',
    },
  }
}
