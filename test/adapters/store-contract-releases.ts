/** What every store must do with releases, and what they rest on. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { RecordedRelease, ReleaseRecord } from '#src/service/release-ports.ts'
import { approval, issue, put, release, resource, session, version } from './release-records.ts'
import { AT, acceptedPolicy, DAY, LATER, leaf } from './store-records.ts'

const later = (ms: number) => new Date(AT.getTime() + ms)
const revocation = { at: AT, reason: 'operator', detail: '', by: 'alice' } as const
type Change = Partial<ReleaseRecord>
type Rest = Partial<Omit<RecordedRelease, 'release'>>

export function releaseContract(store: () => Store): void {
  const make = (change: Change = {}, rest: Rest = {}) =>
    release({ resource: 'secret:rel', jti: 'rel', ...change }, rest)
  const record = async (change: Change = {}, rest: Rest = {}) =>
    await store().recordRelease(make(change, rest))
  const all = async (recorded: readonly RecordedRelease[]) =>
    await Promise.all(recorded.map((each) => store().recordRelease(each)))

  describe('releases', () => {
    beforeAll(async () => {
      await put(store(), 'secret:rel')
      await put(store(), 'secret:rel', { tenant: 'stranger' })
      await store().addResourceVersion(
        { resource: resource('secret:rel', { revision: 2 }), version: version(2), after: 1 },
        leaf(),
      )
      await store().addResourceVersion(
        { resource: resource('secret:rel', { revision: 3 }), version: version(3), after: 2 },
        leaf(),
      )
      await store().revokeVersions('acme', 'secret:rel', { versions: [2], at: AT }, leaf())
      await put(store(), 'secret:other')
      await issue(store(), ['rel', 'rel-2'])
      await issue(store(), ['rel-revoked'])
      await issue(store(), ['rel-short'], { expiresAt: later(500) })
      await store().revokeTokens(['rel-revoked'], revocation, () => leaf())
      await issue(store(), ['broker'], { form: 'broker', expiresAt: later(10_000) })
      for (const [name, count] of [
        ['none', 0],
        ['one', 1],
        ['two', 2],
      ] as const) {
        await store().askApproval(approval(name))
        for (let n = 0; n < count; n += 1)
          await store().approveRelease(approval(name).id, { operator: `o${n}`, at: AT }, leaf())
      }
    })
    // As it is since its third version.
    const now = { revision: 3 }

    test('are kept as they are, with their leaf', async () => {
      const recorded = make({}, now)
      expect(await store().recordRelease(recorded)).toBe('recorded')
      expect(await store().findRelease(recorded.release.id)).toEqual(recorded.release)
      expect(await store().leafPlace(recorded.leaf.leafHash)).toEqual({ in: 'waiting' })
      const { leafHash: _, ...body } = recorded.leaf
      expect(await store().leafBody(recorded.leaf.leafHash)).toEqual(body)
      const other = make({ use: 'sign', leaseUntil: undefined, version: 3 }, now)
      expect(await store().recordRelease(other)).toBe('recorded')
      expect(await store().findRelease(other.release.id)).toEqual(other.release)
    })

    test('go by the policy that was accepted last, whichever replica accepted it', async () => {
      const tenant = 'moved-on'
      await put(store(), 'secret:rel', { tenant })
      await issue(store(), ['moved-on'], { tenant })
      const by = async (policyCommit: string) =>
        await record({ tenant, jti: 'moved-on', policyCommit })
      const [one, two] = ['1'.repeat(40), '2'.repeat(40)]
      // While none was ever accepted, there is nothing to be behind of.
      expect(await by(one)).toBe('recorded')
      await store().acceptPolicy(undefined, acceptedPolicy(1, { tenant, commit: one }), leaf())
      expect(await by(one)).toBe('recorded')
      await store().acceptPolicy(one, acceptedPolicy(2, { tenant, commit: two }), leaf())
      const late = make({ tenant, jti: 'moved-on', policyCommit: one })
      expect(await store().recordRelease(late)).toBe('policy-behind')
      expect(await store().leafPlace(late.leaf.leafHash)).toBeUndefined()
      expect(await by(two)).toBe('recorded')
      // Another tenant's policy is another matter.
      expect(await record({ policyCommit: one }, now)).toBe('recorded')
    })

    test.each<[string, Change, Rest]>([
      ['token-revoked', { jti: 'none' }, {}],
      ['token-revoked', { jti: 'rel-revoked' }, {}],
      ['token-revoked', { jti: 'rel-short', at: later(500) }, {}],
      ['token-revoked', { tenant: 'stranger' }, { revision: 1 }],
      ['token-revoked', { face: 'key-broker' }, { proof: undefined }],
      ['token-revoked', { jti: 'broker' }, {}],
      ['token-revoked', { face: 'key-broker', jti: 'none' }, { proof: undefined }],
      ['token-revoked', { face: 'key-broker', jti: 'broker', at: later(10_000) }, {}],
      ['token-revoked', { face: 'key-broker', jti: 'broker', tenant: 'stranger' }, { revision: 1 }],
      ['resource-changed', {}, { revision: 2 }],
      ['resource-changed', {}, { revision: 4 }],
      ['resource-changed', { resource: 'secret:none' }, { revision: 0 }],
      ['version-revoked', { version: 2 }, {}],
      ['version-revoked', { version: 4 }, {}],
      ['approval-missing', {}, { approval: { id: approval('x').id, atLeast: 1 } }],
      ['approval-missing', {}, { approval: { id: approval('none').id, atLeast: 1 } }],
      ['approval-missing', {}, { approval: { id: approval('one').id, atLeast: 2 } }],
      [
        'approval-missing',
        { at: LATER, jti: 'long' },
        { approval: { id: approval('two').id, atLeast: 2 } },
      ],
      ['too-many-releases', {}, { releasesPerMinute: 0 }],
      // What is said first: revoked above all, and the limit last.
      ['token-revoked', { jti: 'rel-revoked', version: 2 }, { revision: 9, releasesPerMinute: 0 }],
      ['resource-changed', { version: 2 }, { revision: 9, releasesPerMinute: 0 }],
      ['version-revoked', { version: 2 }, { releasesPerMinute: 0 }],
    ])('are refused (%s) and leave no trace: %j, %j', async (refusal, change, rest) => {
      if (change.jti === 'long' && !(await store().findToken('long')))
        await issue(store(), ['long'], { expiresAt: later(DAY) })
      const refused = make(change, { ...now, ...rest })
      expect(await store().recordRelease(refused)).toBe(refusal)
      expect(await store().findRelease(refused.release.id)).toBeUndefined()
      expect(await store().leafPlace(refused.leaf.leafHash)).toBeUndefined()
      // The proof is as good as before.
      const { proof } = refused
      if (proof) expect(await record({}, { ...now, proof })).toBe('recorded')
    })

    test.each<[Change, Rest]>([
      [{ jti: 'rel-short', at: later(499) }, {}],
      [{ face: 'key-broker', jti: 'broker' }, { proof: undefined }],
      [{ face: 'key-broker', jti: 'broker', at: later(9999) }, { proof: undefined }],
      [{}, { approval: { id: approval('one').id, atLeast: 1 } }],
      [{}, { approval: { id: approval('two').id, atLeast: 1 } }],
      [{}, { approval: { id: approval('none').id, atLeast: 0 } }],
    ])('are let be: %j, %j', async (change, rest) =>
      expect(await record(change, { ...now, ...rest })).toBe('recorded'),
    )

    test('have a proof of their own, which useOnce knows too', async () => {
      const proof = { id: 'once', expiresAt: LATER }
      expect(await record({}, { ...now, proof })).toBe('recorded')
      expect(await record({}, { ...now, proof })).toBe('proof-used')
      expect(await record({ jti: 'rel-2', resource: 'secret:other' }, { proof })).toBe('proof-used')
      expect(await store().useOnce('dpop', 'once', LATER)).toBe(false)
      await store().useOnce('dpop', 'elsewhere', LATER)
      const used = { ...now, proof: { id: 'elsewhere', expiresAt: LATER } }
      expect(await record({}, used)).toBe('proof-used')
    })

    test('of many at once with one proof one is recorded', async () => {
      const proof = { id: 'raced', expiresAt: LATER }
      const racers = Array.from({ length: 200 }, () => make({}, { ...now, proof }))
      const outcomes = await all(racers)
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      expect(new Set(outcomes)).toEqual(new Set(['recorded', 'proof-used']))
      const kept = await Promise.all(racers.map((each) => store().findRelease(each.release.id)))
      expect(kept.filter((each) => each !== undefined)).toHaveLength(1)
    })

    test('at once have a verdict each', async () => {
      const proof = { id: 'twice', expiresAt: LATER }
      const mixed = [
        make({}, now),
        make({ jti: 'rel-revoked' }, now),
        make({}, { ...now, proof }),
        make({}, { ...now, proof }),
        make({ version: 2 }, now),
        make({ resource: 'secret:other' }),
        make({}, { revision: 1 }),
        make({}, { ...now, approval: { id: approval('none').id, atLeast: 1 } }),
        make({}, { ...now, releasesPerMinute: 0 }),
        make({ face: 'key-broker', jti: 'broker' }, { ...now, proof: undefined }),
        make({ jti: 'rel-2' }, now),
      ]
      expect(await all(mixed)).toEqual([
        'recorded',
        'token-revoked',
        'recorded',
        'proof-used',
        'version-revoked',
        'recorded',
        'resource-changed',
        'approval-missing',
        'too-many-releases',
        'recorded',
        'recorded',
      ])
    })

    test('one that cannot be kept does not fail the strangers who arrive with it', async () => {
      const kept = make({}, now)
      await store().recordRelease(kept)
      const taken = make({ id: kept.release.id }, now)
      const sameLeaf = { ...make({}, now), leaf: kept.leaf }
      const batch = [make({}, now), taken, make({}, now), sameLeaf, make({}, now)]
      const outcomes = await Promise.allSettled(batch.map((each) => store().recordRelease(each)))
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'fulfilled',
      ])
      // Nothing of it is kept, not even that its proof was used.
      for (const { proof } of [taken, sameLeaf])
        expect(await record({}, { ...now, proof })).toBe('recorded')
      expect(await store().findRelease(sameLeaf.release.id)).toBeUndefined()
    })

    test('are counted by the minute, those who are refused not', async () => {
      await put(store(), 'secret:limited')
      await put(store(), 'secret:limited-2')
      const limited = (change: Change = {}, rest: Rest = {}) =>
        make({ resource: 'secret:limited', ...change }, { releasesPerMinute: 10, ...rest })
      const used = { id: 'once', expiresAt: LATER }
      const refused = [limited({ version: 9 }), limited({}, { proof: used })]
      const other = limited({ resource: 'secret:limited-2' })
      const eight = Array.from({ length: 8 }, () => limited())
      const outcomes = await all([...refused, other, ...eight])
      expect(outcomes).toEqual(['version-revoked', 'proof-used', ...Array(9).fill('recorded')])
      const five = Array.from({ length: 5 }, () => limited())
      expect(await all(five)).toEqual([
        ...Array(2).fill('recorded'),
        ...Array(3).fill('too-many-releases'),
      ])
      // Without a limit nothing is counted, and a higher one has room.
      expect(await record({ resource: 'secret:limited' })).toBe('recorded')
      expect(await store().recordRelease(limited({}, { releasesPerMinute: 11 }))).toBe('recorded')
      expect(await store().recordRelease(limited())).toBe('too-many-releases')
      // What was refused may come again with the proof that it had.
      const [, , , , last] = five
      const next = limited({ at: later(60_000) }, { proof: last?.proof })
      expect(await store().recordRelease(next)).toBe('recorded')
      // A clock that is behind counts in the minute that has begun.
      const behind = await all(Array.from({ length: 10 }, () => limited()))
      expect(behind.filter((outcome) => outcome === 'recorded')).toHaveLength(9)
    })

    test('of many at once no more than the limit are recorded, and exactly as many', async () => {
      await put(store(), 'secret:raced')
      const racers = Array.from({ length: 100 }, () =>
        make({ resource: 'secret:raced' }, { releasesPerMinute: 10 }),
      )
      const outcomes = await all(racers)
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(10)
      expect(new Set(outcomes)).toEqual(new Set(['recorded', 'too-many-releases']))
    })

    test('on the Key Broker face end with the token of their handshake: none is recorded after it was revoked', async () => {
      await issue(store(), ['ending'], { form: 'broker' })
      const asked = () =>
        record({ face: 'key-broker', jti: 'ending' }, { ...now, proof: undefined })
      expect(await asked()).toBe('recorded')
      const racing = Array.from({ length: 10 }, asked)
      const ended = store().revokeTokens(['ending'], revocation, () => leaf())
      expect(new Set([...(await Promise.all(racing)), 'recorded', 'token-revoked'])).toEqual(
        new Set(['recorded', 'token-revoked']),
      )
      expect(await ended).toHaveLength(1)
      expect(await asked()).toBe('token-revoked')
    })

    test('are forgotten when they are over', async () => {
      const before = new Date('2020-02-01T00:00:00Z')
      const old = (ms: number) => new Date(before.getTime() + ms)
      await issue(store(), ['old'], { expiresAt: LATER })
      const jti = 'old'
      const releases = [
        make({ jti, at: old(-9), leaseUntil: undefined }, now),
        make({ jti, at: old(-9), leaseUntil: old(-1) }, now),
        make({ jti, at: old(-9), leaseUntil: old(1) }, now),
        make({ jti, at: old(0), leaseUntil: undefined }, now),
      ]
      await all(releases)
      await store().askApproval(approval('over', { requestedAt: old(-9), expiresAt: old(-1) }))
      await store().askApproval(approval('not', { requestedAt: old(-9), expiresAt: old(1) }))
      await store().openBrokerSession(session('over', { expiresAt: old(-1) }))
      await store().openBrokerSession(session('not', { expiresAt: old(-1) }))
      const attested = { environment: '', agent: '', appraisal: '', teePublicKey: '' }
      await store().attestBrokerSession('not', {
        ...attested,
        policyCommit: '',
        at: old(-2),
        expiresAt: old(1),
      })
      expect(await store().pruneReleases(before)).toBe(2)
      expect(await store().pruneReleases(before)).toBe(0)
      expect(await store().pruneBrokerSessions(before)).toBe(1)
      const kept = await Promise.all(releases.map((each) => store().findRelease(each.release.id)))
      expect(kept.map((each) => each !== undefined)).toEqual([false, false, true, true])
      expect(await store().findApproval(approval('over').id)).toBeUndefined()
      expect(await store().findApproval(approval('not').id)).toBeDefined()
      expect(await store().findBrokerSession('over')).toBeUndefined()
      expect(await store().findBrokerSession('not')).toBeDefined()
    })
  })
}
