/**
 * How many requests were answered, how fast, how many are under way, and how many were turned away before any work was
 * done for them? Counted by route as the contract writes it and never by the path that was asked for: anybody can make up
 * any number of those, and every one would be a row for ever.
 */

export interface RequestCounts {
  /** To be called when a request comes in; what it returns is called once, when its answer is ready to be sent. */
  readonly begin: (route: CountedRoute) => (status: number) => void
  /** The guard refused the request: it answers 503 for `overload`, 429 for the others. */
  readonly turnedAway: (reason: TurnedAway) => void
  readonly figures: () => RequestFigures
}

export interface CountedRoute {
  readonly method: string
  /** `/v1/policies/{tenant}`, or OTHER_ROUTE for what is no route of ours. */
  readonly path: string
}

export const OTHER_ROUTE = 'other'

export type TurnedAway = 'overload' | 'caller-rate' | 'tenant-rate'

export interface RequestFigures {
  readonly inFlight: number
  readonly routes: readonly RouteFigures[]
  readonly turnedAway: Readonly<Record<TurnedAway, number>>
}

export interface RouteFigures extends CountedRoute {
  readonly statusClass: StatusClass
  readonly count: number
  readonly seconds: number
  /** By the bounds of `durationBounds`: how many took at most that long. */
  readonly within: readonly number[]
}

export type StatusClass = '2xx' | '3xx' | '4xx' | '5xx'

/**
 * Seconds. Around the goals that are stated for an attestation (25 ms at half load, 50 ms at 70 %), and up to the 20 s after
 * which a slow request is cut off.
 */
export const durationBounds: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
]

interface Counted extends CountedRoute {
  readonly statusClass: StatusClass
  count: number
  seconds: number
  /** Each alone, and one more for what took longer than every bound. */
  readonly buckets: number[]
}

/** `elapsed`: milliseconds that only ever rise. */
export function requestCounts(elapsed: () => number = () => performance.now()): RequestCounts {
  let inFlight = 0
  const counted = new Map<string, Counted>()
  const turnedAway = { overload: 0, 'caller-rate': 0, 'tenant-rate': 0 }

  function count(route: CountedRoute, status: number, seconds: number): void {
    const own = countedFor(counted, route, classOf(status))
    own.count++
    own.seconds += seconds
    const bucket = bucketOf(seconds)
    own.buckets[bucket] = (own.buckets[bucket] ?? 0) + 1
  }

  return {
    begin(route) {
      inFlight++
      const began = elapsed()
      let isOver = false
      return (status) => {
        if (isOver) return
        isOver = true
        inFlight--
        count(route, status, Math.max(0, elapsed() - began) / 1000)
      }
    },
    turnedAway(reason) {
      turnedAway[reason]++
    },
    figures: () => ({
      inFlight,
      turnedAway: { ...turnedAway },
      routes: [...counted.values()].map(({ buckets, ...rest }) => ({
        ...rest,
        within: cumulative(buckets),
      })),
    }),
  }
}

function countedFor(
  counted: Map<string, Counted>,
  { method, path }: CountedRoute,
  statusClass: StatusClass,
): Counted {
  const name = `${method} ${path} ${statusClass}`
  let own = counted.get(name)
  if (!own) {
    const buckets = new Array<number>(durationBounds.length + 1).fill(0)
    own = { method, path, statusClass, count: 0, seconds: 0, buckets }
    counted.set(name, own)
  }
  return own
}

/** 1xx is never an answer; what is no status at all was a failure of ours. */
function classOf(status: number): StatusClass {
  if (status >= 200 && status < 300) return '2xx'
  if (status >= 300 && status < 400) return '3xx'
  return status >= 400 && status < 500 ? '4xx' : '5xx'
}

function bucketOf(seconds: number): number {
  const found = durationBounds.findIndex((bound) => seconds <= bound)
  return found === -1 ? durationBounds.length : found
}

function cumulative(buckets: readonly number[]): readonly number[] {
  let sum = 0
  return durationBounds.map((_, index) => {
    sum += buckets[index] ?? 0
    return sum
  })
}
