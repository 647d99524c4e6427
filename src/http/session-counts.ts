/** How many messages of sessions came, of which kind, and what became of them? Counted where they are answered, whichever way. */
import type { ProblemCode } from '../problems.ts'

const messageKinds = ['open', 'heartbeat', 'quote', 'tokens', 'close'] as const
export type MessageKind = (typeof messageKinds)[number]
/** `failed`: our own fault. Otherwise the code of the problem, of which there are few. */
export type MessageOutcome = 'accepted' | 'repeated' | 'failed' | ProblemCode

export interface SessionCounts {
  readonly count: (kind: MessageKind, outcome: MessageOutcome) => void
  /** Since this process began; what was accepted is there from the start, so that a rate has a beginning. */
  readonly figures: () => readonly MessageCount[]
}

export interface MessageCount {
  readonly kind: MessageKind
  readonly outcome: MessageOutcome
  readonly count: number
}

export function sessionCounts(): SessionCounts {
  const counted = new Map<MessageKind, Map<MessageOutcome, number>>(
    messageKinds.map((kind) => [kind, new Map([['accepted', 0]])]),
  )
  return {
    count(kind, outcome) {
      const own = counted.get(kind)
      own?.set(outcome, (own.get(outcome) ?? 0) + 1)
    },
    figures: () =>
      [...counted].flatMap(([kind, own]) =>
        [...own].map(([outcome, count]) => ({ kind, outcome, count })),
      ),
  }
}
