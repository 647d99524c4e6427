/**
 * A quarantine is the agent's, on that boot: whichever way one of its sessions comes into it, all do, and their tokens end at once.
 * An operator lets all of them go on, and each shows itself anew.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { sessionActions } from '#src/service/act-on-session.ts'
import type { SessionChange, Standing } from '#src/service/session-ports.ts'
import { othersComing } from '#src/service/session-quarantine.ts'
import { bearer, policyOf, post, type RunningService, runService } from '../http/running-service.ts'
import { type Speaker, speaker, unapprovedEvent, watchedManifest } from '../http/session-scene.ts'

const BOOT = 'a1b2c3d4-0000-4000-8000-000000000001'

let service: RunningService
beforeEach(async () => {
  service = await runService({ policy: undefined })
  await service.accept(await policyOf(watchedManifest()))
  await service.chores('sessions default')
})
afterEach(() => service.close())

async function opened(boot = BOOT): Promise<Speaker> {
  const agent = await speaker(service, { boot })
  expect((await agent.open()).status).toBe(200)
  return agent
}
const stored = async ({ id }: Speaker) => await service.verifier.store.findSession(id)
const tokensOf = async ({ id }: Speaker) =>
  await service.verifier.store.tokensOf((await stored({ id } as Speaker))?.appraisal ?? '')
const liveTokens = async (agent: Speaker) =>
  (await tokensOf(agent)).filter(({ revocation }) => revocation === undefined).length
const act = async ({ id }: Speaker, action: (typeof sessionActions)[number]) =>
  await post(
    `${service.url}/v1/sessions/${id}/actions`,
    JSON.stringify({ action, reason: 'ticket 42' }),
    bearer('operator'),
  )
const over = { status: 409, json: { code: 'session-over', state: 'QUARANTINED' } }

const narrower = async (from: string, to: string) => {
  const manifest = watchedManifest().replace(from, to)
  await service.accept(await policyOf(manifest, { commit: 'd'.repeat(40) }))
  await service.chores('sessions default')
}
const ways: readonly [string, (agent: Speaker) => Promise<unknown>, string][] = [
  [
    'a heartbeat',
    (agent) => agent.heartbeat({ measurement: [unapprovedEvent()] }),
    'runtime-appraisal',
  ],
  ['a quote', (agent) => agent.quote({ measurement: [unapprovedEvent()] }), 'runtime-appraisal'],
  ['an operator', (agent) => act(agent, 'quarantine'), 'otto'],
  [
    'a policy that refuses what was measured',
    () => narrower('11'.repeat(32), '22'.repeat(32)),
    'reappraisal',
  ],
  [
    'a policy that refuses the evidence',
    () => narrower('a1'.repeat(48), 'a9'.repeat(48)),
    'reappraisal',
  ],
]

describe.each(ways)('%s', (_, fall, by) => {
  test('that quarantines one quarantines all, with their tokens, and each says which was first', async () => {
    const agents = [await opened(), await opened(), await opened()]
    const [one] = agents
    if (!one) throw new Error('three were opened')
    await agents[1]?.heartbeat({ dropped: 6 })
    expect((await stored(agents[1] ?? one))?.standing).toBe('suspended')
    await fall(one)
    const now = await Promise.all(agents.map(stored))
    expect(now.map((each) => [each?.standing, each?.by])).toEqual(
      agents.map(() => ['quarantined', by]),
    )
    expect(await Promise.all(agents.map(liveTokens))).toEqual([0, 0, 0])
    const first = now.find((each) => !each?.reason.startsWith('session '))
    const others = now.filter((each) => each !== first)
    expect(others).toHaveLength(2)
    for (const each of others) {
      expect(each).toMatchObject({
        reason: `session ${first?.id} of this agent on this boot was quarantined: ${first?.reason}`,
        demanded: undefined,
      })
      const agent = agents.find(({ id }) => id === each?.id) ?? one
      for (const { revocation } of await tokensOf(agent))
        expect(revocation?.detail).toBe(each?.reason)
      expect(await agent.heartbeat()).toMatchObject(over)
    }
    const told = service.journal.filter(({ fields }) => fields?.standing === 'quarantined')
    expect(told.map(({ fields }) => fields?.session)).toEqual([
      first?.id,
      ...others.map((each) => each?.id).toSorted(),
    ])
    const events = await service.verifier.store.eventsAfter(0, 1000)
    const fallen = events.filter(({ fields }) => fields.standing === 'quarantined')
    expect(fallen.map(({ fields }) => fields.session)).toEqual(
      told.map(({ fields }) => fields?.session),
    )
  })
})

test('the leaf of each token that falls says which session was first', async () => {
  const { store } = service.verifier
  const { changeSession } = store
  const told = new Map<string | undefined, string>()
  Object.assign(store, {
    changeSession: async (change: SessionChange) =>
      await changeSession({
        ...change,
        leafOf(token) {
          const made = change.leafOf(token)
          told.set(token.session, JSON.parse(new TextDecoder().decode(made.record)).detail)
          return made
        },
      }),
  })
  const [one, other] = [await opened(), await opened()]
  await act(one, 'quarantine')
  expect(told.get(one.id)).toBe(`session ${one.id} was quarantined: ticket 42`)
  expect(told.get(other.id)).toBe(
    `session ${one.id} of this agent on this boot was quarantined: ticket 42`,
  )
})

test('nobody on another boot is touched', async () => {
  const [one, elsewhere] = [await opened(), await opened('a1b2c3d4-0000-4000-8000-000000000002')]
  await one.heartbeat({ measurement: [unapprovedEvent()] })
  expect((await elsewhere.heartbeat()).status).toBe(200)
  expect(await liveTokens(elsewhere)).toBe(1)
})

test('an operator who releases one releases all, and each goes on with a full quote of its own', async () => {
  const agents = [await opened(), await opened()]
  const [one, other] = agents
  if (!one || !other) throw new Error('two were opened')
  await act(one, 'quarantine')
  // Whichever of them.
  expect((await act(other, 'release')).json).toMatchObject({ state: 'SUSPENDED' })
  expect(await stored(one)).toMatchObject({
    ...{ standing: 'suspended', demanded: 'operator', by: 'otto' },
    reason: `session ${other.id} of this agent on this boot was released: ticket 42`,
  })
  for (const agent of agents) {
    expect((await agent.heartbeat()).json.code).toBe('session-evidence-needed')
    expect((await agent.quote()).json.session.state).toBe('ACTIVE')
    expect((await agent.tokens()).status).toBe(200)
  }
})

test('one that does it again brings all down again, whichever have shown themselves anew', async () => {
  const [one, other] = [await opened(), await opened()]
  await one.heartbeat({ measurement: [unapprovedEvent()] })
  await act(one, 'release')
  expect((await other.quote()).json.session.state).toBe('ACTIVE')
  await other.heartbeat({ measurement: [unapprovedEvent()] })
  expect(await Promise.all([one, other].map(stored))).toMatchObject([
    { standing: 'quarantined' },
    { standing: 'quarantined' },
  ])
})

test('whoever evicts one takes no other out of quarantine', async () => {
  const [one, other] = [await opened(), await opened()]
  await act(one, 'quarantine')
  expect((await act(one, 'evict')).json.state).toBe('REVOKED')
  expect((await stored(other))?.standing).toBe('quarantined')
  expect(await (await speaker(service, { boot: BOOT })).open()).toMatchObject(over)
  await act(other, 'evict')
  await opened()
})

test('nothing else that becomes of a session becomes of the others', () => {
  const all: readonly Standing[] = ['open', 'suspended', 'quarantined', 'revoked', 'closed']
  const coming = all.flatMap((from) =>
    all.flatMap((to) => (othersComing(from, to).length > 0 ? [`${from} ${to}`] : [])),
  )
  const quarantines = all.map((from) => `${from} quarantined`)
  expect(coming.toSorted()).toEqual([...quarantines, 'quarantined suspended'].toSorted())
})
