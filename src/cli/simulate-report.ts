/** What does a simulated fleet look like while it runs, and at the end? */
import { printable } from './text.ts'

export interface FleetSeen {
  readonly phase: string
  readonly seconds: number
  readonly open: number
  readonly heartbeatsPerSecond: number
  readonly heartbeats: Spread
  readonly errors: number
}

interface Spread {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

type Codes = Readonly<Record<string, number>>

export interface FleetDone {
  readonly agents: number
  readonly open: number
  readonly heartbeatSeconds: number
  readonly opening: { readonly seconds: number; readonly latency: Spread; readonly errors: Codes }
  readonly measured: {
    readonly seconds: number
    readonly heartbeatsPerSecond: number
    readonly heartbeats: Spread
    readonly quotes: Spread
    readonly tokens: Spread
    readonly errors: Codes
    readonly overrun: number
  }
  readonly states: Codes
  readonly generator: {
    readonly cpuPercent: number
    readonly residentMiB: number
    readonly lateP99Ms: number
    readonly connections: number
  }
  readonly service: readonly {
    readonly pid: number
    readonly cpuPercent: number
    readonly residentMiB: number
    readonly peakMiB: number
  }[]
}

/** One line each second; on a terminal over the one before. */
export function fleetLine(
  { phase, seconds, open, heartbeatsPerSecond, heartbeats, errors }: FleetSeen,
  { terminal }: { readonly terminal: boolean },
): string {
  const line = `${phase.padEnd(9)} ${String(Math.round(seconds)).padStart(4)} s  ${open} open  ${heartbeatsPerSecond} heartbeats/s  p50 ${heartbeats.p50} ms  p99 ${heartbeats.p99} ms  ${errors} errors`
  return terminal ? `\r${line.padEnd(100)}` : `${line}\n`
}

export function fleetTable({
  agents,
  open,
  heartbeatSeconds,
  opening,
  measured,
  states,
  generator,
  service,
}: FleetDone): string {
  const rows: readonly (readonly [string, string])[] = [
    [
      'agents',
      `${open} open of ${agents}, each with its own keys and session; they share one machine`,
    ],
    ['opening', `${opening.seconds} s, ${spread(opening.latency)}`],
    ['', `refused: ${codes(opening.errors)}`],
    [
      'heartbeats',
      `every ${heartbeatSeconds} s: ${measured.heartbeatsPerSecond}/s over ${measured.seconds} s`,
    ],
    ['', spread(measured.heartbeats)],
    ['quotes', spread(measured.quotes)],
    ['tokens', spread(measured.tokens)],
    ['refused', codes(measured.errors)],
    ['overrun', `${measured.overrun} heartbeats were due before the last one was answered`],
    ['states', codes(states)],
    ...service.map(
      ({ pid, cpuPercent, residentMiB, peakMiB }) =>
        [
          'service',
          `process ${pid}: ${cpuPercent} % of a core, ${residentMiB} MiB resident, at most ${peakMiB}`,
        ] as const,
    ),
    [
      'generator',
      `${generator.cpuPercent} % of a core, ${generator.residentMiB} MiB, at most ${generator.connections} connections, its clock ${generator.lateP99Ms} ms late (p99)`,
    ],
  ]
  return rows.map(([name, text]) => `${name.padEnd(11)}${printable(text)}\n`).join('')
}

function spread({ count, p50, p95, p99, max }: Spread): string {
  if (count === 0) return 'none'
  return `${count} answered: p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, worst ${max} ms`
}

function codes(counts: Codes): string {
  return (
    Object.entries(counts)
      .map(([code, count]) => `${code} ${count}`)
      .join(', ') || 'none'
  )
}
