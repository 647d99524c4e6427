/** Figures about what is watched, and who is told: sessions by their standing, and how far webhooks are behind. */
import type { Standing } from '../service/session-ports.ts'
import type { WebhookFigures } from '../service/webhooks.ts'
import type { MetricFamily } from './metrics-text.ts'

export interface MeasuredSessions {
  readonly tenant: string
  readonly standings: Readonly<Record<Standing, number>>
  /** Of the open ones, lately. */
  readonly heard: number
}

export interface StandingsMeasured {
  readonly at: Date
  readonly sessions: readonly MeasuredSessions[]
  readonly webhooks: readonly WebhookFigures[]
}

/** Two heartbeats, as manifests have them by default: whoever was heard since then is ACTIVE. */
export const HEARD_MS = 20_000

export function standingFamilies({
  at,
  sessions,
  webhooks,
}: StandingsMeasured): readonly MetricFamily[] {
  const lags = webhooks.flatMap(({ name, lag }) => (lag ? [{ name, ...lag }] : []))
  return [
    {
      name: 'vouchsafe_sessions',
      help: 'Sessions of a tenant by what was decided about them.',
      type: 'gauge',
      samples: sessions.flatMap(({ tenant, standings }) =>
        Object.entries(standings).map(([standing, value]) => ({
          labels: { tenant, standing },
          value,
        })),
      ),
    },
    {
      name: 'vouchsafe_sessions_heard',
      help: 'Open sessions of a tenant that were heard in the last 20 s.',
      type: 'gauge',
      samples: sessions.map(({ tenant, heard: value }) => ({ labels: { tenant }, value })),
    },
    {
      name: 'vouchsafe_webhook_failures',
      help: 'How often in a row a webhook did not take an event; shown by the replica that tells it.',
      type: 'gauge',
      samples: lags.map(({ name, failures: value }) => ({ labels: { webhook: name }, value })),
    },
    {
      name: 'vouchsafe_webhook_lag_seconds',
      help: 'Age of the oldest event that a webhook has not taken yet; 0 where it took all.',
      type: 'gauge',
      samples: lags.map(({ name, oldestWaiting }) => ({
        labels: { webhook: name },
        value: oldestWaiting ? Math.max(0, (at.getTime() - oldestWaiting.getTime()) / 1000) : 0,
      })),
    },
  ]
}
