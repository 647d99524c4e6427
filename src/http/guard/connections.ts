/** How many connections does one peer hold? A silent one costs its peer nothing, and whoever held them all would keep everybody else out. */
import type { CallerNames } from './caller.ts'

export interface ConnectionShares {
  /**
   * Counts one more connection; undefined where its peer has its share already, and the connection must be closed. What is
   * returned must be called once, when the connection has ended.
   */
  readonly enter: (remoteAddress: string | undefined) => (() => void) | undefined
}

/** One peer has at most this part of all connections. */
const PART = 8
/** However few there are: browsers open six, and a gateway that keeps its connections a few more. */
const LEAST_SHARE = 16

/** A proxy that the configuration names carries everybody: it is bounded by the sum alone, which the server keeps. */
export function connectionShares(mostConnections: number, names: CallerNames): ConnectionShares {
  const share = Math.max(LEAST_SHARE, Math.floor(mostConnections / PART))
  const openOf = new Map<string, number>()
  return {
    enter(remoteAddress) {
      // Gone before it was looked at.
      if (remoteAddress === undefined) return undefined
      if (names.isProxy(remoteAddress)) return () => {}
      const peer = names.callerOf(remoteAddress, null)
      const open = openOf.get(peer) ?? 0
      if (open >= share) return undefined
      openOf.set(peer, open + 1)
      return () => {
        const left = (openOf.get(peer) ?? 0) - 1
        if (left > 0) openOf.set(peer, left)
        else openOf.delete(peer)
      }
    },
  }
}
