/** Figures about requests: how many, how fast, how many at once, and how many were turned away. */
import type { MetricFamily, MetricSample } from './metrics-text.ts'
import { durationBounds, type RequestFigures, type RouteFigures } from './request-counts.ts'

export interface AdmissionFigures {
  readonly inFlight: number
  readonly waiting: number
}

export function requestFamilies(
  requests: RequestFigures | undefined,
  admission: AdmissionFigures | undefined,
): readonly MetricFamily[] {
  return [
    {
      name: 'vouchsafe_http_requests_total',
      help: 'Requests that were answered, by method, route and class of status. The route "other" is whatever is none.',
      type: 'counter',
      samples: (requests?.routes ?? []).map((route) => ({
        labels: labelsOf(route),
        value: route.count,
      })),
    },
    {
      name: 'vouchsafe_http_request_duration_seconds',
      help: 'From the head of a request to its answer, by method, route and class of status.',
      type: 'histogram',
      samples: (requests?.routes ?? []).flatMap(histogram),
    },
    {
      name: 'vouchsafe_http_requests_in_flight',
      help: 'Requests that are being answered now.',
      type: 'gauge',
      samples: single(requests?.inFlight),
    },
    {
      name: 'vouchsafe_http_requests_turned_away_total',
      help: 'Requests that were refused before any work was done for them, with 503 (overload) or 429 (caller-rate, tenant-rate).',
      type: 'counter',
      samples: Object.entries(requests?.turnedAway ?? {}).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
    },
    {
      name: 'vouchsafe_admission_in_flight',
      help: 'Attestations at work now.',
      type: 'gauge',
      samples: single(admission?.inFlight),
    },
    {
      name: 'vouchsafe_admission_waiting',
      help: 'Attestations that wait for their turn.',
      type: 'gauge',
      samples: single(admission?.waiting),
    },
  ]
}

function labelsOf({ method, path, statusClass }: RouteFigures) {
  return { method, route: path, status: statusClass }
}

function histogram(route: RouteFigures): readonly MetricSample[] {
  const labels = labelsOf(route)
  const bucket = (le: string, value: number): MetricSample => ({
    suffix: '_bucket',
    labels: { ...labels, le },
    value,
  })
  return [
    ...durationBounds.map((bound, index) => bucket(String(bound), route.within[index] ?? 0)),
    bucket('+Inf', route.count),
    { suffix: '_sum', labels, value: route.seconds },
    { suffix: '_count', labels, value: route.count },
  ]
}

function single(value: number | undefined): readonly MetricSample[] {
  return value === undefined ? [] : [{ labels: {}, value }]
}
