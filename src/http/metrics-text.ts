/**
 * The Prometheus text exposition format, version 0.0.4. Our own and not prom-client: that one counts into a global
 * registry, while nearly every figure here is read from the state at the moment it is asked for, and what remains is the
 * page of text below.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */

export interface MetricFamily {
  /** `[a-zA-Z_:][a-zA-Z0-9_:]*` */
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly samples: readonly MetricSample[]
}

export interface MetricSample {
  /** What a histogram's samples add to its name. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
  /** Names match `[a-zA-Z_][a-zA-Z0-9_]*`; values are any text: some of it was sent by others. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** A family without samples is left out: nothing is known is not the same as zero. */
export function metricsText(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${escaped(help)}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(
          ({ suffix = '', labels, value }) =>
            `${name}${suffix}${labelsText(labels)} ${numberText(value)}`,
        ),
        '',
      ].join('\n'),
    )
    .join('')
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** A carriage return has no escape, and some readers end a line at it. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', ' ')
}

/** As Go's ParseFloat reads it. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}
