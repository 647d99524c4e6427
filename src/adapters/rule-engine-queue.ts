/**
 * Whose turn is it at the processes? Policies take turns, so that one whose rules are slow, or whose agents are many, makes
 * the others wait for one of its requests and not for all. Loads have one process, which they may keep from answering.
 */
import type { RuleHost } from './rule-engine-host.ts'

export interface RuleQueue {
  /** What `work` gives; `busy` if too many of this party wait already, or if its turn did not come in time. */
  readonly ask: <T>(party: object, work: (host: RuleHost) => Promise<T>) => Promise<T | 'busy'>
  readonly load: <T>(work: (host: RuleHost) => Promise<T>) => Promise<T>
}

export interface QueueLimits {
  /** Requests of one party that wait. */
  readonly mostWaiting: number
  readonly longestWaitMs: number
}

type Work = (host: RuleHost) => Promise<void>

/** `answering` serves requests only, so that these are never held up by a load. */
export function ruleQueue(
  { answering, loading }: { readonly answering: RuleHost; readonly loading: RuleHost },
  { mostWaiting, longestWaitMs }: QueueLimits,
): RuleQueue {
  const requests = new Map<object, Work[]>()
  const loads: Work[] = []
  const idle = new Set([answering, loading])

  function dispatch(): void {
    for (const host of [answering, loading]) {
      if (!idle.has(host)) continue
      const work = (host === loading ? loads.shift() : undefined) ?? nextRequest(requests)
      if (!work) continue
      idle.delete(host)
      const again = () => {
        idle.add(host)
        dispatch()
      }
      work(host).then(again, again)
    }
  }

  return {
    load: (work) =>
      new Promise((resolve, reject) => {
        loads.push((host) => work(host).then(resolve, reject))
        dispatch()
      }),
    ask: (party, work) =>
      new Promise((resolve, reject) => {
        const own = requests.get(party) ?? []
        if (own.length >= mostWaiting) {
          resolve('busy')
          return
        }
        const request: Work = (host) => {
          clearTimeout(timer)
          return work(host).then(resolve, reject)
        }
        const timer = setTimeout(() => {
          const place = own.indexOf(request)
          if (place !== -1) own.splice(place, 1)
          resolve('busy')
        }, longestWaitMs)
        own.push(request)
        requests.set(party, own)
        dispatch()
      }),
  }
}

/** Of the party that has waited longest for its turn; what is left of its requests goes to the end of the line. */
function nextRequest(requests: Map<object, Work[]>): Work | undefined {
  for (const [party, own] of requests) {
    requests.delete(party)
    const work = own.shift()
    if (own.length > 0) requests.set(party, own)
    if (work) return work
  }
  return undefined
}
