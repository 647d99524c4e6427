/** The transparency log, in memory. */
import { toHex } from '../bytes/encoding.ts'
import type {
  LeafPlace,
  LogBatch,
  LogHead,
  LogStore,
  PendingLeaf,
  WaitingLeaf,
} from '../service/log-ports.ts'
import { refuseGap } from './log-continuity.ts'
import { fault } from './memory-fault.ts'

export function memoryLog(): LogStore & {
  readonly queue: (leaves: readonly PendingLeaf[]) => void
} {
  const waiting = new Map<number, WaitingLeaf>()
  const places = new Map<string, LeafPlace>()
  const bodies = new Map<string, PendingLeaf>()
  const tiles = new Map<string, Uint8Array>()
  const entries: Uint8Array[] = []
  const denials = new Map<number, readonly Uint8Array[]>()
  let head: LogHead | undefined
  let next = 1
  let isBusy = false
  const tile = async (level: number, index: number) => tiles.get(`${level}/${index}`)

  function keep(batch: LogBatch): void {
    refuseGap(head, batch)
    if (!batch.taken.every((id) => waiting.has(id)))
      throw fault('a leaf that is taken does not wait')
    for (const { index, entry, leafHash } of batch.entries) {
      entries[index] = entry
      places.set(toHex(leafHash), { in: 'log', index })
    }
    for (const { index, position, leafHash } of batch.denials)
      places.set(toHex(leafHash), { in: 'denials', index, position })
    for (const [index, each] of Map.groupBy(batch.denials, (denial) => denial.index))
      denials.set(
        index,
        each.toSorted((a, b) => a.position - b.position).map(({ leafHash }) => leafHash),
      )
    for (const { level, index, hashes } of batch.tiles) tiles.set(`${level}/${index}`, hashes)
    for (const id of batch.taken) waiting.delete(id)
    head = batch.head
  }

  return {
    queue(leaves) {
      const names = leaves.map(({ leafHash }) => toHex(leafHash))
      if (
        new Set(names).size < names.length ||
        names.some((name) => places.get(name)?.in === 'waiting')
      )
        throw fault('a leaf of that hash waits already')
      for (const leaf of leaves) {
        const { kind, entry, leafHash } = leaf
        waiting.set(next, { id: next, kind, entry, leafHash })
        next += 1
        places.set(toHex(leafHash), { in: 'waiting' })
        bodies.set(toHex(leafHash), leaf)
      }
    },
    async sequenceLog(limit, make) {
      if (isBusy) return 'busy'
      if (waiting.size === 0 && head) return 'nothing'
      isBusy = true
      try {
        const batch = await make({ head, waiting: [...waiting.values()].slice(0, limit), tile })
        if (!batch) return 'nothing'
        keep(batch)
        return 'sequenced'
      } finally {
        isBusy = false
      }
    },
    logHead: async () => head,

    countWaitingLeaves: async () => waiting.size,
    logTile: tile,
    logEntries: async (first, count) => entries.slice(first, first + count),
    leafPlace: async (leafHash) => places.get(toHex(leafHash)),
    denialBatch: async (index) => denials.get(index) ?? [],
    oldestDenials: async (limit) =>
      [...denials.keys()]
        .toSorted((a, b) => a - b)
        .slice(0, limit)
        .flatMap((index) => {
          const entry = entries[index]
          return entry ? [{ index, entry }] : []
        }),
    async forgetDenials(index) {
      const hashes = denials.get(index) ?? []
      for (const hash of hashes) {
        places.delete(toHex(hash))
        bodies.delete(toHex(hash))
      }
      denials.delete(index)
      return hashes.length
    },
    async leafBody(leafHash) {
      const leaf = bodies.get(toHex(leafHash))
      if (!leaf) return undefined
      const { leafHash: _, ...body } = leaf
      return body
    },
  }
}
