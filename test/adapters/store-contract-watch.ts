/** What every store must do with bans, with outages of the service, with webhooks, and with releases to watched agents. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { HeardSession } from '#src/service/release-ports.ts'
import { COMMIT, put, release } from './release-records.ts'
import { agentSession, ban, change, hostile, later, open, tokensOf } from './session-records.ts'
import { AT, leaf } from './store-records.ts'

export function watchContract(store: () => Store): void {
  banContract(store)
  outageContract(store)
  webhookContract(store)
  watchedReleaseContract(store)
}

function banContract(store: () => Store): void {
  describe('bans', () => {
    test('are kept as they were said, of one agent or of all', async () => {
      const tenant = 'banning'
      const all = [
        ban({ tenant }),
        ban({ tenant, environment: 'prod', at: later(1) }),
        ban({ tenant, environment: 'prod', agent: 'invoice-bot', at: later(2) }),
        ban({ tenant, platform: 'cd'.repeat(64), agent: 'invoice-bot', at: later(3) }),
      ]
      const since = await store().lastEvent()
      for (const each of all) {
        const said = leaf({ kind: 'session' })
        await store().ban(each, said)
        expect(await store().leafPlace(said.leafHash)).toEqual({ in: 'waiting' })
      }
      expect(await store().bansOf(tenant)).toEqual(all)
      expect(await store().bansOf('another')).toEqual([])
      const events = await store().eventsAfter(since, 10)
      expect(events.map(({ kind, at }) => [kind, at])).toEqual(
        all.map(({ at }) => ['ban.changed', at]),
      )
      expect(events[2]).toMatchObject({
        tenant,
        fields: { environment: 'prod', agent: 'invoice-bot', change: 'banned' },
      })
      expect(JSON.stringify(events)).not.toContain('second-hand')
    })

    test('are said anew, and lifted once', async () => {
      const tenant = 'lifting'
      await store().ban(ban({ tenant }), leaf())
      const again = ban({ tenant, reason: 'still', by: 'bob', at: later(5) })
      await store().ban(again, leaf())
      expect(await store().bansOf(tenant)).toEqual([again])
      const since = await store().lastEvent()
      const [first, second] = [leaf(), leaf()]
      const other = { tenant, platform: again.platform, environment: 'prod', agent: undefined }
      expect(await store().liftBan({ ...other, at: AT }, second)).toBe(false)
      expect(await store().liftBan({ ...again, agent: hostile }, second)).toBe(false)
      expect(await store().liftBan(again, first)).toBe(true)
      expect(await store().liftBan(again, second)).toBe(false)
      expect(await store().bansOf(tenant)).toEqual([])
      expect(await store().leafPlace(first.leafHash)).toEqual({ in: 'waiting' })
      expect(await store().leafPlace(second.leafHash)).toBeUndefined()
      expect(await store().eventsAfter(since, 10)).toMatchObject([
        { kind: 'ban.changed', at: again.at, tenant, fields: { change: 'lifted' } },
      ])
    })
  })
}

function outageContract(store: () => Store): void {
  const alive = async (replica: string, ms: number, since = AT) =>
    await store().serviceAlive(replica, later(ms), { gapMs: 5000, since })
  const outage = (from: number, until: number) => ({ from: later(from), until: later(until) })

  test('an outage is the time in which no replica was alive, and is noticed once', async () => {
    expect(await alive('a', 0)).toEqual([])
    expect(await alive('b', 4000)).toEqual([])
    expect(await alive('a', 9000)).toEqual([])
    // A clock that is behind says nothing.
    expect(await alive('b', 1000)).toEqual([])
    const first = outage(9000, 20_000)
    const noticed = await Promise.all(['a', 'b', 'c'].map((replica) => alive(replica, 20_000)))
    expect(noticed).toContainEqual([first])
    expect(await alive('b', 20_001)).toEqual([first])
    const second = outage(20_001, 30_000)
    expect(await alive('c', 30_000)).toEqual([first, second])
    expect(await alive('c', 30_001, later(20_000))).toEqual([second])
    expect(await alive('c', 30_002, later(30_000))).toEqual([])
    await store().pruneSessions(later(20_001))
    expect(await alive('c', 30_003)).toEqual([second])
    await store().pruneSessions(later(40_000))
    expect(await alive('c', 30_004)).toEqual([])
    // When it was alive last is remembered.
    expect(await alive('d', 60_000)).toEqual([outage(30_004, 60_000)])
    await store().pruneSessions(later(60_001))
  })
}

function webhookContract(store: () => Store): void {
  describe('a webhook', () => {
    const claim = async (holder: string, at: number, name = 'hook') =>
      await store().claimWebhook(name, { holder, at: later(at), until: later(at + 100) })

    test('is told by one replica at a time, from where the last one stopped', async () => {
      expect(await claim('a', 0)).toBe(0)
      expect(await claim('b', 99)).toBeUndefined()
      expect(await claim('b', 99, 'another')).toBe(0)
      expect(await store().advanceWebhook('hook', { holder: 'b', sequence: 7 })).toBe(false)
      expect(await store().advanceWebhook('hook', { holder: 'a', sequence: 5 })).toBe(true)
      expect(await claim('a', 50)).toBe(5)
      expect(await claim('b', 149)).toBeUndefined()
      expect(await claim('b', 150)).toBe(5)
      expect(await store().advanceWebhook('hook', { holder: 'a', sequence: 9 })).toBe(false)
      expect(await store().advanceWebhook('hook', { holder: 'b', sequence: 3 })).toBe(true)
      expect(await claim('b', 160)).toBe(5)
      expect(await store().advanceWebhook('none', { holder: 'b', sequence: 3 })).toBe(false)
    })

    test('goes to one of many who claim it', async () => {
      const claimed = await Promise.all(
        Array.from({ length: 20 }, (_, n) => claim(`holder-${n}`, 0, 'raced')),
      )
      expect(claimed.filter((sequence) => sequence !== undefined)).toEqual([0])
    })
  })
}

function watchedReleaseContract(store: () => Store): void {
  describe('releases to a watched agent', () => {
    const resource = 'secret:watched'
    const session = agentSession('watched', { heardAt: AT })
    const stranger = agentSession('watched stranger', { jkt: 'another' })
    const over = agentSession('watched over')
    const expiresAt = later(120_000)
    beforeAll(async () => {
      await put(store(), resource)
      for (const each of [session, stranger, over]) await open(store(), each)
      await store().recordSessionTokens(tokensOf(session, ['watched'], { expiresAt }))
      await store().recordSessionTokens(tokensOf(over, ['watched-over'], { expiresAt }))
      // Of a key that is not the session's.
      await store().recordSessionTokens(tokensOf(stranger, ['watched-stranger'], { expiresAt }))
      const { session: ended } = change(over)
      await store().changeSession(change(over, { session: ended, revocation: undefined }))
      await store().recordSessionTokens(tokensOf(session, ['watched-too'], { expiresAt }))
    })
    const heard = (rest: Partial<HeardSession> = {}) => ({
      id: session.id,
      heardSince: AT,
      ...rest,
    })

    const cases: readonly [string, string, HeardSession | undefined][] = [
      ['recorded', 'watched', heard()],
      ['recorded', 'watched', heard({ heardSince: later(-1) })],
      ['session-over', 'watched', heard({ heardSince: later(1) })],
      ['session-over', 'watched', undefined],
      ['session-over', 'watched', heard({ id: stranger.id })],
      ['session-over', 'watched', heard({ id: 'none' })],
      ['session-over', 'watched-stranger', heard({ id: stranger.id })],
      ['session-over', 'watched-over', heard({ id: over.id })],
    ]
    test.each(cases)('are %s by the token %j that says %j', async (outcome, jti, named) => {
      const made = release({ resource, jti }, { session: named })
      expect(await store().recordRelease(made)).toBe(outcome)
      const kept = await store().findRelease(made.release.id)
      expect(kept).toEqual(outcome === 'recorded' ? made.release : undefined)
      // The proof is as good as before.
      const proof = made.proof?.id ?? ''
      if (outcome !== 'recorded') expect(await store().useOnce('dpop', proof, expiresAt)).toBe(true)
    })

    test.each(cases)('or their leases: %s, %j, %j', async (outcome, jti, named) => {
      const made = release({ resource, jti: 'watched-too' }, { session: heard() })
      expect(await store().recordRelease(made)).toBe('recorded')
      const proof = { id: `lease of ${made.release.id}`, expiresAt }
      const renewal = { at: AT, until: expiresAt, jti, proof, policyCommit: COMMIT, session: named }
      expect(await store().renewLease(made.release.id, renewal)).toBe(
        outcome === 'recorded' ? 'renewed' : outcome,
      )
      const kept = await store().findRelease(made.release.id)
      expect(kept?.leaseUntil).toEqual(outcome === 'recorded' ? expiresAt : made.release.leaseUntil)
    })

    test('are as before by a token of no session, but for who names one', async () => {
      const { tokens, leaf: said } = tokensOf(session, ['unwatched'], {
        expiresAt,
        session: undefined,
      })
      await store().recordSessionTokens({ session: session.id, tokens, leaf: said })
      const bare = release({ resource, jti: 'unwatched' })
      expect(await store().recordRelease(bare)).toBe('recorded')
      const bold = release({ resource, jti: 'unwatched' }, { session: heard() })
      expect(await store().recordRelease(bold)).toBe('session-over')
    })
  })
}
