/** A look at live tokens comes to its end, whatever comes between: heartbeats, other policies, a fault of the program. */
import { expect, test } from 'vitest'
import type { Policy } from '#src/policy/policy.ts'
import { Problem } from '#src/problems.ts'
import { type LiveScene, revokingCrl } from './live-scene.ts'
import {
  atEachTurn,
  fleetOf,
  heartbeatOf,
  later,
  p1,
  p2,
  p3,
  runAll,
  stillLive,
  watched,
  withOther,
} from './live-watch-scene.ts'
import { BOT, manifest, policyOf } from './policies.ts'

test('a heartbeat ends no look at what the vendor revokes', async () => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  scene.vendor.says = { crls: [revokingCrl] }
  atEachTurn(scene, async (turn) => await scene.accept(heartbeatOf(p1, turn)))
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(0)
})

test('a heartbeat ends no look at what the policy refuses', async () => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  await scene.accept(p2)
  atEachTurn(scene, async (turn) => await scene.accept(heartbeatOf(p2, turn)))
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(0)
})

test.each<[string, (scene: LiveScene) => Promise<void>, Policy]>([
  [
    'the vendor revokes',
    async ({ vendor }) => {
      vendor.says = { crls: [revokingCrl] }
    },
    p1,
  ],
  ['the policy refuses', async ({ accept }) => await accept(p2), p2],
])(
  'whoever changes one agent’s manifest all the time saves nothing that %s',
  async (_, begin, base) => {
    const { watch, ...scene } = await watched()
    const fleet = await fleetOf(scene)
    await begin(scene)
    const others = ['4', '5', '6', '7']
    let count = 0
    // Once a run: what was looked at by then is little, and stays looked at.
    atEachTurn(scene, async (turn) => {
      if (turn % 3 === 0) {
        const next = withOther(base, others[count++ % 4] ?? '', `b${count % 8}`)
        await scene.accept({ ...next, commit: count.toString(16).padStart(40, 'e') })
      }
    })
    for (let run = 0; run < 20; run++) await watch.run()
    expect(count).toBeGreaterThan(4)
    expect(await stillLive(scene, fleet)).toBe(0)
  },
)

test.each<[string, (scene: LiveScene) => Promise<void>]>([
  ['the policy', async ({ accept }) => await accept(p2)],
  [
    'the vendor',
    async ({ vendor }) => {
      vendor.says = { crls: [revokingCrl] }
    },
  ],
])('a look for what %s refuses that a passing policy cut off is still due', async (_, begin) => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  await begin(scene)
  const { current } = scene.policy
  atEachTurn(scene, async (turn) => {
    if (turn === 3) scene.policy.current = withOther(p1, '4', 'b1')
  })
  await watch.run()
  scene.policy.current = current
  expect(await stillLive(scene, fleet)).toBe(72)
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(0)
})

test('a policy that decides differently ends the look, and what it approves again stays', async () => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  await scene.accept(p2)
  atEachTurn(scene, async (turn) => {
    if (turn === 3) await scene.accept(p3)
  })
  await runAll(scene, watch)
  // So many were judged before it.
  expect(await stillLive(scene, fleet)).toBe(72)
})

test('a vendor’s news that a policy cuts off is gone through under its successor', async () => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  scene.vendor.says = { crls: [revokingCrl] }
  const both = policyOf({
    commit: '9',
    manifests: { [BOT]: manifest().replace('240s', '200s') },
  })
  atEachTurn(scene, async (turn) => {
    if (turn === 3) await scene.accept(both)
  })
  await watch.run()
  expect(await stillLive(scene, fleet)).toBeGreaterThan(0)
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(0)
})

test('one piece of evidence over which the program fails saves none of the others', async () => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  const { findEndorsements } = scene.verifier.store
  let asked = 0
  Object.assign(scene.verifier.store, {
    findEndorsements: async (digest: string) => {
      if (++asked === 1) throw new TypeError('a fault')
      return await findEndorsements(digest)
    },
  })
  await scene.accept(p2)
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(1)
  expect(scene.journal.filter(({ event }) => event === 'request.failed')).toHaveLength(1)
  scene.clock.at = later(12)
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(0)
})

test('a record that cannot be read saves none of the others, and is asked for until it can', async () => {
  const { watch, ...scene } = await watched()
  const fleet = await fleetOf(scene)
  const { findAppraisal } = scene.verifier.store
  let altered: string | undefined
  Object.assign(scene.verifier.store, {
    findAppraisal: async (id: string) => {
      altered ??= id
      if (id === altered) throw new Problem('storage-unavailable', 'it was altered')
      return await findAppraisal(id)
    },
  })
  await scene.accept(p2)
  await expect(watch.run()).rejects.toThrow('it was altered')
  expect(await stillLive(scene, fleet)).toBe(1)
  await expect(watch.run()).rejects.toThrow('it was altered')
  Object.assign(scene.verifier.store, { findAppraisal })
  await watch.run()
  expect(await stillLive(scene, fleet)).toBe(0)
})
