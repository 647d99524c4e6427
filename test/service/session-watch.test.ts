/** A policy that changed while agents run: what they measured under the one before is judged again, and what it refuses ends. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  attester,
  manifest,
  policyOf,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { codeEvent, later, type Speaker, speaker, watchedManifest } from '../http/session-scene.ts'

const approved = '11'.repeat(32)
const other = '22'.repeat(32)
const commit = (letter: string) => letter.repeat(40)

let service: RunningService
beforeEach(async () => {
  service = await runService({ policy: undefined })
  await service.accept(await policyOf(watchedManifest()))
  await look()
})
afterEach(() => service.close())

async function look(): Promise<void> {
  await service.chores('sessions default')
}
async function opened(): Promise<Speaker> {
  const agent = await speaker(service)
  expect((await agent.open()).status).toBe(200)
  return agent
}
const stored = async ({ id }: Speaker) => await service.verifier.store.findSession(id)
const liveTokens = async ({ id: session }: Speaker) =>
  (
    await service.verifier.store.liveTokens('default', {
      at: service.clock.at,
      selection: { session },
      limit: 10,
    })
  ).length

test('what the new policy does not approve of what was measured is quarantined, and its tokens end', async () => {
  const agent = await opened()
  await service.accept(
    await policyOf(
      watchedManifest((text) => text.replace(approved, other)),
      { commit: commit('d') },
    ),
  )
  await look()
  expect(await stored(agent)).toMatchObject({ standing: 'quarantined', by: 'reappraisal' })
  expect((await stored(agent))?.reason).toMatch(
    /^policy dddddddddddd does not approve what was measured: runtime\.code\.approved: /,
  )
  expect(await liveTokens(agent)).toBe(0)
})

test('what it approves as well goes on, with its tokens', async () => {
  const agent = await opened()
  await service.accept(
    await policyOf(
      watchedManifest((text) => text.replace('mostDropped: 5', 'mostDropped: 6')),
      { commit: commit('d') },
    ),
  )
  await look()
  expect(await stored(agent)).toMatchObject({ standing: 'open' })
  expect(await liveTokens(agent)).toBe(1)
})

test('what only a policy in between approved is found, though the one of now is the one of before', async () => {
  const agent = await opened()
  const more = `sha256:${'33'.repeat(32)}`
  const both = (text: string) =>
    text.replace(
      '      - {kind: code,',
      `      - {kind: code, digest: "${more}"}\n      - {kind: code,`,
    )
  await service.accept(await policyOf(watchedManifest(both), { commit: commit('d') }))
  expect((await agent.heartbeat({ measurement: [codeEvent('/app/more.js', more)] })).status).toBe(
    200,
  )
  await service.accept(await policyOf(watchedManifest(), { commit: commit('e') }))
  await look()
  expect((await stored(agent))?.standing).toBe('quarantined')
})

test('a policy that offers its agent no sessions any more ends those that are open', async () => {
  const agent = await opened()
  await service.accept(await policyOf(manifest(), { commit: commit('d') }))
  await look()
  expect(await stored(agent)).toMatchObject({
    standing: 'quarantined',
    reason: 'agents/prod/invoice-bot.yaml has no section runtime any more',
  })
})

test('evidence that the new policy refuses brings its session down', async () => {
  const agent = await opened()
  const narrower = watchedManifest().replace('a1'.repeat(48), 'a9'.repeat(48))
  await service.accept(await policyOf(narrower, { commit: commit('d') }))
  await look()
  expect(await stored(agent)).toMatchObject({ standing: 'quarantined' })
  expect((await stored(agent))?.reason).toMatch(/^policy dddddddddddd refuses the evidence: /)
})

test('a smaller allowance for lost events suspends: a full quote is asked for', async () => {
  const agent = await opened()
  expect((await agent.heartbeat({ dropped: 4 })).status).toBe(200)
  await service.accept(
    await policyOf(
      watchedManifest((text) => text.replace('mostDropped: 5', 'mostDropped: 3')),
      { commit: commit('d') },
    ),
  )
  await look()
  expect(await stored(agent)).toMatchObject({ standing: 'suspended', demanded: 'policy' })
})

describe('a session that another replica accepted by the policy of before', () => {
  test('is found by a later round', async () => {
    const narrower = await policyOf(
      watchedManifest((text) => text.replace(approved, other)),
      {
        commit: commit('d'),
      },
    )
    const before = service.policy.current
    await service.accept(narrower)
    await look()
    service.policy.current = before
    const agent = await opened()
    service.policy.current = narrower
    await look()
    expect((await stored(agent))?.standing).toBe('open')
    later(service, 13)
    await look()
    expect((await stored(agent))?.standing).toBe('quarantined')
  })
})

test('a process that has just begun looks at everything: what its predecessor left undone is not known', async () => {
  const agent = await opened()
  const { store } = service.verifier
  const policy = await policyOf(
    watchedManifest((text) => text.replace(approved, other)),
    {
      commit: commit('d'),
    },
  )
  const next = await runService({ store, policy })
  try {
    await next.chores('sessions default')
    expect((await stored(agent))?.standing).toBe('quarantined')
  } finally {
    await next.close()
  }
})

test('sessions of agents that a policy says nothing new about are not read again', async () => {
  await opened()
  const { store } = service.verifier
  const { deltasOf } = store
  let read = 0
  Object.assign(store, {
    deltasOf: async (id: string) => {
      read++
      return await deltasOf(id)
    },
  })
  for (const seconds of [0, 13, 61]) {
    later(service, seconds)
    await look()
  }
  const before = read
  await service.accept(
    await policyOf(watchedManifest(), {
      commit: commit('d'),
      heartbeat: { notAfter: new Date('2027-01-01T00:00:00Z') },
    }),
  )
  await look()
  expect(read).toBe(before)
})

test('a session that an operator decided about meanwhile is left as it is', async () => {
  const agent = await opened()
  const { store } = service.verifier
  const { findAppraisal } = store
  Object.assign(store, {
    async findAppraisal(id: string) {
      Object.assign(store, { findAppraisal })
      const { actOnSession } = await import('#src/service/act-on-session.ts')
      await actOnSession(
        service.verifier,
        { id: agent.id, action: 'evict', reason: 'x', by: 'otto' },
        service.clock.at,
      )
      return await findAppraisal(id)
    },
  })
  await service.accept(
    await policyOf(
      watchedManifest((text) => text.replace(approved, other)),
      { commit: commit('d') },
    ),
  )
  await look()
  expect(await stored(agent)).toMatchObject({ standing: 'revoked', by: 'otto' })
})

test('one whose evidence cannot be judged now is judged by its measurements, and asked about again', async () => {
  const agent = await opened()
  const { store } = service.verifier
  const { findEndorsements } = store
  Object.assign(store, { findEndorsements: async () => undefined })
  const narrower = watchedManifest().replace('a1'.repeat(48), 'a9'.repeat(48))
  await service.accept(await policyOf(narrower, { commit: commit('d') }))
  for (const seconds of [0, 13, 61]) {
    later(service, seconds)
    await look()
  }
  expect((await stored(agent))?.standing).toBe('open')
  Object.assign(store, { findEndorsements })
  later(service, 61)
  await look()
  expect((await stored(agent))?.standing).toBe('quarantined')
})

test('an attester is of no use to who was brought down', async () => {
  const agent = await opened()
  await service.accept(
    await policyOf(
      watchedManifest((text) => text.replace(approved, other)),
      { commit: commit('d') },
    ),
  )
  await look()
  expect((await agent.quote({}, attester())).json.code).toBe('session-over')
})
