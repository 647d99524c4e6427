/** When nobody answered, in memory. */
import type { Outage, SessionStore } from '../service/session-ports.ts'

export function memoryOutages(): Pick<SessionStore, 'serviceAlive'> & {
  readonly forgetOutages: (before: Date) => void
} {
  let last: Date | undefined
  let outages: readonly Outage[] = []
  return {
    async serviceAlive(_, at, { gapMs, since }) {
      if (last && at.getTime() - last.getTime() > gapMs)
        outages = [...outages, { from: last, until: at }]
      if (!last || at > last) last = at
      return outages.filter(({ until }) => until > since)
    },
    forgetOutages(before) {
      outages = outages.filter(({ until }) => until >= before)
    },
  }
}
