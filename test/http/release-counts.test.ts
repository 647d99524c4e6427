/** Are releases counted where they are recorded, and is nothing counted that was refused before? */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { metricFamilies } from '#src/http/metric-families.ts'
import { metricsText } from '#src/http/metrics-text.ts'
import { countReleases } from '#src/http/release-counts.ts'
import { type ReleaseScene, releaseScene } from '../releases/scene.ts'
import { parseExposition } from './exposition.ts'
import { nothingMeasured } from './nothing-measured.ts'

const releases = countReleases(memoryStore())
let scene: ReleaseScene

beforeAll(async () => {
  scene = await releaseScene({ store: releases.store })
  await scene.put('secret:db', { releasesPerMinute: 2 })
}, 30_000)
afterAll(() => scene.service.close())

test('releases, renewals and refusals of the last moment are figures from the start', async () => {
  const figure = (name: string, labels: Readonly<Record<string, string>>) =>
    parseExposition(
      metricsText(metricFamilies({ ...nothingMeasured, releases: releases.figures() })),
    )
      .get(name)
      ?.samples.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value
  const given = () => figure('vouchsafe_releases_total', { use: 'release', face: 'releases' })
  expect(given()).toBe(0)

  const agent = await scene.agent()
  const { json } = await scene.release(agent)
  const proof = { jti: 'twice' }
  await scene.release(agent, { proof })
  await scene.release(agent, { proof })
  await scene.release(agent)
  await scene.release(agent, { token: 'none' })
  await scene.ask(`/v1/releases/${json.release}/renewals`, agent, { body: {} })

  expect(given()).toBe(2)
  expect(figure('vouchsafe_releases_total', { use: 'sign', face: 'key-broker' })).toBe(0)
  expect(figure('vouchsafe_lease_renewals_total', {})).toBe(1)
  expect(figure('vouchsafe_releases_refused_total', { reason: 'proof-used' })).toBe(1)
  expect(figure('vouchsafe_releases_refused_total', { reason: 'too-many-releases' })).toBe(1)
  expect(figure('vouchsafe_releases_refused_total', { reason: 'token-revoked' })).toBe(0)
})
