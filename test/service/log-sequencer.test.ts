import { describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { openCheckpoint } from '#src/log/checkpoint.ts'
import { isConsistent } from '#src/log/consistency.ts'
import { verifyLogProof } from '#src/log/log-proof.ts'
import { parseVerifierKey } from '#src/log/note-key.ts'
import { EMPTY_ROOT, leafHashOf, rootOver } from '#src/log/tree-hash.ts'
import type { LogBatch, LogHead } from '#src/service/log-ports.ts'
import { proveConsistency, proveLeaf } from '#src/service/log-proofs.ts'
import type { Store } from '#src/service/ports.ts'
import { naiveRoot } from '../log/naive-tree.ts'
import { AT, checkpointOf, decide, openedLog } from './log-scene.ts'

const plain = ({ checkpoint }: LogHead) => checkpoint

test('a log that has just begun has a signed checkpoint of nothing, under the name of its public URL', async () => {
  const store = memoryStore()
  const { log } = await openedLog(store)
  const key = parseVerifierKey(await log.verifierKey())
  const { note } = await checkpointOf(store)
  const opened = openCheckpoint(note, { log: key })
  expect(opened).toMatchObject({ origin: 'verifier.example/v1/log', size: 0, root: EMPTY_ROOT })
  expect(note.split('\n').slice(0, 3)).toEqual([
    'verifier.example/v1/log',
    '0',
    Buffer.from(EMPTY_ROOT).toString('base64'),
  ])
})

test('what was committed is numbered in order, and its root is the one of RFC 6962', async () => {
  const store = memoryStore()
  const { sequence, log } = await openedLog(store)
  const leaves = []
  for (let n = 0; n < 300; n++) leaves.push((await decide(store)).leafHash)
  await sequence()
  const { size, root, note } = await checkpointOf(store)
  expect(size).toBe(300)
  expect(toHex(root)).toBe(toHex(naiveRoot(leaves)))
  openCheckpoint(note, { log: parseVerifierKey(await log.verifierKey()) })
  const entries = await store.logEntries(0, 300)
  expect(entries.map((entry) => toHex(leafHashOf(entry)))).toEqual(leaves.map(toHex))
})

test('denials stand under the root of their batch, and each is provable alone', async () => {
  const store = memoryStore()
  const { sequence, log } = await openedLog(store)
  const denied = [await decide(store, 'refused')]
  const issued = await decide(store)
  for (let n = 0; n < 4; n++) denied.push(await decide(store, 'refused'))
  await sequence()
  const keys = { log: parseVerifierKey(await log.verifierKey()) }
  expect((await checkpointOf(store)).size).toBe(2)
  const [, batch] = await store.logEntries(0, 2)
  expect(JSON.parse(new TextDecoder().decode(batch))).toEqual({
    at: '2026-06-01T12:00Z',
    count: '5',
    kind: 'denials',
    root: toHex(rootOver(denied.map(({ leafHash }) => leafHash))),
    v: '1',
  })
  for (const leaf of [issued, ...denied]) {
    const proof = await proveLeaf(store, toHex(leaf.leafHash), plain)
    expect(verifyLogProof(proof, keys)).toMatchObject({ leaf: toHex(leaf.leafHash) })
    // Of another denial of the same batch, which is in the log all the same.
    const other = toHex((denied[4] === leaf ? denied[0] : denied[4])?.leafHash ?? new Uint8Array())
    expect(() => verifyLogProof({ ...proof, leaf: other }, keys)).toThrow('does not lead')
  }
})

test('a leaf that waits is told apart from one that is unknown', async () => {
  const store = memoryStore()
  await openedLog(store)
  const { leafHash } = await decide(store)
  const waiting = proveLeaf(store, toHex(leafHash), plain)
  await expect(waiting).rejects.toMatchObject({ code: 'log-leaf-waiting', retryAfterSeconds: 1 })
  const unknown = proveLeaf(store, '0'.repeat(64), plain)
  await expect(unknown).rejects.toMatchObject({ code: 'log-leaf-unknown' })
})

test('nothing is signed anew while nothing was added', async () => {
  const store = memoryStore()
  const { sequence } = await openedLog(store)
  await decide(store)
  await sequence()
  const before = await store.logHead()
  await sequence()
  expect(await store.logHead()).toBe(before)
})

test('more than a batch holds is numbered in one turn, and every checkpoint continues the one before', async () => {
  const store = memoryStore()
  const heads: LogHead[] = []
  const watched: Store = {
    ...store,
    sequenceLog: async (limit, make) => {
      const outcome = await store.sequenceLog(limit, make)
      const head = await store.logHead()
      if (head) heads.push(head)
      return outcome
    },
  }
  const { sequence } = await openedLog(watched)
  for (let n = 0; n < 2500; n++) await decide(store)
  await sequence()
  expect(heads.map(({ size }) => size)).toEqual([0, 1024, 2048, 2500])
  const [, older, newer] = heads
  if (!older || !newer) throw new Error('too few heads')
  const { proof } = await proveConsistency(store, { from: older.size, to: newer.size })
  const hashes = proof.map((hash) => new Uint8Array(Buffer.from(hash, 'hex')))
  expect(isConsistent(older, newer, hashes)).toBe(true)
})

test('replicas that start together have one key and one log, whatever each calls itself', async () => {
  const store = memoryStore()
  const replicas = await Promise.all(
    ['https://a.example', 'https://b.example'].map((publicUrl) => openedLog(store, { publicUrl })),
  )
  await decide(store)
  for (const { sequence } of replicas) await sequence()
  const keys = new Set(await Promise.all(replicas.map(({ log }) => log.verifierKey())))
  expect(keys.size).toBe(1)
  expect(replicas.map(({ log }) => log.fault())).toEqual([undefined, undefined])
  expect((await checkpointOf(store)).size).toBe(1)
})

test('a service that is reached under another name keeps the name of its log', async () => {
  const store = memoryStore()
  await openedLog(store)
  await decide(store)
  const moved = await openedLog(store, { publicUrl: 'https://elsewhere.example' })
  await moved.sequence()
  expect(await checkpointOf(store)).toMatchObject({ origin: 'verifier.example/v1/log', size: 1 })
})

/** A store whose log is another one than was written. */
function altered(store: Store, change: Partial<Store>): Store {
  return { ...store, ...change }
}

describe('the log stands still, says so, and signs nothing', () => {
  /** A log of three leaves with one more waiting, and then whatever went wrong. */
  async function scene(change: (store: Store) => Promise<Partial<Store>> | Partial<Store>) {
    const store = memoryStore()
    let current: Store = store
    const through: Store = {
      ...store,
      logHead: () => current.logHead(),
      logTile: (level, index) => current.logTile(level, index),
      sequenceLog: (limit, make) => current.sequenceLog(limit, make),
    }
    const opened = await openedLog(through)
    for (let n = 0; n < 3; n++) await decide(store)
    await opened.sequence()
    const head = (await checkpointOf(store)).head
    const extra = await change(store)
    await decide(store)
    current = altered(store, {
      sequenceLog: (limit, make) =>
        store.sequenceLog(limit, async (transaction) => {
          const seen = {
            head: extra.logHead ? await extra.logHead() : transaction.head,
            tile: extra.logTile ?? transaction.tile,
            waiting: transaction.waiting,
          }
          const made = await make(seen)
          signed.push(made)
          return made
        }),
      ...extra,
    })
    const signed: (LogBatch | undefined)[] = []
    await opened.sequence()
    return { ...opened, store, head, signed, mend: () => (current = store) }
  }

  async function expectStopped(
    { log, journal, signed, sequence, mend, store }: Awaited<ReturnType<typeof scene>>,
    reason: RegExp,
  ) {
    expect(log.fault()).toMatch(reason)
    expect(signed).toEqual([])
    await sequence()
    const told = journal.filter(({ event }) => event === 'log.stopped')
    expect(told).toEqual([{ event: 'log.stopped', at: AT, fields: { reason: log.fault() } }])
    mend()
    await sequence()
    expect(log.fault()).toBeUndefined()
    expect(journal.at(-1)?.event).toBe('log.resumed')
    expect((await checkpointOf(store)).size).toBe(4)
  }

  test('when the database is older than what this process signed', async () => {
    const empty = memoryStore()
    await openedLog(empty)
    const older = await empty.logHead()
    await expectStopped(await scene(() => ({ logHead: async () => older })), /older than what/)
  })

  test('when the database has lost its log', async () => {
    await expectStopped(await scene(() => ({ logHead: async () => undefined })), /log of 0 leaves/)
  })

  test('when the head is of another log of the same size', async () => {
    const stopped = await scene(async (store) => {
      const other = memoryStore()
      // The same key: whoever restores a database may fork its log.
      for (const key of await store.keysFor('log')) await other.keepFirstKey(key)
      const { sequence } = await openedLog(other)
      for (let n = 0; n < 3; n++) await decide(other)
      await sequence()
      return { logHead: other.logHead, logTile: other.logTile }
    })
    await expectStopped(stopped, /another log of 3 leaves/)
  })

  test('when a larger log does not continue the one that was signed', async () => {
    const stopped = await scene(async (store) => {
      const other = memoryStore()
      for (const key of await store.keysFor('log')) await other.keepFirstKey(key)
      const { sequence } = await openedLog(other)
      for (let n = 0; n < 7; n++) await decide(other)
      await sequence()
      return { logHead: other.logHead, logTile: other.logTile }
    })
    await expectStopped(stopped, /7 leaves do not continue the 3/)
  })

  test('when a tile was altered', async () => {
    const stopped = await scene((store) => ({
      async logTile(level, index) {
        const tile = (await store.logTile(level, index))?.slice()
        if (tile) tile[40] = (tile[40] ?? 0) ^ 1
        return tile
      },
    }))
    await expectStopped(stopped, /tiles have another root/)
  })

  test('when a tile is missing', async () => {
    const stopped = await scene(() => ({ logTile: async () => undefined }))
    await expectStopped(stopped, /tile 0\/0 has 0 hashes/)
  })

  test('when the checkpoint bears no signature that holds', async () => {
    const stopped = await scene(async (store) => {
      const head = await store.logHead()
      if (!head) throw new Error('no head')
      const checkpoint = head.checkpoint.replace(
        /(.)(.{3})\n$/,
        (_, a, b) => `${a === 'A' ? 'B' : 'A'}${b}\n`,
      )
      return { logHead: async () => ({ ...head, checkpoint }) }
    })
    await expectStopped(stopped, /signature of .* does not hold/)
  })

  test('when the row of the head says another size than its checkpoint', async () => {
    const stopped = await scene(async (store) => {
      const head = await store.logHead()
      if (!head) throw new Error('no head')
      return { logHead: async () => ({ ...head, size: 4 }) }
    })
    await expectStopped(stopped, /says 4 leaves, and its checkpoint 3/)
  })
})

test('an entry that was changed while it waited is not logged', async () => {
  const store = memoryStore()
  const { sequence, log } = await openedLog(store)
  await decide(store, 'issued', { entry: new TextEncoder().encode('{"kind":"issuance"}') })
  await sequence()
  expect(log.fault()).toMatch(/its entry hashes to something else/)
  expect((await checkpointOf(store)).size).toBe(0)
})

test('a rollback is noticed though nothing waits', async () => {
  const store = memoryStore()
  let isLost = false
  const { sequence, log } = await openedLog({
    ...store,
    logHead: async () => (isLost ? undefined : await store.logHead()),
  })
  isLost = true
  await sequence()
  expect(log.fault()).toMatch(/older than what/)
})

test('trouble of the database is left to whoever runs the chores, and is no fault of the log', async () => {
  const store = memoryStore()
  let isAway = false
  const { sequence, log } = await openedLog({
    ...store,
    sequenceLog: async (limit, make) => {
      if (isAway) throw new Error('connection lost')
      return await store.sequenceLog(limit, make)
    },
  })
  isAway = true
  await expect(sequence()).rejects.toThrow('connection lost')
  expect(log.fault()).toBeUndefined()
})
