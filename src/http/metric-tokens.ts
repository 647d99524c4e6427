/** Figures about what the service issues and with what: tokens, keys, and the log that answers for both. */
import { type KeySchedule, signerAt, successorOf } from '../service/key-lifetime.ts'
import type { LogHead } from '../service/log-ports.ts'
import type { SealedKey } from '../service/token-ports.ts'
import type { MetricFamily, MetricSample } from './metrics-text.ts'
import type { TokenFigures } from './token-counts.ts'

export type MeasuredKey = Pick<
  SealedKey,
  'kid' | 'purpose' | 'createdAt' | 'activeFrom' | 'revokedAt'
>

export interface MeasuredLog {
  /** Undefined: nothing was ever logged. */
  readonly head: Pick<LogHead, 'size' | 'at'> | undefined
  readonly waiting: number
}

export interface TokensMeasured {
  readonly at: Date
  readonly tokens: TokenFigures | undefined
  readonly keys: readonly MeasuredKey[]
  readonly log: MeasuredLog | undefined
}

export function tokenFamilies({ at, tokens, keys, log }: TokensMeasured): readonly MetricFamily[] {
  const purposes = [...Map.groupBy(keys, ({ purpose }) => purpose)]
  return [
    {
      name: 'vouchsafe_tokens_issued_total',
      help: 'Tokens that this process issued, by form.',
      type: 'counter',
      samples: Object.entries(tokens?.issued ?? {}).map(([form, value]) => ({
        labels: { form },
        value,
      })),
    },
    {
      name: 'vouchsafe_tokens_revoked_total',
      help: 'Tokens that this process revoked, by reason.',
      type: 'counter',
      samples: Object.entries(tokens?.revoked ?? {}).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
    },
    {
      name: 'vouchsafe_key_age_seconds',
      help: 'For how long the key of a purpose has been in use.',
      type: 'gauge',
      samples: purposes.flatMap(([purpose, own]) =>
        known({ purpose }, ageSeconds(signerAt(own, at)?.activeFrom, at)),
      ),
    },
    {
      name: 'vouchsafe_key_next_active_timestamp_seconds',
      help: 'From when on the next key of a purpose is used, in seconds since 1970; absent while none was made.',
      type: 'gauge',
      samples: purposes.flatMap(([purpose, own]) =>
        known({ purpose }, seconds(successorOf(own, anySchedule, at)?.activeFrom)),
      ),
    },
    {
      name: 'vouchsafe_log_size',
      help: 'Leaves of the transparency log.',
      type: 'gauge',
      samples: known({}, log?.head?.size ?? (log && 0)),
    },
    {
      name: 'vouchsafe_log_checkpoint_age_seconds',
      help: 'How long ago the last checkpoint was signed. It grows while nothing is to be logged.',
      type: 'gauge',
      samples: known({}, ageSeconds(log?.head?.at, at)),
    },
    {
      name: 'vouchsafe_log_waiting',
      help: 'Leaves that are committed and not yet numbered.',
      type: 'gauge',
      samples: known({}, log?.waiting),
    },
  ]
}

/** Whatever the schedule is, a successor is shown. */
const anySchedule: KeySchedule = { rotationMs: 0, overlapMs: 365 * 24 * 3600_000 }

/** What is not known has no sample: 0 would be a figure. */
function known(labels: MetricSample['labels'], value: number | undefined): readonly MetricSample[] {
  return value === undefined ? [] : [{ labels, value }]
}

function seconds(at: Date | undefined): number | undefined {
  return at && at.getTime() / 1000
}

function ageSeconds(since: Date | undefined, at: Date): number | undefined {
  return since && Math.max(0, (at.getTime() - since.getTime()) / 1000)
}
