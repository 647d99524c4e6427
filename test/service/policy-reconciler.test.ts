/** Real commits in, conditions and a policy in force out: over restarts, other replicas, lost clones and restored databases. */
import { renameSync, rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { systemRandom } from '#src/adapters/system.ts'
import { HistoryFault } from '#src/policy/acceptance/acceptance.ts'
import { Problem } from '#src/problems.ts'
import { linkAfter } from '#src/service/acceptance-chain.ts'
import { policyLeaf } from '#src/service/log-leaves.ts'
import type { PolicyMirror, PolicyRecord } from '#src/service/policy-ports.ts'
import type { Store } from '#src/service/ports.ts'
import {
  alice,
  BOT,
  bob,
  clockwork,
  heartbeatYaml,
  mallory,
  manifest,
  type PolicyRepository,
  policyRepository,
  reset,
  withHeartbeat,
} from '../git/policy-repository.ts'
import { type Rig, rig, T0 } from './reconciliation.ts'

const MINUTE = 60_000
let repository: PolicyRepository
let rigs: Rig[]

beforeEach(async () => {
  repository = await policyRepository()
  rigs = []
})
afterEach(() => {
  repository.remove()
  for (const each of rigs) each.remove()
})

function made(change: Parameters<typeof rig>[1] = {}): Rig {
  const one = rig(repository.path, change)
  rigs.push(one)
  return one
}

/** A database that says otherwise about the one policy it knows, in a history that agrees with it. */
async function saying(store: Store, change: Partial<PolicyRecord>): Promise<Store> {
  const record = await store.policyOf('t')
  if (!record) throw new Error('nothing was accepted')
  const changed = { ...record, ...change }
  return {
    ...store,
    policyOf: async () => changed,
    acceptancesOf: async () => [linkAfter(undefined, changed)],
  }
}

const later = (one: Rig, ms: number) => {
  one.clock.at = new Date(one.clock.at.getTime() + ms)
}
const events = ({ journal }: Rig) =>
  journal.map(({ event, fields }) => `${event} ${fields?.condition ?? fields?.source ?? ''}`.trim())
const newManifest = (generation: number) => ({ [BOT]: manifest({ generation }) })

describe('a signed repository', () => {
  test('is read, accepted and in force, and its history begins', async () => {
    const r = made()
    expect(r.source.accepted()).toBeUndefined()
    expect(r.names()).toEqual(['Fetching'])
    await r.source.refresh()
    expect(r.names()).toEqual(['Synced'])
    expect(r.source.accepted()?.commit).toBe(repository.first)
    expect(await r.store.policyOf('t')).toMatchObject({
      commit: repository.first,
      sequence: 1,
      digest: r.source.accepted()?.digest,
      marks: { [BOT]: 42 },
    })
    expect(await r.store.acceptancesOf('t')).toHaveLength(1)
    expect(await r.store.enforcementPoints('t')).toMatchObject([
      { name: 'replica-1', kind: 'verifier', commit: repository.first, reportedAt: r.clock.at },
    ])
    expect(events(r)).toEqual(['policy.accepted remote'])
  })

  test('that changes is followed, and who was told of the change knows both policies', async () => {
    const told: unknown[] = []
    const r = made({ onAccepted: ({ from, to }) => told.push([from?.commit, to.commit]) })
    await r.source.refresh()
    const second = await repository.commit({ files: newManifest(43) })
    later(r, MINUTE)
    await r.source.refresh()
    expect(r.source.accepted()?.commit).toBe(second)
    expect(r.source.accepted()?.provenanceOf(BOT)).toEqual({ commit: second, principal: 'alice' })
    expect(await r.store.policyOf('t')).toMatchObject({ sequence: 2, marks: { [BOT]: 43 } })
    expect(told).toEqual([
      [undefined, repository.first],
      [repository.first, second],
    ])
    expect(r.journal.at(-1)?.fields).toMatchObject({ judged: [`${second} by alice`] })
  })

  test('that does not change costs no new journal line', async () => {
    const r = made()
    await r.source.refresh()
    await Promise.all([r.source.refresh(), r.source.refresh()])
    await r.source.refresh()
    expect(events(r)).toEqual(['policy.accepted remote'])
  })
})

describe('a commit that may not become policy', () => {
  test('leaves the one in force, says why and since when, and goes away when it is mended', async () => {
    const r = made()
    await r.source.refresh()
    const bad = await repository.commit({ files: newManifest(43), by: mallory })
    later(r, MINUTE)
    await r.source.refresh()
    const [condition] = r.source.conditions(r.clock.at)
    expect(condition).toMatchObject({
      name: 'UnknownSigner',
      commit: bad,
      since: new Date(T0 + MINUTE),
    })
    expect(r.source.accepted()?.commit).toBe(repository.first)
    later(r, MINUTE)
    await r.source.refresh()
    expect(r.source.conditions(r.clock.at)).toEqual([condition])

    repository.point(repository.first)
    await repository.commit({ files: newManifest(44) })
    await r.source.refresh()
    expect(r.names()).toEqual(['Synced'])
    expect(events(r)).toEqual([
      'policy.accepted remote',
      'policy.condition UnknownSigner',
      'policy.accepted remote',
      'policy.condition Synced',
    ])
  })

  test('is not judged again at each look, but after five minutes', async () => {
    let walks = 0
    const r = made({
      wrap: (mirror: PolicyMirror) => ({
        ...mirror,
        firstParents: async (...range) => {
          walks++
          return await mirror.firstParents(...range)
        },
      }),
    })
    await r.source.refresh()
    await repository.commit({ files: newManifest(43), by: mallory })
    await r.source.refresh()
    const judged = walks
    later(r, 4 * MINUTE)
    await r.source.refresh()
    expect(walks).toBe(judged)
    later(r, MINUTE)
    await r.source.refresh()
    expect(walks).toBeGreaterThan(judged)
  })

  test('is remembered by when it was first seen, over restarts', async () => {
    const r = made()
    await r.source.refresh()
    const bad = await repository.commit({ files: newManifest(43), by: mallory })
    await r.source.refresh()
    later(r, MINUTE)
    await r.restarted().source.refresh()
    const seen = await r.store.firstSeen('t', [bad], r.clock.at)
    expect(seen.get(bad)).toEqual(new Date(T0))
  })
})

describe('a restart', () => {
  test('brings the policy back without the network, and says that the remote is away', async () => {
    const r = made()
    await r.source.refresh()
    const moved = `${repository.path}-away`
    renameSync(repository.path, moved)
    try {
      const again = r.restarted()
      await again.source.refresh()
      expect(again.source.accepted()?.commit).toBe(repository.first)
      expect(again.names()).toEqual(['FetchFailed'])
      expect(events(r).slice(1)).toEqual([
        'policy.accepted database',
        'policy.condition FetchFailed',
      ])
    } finally {
      renameSync(moved, repository.path)
    }
    const third = r.restarted()
    await third.source.refresh()
    expect(third.names()).toEqual(['Synced'])
  })

  test('after which the clone is lost fetches it again', async () => {
    const r = made()
    await r.source.refresh()
    rmSync(r.directory, { recursive: true })
    const again = r.restarted()
    await again.source.refresh()
    expect(again.source.accepted()?.commit).toBe(repository.first)
    expect(again.names()).toEqual(['Synced'])
  })

  test('with a lost clone and a remote that was rewritten is refused', async () => {
    const r = made()
    await r.source.refresh()
    rmSync(r.directory, { recursive: true })
    await repository.commit({ files: newManifest(50), parents: [], message: 'another beginning' })
    const again = r.restarted()
    await again.source.refresh()
    expect(again.source.accepted()).toBeUndefined()
    expect(again.names()).toEqual(['RollbackOrRewrite'])
    expect(again.message()).toContain('the remote does not have it')
  })

  test('does not take a clone that is not what was accepted', async () => {
    const r = made()
    await r.source.refresh()
    const altered = await saying(r.store, { digest: `sha256:${'0'.repeat(64)}` })
    const again = r.restarted({ store: altered })
    await again.source.refresh()
    expect(again.source.accepted()).toBeUndefined()
    expect(again.names()).toEqual(['RollbackOrRewrite'])
  })

  test('does not believe a database whose history was touched', async () => {
    const r = made()
    await r.source.refresh()
    await repository.commit({ files: newManifest(43) })
    await r.source.refresh()
    const { store } = r
    const broken = {
      ...store,
      acceptancesOf: async (tenant: string) => (await store.acceptancesOf(tenant)).slice(1),
    }
    const again = r.restarted({ store: broken })
    await again.source.refresh()
    expect(again.source.accepted()).toBeUndefined()
    expect(again.names()).toEqual(['RollbackOrRewrite'])
    expect(again.message()).toContain('acceptance 1 is missing')
    // And believes it when it is whole again.
    const mended = r.restarted({ store })
    await mended.source.refresh()
    expect(mended.names()).toEqual(['Synced'])
  })
})

describe('another replica', () => {
  test('that accepted first is followed', async () => {
    const a = made()
    const b = made({ store: a.store, replica: 'replica-2' })
    await a.source.refresh()
    await b.source.refresh()
    expect(events(b)).toEqual(['policy.accepted database'])
    const second = await repository.commit({ files: newManifest(43) })
    await b.source.refresh()
    await a.source.refresh()
    expect(events(a).at(-1)).toBe('policy.accepted database')
    expect(a.source.accepted()?.commit).toBe(second)
    expect(await a.store.acceptancesOf('t')).toHaveLength(2)
  })

  test('that accepts at the same moment loses nothing: one acceptance, both in force', async () => {
    const a = made()
    const b = made({ store: a.store, replica: 'replica-2' })
    await Promise.all([a.source.refresh(), b.source.refresh()])
    const second = await repository.commit({ files: newManifest(43) })
    await Promise.all([a.source.refresh(), b.source.refresh()])
    for (const one of [a, b]) expect(one.source.accepted()?.commit).toBe(second)
    expect(await a.store.acceptancesOf('t')).toHaveLength(2)
    expect(await a.store.enforcementPoints('t')).toHaveLength(2)
  })
})

describe('a database that was restored from an older copy', () => {
  /** Copies what a store knows about policies now. */
  async function copyOf(store: Store): Promise<Store> {
    const copy = memoryStore()
    const links = await store.acceptancesOf('t')
    const record = await store.policyOf('t')
    if (links.length !== 1 || !record) throw new Error('the copy is made after one acceptance')
    await copy.acceptPolicy(undefined, record, policyLeaf(record, systemRandom))
    return copy
  }

  async function restored(): Promise<{ r: Rig; copy: Store; second: string }> {
    const r = made()
    await r.source.refresh()
    const copy = await copyOf(r.store)
    const second = await repository.commit({ files: newManifest(43) })
    await r.source.refresh()
    return { r, copy, second }
  }

  test('catches up with what the clone kept, without the network', async () => {
    const { r, copy, second } = await restored()
    repository.point(repository.first)
    const again = r.restarted({ store: copy })
    await again.source.refresh()
    expect(again.source.accepted()?.commit).toBe(second)
    expect(await copy.policyOf('t')).toMatchObject({ commit: second, sequence: 2 })
    // The remote was put back too, to what the restored database would have taken for the newest.
    expect(again.names()).toEqual(['RollbackOrRewrite'])
  })

  test('brings no older policy into force when what the clone kept is refused now', async () => {
    const { r, copy } = await restored()
    const strict = await saying(copy, { marks: { [BOT]: 99 } })
    const again = r.restarted({ store: strict })
    await again.source.refresh()
    expect(again.source.accepted()).toBeUndefined()
    expect(again.names()).toContain('RollbackOrRewrite')
    expect(again.message()).toContain('restored from an older copy')
  })

  test('under a running replica does not take it back', async () => {
    const r = made()
    let store = r.store
    const switching = new Proxy(r.store, { get: (_, name) => Reflect.get(store, name) })
    const running = r.restarted({ store: switching })
    await running.source.refresh()
    const copy = await copyOf(r.store)
    const second = await repository.commit({ files: newManifest(43) })
    await running.source.refresh()
    store = copy
    await running.source.refresh()
    expect(running.source.accepted()?.commit).toBe(second)
    expect(await copy.policyOf('t')).toMatchObject({ commit: second, sequence: 2 })
    expect(running.names()).toEqual(['Synced'])
  })

  test('that is empty starts from the pin, and must arrive at what the clone kept', async () => {
    const { r, second } = await restored()
    const empty = memoryStore()
    const again = r.restarted({ store: empty })
    await again.source.refresh()
    expect(again.source.accepted()?.commit).toBe(second)
    expect(again.names()).toEqual(['Synced'])
  })
})

describe('a rewritten branch', () => {
  test('is refused, and crossed by a reset that the owners signed', async () => {
    const r = made()
    await r.source.refresh()
    const from = await repository.commit({ files: newManifest(43) })
    await r.source.refresh()
    repository.point(repository.first)
    const to = await repository.commit({ files: newManifest(44), message: 'aside' })
    await r.source.refresh()
    expect(r.names()).toEqual(['RollbackOrRewrite'])
    expect(r.source.accepted()?.commit).toBe(from)
    const last = await repository.commit({ files: reset({ from, to }, alice, bob) })
    await r.source.refresh()
    expect(r.message()).toContain('reset')
    expect(r.names()).toEqual(['Synced'])
    expect(r.source.accepted()?.commit).toBe(last)
    // The clone kept the old branch too, and knows that it was left on purpose.
    const again = r.restarted()
    await again.source.refresh()
    expect(again.names()).toEqual(['Synced'])
  })
})

describe('a heartbeat', () => {
  test('that ends is Stale beside what else holds, and is heard again', async () => {
    repository.remove()
    repository = await policyRepository({ files: withHeartbeat('2026-07-01T12:00:00Z') })
    const r = made({ start: { kind: 'commit', commit: repository.first } })
    await r.source.refresh()
    expect(r.names()).toEqual(['Synced'])
    later(r, 12 * 60 * MINUTE + 1)
    expect(r.names()).toEqual(['Stale'])
    await r.source.refresh()
    await repository.commit({ files: newManifest(43), by: mallory })
    await r.source.refresh()
    expect(r.names()).toEqual(['UnknownSigner', 'Stale'])
    repository.point(repository.first)
    await repository.commit({
      files: { 'heartbeat.yaml': heartbeatYaml('2026-07-02T12:00:00Z') },
      by: clockwork,
    })
    await r.source.refresh()
    expect(r.names()).toEqual(['Synced'])
    expect(events(r)).toContain('policy.condition Stale')
  })
})

describe('what goes wrong beside the repository', () => {
  test('a database that is away is told, and the policy stays', async () => {
    const r = made()
    await r.source.refresh()
    let isAway = false
    const flaky = new Proxy(r.store, {
      get: (target, name) =>
        isAway
          ? async () => {
              throw new Problem('storage-unavailable', 'the database did not do as asked')
            }
          : Reflect.get(target, name),
    })
    const again = r.restarted({ store: flaky })
    await again.source.refresh()
    isAway = true
    await again.source.refresh()
    expect(again.names()).toEqual(['FetchFailed'])
    expect(again.source.accepted()?.commit).toBe(repository.first)
    isAway = false
    await again.source.refresh()
    expect(again.names()).toEqual(['Synced'])
  })

  test('a fault of our own is journalled, and never thrown', async () => {
    const r = made({
      mirror: async () => {
        throw new TypeError('a bug')
      },
    })
    await r.source.refresh()
    expect(r.names()).toEqual(['FetchFailed'])
    expect(r.journal.map(({ event }) => event)).toContain('request.failed')
  })

  test('a clone that could not keep what was accepted is asked again', async () => {
    let failures = 1
    const kept: string[] = []
    const r = made({
      wrap: (mirror: PolicyMirror) => ({
        ...mirror,
        keepAccepted: async (commit) => {
          if (failures-- > 0) throw new HistoryFault('no space is left')
          kept.push(commit)
          await mirror.keepAccepted(commit)
        },
      }),
    })
    await r.source.refresh()
    expect(r.names()).toEqual(['FetchFailed'])
    expect(r.source.accepted()?.commit).toBe(repository.first)
    await r.source.refresh()
    await r.source.refresh()
    expect(kept).toEqual([repository.first])
    expect(r.names()).toEqual(['Synced'])
  })
})
