/** Figures about what agents say in their sessions. How many sessions stand where is for the database to say. */
import type { MetricFamily } from './metrics-text.ts'
import type { MessageCount } from './session-counts.ts'

export function messageFamilies(messages: readonly MessageCount[]): readonly MetricFamily[] {
  return [
    {
      name: 'vouchsafe_session_messages_total',
      help: 'Messages of sessions that this process answered, by kind, and by what became of them: accepted, repeated, or the code of the refusal.',
      type: 'counter',
      samples: messages.map(({ kind, outcome, count: value }) => ({
        labels: { kind, outcome },
        value,
      })),
    },
  ]
}
