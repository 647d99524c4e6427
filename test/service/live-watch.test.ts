/** When live tokens are looked at again: after each policy, for stragglers, and for a vendor's news. */
import { expect, test } from 'vitest'
import { liveWatch } from '#src/service/live-watch.ts'
import { AT } from './fleet.ts'
import { liveScene, newerCrl, revokingCrl } from './live-scene.ts'
import {
  breakStore,
  later,
  machine,
  p1,
  p2,
  p3,
  runAll,
  under,
  watched,
  withOther,
} from './live-watch-scene.ts'
import { BOT, manifest, policyOf } from './policies.ts'

test('a policy that is accepted ends what it refuses at the next run', async () => {
  const { watch, ...scene } = await watched()
  const record = await under(scene)
  await watch.run()
  expect(await scene.revoked(record)).toEqual([undefined])
  await scene.accept(p2)
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('what another replica issues under the old policy for a few seconds more is ended too', async () => {
  const { watch, ...scene } = await watched()
  await scene.accept(p2)
  await watch.run()
  const straggler = await under(scene, 0xa1, later(3))
  scene.clock.at = later(5)
  await watch.run()
  expect(await scene.revoked(straggler)).toEqual([undefined])
  scene.clock.at = later(12)
  await watch.run()
  expect(await scene.revoked(straggler)).toEqual(['policy'])
})

test('a heartbeat in between makes nobody forget those', async () => {
  const { watch, ...scene } = await watched()
  await scene.accept(p2)
  await watch.run()
  const straggler = await under(scene, 0xa1, later(3))
  scene.clock.at = later(5)
  const heartbeat = { notAfter: AT, graceSeconds: 1 }
  await scene.accept({ ...p2, commit: 'f'.repeat(40), digest: 'sha256:f', heartbeat })
  await runAll(scene, watch)
  expect(await scene.revoked(straggler)).toEqual(['policy'])
})

test('a policy that takes back its predecessor ends what only that one let pass', async () => {
  const { watch, ...scene } = await watched()
  await scene.accept(p2)
  await watch.run()
  const record = await under(scene, 0xa2)
  await scene.accept(p3)
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('so does a replica that never saw the one between', async () => {
  const { watch, ...scene } = await watched()
  await scene.accept(p2)
  const record = await under(scene, 0xa2)
  await scene.accept(p3)
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('what one policy was asked about, the next that decides differently is asked about again', async () => {
  const { watch, ...scene } = await watched()
  const record = await under(scene, 0xa2)
  await scene.accept(p2)
  await watch.run()
  expect(await scene.revoked(record)).toEqual([undefined])
  await scene.accept(p3)
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('a heartbeat asks the database for no tokens', async () => {
  const { watch, ...scene } = await watched()
  await under(scene)
  const asked: unknown[] = []
  const { liveTokens } = scene.verifier.store
  Object.assign(scene.verifier.store, {
    liveTokens: async (...args: Parameters<typeof liveTokens>) => {
      asked.push(args)
      return await liveTokens(...args)
    },
  })
  await scene.accept({
    ...p1,
    commit: 'f'.repeat(40),
    heartbeat: { notAfter: AT, graceSeconds: 1 },
  })
  await runAll(scene, watch)
  expect(asked).toEqual([])
  await scene.accept(p2)
  await watch.run()
  // For what the policy refuses, and for what it forgives no more of what the vendor says.
  expect(asked).toHaveLength(2)
})

test('a replica that begins ends what its predecessor did not get to', async () => {
  const { watch: _, ...scene } = await watched()
  const record = await under(scene)
  await scene.accept(p2)
  scene.clock.at = later(120)
  await liveWatch(scene.verifier, scene.tenant).run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('a replica that ended in the middle of a round has kept no other from doing it', async () => {
  const { watch, ...scene } = await watched()
  const other = liveWatch(scene.verifier, scene.tenant)
  await runAll(scene, other)
  const record = await under(scene)
  await scene.accept(p2)
  const mended = breakStore(scene, 'findAppraisal')
  await expect(watch.run()).rejects.toThrow('gone')
  mended()
  // The first never comes back, not even for the rounds after.
  await other.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('what a replica issues that hears of a policy minutes late is ended once it has heard', async () => {
  const { watch, ...scene } = await watched()
  await scene.accept(p2)
  scene.policy.current = p1
  scene.clock.at = later(240)
  const record = await under(scene, 0xa1, later(230))
  await watch.run()
  scene.policy.current = p2
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('so is it where that replica began anew meanwhile, however long the policy has been in force', async () => {
  const { watch: _, ...scene } = await watched()
  await scene.accept(p2)
  scene.clock.at = later(3600)
  const record = await under(scene, 0xa1, later(3590))
  await liveWatch(scene.verifier, scene.tenant).run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('an older policy is forgotten only when nothing that was issued under it can live', async () => {
  const { watch, ...scene } = await watched()
  // Long enough to know every policy of the time.
  const hour = (seconds: number) => later(3600 + seconds)
  scene.clock.at = hour(0)
  await scene.accept(p2)
  await runAll(scene, watch)
  const record = await under(scene, 0xa1, hour(70))
  scene.clock.at = hour(80)
  await scene.accept(withOther(p2, '8', 'b1'))
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('a database that was gone for a moment costs a moment', async () => {
  const { watch, ...scene } = await watched()
  const record = await under(scene)
  await scene.accept(p2)
  const mended = breakStore(scene, 'liveTokens')
  await expect(watch.run()).rejects.toThrow('gone')
  mended()
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['policy'])
})

test('a vendor’s newer list ends what it revokes, and nothing is looked at while it says nothing new', async () => {
  const { watch, ...scene } = await watched()
  const record = await under(scene)
  scene.vendor.says = { crls: [newerCrl] }
  await watch.run()
  expect(await scene.revoked(record)).toEqual([undefined])
  scene.vendor.says = { crls: [revokingCrl] }
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['collateral'])
})

test('a vendor that stopped answering ends nothing, however long', async () => {
  const { watch, ...scene } = await watched()
  const record = await scene.attested({ machine }, { lifeSeconds: 800 * 24 * 3600 })
  scene.vendor.says = undefined
  scene.clock.at = later(700 * 24 * 3600)
  await watch.run()
  expect(await scene.revoked(record)).toEqual([undefined])
})

test('without a policy nothing is looked at', async () => {
  const scene = await liveScene()
  await scene.attested({ machine })
  await liveWatch(scene.verifier, scene.tenant).run()
  expect(scene.journal).toEqual([])
})

test('a vendor that is silent at first is asked again, though nothing of what it says was renewed', async () => {
  const { watch, ...scene } = await watched()
  const record = await under(scene)
  scene.vendor.says = { crls: [revokingCrl] }
  scene.vendor.isWhole = false
  await runAll(scene, watch)
  expect(await scene.revoked(record)).toEqual([undefined])
  scene.vendor.isWhole = true
  scene.clock.at = later(121)
  await watch.run()
  expect(await scene.revoked(record)).toEqual(['collateral'])
})

test('and is not asked for ever', async () => {
  const { watch, ...scene } = await watched()
  await scene.attested({ machine }, { lifeSeconds: 7200 })
  scene.vendor.says = undefined
  let asked = 0
  const { findAppraisal } = scene.verifier.store
  Object.assign(scene.verifier.store, {
    findAppraisal: async (id: string) => {
      asked++
      return await findAppraisal(id)
    },
  })
  for (let minute = 0; minute < 100; minute++) {
    scene.clock.at = later(minute * 60)
    await watch.run()
  }
  expect(asked).toBeLessThan(25)
})

test('what a vendor says is asked again where a policy changed, and nowhere else', async () => {
  const { watch, ...scene } = await watched()
  scene.clock.at = later(1500)
  const record = await under(scene, 0xa1, later(1490))
  const { collect } = scene.tenant
  const asked: unknown[] = []
  const renewals = collect.renewals
  Object.assign(scene.tenant, {
    collect: Object.assign(
      async (...args: Parameters<typeof collect>) => {
        asked.push(args)
        return await collect(...args)
      },
      { renewals },
    ),
  })
  await scene.accept(withOther(p1, '4', 'b1'))
  await watch.run()
  expect(asked).toHaveLength(0)
  const shorter = { [BOT]: manifest().replace('240s', '200s') }
  await scene.accept(policyOf({ commit: '5', manifests: shorter }))
  await watch.run()
  expect(await scene.revoked(record)).toEqual([undefined])
  expect(asked).toHaveLength(1)
})
