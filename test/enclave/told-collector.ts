/** A collector that says what the test says, in the way in which collector.ts demands it: everything again until it is confirmed. */
import { randomUUID } from 'node:crypto'
import type { Collector, ModelSpending } from '../../enclave/measure/collector.ts'

export interface ToldCollector extends Collector {
  /** Joins what is new. */
  readonly happened: (what: { readonly measurement?: string; readonly behaviour?: string }) => void
  /** Nonces that it was asked with. */
  readonly nonces: string[]
  readonly spendings: ModelSpending[]
  readonly states: string[]
  dropped: number
  /** Events of each kind that one answer holds. */
  most: number
  restarts: number
  isClosed: boolean
}

export const COLLECTOR = `sha256:${'c0'.repeat(32)}`

export function measurementOf(name: string, digit = '1'): string {
  return JSON.stringify({
    kind: 'library',
    path: `/usr/lib/${name}.so`,
    digest: `sha256:${digit.repeat(64)}`,
  })
}

export function behaviourOf(port: number): string {
  return JSON.stringify({
    ...{ kind: 'connection', pid: 7, comm: 'agent', address: '192.0.2.1', port },
    ...{ host: 'kms.example', verdict: 'allowed' },
  })
}

/** `uptimeMs`: of the machine. */
export function toldCollector(uptimeMs: () => number): ToldCollector {
  const measured: string[] = []
  let confirmed = 0
  let behaved: string[] = []
  const collector: ToldCollector = {
    collector: COLLECTOR,
    boot: randomUUID(),
    modes: ['files'],
    nonces: [],
    spendings: [],
    states: [],
    dropped: 0,
    most: 2048,
    restarts: 0,
    isClosed: false,
    happened({ measurement, behaviour }) {
      if (measurement !== undefined) measured.push(measurement)
      if (behaviour !== undefined) behaved.push(behaviour)
    },
    async measure(challenge) {
      if (challenge) collector.nonces.push(challenge.nonce)
      const { most } = collector
      return {
        measurement: measured.slice(confirmed, confirmed + most),
        behaviour: behaved.slice(0, most),
        dropped: collector.dropped,
        uptimeMs: uptimeMs(),
        isComplete: measured.length - confirmed <= most && behaved.length <= most,
      }
    },
    confirm(accepted) {
      confirmed += accepted.measurement
      behaved = behaved.slice(accepted.behaviour)
    },
    restart() {
      confirmed = 0
      collector.restarts++
    },
    spent: (usage) => collector.spendings.push(usage),
    report: () => {},
    changedState: (path) => collector.states.push(path),
    async close() {
      collector.isClosed = true
    },
  }
  return collector
}
