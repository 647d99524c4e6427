/** How many connections does one peer hold? A silent one costs its peer nothing, and whoever held them all would keep everybody else out. */
import type { CallerNames } from './caller.ts'

export interface ConnectionShares {
  /**
   * Counts one more connection; undefined where its peer has its share already, and the connection must be closed. What is
   * returned must be called once, when the connection has ended.
   */
  readonly enter: (remoteAddress: string | undefined) => (() => void) | undefined
  /** Whether the peer holds more than it would get now: whatever connection is answered next should be its last answer. */
  readonly isBeyondShare: (remoteAddress: string | undefined) => boolean
}

/**
 * One peer has at most this part of what the others leave, so that shares shrink as the room fills. Those who hold more from
 * before are asked to close: N peers come to hold N / (N + 7) of the room between them, eight about half of it, 64 all
 * but a tenth. Some hundreds still fill it.
 */
const PART = 8
/** While there is room for others: browsers open six, and a gateway that keeps its connections a few more. */
const LEAST_SHARE = 16

/** A proxy that the configuration names carries everybody: it is bounded by the sum alone, which the server keeps. */
export function connectionShares(mostConnections: number, names: CallerNames): ConnectionShares {
  const openOf = new Map<string, number>()
  let all = 0

  function shareBeside(others: number): number {
    const left = Math.max(0, mostConnections - others)
    const least = isCrowded(others) ? 0 : Math.min(LEAST_SHARE, Math.ceil(left / 2))
    return Math.max(least, Math.ceil(left / PART))
  }

  function isCrowded(connections: number): boolean {
    return connections * 2 >= mostConnections
  }

  return {
    isBeyondShare(remoteAddress) {
      // Whoever asks does so for every request, and mostly there is room.
      if (!isCrowded(all) || remoteAddress === undefined || names.isProxy(remoteAddress))
        return false
      const open = openOf.get(names.callerOf(remoteAddress, null)) ?? 0
      return open > shareBeside(all - open)
    },
    enter(remoteAddress) {
      // Gone before it was looked at.
      if (remoteAddress === undefined) return undefined
      const peer = names.isProxy(remoteAddress) ? undefined : names.callerOf(remoteAddress, null)
      if (peer !== undefined) {
        const open = openOf.get(peer) ?? 0
        if (open >= shareBeside(all - open)) return undefined
        openOf.set(peer, open + 1)
      }
      all += 1
      return () => {
        all -= 1
        if (peer === undefined) return
        const left = (openOf.get(peer) ?? 0) - 1
        if (left > 0) openOf.set(peer, left)
        else openOf.delete(peer)
      }
    },
  }
}
