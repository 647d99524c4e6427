/** A session outlives the process that opened it: the same database, another service, and our own absence forgiven. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { AT, policyOf, runService } from './running-service.ts'
import {
  codeEvent,
  interval,
  later,
  type Speaker,
  speaker,
  unapprovedEvent,
  watchedManifest,
} from './session-scene.ts'

/** A machine that runs many tests at once takes its time to make a database. */
const PATIENCE = { timeout: 120_000 }

const scratch = await mkdtemp(join(tmpdir(), 'sessions-'))
afterAll(async () => await rm(scratch, { recursive: true }))
const policy = await policyOf(watchedManifest())
const publicUrl = 'https://verifier.example'

const started = async () =>
  await runService({ store: await openPgliteStore(join(scratch, 'data')), policy, publicUrl })

/** The same agent, speaking to the service that took over. */
async function after(
  service: Awaited<ReturnType<typeof started>>,
  agent: Speaker,
): Promise<Speaker> {
  const same = await speaker(service, { id: agent.id })
  same.ledger = agent.ledger
  same.answer = agent.answer
  return same
}

test(
  'open, heartbeats, a quote and tokens before and after the service was started anew; then quarantine',
  PATIENCE,
  async () => {
    const first = await started()
    const before = await speaker(first)
    expect((await before.open()).status).toBe(200)
    later(first, 10)
    expect(
      (await before.heartbeat({ behaviour: [interval()], measurement: [codeEvent('/app/b.js')] }))
        .json,
    ).toMatchObject({
      seq: 1,
      quote: { demanded: 'growth' },
    })
    const lost = before.said({ behaviour: [interval()] })
    const message = await before.heartbeatOf(lost.delta)
    const answered = await before.send(message)
    await first.close()
    await first.verifier.store.close()

    const second = await started()
    const agent = await after(second, before)
    second.clock.at = new Date(AT.getTime() + 10_000)
    // The answer was lost with the first process: the very same bytes are answered as they were.
    const again = await agent.send(message)
    expect(again.json).toEqual(answered.json)
    agent.ledger = lost.accepted(again.json.policy.digest)
    agent.answer = again.json
    expect((await agent.quote()).json.session).toMatchObject({
      state: 'ACTIVE',
      seq: 3,
      quote: { demanded: null },
    })
    expect((await agent.tokens()).status).toBe(200)
    const { store } = second.verifier
    expect((await store.deltasOf(agent.id)).map(({ seq }) => seq)).toEqual([0, 1])

    const { json } = await agent.heartbeat({ measurement: [unapprovedEvent()] })
    expect(json).toMatchObject({ code: 'session-over', state: 'QUARANTINED' })
    const at = second.clock.at
    expect(
      await store.liveTokens('default', { at, selection: { session: agent.id }, limit: 10 }),
    ).toEqual([])
    expect((await agent.tokens()).json).toMatchObject({
      code: 'session-over',
      state: 'QUARANTINED',
    })
    await second.close()
    await store.close()
  },
)

test(
  'of twenty different heartbeats at once one is accepted, and the fork is noticed',
  PATIENCE,
  async () => {
    const service = await started()
    const agent = await speaker(service)
    expect((await agent.open()).status).toBe(200)
    const messages = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, n) =>
          await agent.heartbeatOf(agent.said({ behaviour: [interval({ cpuMillis: n })] }).delta),
      ),
    )
    const answers = await Promise.all(messages.map(agent.send))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    const { store } = service.verifier
    expect(await store.findSession(agent.id)).toMatchObject({ standing: 'revoked', seq: 1 })
    await service.close()
    await store.close()
  },
)
