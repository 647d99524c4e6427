/** What every store must do with policies and those who enforce them. */
import { describe, expect, test } from 'vitest'
import { chainFault } from '#src/service/acceptance-chain.ts'
import type { DriftReport, EnforcementPoint, PolicyRecord } from '#src/service/policy-ports.ts'
import type { Store } from '#src/service/ports.ts'
import { AT, acceptedPolicy, LATER, leaf, uuid } from './store-records.ts'

export function policyContract(store: () => Store): void {
  describe('policies', () => {
    const first = acceptedPolicy(1)
    const second = acceptedPolicy(2)
    const accept = async (previous: string | undefined, next: PolicyRecord) =>
      await store().acceptPolicy(previous, next, leaf({ kind: 'policy', subject: next.commit }))

    test('the accepted policy comes back as it was, and every tenant has its own', async () => {
      expect(await store().policyOf('governed')).toBeUndefined()
      expect(await accept(undefined, first)).toBe('accepted')
      expect(await store().policyOf('governed')).toStrictEqual(first)
      expect(await store().policyHeadOf('governed')).toEqual({ sequence: 1, commit: first.commit })
      expect(await store().policyHeadOf('other')).toBeUndefined()
      expect(await store().policyOf('other')).toBeUndefined()
      expect(await accept(undefined, acceptedPolicy(1, { tenant: 'other' }))).toBe('accepted')
    })

    test.each([
      ['that none was accepted before', undefined, second],
      ['another predecessor', '9'.repeat(40), second],
      ['another number', first.commit, acceptedPolicy(3)],
    ])('who believes %s is superseded, and nothing changes', async (_, previous, next) => {
      expect(await accept(previous, next)).toBe('superseded')
      expect(await store().policyOf('governed')).toStrictEqual(first)
      expect(await store().acceptancesOf('governed')).toHaveLength(1)
    })

    test('of twenty successors at once one is accepted', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          accept(first.commit, acceptedPolicy(2, { digest: `sha256:${n}` })),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1)
      expect(await store().acceptancesOf('governed')).toHaveLength(2)
    })

    test('the history is a chain that ends in the accepted policy', async () => {
      const links = await store().acceptancesOf('governed')
      expect(links.map(({ sequence }) => sequence)).toEqual([1, 2])
      expect(chainFault(links, await store().policyOf('governed'))).toBeUndefined()
    })

    test('whoever was superseded published nothing and queued no leaf', async () => {
      const since = await store().lastEvent()
      const queued = leaf({ kind: 'policy' })
      expect(await store().acceptPolicy(undefined, second, queued)).toBe('superseded')
      expect(await store().lastEvent()).toBe(since)
      expect(await store().leafPlace(queued.leafHash)).toBeUndefined()
    })

    test('an acceptance is told to every replica, and waits for the log', async () => {
      const since = await store().lastEvent()
      const next = acceptedPolicy(1, { tenant: 'told' })
      const queued = leaf({ kind: 'policy', subject: next.commit, tenant: 'told' })
      await store().acceptPolicy(undefined, next, queued)
      expect(await store().eventsAfter(since, 10)).toEqual([
        {
          sequence: since + 1,
          at: next.acceptedAt,
          kind: 'policy.accepted',
          tenant: 'told',
          fields: { commit: next.commit, digest: next.digest, sequence: 1 },
        },
      ])
      expect(await store().leafPlace(queued.leafHash)).toEqual({ in: 'waiting' })
    })

    test('an acceptance whose leaf cannot be queued did not happen', async () => {
      const queued = leaf({ kind: 'policy' })
      await store().acceptPolicy(undefined, acceptedPolicy(1, { tenant: 'leafed' }), queued)
      const since = await store().lastEvent()
      const again = store().acceptPolicy(
        undefined,
        acceptedPolicy(1, { tenant: 'leafless' }),
        queued,
      )
      await expect(again).rejects.toThrow('storage-unavailable')
      expect(await store().policyOf('leafless')).toBeUndefined()
      expect(await store().acceptancesOf('leafless')).toEqual([])
      expect(await store().lastEvent()).toBe(since)
    })

    test('the first sight of a commit stays, tenant by tenant', async () => {
      const commits = ['a'.repeat(40), 'b'.repeat(40)]
      await store().firstSeen('governed', commits.slice(0, 1), AT)
      const seen = await store().firstSeen('governed', commits, LATER)
      expect([...seen]).toEqual([
        [commits[0], AT],
        [commits[1], LATER],
      ])
      expect(
        (await store().firstSeen('other', commits.slice(0, 1), LATER)).get('a'.repeat(40)),
      ).toEqual(LATER)
      expect(await store().firstSeen('governed', [], AT)).toEqual(new Map())
    })

    test('thousands of commits are seen in one go', async () => {
      const commits = Array.from({ length: 12_000 }, (_, n) => n.toString(16).padStart(40, '0'))
      const seen = await store().firstSeen('many', commits, AT)
      expect(seen.size).toBe(12_000)
      expect(await store().pruneSightings(AT)).toBe(0)
      expect(await store().pruneSightings(new Date(AT.getTime() + 1))).toBe(12_001)
    })

    const drift = (commit: string): DriftReport => ({
      tenant: 'governed',
      from: { commit: '1', digest: 'sha256:1' },
      to: { commit, digest: 'sha256:2' },
      at: AT,
      examined: 3,
      unexaminable: 1,
      changed: 1,
      entries: [
        {
          appraisal: uuid(1),
          environment: 'prod',
          agent: 'invoice-bot',
          before: 'issued',
          after: 'refused',
          nowFailing: ['rule.no-debug'],
          noLongerFailing: [],
        },
      ],
    })

    test('of drift reports the one that was kept last is told', async () => {
      expect(await store().latestDrift('governed')).toBeUndefined()
      await store().keepDrift(drift('2'))
      await store().keepDrift(drift('3'))
      expect(await store().latestDrift('governed')).toEqual(drift('3'))
      expect(await store().latestDrift('other')).toBeUndefined()
    })

    test('an enforcement point is known by what it said last, until it was silent for too long', async () => {
      const point = (name: string, change: Partial<EnforcementPoint> = {}): EnforcementPoint => ({
        tenant: 'governed',
        name,
        kind: 'verifier',
        commit: '1',
        digest: 'sha256:1',
        reportedAt: AT,
        ...change,
      })
      await store().reportEnforcement(point('b'))
      await store().reportEnforcement(point('a', { kind: 'gateway' }))
      await store().reportEnforcement(point('a'))
      const renewed = point('a', { commit: '2', digest: 'sha256:2', reportedAt: LATER })
      await store().reportEnforcement(renewed)
      await store().reportEnforcement(point('c', { tenant: 'other' }))
      const gateway = point('a', { kind: 'gateway' })
      expect(await store().enforcementPoints('governed')).toEqual([gateway, renewed, point('b')])
      expect(await store().pruneEnforcementPoints(LATER, ['verifier'])).toBe(2)
      expect(await store().enforcementPoints('governed')).toEqual([gateway, renewed])
    })
  })
}
