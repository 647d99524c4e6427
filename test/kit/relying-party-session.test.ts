/** An agent does what its release does not allow: how soon does a relying party that follows another replica know? */
import { afterAll, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { startChores } from '#src/http/chores.ts'
import { openTokens } from '../../enclave/attestation.ts'
import { relyingParty } from '../../kit/relying-party/relying-party.ts'
import {
  AT,
  anchorsOf,
  bearer,
  platform,
  policyOf,
  post,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { speaker, unapprovedEvent, watchedManifest } from '../http/session-scene.ts'
import { outcome } from './relying-scene.ts'

const store = memoryStore()
const anchors = anchorsOf(platform.anchors, 'hardware')
const policy = await policyOf(watchedManifest())
const here = await runService({ store, anchors, policy })
const there = await runService({ store, anchors, policy, publicUrl: here.url })
const chores = [here, there].map(({ verifier }) => startChores(verifier))
afterAll(async () => {
  await Promise.all(chores.map(({ stop }) => stop()))
  await Promise.all([here.close(), there.close()])
})

/** Of hardware, so that the issuer is the address itself. */
const hardware: RunningService = { ...here, simulated: here.url }

async function following() {
  const agent = await speaker(hardware)
  const { status, json } = await agent.open()
  expect(status).toBe(200)
  const [opened] = await openTokens(json, agent.keys)
  const party = relyingParty({
    issuer: here.url,
    audience: 'kms.example',
    now: () => AT.getTime(),
    fetch: async (url, init) => await fetch(url.replace(here.url, there.address), init),
  })
  const follower = party.follow()
  await expect.poll(follower.state).toBe('following')
  const asked = async () => outcome(await party.verifyWithoutProof({ token: opened?.token ?? '' }))
  expect(await asked()).toBe('accepted')
  return { agent, asked, follower }
}

/** From the answer to the agent, or to the operator, on. */
async function untilRevoked(asked: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await expect.poll(asked, { interval: 20, timeout: 5_000 }).toBe('token-revoked')
  return performance.now() - began
}

test('of a violation that the agent reports: within a second', async () => {
  const { agent, asked, follower } = await following()
  await agent.heartbeat({ measurement: [unapprovedEvent()] })
  expect(await untilRevoked(asked)).toBeLessThan(1_000)
  follower.close()
})

test('of an operator who quarantines it: within a second', async () => {
  const { agent, asked, follower } = await following()
  const body = JSON.stringify({ action: 'quarantine', reason: 'ticket 42' })
  const { status } = await post(
    `${here.url}/v1/sessions/${agent.id}/actions`,
    body,
    bearer('operator'),
  )
  expect(status).toBe(200)
  expect(await untilRevoked(asked)).toBeLessThan(1_000)
  follower.close()
})
