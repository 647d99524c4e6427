/** How does this process do? Its memory, its processor time, and how late its timers are, in windows of ten seconds. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'

/** What src/http/metric-machine.ts shows. */
export interface ObservedProcess {
  readonly residentMemory: number
  readonly heapUsed: number
  readonly external: number
  readonly cpuSeconds: number
  readonly startedAt: Date
  readonly eventLoopDelay:
    | { readonly p50: number; readonly p99: number; readonly max: number }
    | undefined
}

export interface ProcessWatch {
  readonly figures: () => ObservedProcess
  readonly stop: () => void
}

const WINDOW_MS = 10_000
const RESOLUTION_MS = 10
const NANOSECONDS = 1e9

/** Keeps no program alive. */
export function watchProcess(): ProcessWatch {
  const startedAt = new Date(Date.now() - process.uptime() * 1000)
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  let eventLoopDelay: ObservedProcess['eventLoopDelay']
  // Windows of our own: each of several scrapers would shorten the others' if reading began a new one.
  const timer = setInterval(() => {
    eventLoopDelay = delaysOf(histogram)
    histogram.reset()
  }, WINDOW_MS).unref()
  return {
    figures() {
      const { rss: residentMemory, heapUsed, external } = process.memoryUsage()
      const { user, system } = process.cpuUsage()
      return {
        residentMemory,
        heapUsed,
        external,
        cpuSeconds: (user + system) / 1e6,
        startedAt,
        eventLoopDelay,
      }
    },
    stop() {
      clearInterval(timer)
      histogram.disable()
    },
  }
}

/** What is measured is the time between two ticks, of which the resolution is no delay. */
function delaysOf(histogram: IntervalHistogram) {
  const seconds = (nanoseconds: number) =>
    Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000)
  return {
    p50: seconds(histogram.percentile(50)),
    p99: seconds(histogram.percentile(99)),
    max: seconds(histogram.max),
  }
}
