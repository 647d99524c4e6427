/** Figures about what the service stands on: its database, what it holds of the vendors, and its process. */
import type { MetricFamily, MetricSample } from './metrics-text.ts'

/** One held document of a vendor, as far as its age matters. */
export interface CollateralHolding {
  /** `amd-crl`, `intel-tcb-info`. */
  readonly document: string
  readonly fetchedAt: Date
  readonly notAfter: Date
}

export interface DatabaseFigures {
  readonly isUp: boolean
  /** Of a statement that does nothing; undefined where there was no answer. */
  readonly latencySeconds: number | undefined
}

export interface ProcessFigures {
  /** Bytes. */
  readonly residentMemory: number
  readonly heapUsed: number
  readonly external: number
  /** User and system, since the process began. */
  readonly cpuSeconds: number
  readonly startedAt: Date
  /** Of the last whole ten seconds; undefined before. */
  readonly eventLoopDelay:
    | { readonly p50: number; readonly p99: number; readonly max: number }
    | undefined
  readonly droppedLogLines: number
}

export interface MachineMeasured {
  readonly at: Date
  readonly database: DatabaseFigures | undefined
  readonly collateral: readonly CollateralHolding[]
  readonly process: ProcessFigures | undefined
}

export function machineFamilies({
  at,
  database,
  collateral,
  process: own,
}: MachineMeasured): readonly MetricFamily[] {
  const documents = [...Map.groupBy(collateral, ({ document }) => document)]
  const delays = Object.entries(own?.eventLoopDelay ?? {})
  return [
    gauge('vouchsafe_database_up', 'Whether the database answers: 1 or 0.', [
      [{}, database && (database.isUp ? 1 : 0)],
    ]),
    gauge(
      'vouchsafe_database_latency_seconds',
      'How long a statement takes that does nothing; absent while the database does not answer.',
      [[{}, database?.latencySeconds]],
    ),
    gauge(
      'vouchsafe_collateral_age_seconds',
      'How long ago the oldest held document of this kind was obtained from its vendor.',
      documents.map(([document, held]) => [
        { document },
        Math.max(...held.map(({ fetchedAt }) => secondsBetween(fetchedAt, at))),
      ]),
    ),
    gauge(
      'vouchsafe_collateral_remaining_seconds',
      'How long until the first held document of this kind ends; negative once it has.',
      documents.map(([document, held]) => [
        { document },
        Math.min(...held.map(({ notAfter }) => secondsBetween(at, notAfter))),
      ]),
    ),
    gauge(
      'vouchsafe_event_loop_delay_seconds',
      'By how much timers were late in the last whole ten seconds: p50, p99 and max.',
      delays.map(([quantile, value]) => [{ quantile }, value]),
    ),
    gauge('vouchsafe_process_resident_memory_bytes', 'Memory of the process in RAM.', [
      [{}, own?.residentMemory],
    ]),
    gauge('vouchsafe_process_heap_used_bytes', 'JavaScript heap in use.', [[{}, own?.heapUsed]]),
    gauge(
      'vouchsafe_process_external_memory_bytes',
      'Memory outside the heap that objects hold, buffers and WebAssembly included.',
      [[{}, own?.external]],
    ),
    {
      ...gauge('vouchsafe_process_cpu_seconds_total', 'Processor time, user and system.', [
        [{}, own?.cpuSeconds],
      ]),
      type: 'counter',
    },
    gauge(
      'vouchsafe_process_start_timestamp_seconds',
      'When the process began, in seconds since 1970.',
      [[{}, own && own.startedAt.getTime() / 1000]],
    ),
    {
      ...gauge(
        'vouchsafe_log_lines_dropped_total',
        'Lines that were not written because nobody read the log.',
        [[{}, own?.droppedLogLines]],
      ),
      type: 'counter',
    },
  ]
}

/** What is not known has no sample: 0 would be a figure. */
function gauge(
  name: string,
  help: string,
  samples: readonly (readonly [MetricSample['labels'], number | undefined])[],
): MetricFamily {
  return {
    name,
    help,
    type: 'gauge',
    samples: samples.flatMap(([labels, value]) => (value === undefined ? [] : [{ labels, value }])),
  }
}

function secondsBetween(from: Date, to: Date): number {
  return (to.getTime() - from.getTime()) / 1000
}
