/** What every store must do with secrets and model keys, their versions, and who agreed to their release. */
import { describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { Resource, SealedVersion } from '#src/service/release-ports.ts'
import { approval, put, resource, version } from './release-records.ts'
import { AT, LATER, leaf } from './store-records.ts'

const later = (ms: number) => new Date(AT.getTime() + ms)

export function resourceContract(store: () => Store): void {
  const tenant = 'resources'
  const add = async (kept: Resource, next: SealedVersion, after = next.version - 1) => {
    const change = { resource: kept, version: next, after }
    return await store().addResourceVersion(change, leaf({ kind: 'resource' }))
  }
  const bare = ({ sealed: _, ...rest }: SealedVersion) => rest

  describe('resources', () => {
    const first = resource('secret:a', {
      tenant,
      brokerPath: 'default/key/1',
      releasesPerMinute: 7,
      approvals: 2,
      requiresSession: true,
      acceptsSimulated: true,
      use: 'decrypt',
    })

    test('are kept as they are, with the settings of the newest version', async () => {
      const place = leaf({ kind: 'resource' })
      const change = { resource: first, version: version(1), after: 0 }
      expect(await store().addResourceVersion(change, place)).toBe('added')
      expect(await store().leafPlace(place.leafHash)).toEqual({ in: 'waiting' })
      const known = { ...first, versions: [bare(version(1))] }
      expect(await store().findResource(tenant, 'secret:a')).toEqual(known)
      expect(await store().resourceAtBrokerPath(tenant, 'default/key/1')).toEqual(known)
      expect(await store().sealedVersion(tenant, 'secret:a', 1)).toEqual(version(1))
      const changed = { ...resource('secret:a', { tenant }), revision: 2 }
      const second = version(2, { createdAt: LATER, createdBy: 'bob' })
      expect(await add(changed, second)).toBe('added')
      expect(await store().findResource(tenant, 'secret:a')).toEqual({
        ...changed,
        versions: [bare(second), bare(version(1))],
      })
      expect(await store().resourceAtBrokerPath(tenant, 'default/key/1')).toBeUndefined()
    })

    test.each<[string, Partial<Resource>, number]>([
      ['is first already', { revision: 1 }, 0],
      ['knows an older version', { revision: 3 }, 1],
      ['knows older settings', { revision: 2 }, 2],
      ['knows newer settings', { revision: 4 }, 2],
    ])('one who %s is superseded, and leaves no trace', async (_, change, after) => {
      const before = await store().findResource(tenant, 'secret:a')
      const place = leaf({ kind: 'resource' })
      const late = resource('secret:a', { tenant, ...change })
      const outcome = await store().addResourceVersion(
        { resource: late, version: version(after + 1), after },
        place,
      )
      expect(outcome).toBe('superseded')
      expect(await store().findResource(tenant, 'secret:a')).toEqual(before)
      expect(await store().leafPlace(place.leafHash)).toBeUndefined()
    })

    test('have a broker path alone in their tenant, and keep it', async () => {
      const brokerPath = 'default/key/2'
      expect(await put(store(), 'secret:b', { tenant, brokerPath })).toBe('added')
      expect(await put(store(), 'secret:c', { tenant, brokerPath })).toBe('path-taken')
      expect(await store().findResource(tenant, 'secret:c')).toBeUndefined()
      expect(await put(store(), 'secret:c', { tenant: 'other', brokerPath })).toBe('added')
      const again = resource('secret:b', { tenant, brokerPath, revision: 2 })
      expect(await add(again, version(2))).toBe('added')
      expect((await store().resourceAtBrokerPath(tenant, brokerPath))?.name).toBe('secret:b')
    })

    test('are told by name, page by page, each tenant its own', async () => {
      await put(store(), 'model:z', { tenant })
      const names = async (page: { limit: number; after?: string }) =>
        (await store().resourcesOf(tenant, page)).map(({ name }) => name)
      expect(await names({ limit: 10 })).toEqual(['model:z', 'secret:a', 'secret:b'])
      expect(await names({ limit: 2 })).toEqual(['model:z', 'secret:a'])
      expect(await names({ limit: 2, after: 'secret:a' })).toEqual(['secret:b'])
      const [, a] = await store().resourcesOf(tenant, { limit: 2 })
      expect(a).toEqual(await store().findResource(tenant, 'secret:a'))
      expect(await store().resourcesOf('nobody', { limit: 2 })).toEqual([])
    })

    test.each(['', 'secret:none', 'secret:a\0', '\0', '\ud800'])(
      'nothing is known under %j',
      async (name) => {
        expect(await store().findResource(tenant, name)).toBeUndefined()
        expect(await store().findResource(name, 'secret:a')).toBeUndefined()
        expect(await store().resourceAtBrokerPath(tenant, name)).toBeUndefined()
        expect(await store().sealedVersion(tenant, name, 1)).toBeUndefined()
        expect(await store().findApproval(name)).toBeUndefined()
        expect(await store().findBrokerSession(name)).toBeUndefined()
        expect(await store().spendBrokerNonce(name, AT)).toBe(false)
        expect(await store().findRelease(name)).toBeUndefined()
      },
    )

    test.each([0, 3, -1, 1.5, 2 ** 31, 2 ** 53, Number.NaN])(
      'there is no version %d',
      async (number) => {
        expect(await store().sealedVersion(tenant, 'secret:a', number)).toBeUndefined()
      },
    )

    test('of many who add the next version at once one does', async () => {
      await put(store(), 'secret:raced', { tenant })
      const next = resource('secret:raced', { tenant, revision: 2 })
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => add(next, version(2))))
      expect(outcomes.filter((outcome) => outcome === 'added')).toHaveLength(1)
    })

    test('a hundred versions are kept, and the oldest goes', async () => {
      await put(store(), 'secret:old', { tenant })
      for (let number = 2; number <= 102; number += 1)
        await add(resource('secret:old', { tenant, revision: number }), version(number))
      const known = await store().findResource(tenant, 'secret:old')
      expect(known?.versions).toHaveLength(100)
      expect(known?.versions.at(0)?.version).toBe(102)
      expect(known?.versions.at(-1)?.version).toBe(3)
      expect(await store().sealedVersion(tenant, 'secret:old', 2)).toBeUndefined()
    })

    test('versions are revoked once, with a leaf where there was one to revoke', async () => {
      await put(store(), 'secret:r', { tenant })
      for (const number of [2, 3, 4])
        await add(resource('secret:r', { tenant, revision: number }), version(number))
      const revoke = async (versions: readonly number[] | 'all', at: Date) => {
        const place = leaf({ kind: 'resource' })
        const revoked = await store().revokeVersions(tenant, 'secret:r', { versions, at }, place)
        return { revoked, place: await store().leafPlace(place.leafHash) }
      }
      expect(await revoke([3, 1, 99], LATER)).toEqual({ revoked: [1, 3], place: { in: 'waiting' } })
      expect(await revoke([1, 3], AT)).toEqual({ revoked: [], place: undefined })
      expect(await revoke([], AT)).toEqual({ revoked: [], place: undefined })
      expect(await revoke('all', AT)).toEqual({ revoked: [2, 4], place: { in: 'waiting' } })
      const known = await store().findResource(tenant, 'secret:r')
      expect(known?.versions.map(({ revokedAt }) => revokedAt)).toEqual([AT, LATER, AT, LATER])
      // Nothing is left of it that could be opened, whoever takes the mark away.
      expect(await store().sealedVersion(tenant, 'secret:r', 3)).toMatchObject({
        revokedAt: LATER,
        sealed: new Uint8Array(),
      })
      const none = { versions: 'all', at: AT } as const
      expect(await store().revokeVersions(tenant, 'secret:x', none, leaf())).toEqual([])
    })

    test('a secret that was revoked meanwhile is not carried on, and another takes its place', async () => {
      await put(store(), 'secret:carried', { tenant })
      const at = LATER
      const all = { versions: 'all', at } as const
      await store().revokeVersions(tenant, 'secret:carried', all, leaf({ kind: 'resource' }))
      const again = resource('secret:carried', { tenant, revision: 2 })
      const change = { resource: again, version: version(2), after: 1 }
      const carried = async (carries?: number) =>
        await store().addResourceVersion({ ...change, carries }, leaf({ kind: 'resource' }))
      expect(await carried(1)).toBe('superseded')
      expect((await store().findResource(tenant, 'secret:carried'))?.versions).toHaveLength(1)
      expect(await carried()).toBe('added')
    })

    test('a secret is carried on before it is revoked, and then falls too, or not at all', async () => {
      const names = Array.from({ length: 12 }, (_, n) => `secret:race-${n}`)
      const outcomes = await Promise.all(
        names.map(async (name) => {
          await put(store(), name, { tenant })
          const again = resource(name, { tenant, revision: 2 })
          const [outcome] = await Promise.all([
            store().addResourceVersion(
              { resource: again, version: version(2), after: 1, carries: 1 },
              leaf({ kind: 'resource' }),
            ),
            store().revokeVersions(
              tenant,
              name,
              { versions: 'all', at: LATER },
              leaf({ kind: 'resource' }),
            ),
          ])
          return { name, outcome }
        }),
      )
      for (const { name, outcome } of outcomes) {
        const { versions = [] } = (await store().findResource(tenant, name)) ?? {}
        expect(versions.map(({ revokedAt }) => revokedAt)).toEqual(
          outcome === 'added' ? [LATER, LATER] : [LATER],
        )
      }
    })

    test('are sealed in another way all together, or not at all', async () => {
      const change = (name: string, from: Uint8Array, to: number) => ({
        tenant,
        name,
        version: 1,
        from,
        to: new Uint8Array([to]),
      })
      await put(store(), 'secret:resealed', { tenant })
      const { sealed } = version(1)
      const both = [change('secret:resealed', sealed, 7), change('model:z', sealed, 8)]
      expect(await store().resealVersions(both)).toBe(true)
      expect((await store().sealedVersion(tenant, 'secret:resealed', 1))?.sealed).toEqual(
        new Uint8Array([7]),
      )
      const stale = [
        change('secret:resealed', new Uint8Array([7]), 9),
        change('model:z', sealed, 9),
      ]
      expect(await store().resealVersions(stale)).toBe(false)
      const gone = [
        change('secret:resealed', new Uint8Array([7]), 9),
        change('secret:x', sealed, 9),
      ]
      expect(await store().resealVersions(gone)).toBe(false)
      expect((await store().sealedVersion(tenant, 'secret:resealed', 1))?.sealed).toEqual(
        new Uint8Array([7]),
      )
      expect(await store().resealVersions([])).toBe(true)
    })
  })

  describe('approvals', () => {
    test('are asked for once, until they are over', async () => {
      const asked = approval('a', { tenant })
      expect(await store().askApproval(asked)).toEqual(asked)
      const again = { ...asked, requestedAt: later(1000), expiresAt: later(999_000) }
      expect(await store().askApproval(again)).toEqual(asked)
      expect(await store().findApproval(asked.id)).toEqual(asked)
      const place = leaf({ kind: 'resource' })
      await store().approveRelease(asked.id, { operator: 'alice', at: AT }, place)
      const anew = { ...asked, requestedAt: LATER, expiresAt: later(999_000) }
      expect(await store().askApproval(anew)).toEqual(anew)
      expect(await store().findApproval(asked.id)).toEqual(anew)
    })

    test('count every operator once, with a leaf, in the order in which they agreed', async () => {
      const asked = approval('b', { tenant })
      await store().askApproval(asked)
      const agree = async (operator: string, at: Date) => {
        const place = leaf({ kind: 'resource' })
        const kept = await store().approveRelease(asked.id, { operator, at }, place)
        return { by: kept?.approvedBy, place: await store().leafPlace(place.leafHash) }
      }
      const [bob, alice] = [
        { operator: 'bob "\\', at: AT },
        { operator: 'alice', at: later(5) },
      ]
      expect(await agree(bob.operator, bob.at)).toEqual({ by: [bob], place: { in: 'waiting' } })
      expect(await agree(bob.operator, later(3))).toEqual({ by: [bob], place: undefined })
      expect((await agree('alice', alice.at)).by).toEqual([bob, alice])
      expect((await store().findApproval(asked.id))?.approvedBy).toEqual([bob, alice])
      expect(await agree('carol', LATER)).toEqual({ by: undefined, place: undefined })
      const unknown = store().approveRelease(approval('x').id, bob, leaf())
      expect(await unknown).toBeUndefined()
    })

    test('what is sealed takes the place of what is not, and nothing takes its place', async () => {
      const asked = approval('sealed', { tenant })
      await store().askApproval(asked)
      const agree = async (operator: string, seal?: string) => {
        const by = { operator, at: AT, ...(seal !== undefined && { seal }) }
        const place = leaf({ kind: 'resource' })
        const kept = await store().approveRelease(asked.id, by, place)
        const isQueued = (await store().leafPlace(place.leafHash)) !== undefined
        return { agreed: kept?.approvedBy.map((each) => [each.operator, each.seal]), isQueued }
      }
      await agree('alice')
      await agree('bob')
      const sealed = [
        ['bob', undefined],
        ['alice', 'one'],
      ]
      expect(await agree('alice', 'one')).toEqual({ agreed: sealed, isQueued: true })
      expect(await agree('alice', 'two')).toEqual({ agreed: sealed, isQueued: false })
      expect(await agree('alice')).toEqual({ agreed: sealed, isQueued: false })
    })

    test('many who agree at once are all counted', async () => {
      const asked = approval('c', { tenant })
      await store().askApproval(asked)
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store().approveRelease(asked.id, { operator: `o${n % 10}`, at: AT }, leaf()),
        ),
      )
      const { approvedBy = [] } = (await store().findApproval(asked.id)) ?? {}
      expect(approvedBy.map(({ operator }) => operator).toSorted()).toEqual(
        Array.from({ length: 10 }, (_, n) => `o${n}`),
      )
    })

    test('are listed the newest first while they last', async () => {
      const listed = 'listed'
      for (const n of [1, 3, 2])
        await store().askApproval(
          approval(`l${n}`, { tenant: listed, requestedAt: later(n), expiresAt: later(n * 1000) }),
        )
      const list = async (at: Date, limit = 10) =>
        (await store().approvalsOf(listed, { at, limit })).map(({ requestedAt }) => requestedAt)
      expect(await list(AT)).toEqual([later(3), later(2), later(1)])
      expect(await list(AT, 2)).toEqual([later(3), later(2)])
      expect(await list(later(1000))).toEqual([later(3), later(2)])
    })
  })
}
