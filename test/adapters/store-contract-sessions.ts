/** What every store must do with sessions: open them, take their messages, and end them with their tokens. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { SessionRecord } from '#src/service/session-ports.ts'
import {
  agentSession,
  answer,
  attestationOf,
  change,
  delta,
  heartbeat,
  hostile,
  later,
  open,
  quarantine,
  quote,
  sessionIdOf,
  taken,
  tokensOf,
} from './session-records.ts'
import { quarantineContract } from './store-contract-quarantine.ts'
import { AT, attestation, DAY, LATER, leaf, record, token } from './store-records.ts'

let names = 0
/** Another one each time. */
const fresh = (rest: Partial<SessionRecord> = {}) => {
  names += 1
  return agentSession(`session-${names}`, rest)
}

export function sessionContract(store: () => Store): void {
  const opened = async (rest: Partial<SessionRecord> = {}) => {
    const session = fresh(rest)
    expect(await open(store(), session)).toBe('recorded')
    return session
  }
  const find = async ({ id }: SessionRecord) => await store().findSession(id)

  describe('sessions', () => {
    openingContract(store)
    heartbeatContract(store)
    quoteContract(store)
    tokenContract(store)
    changeContract(store)
    quarantineContract(store)

    test.each(['', hostile, 'x'.repeat(5000)])('nothing is known under %j', async (id) => {
      expect(await store().findSession(id)).toBeUndefined()
      expect(await store().deltasOf(id)).toEqual([])
      expect(await store().recordSessionTokens({ ...tokensOf({ id, appraisal: '' }, []) })).toBe(
        'session-over',
      )
    })

    test('a reason that the database cannot hold as it is keeps nobody from being quarantined', async () => {
      const session = await opened()
      const jti = `hostile-${session.id}`
      await store().recordSessionTokens(tokensOf(session, [jti]))
      const revocation = { ...quarantine, detail: hostile, by: hostile }
      expect(await store().changeSession(change(session, { revocation }))).toBe('changed')
      expect(await find(session)).toMatchObject({ standing: 'quarantined' })
      expect((await store().findToken(jti))?.revocation?.detail).toContain('lone')
    })

    test('pages are ordered by id, and hold what was asked for', async () => {
      const tenant = 'paged'
      const all: SessionRecord[] = []
      for (let n = 0; n < 12; n++)
        all.push(
          await opened({
            tenant,
            environment: n % 2 ? 'prod' : 'test',
            agent: n % 3 ? 'a' : 'b',
            standing: n % 4 ? 'open' : 'suspended',
          }),
        )
      all.sort((a, b) => (a.id < b.id ? -1 : 1))
      const ids = async (page: object) =>
        (await store().sessionsOf(tenant, { limit: 100, ...page })).map(({ id }) => id)
      const those = (is: (session: SessionRecord) => boolean) => all.filter(is).map(({ id }) => id)
      expect(await store().sessionsOf(tenant, { limit: 100 })).toEqual(all)
      expect(await ids({ limit: 5 })).toEqual(those(() => true).slice(0, 5))
      expect(await ids({ limit: 5, after: all[4]?.id })).toEqual(those(() => true).slice(5, 10))
      expect(await ids({ environment: 'prod' })).toEqual(
        those(({ environment }) => environment === 'prod'),
      )
      expect(await ids({ agent: 'b' })).toEqual(those(({ agent }) => agent === 'b'))
      expect(await ids({ standing: 'suspended' })).toEqual(
        those(({ standing }) => standing === 'suspended'),
      )
      expect(await ids({ standing: 'open', agent: 'a', limit: 2 })).toEqual(
        those(({ standing, agent }) => standing === 'open' && agent === 'a').slice(0, 2),
      )
      for (const wrong of [{ agent: hostile }, { environment: hostile }])
        expect(await ids(wrong)).toEqual([])
      expect(await store().sessionsOf('nobody', { limit: 10 })).toEqual([])
    })

    test('are counted by standing, and those that were heard', async () => {
      const tenant = 'counted'
      expect(await store().countSessions(tenant, AT)).toEqual({
        standings: { open: 0, suspended: 0, quarantined: 0, revoked: 0, closed: 0 },
        heard: 0,
      })
      await opened({ tenant })
      await opened({ tenant, heardAt: later(-1) })
      await opened({ tenant, standing: 'quarantined' })
      await opened({ tenant, standing: 'closed' })
      await opened({ tenant, standing: 'closed' })
      expect(await store().countSessions(tenant, AT)).toEqual({
        standings: { open: 2, suspended: 0, quarantined: 1, revoked: 0, closed: 2 },
        heard: 1,
      })
    })

    test('are forgotten when they are over, or silent, since then; with what they measured', async () => {
      const then = later(-10 * DAY)
      const long = { openedAt: later(-20 * DAY) }
      const gone = [
        await opened({ ...long, heardAt: later(-11 * DAY) }),
        await opened({ ...long, heardAt: later(-11 * DAY), standing: 'quarantined' }),
        await opened({ ...long, standing: 'revoked', changedAt: later(-11 * DAY) }),
        await opened({ ...long, standing: 'closed', changedAt: later(-11 * DAY) }),
      ]
      const kept = [
        await opened(long),
        await opened({ ...long, heardAt: then }),
        await opened({ ...long, standing: 'closed', changedAt: then }),
        await opened({ ...long, standing: 'suspended', changedAt: later(-11 * DAY) }),
      ]
      expect(await store().pruneSessions(then)).toBe(gone.length)
      for (const session of gone) {
        expect(await find(session)).toBeUndefined()
        expect(await store().deltasOf(session.id)).toEqual([])
        expect(await store().advanceSession(heartbeat(session))).toBe('superseded')
      }
      for (const session of kept) {
        expect(await find(session)).toEqual(session)
        expect(await store().deltasOf(session.id)).toEqual([delta(0)])
      }
      expect(await store().pruneSessions(then)).toBe(0)
    })
  })

  function openingContract(of: () => Store): void {
    test('one is kept exactly as it was opened, whatever its texts hold', async () => {
      const bare = fresh()
      const full = fresh({
        encryptionJwk: { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' },
        platforms: [],
        modes: hostile,
        reason: hostile,
        by: hostile,
        demanded: 'anomaly',
        usage: {
          day: hostile,
          modelMicroUsd: 0.1 + 0.2,
          modelTokensPerMinute: 1e300,
          cpuMillis: 0,
          memoryMiB: 2 ** 53,
        },
        uptimeMs: Number.MAX_SAFE_INTEGER,
        lastMessage: { digest: 'd', answer: answer(bare) },
      })
      const events = [hostile, '{}', 'é'.repeat(16_000)]
      const [first, second] = [bare, full].map(({ appraisal }) => attestation(record(appraisal)))
      if (!first || !second) throw new Error('two attestations')
      expect(await of().openSession(first, bare, undefined)).toBe('recorded')
      expect(await of().openSession(second, full, delta(0, events))).toBe('recorded')
      expect(await find(bare)).toEqual(bare)
      expect(await find(full)).toEqual(full)
      expect(await of().deltasOf(bare.id)).toEqual([])
      expect(await of().deltasOf(full.id)).toEqual([delta(0, events)])
    })

    test('with it the attestation, its tokens and its leaf are kept', async () => {
      const session = fresh()
      const tokens = tokensOf(session, [`opened-${names}`]).tokens
      const made = attestation(record(session.appraisal), { tokens })
      expect(await of().openSession(made, session, undefined)).toBe('recorded')
      expect(await of().findAppraisal(session.appraisal)).toEqual(made.appraisal)
      expect(await of().findToken(`opened-${names}`)).toEqual({
        ...tokens[0],
        revocation: undefined,
      })
      expect(await of().leafPlace(made.leaf.leafHash)).toEqual({ in: 'waiting' })
    })

    test('an id that is taken opens nothing, and the challenge is as good as before', async () => {
      const first = await opened()
      const second = { ...fresh({ jkt: 'another' }), id: first.id }
      const challenge = { id: `taken-${names}`, expiresAt: LATER }
      const made = attestation(record(second.appraisal), { challenge })
      expect(await of().openSession(made, second, delta(0, ['theirs']))).toBe('session-exists')
      expect(await find(first)).toEqual(first)
      expect(await of().deltasOf(first.id)).toEqual([delta(0)])
      expect(await of().findAppraisal(second.appraisal)).toBeUndefined()
      expect(await of().leafPlace(made.leaf.leafHash)).toBeUndefined()
      expect(await of().recordAttestation({ ...made, leaf: leaf() })).toBe('recorded')
    })

    test('a challenge that was used opens nothing, and the id is free', async () => {
      const challenge = { id: `spent-${names}`, expiresAt: LATER }
      await of().recordAttestation(attestation(record(fresh().appraisal), { challenge }))
      const session = fresh()
      expect(await open(of(), session, { challenge })).toBe('challenge-used')
      expect(await find(session)).toBeUndefined()
      expect(await of().deltasOf(session.id)).toEqual([])
      expect(await open(of(), session)).toBe('recorded')
    })

    test('one that cannot be kept fails alone, and leaves nothing', async () => {
      const taken = await opened()
      const clash = fresh({ appraisal: taken.appraisal })
      const others = [fresh(), fresh(), fresh()]
      const [wrong, ...right] = await Promise.allSettled(
        [clash, ...others].map((session) => open(of(), session)),
      )
      expect(wrong?.status).toBe('rejected')
      expect(right.map((each) => each.status === 'fulfilled' && each.value)).toEqual(
        others.map(() => 'recorded'),
      )
      expect(await find(clash)).toBeUndefined()
    })

    test('of a hundred who open one session one does, and the others leave no trace', async () => {
      const id = sessionIdOf(`raced-${names}`)
      const racers = Array.from({ length: 100 }, (_, n) => ({ ...fresh({ boot: `${n}` }), id }))
      const outcomes = await Promise.all(racers.map((session) => open(of(), session)))
      expect(outcomes.toSorted()).toEqual([
        'recorded',
        ...Array.from({ length: 99 }, () => 'session-exists'),
      ])
      const winner = racers[outcomes.indexOf('recorded')]
      expect(await of().findSession(id)).toEqual(winner)
      for (const { appraisal } of racers)
        expect((await of().findAppraisal(appraisal)) !== undefined).toBe(
          appraisal === winner?.appraisal,
        )
    })

    test('of a hundred sessions that are opened by one challenge one is', async () => {
      const challenge = { id: `shared-${names}`, expiresAt: LATER }
      const racers = Array.from({ length: 100 }, () => fresh())
      const outcomes = await Promise.all(
        racers.map((session) => open(of(), session, { challenge })),
      )
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      const found = await Promise.all(racers.map(find))
      expect(found.map((each) => each !== undefined)).toEqual(
        outcomes.map((outcome) => outcome === 'recorded'),
      )
    })
  }

  function heartbeatContract(of: () => Store): void {
    test('a heartbeat is kept with everything that it changes', async () => {
      const session = await opened()
      const first = heartbeat(session)
      expect(await of().advanceSession(first)).toBe('advanced')
      expect(await find(session)).toEqual(taken(first))
      const second = { ...heartbeat(taken(first), { demanded: undefined }), delta: undefined }
      expect(await of().advanceSession(second)).toBe('advanced')
      expect(await find(session)).toEqual(taken(second))
      expect(await of().deltasOf(session.id)).toEqual([delta(0), delta(1)])
    })

    test('it changes nothing else', async () => {
      const session = await opened()
      const step = heartbeat(session)
      const bold = { ...step.session, standing: 'closed', jkt: 'other', boot: 'other' } as const
      await of().advanceSession({ ...step, session: bold })
      expect(await find(session)).toEqual(taken(step))
    })

    test('of a hundred that name one revision one is kept', async () => {
      const session = await opened()
      const racers = Array.from({ length: 100 }, (_, n) => heartbeat(session, { dropped: n }))
      const outcomes = await Promise.all(racers.map((step) => of().advanceSession(step)))
      expect(outcomes.filter((outcome) => outcome === 'advanced')).toHaveLength(1)
      const winner = racers[outcomes.indexOf('advanced')]
      expect(await find(session)).toEqual(winner && taken(winner))
      expect(await of().deltasOf(session.id)).toEqual([delta(0), delta(1)])
    })

    test('one that names a revision of before is not, nor one of after, nor one of no session', async () => {
      const session = await opened()
      const step = heartbeat(session)
      await of().advanceSession(step)
      const now = taken(step)
      for (const revision of [session.revision, now.revision + 1])
        expect(await of().advanceSession(heartbeat({ ...now, revision }))).toBe('superseded')
      expect(await of().advanceSession(heartbeat(fresh()))).toBe('superseded')
      expect(await find(session)).toEqual(now)
      // Together with one that is right: each has an outcome of its own.
      const right = heartbeat(now)
      expect(
        await Promise.all(
          [step, right, heartbeat(fresh())].map((each) => of().advanceSession(each)),
        ),
      ).toEqual(['superseded', 'advanced', 'superseded'])
    })

    test('many sessions advance at once, and are found at once', async () => {
      const sessions = await Promise.all(Array.from({ length: 300 }, () => opened()))
      const steps = sessions.map((session) => heartbeat(session))
      const outcomes = await Promise.all(steps.map((step) => of().advanceSession(step)))
      expect(new Set(outcomes)).toEqual(new Set(['advanced']))
      const stranger = fresh()
      const found = await Promise.all([stranger, ...sessions].map(find))
      expect(found).toEqual([undefined, ...steps.map(taken)])
    })

    test('whoever asks after a heartbeat was kept sees it', async () => {
      let session = await opened()
      for (let n = 0; n < 20; n++) {
        const noise = Promise.all(Array.from({ length: 5 }, () => find(session)))
        await of().advanceSession(heartbeat(session))
        const now = await find(session)
        expect(now?.seq).toBe(session.seq + 1)
        session = now ?? session
        await noise
      }
    })

    test('one that cannot be kept fails alone', async () => {
      const [a, b] = [await opened(), await opened()]
      const wrong = { ...heartbeat(a), delta: delta(0) }
      const outcomes = await Promise.allSettled(
        [wrong, heartbeat(b)].map((step) => of().advanceSession(step)),
      )
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
      expect(await find(a)).toEqual(a)
    })
  }

  function quoteContract(of: () => Store): void {
    test('a quote is kept with its attestation, and opens what was suspended', async () => {
      const session = await opened({ standing: 'suspended', reason: 'silent', by: 'clock' })
      const step = quote(session, { reason: '', by: 'agent', changedAt: later(9) })
      const since = await of().lastEvent()
      expect(await of().renewSession(attestationOf(step), step)).toBe('recorded')
      expect(await find(session)).toEqual(taken(step))
      expect(await of().deltasOf(session.id)).toEqual([delta(0), delta(1)])
      expect(await of().findAppraisal(step.session.appraisal)).toBeDefined()
      expect(await of().eventsAfter(since, 10)).toMatchObject([
        {
          kind: 'session.changed',
          tenant: 'acme',
          fields: { session: session.id, standing: 'open', by: 'agent' },
        },
      ])
      // An open one stays open, which is no news.
      const again = quote(taken(step))
      expect(await of().renewSession(attestationOf(again), again)).toBe('recorded')
      expect(await of().lastEvent()).toBe(since + 1)
    })

    test('a session that moved on takes none, and the challenge is as good as before', async () => {
      const session = await opened()
      await of().advanceSession(heartbeat(session))
      const before = await find(session)
      const step = quote(session)
      const made = attestationOf(step)
      expect(await of().renewSession(made, step)).toBe('superseded')
      expect(await find(session)).toEqual(before)
      expect(await of().findAppraisal(step.session.appraisal)).toBeUndefined()
      expect(await of().recordAttestation({ ...made, leaf: leaf() })).toBe('recorded')
    })

    test('a challenge that was used changes nothing', async () => {
      const session = await opened()
      const challenge = { id: `again-${names}`, expiresAt: LATER }
      await of().recordAttestation(attestation(record(fresh().appraisal), { challenge }))
      const step = quote(session)
      expect(await of().renewSession(attestationOf(step, { challenge }), step)).toBe(
        'challenge-used',
      )
      expect(await find(session)).toEqual(session)
      expect(await of().deltasOf(session.id)).toEqual([delta(0)])
    })

    test('of fifty quotes and heartbeats for one revision one is kept', async () => {
      const session = await opened()
      const steps = Array.from({ length: 50 }, () => quote(session))
      const outcomes = await Promise.all(
        steps.map(async (step, n) =>
          n % 2
            ? await of().renewSession(attestationOf(step), step)
            : await of().advanceSession(heartbeat(session)),
        ),
      )
      expect(outcomes.filter((outcome) => outcome !== 'superseded')).toHaveLength(1)
      expect((await find(session))?.revision).toBe(session.revision + 1)
      expect(await of().deltasOf(session.id)).toEqual([delta(0), delta(1)])
    })
  }

  function tokenContract(of: () => Store): void {
    test('tokens of an open session are kept with their leaf, and found by it', async () => {
      const session = await opened()
      const jtis = ['a', 'b'].map((letter) => `${letter}-${names}`)
      const issued = tokensOf(session, jtis)
      await of().recordAttestation(
        attestation(record(fresh().appraisal), { tokens: [token(session.appraisal)] }),
      )
      expect(await of().recordSessionTokens(issued)).toBe('recorded')
      expect(await of().findToken(jtis[0] ?? '')).toEqual({
        ...issued.tokens[0],
        revocation: undefined,
      })
      expect(await of().leafPlace(issued.leaf.leafHash)).toEqual({ in: 'waiting' })
      const page = { at: AT, selection: { session: session.id }, limit: 10 }
      expect(await of().liveTokens('acme', page)).toEqual(issued.tokens)
      expect(await find(session)).toEqual(session)
    })

    test.each(['suspended', 'quarantined', 'revoked', 'closed'] as const)(
      'a session that is %s gets none',
      async (standing) => {
        const session = await opened({ standing })
        const issued = tokensOf(session, [`none-${names}`])
        expect(await of().recordSessionTokens(issued)).toBe('session-over')
        expect(await of().findToken(`none-${names}`)).toBeUndefined()
        expect(await of().leafPlace(issued.leaf.leafHash)).toBeUndefined()
      },
    )

    test('of many that ask at once each has what is its own', async () => {
      const sessions = await Promise.all(
        Array.from({ length: 40 }, (_, n) => opened({ standing: n % 3 ? 'open' : 'closed' })),
      )
      const outcomes = await Promise.all(
        sessions.flatMap((session) => [
          of().recordSessionTokens(tokensOf(session, [`x-${session.id}`])),
          of().recordSessionTokens(tokensOf(session, [`y-${session.id}`])),
        ]),
      )
      expect(outcomes).toEqual(
        sessions.flatMap(({ standing }) =>
          Array.from({ length: 2 }, () => (standing === 'open' ? 'recorded' : 'session-over')),
        ),
      )
    })
  }

  function changeContract(of: () => Store): void {
    describe('that are quarantined', () => {
      let session: SessionRecord
      let jtis: readonly string[] = []
      beforeEach(async () => {
        session = await opened()
        jtis = ['1', '2', 'old'].map((letter) => `${letter}-${session.id}`)
        const [one, two, old] = jtis
        await of().recordSessionTokens(tokensOf(session, [one ?? '', two ?? '']))
        await of().recordSessionTokens(tokensOf(session, [old ?? ''], { expiresAt: later(1) }))
      })

      test('lose every live token, with its leaf and its event', async () => {
        const since = await of().lastEvent()
        const leaves = new Map(jtis.map((jti) => [jti, leaf({ kind: 'revocation', subject: jti })]))
        const made = change(session, {
          leafOf: ({ jti }) => leaves.get(jti) ?? leaf(),
          delta: delta(1),
        })
        expect(await of().changeSession(made)).toBe('changed')
        expect(await find(session)).toEqual({ ...made.session, revision: session.revision + 1 })
        expect(await of().deltasOf(session.id)).toEqual([delta(0), delta(1)])
        const [one, two, old] = await Promise.all(jtis.map((jti) => of().findToken(jti)))
        expect([one?.revocation, two?.revocation, old?.revocation]).toEqual([
          quarantine,
          quarantine,
          undefined,
        ])
        const places = await Promise.all(
          [made.leaf, ...leaves.values()].map(({ leafHash }) => of().leafPlace(leafHash)),
        )
        expect(places.map((place) => place?.in)).toEqual([
          'waiting',
          'waiting',
          'waiting',
          undefined,
        ])
        const events = await of().eventsAfter(since, 10)
        expect(events.map(({ kind, fields }) => [kind, fields.jti ?? fields.session])).toEqual([
          ['token.revoked', jtis[0]],
          ['token.revoked', jtis[1]],
          ['session.changed', session.id],
        ])
        expect(events.at(-1)).toMatchObject({
          at: later(1000),
          tenant: 'acme',
          fields: {
            environment: 'prod',
            agent: 'invoice-bot',
            standing: 'quarantined',
            by: 'runtime',
          },
        })
        expect(JSON.stringify(events)).not.toContain('etc')
      })

      test('keep them where nothing is revoked', async () => {
        const made = change(session, { revocation: undefined })
        expect(await of().changeSession(made)).toBe('changed')
        expect((await of().findToken(jtis[0] ?? ''))?.revocation).toBeUndefined()
      })

      test('stay as they are where the revision is another, or something cannot be kept', async () => {
        const since = await of().lastEvent()
        const late = change({ ...session, revision: session.revision + 1 })
        expect(await of().changeSession(late)).toBe('superseded')
        const taken = leaf()
        await of().recordAttestation(attestation(record(fresh().appraisal), { leaf: taken }))
        for (const wrong of [{ leaf: taken }, { leafOf: () => taken }, { delta: delta(0) }])
          await expect(of().changeSession(change(session, wrong))).rejects.toThrow(
            'storage-unavailable',
          )
        expect(await find(session)).toEqual(session)
        expect((await of().findToken(jtis[0] ?? ''))?.revocation).toBeUndefined()
        expect(await of().leafPlace(late.leaf.leafHash)).toBeUndefined()
        expect(await of().lastEvent()).toBe(since)
      })

      test('have no live token afterwards, however many were being issued', async () => {
        const issuing = Array.from({ length: 100 }, (_, n) =>
          of().recordSessionTokens(tokensOf(session, [`race-${n}-${session.id}`])),
        )
        expect(await of().changeSession(change(session))).toBe('changed')
        const outcomes = await Promise.all(issuing)
        const page = { at: quarantine.at, selection: { session: session.id }, limit: 1000 }
        expect(await of().liveTokens('acme', page)).toEqual([])
        for (const [n, outcome] of outcomes.entries())
          expect((await of().findToken(`race-${n}-${session.id}`)) !== undefined).toBe(
            outcome === 'recorded',
          )
      })
    })
  }
}
