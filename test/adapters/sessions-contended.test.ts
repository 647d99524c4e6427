/**
 * Two replicas that do everything to the same few sessions at once: on a real PostgreSQL. Nobody may wait in a circle, however
 * the batches fall.
 */
import { expect, test } from 'vitest'
import type { SessionRecord } from '#src/service/session-ports.ts'
import { describeWithPostgres } from '../postgres.ts'
import { put, release } from './release-records.ts'
import { twoReplicas } from './release-replicas.ts'
import {
  agentSession,
  attestationOf,
  change,
  heartbeat,
  later,
  open,
  quote,
  tokensOf,
} from './session-records.ts'
import { AT, DAY, leaf } from './store-records.ts'

const SESSIONS = 12
const MS = 6000

describeWithPostgres('everything at once', () => {
  const { each, deadlocks } = twoReplicas()

  test('each session has the history that one writer would give it', async () => {
    const resource = 'secret:contended'
    await put(each(0), resource)
    const sessions = Array.from({ length: SESSIONS }, (_, n) => agentSession(`contended-${n}`))
    await Promise.all(sessions.map((session) => open(each(0), session)))
    const jtiOf = ({ id }: SessionRecord) => `contended-${id}`
    for (const session of sessions)
      await each(0).recordSessionTokens(tokensOf(session, [jtiOf(session)], lasting))
    const until = performance.now() + MS
    const won = new Map(sessions.map(({ id }) => [id, 0]))
    const failures: unknown[] = []
    let issued = 0

    const acts: readonly ((session: SessionRecord, n: number) => Promise<string>)[] = [
      async (session, n) => await each(n).advanceSession(heartbeat(session)),
      async (session, n) => {
        const step = quote(session)
        return await each(n).renewSession(attestationOf(step), step)
      },
      async (session, n) => {
        const ended = change(session)
        // Open again, so that it goes on.
        return await each(n).changeSession({
          ...ended,
          session: { ...ended.session, standing: 'open' },
        })
      },
      async (session, n) => {
        issued += 1
        await each(n).recordSessionTokens(tokensOf(session, [`t-${issued}`], lasting))
        return 'superseded'
      },
      async (session, n) => {
        const named = { id: session.id, heardSince: AT }
        await each(n).recordRelease(release({ resource, jti: jtiOf(session) }, { session: named }))
        return 'superseded'
      },
      async (session, n) => {
        const page = { at: AT, selection: { session: session.id }, limit: 20 }
        const live = await each(n).liveTokens('acme', page)
        const jtis = live.map(({ jti }) => jti).reverse()
        const why = { at: AT, reason: 'operator', detail: '', by: 'alice' } as const
        if (jtis.length > 3) await each(n).revokeTokens(jtis, why, () => leaf())
        return 'superseded'
      },
    ]

    async function worker(n: number): Promise<void> {
      for (let turn = n; performance.now() < until; turn += 7) {
        const id = sessions[turn % SESSIONS]?.id ?? ''
        const session = await each(n).findSession(id)
        const act = acts[turn % acts.length]
        if (!session || !act) throw new Error('nothing to do')
        try {
          if ((await act(session, n)) !== 'superseded') won.set(id, (won.get(id) ?? 0) + 1)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    await Promise.all(Array.from({ length: 60 }, (_, n) => worker(n)))

    expect(failures).toEqual([])
    for (const { id, revision } of sessions) {
      const now = await each(0).findSession(id)
      expect(now?.revision).toBe(revision + (won.get(id) ?? 0))
      const seqs = (await each(1).deltasOf(id)).map(({ seq }) => seq)
      expect(seqs).toEqual(Array.from({ length: (now?.seq ?? 0) + 1 }, (_, seq) => seq))
    }
    expect([...won.values()].reduce((sum, n) => sum + n, 0)).toBeGreaterThan(100)
  })

  test('of two who bring the same heartbeats in other orders each keeps what the other does not', async () => {
    const sessions = Array.from({ length: 100 }, (_, n) => agentSession(`order-${n}`))
    await Promise.all(sessions.map((session) => open(each(0), session)))
    for (let round = 0; round < 20; round++) {
      const now = await Promise.all(sessions.map(({ id }) => each(0).findSession(id)))
      const steps = now.map((session) => heartbeat(session ?? expect.fail('it is gone')))
      const bring = async (n: number, order: typeof steps) =>
        await Promise.all(order.map((step) => each(n).advanceSession(step)))
      const outcomes = await Promise.all([bring(0, steps), bring(1, steps.toReversed())])
      expect(outcomes.flat().filter((outcome) => outcome === 'advanced')).toHaveLength(100)
    }
  })

  test('and nobody waited in a circle', async () => expect(await deadlocks()).toBe(0))
})

const lasting = { expiresAt: later(DAY) }
