/** Releases on two replicas at once with each other, and with all the rest: on a real PostgreSQL (sql-release-grounds.ts). */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { describeWithPostgres } from '../postgres.ts'
import { approval, COMMIT, issue, put, release, resource, version } from './release-records.ts'
import { LASTING, revocation, twoReplicas } from './release-replicas.ts'
import { AT, LATER, leaf } from './store-records.ts'

describeWithPostgres('releases, and each other at the same time', () => {
  const { each, deadlocks } = twoReplicas()

  test('of two hundred with one proof one is recorded', async () => {
    await put(each(0), 'secret:proof')
    await issue(each(0), ['proof-a', 'proof-b'], LASTING)
    const proof = { id: 'over-two-replicas', expiresAt: LATER }
    const racers = Array.from({ length: 200 }, (_, n) =>
      release({ resource: 'secret:proof', jti: n % 3 ? 'proof-a' : 'proof-b' }, { proof }),
    )
    const outcomes = await Promise.all(racers.map((racer, n) => each(n).recordRelease(racer)))
    expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
    expect(new Set(outcomes)).toEqual(new Set(['recorded', 'proof-used']))
  })

  test('of two who bring the same sixty proofs in other orders each records what the other does not', async () => {
    const rounds = [0, 1, 2, 3, 4]
    const sides = [0, 1].map((n) => ({ resource: `secret:side-${n}`, jti: `side-${n}` }))
    for (const { resource: name, jti } of sides) {
      await put(each(0), name)
      await issue(each(0), [jti], LASTING)
    }
    for (const round of rounds) {
      const proofs = Array.from({ length: 60 }, (_, n) => ({
        id: `sixty-${round}-${n}`,
        expiresAt: LATER,
      }))
      const bring = async (n: number, order: typeof proofs) => {
        const side = sides[n] ?? expect.fail()
        return await Promise.all(
          order.map((proof) => each(n).recordRelease(release(side, { proof }))),
        )
      }
      const outcomes = await Promise.all([bring(0, proofs), bring(1, proofs.toReversed())])
      expect(outcomes.flat().filter((outcome) => outcome === 'recorded')).toHaveLength(60)
    }
  })

  test('of a hundred under a limit of ten ten are recorded, minute by minute', async () => {
    await put(each(0), 'secret:limit')
    await issue(each(0), ['limit'], LASTING)
    for (const minute of [0, 1, 2, 5]) {
      const at = new Date(AT.getTime() + minute * 60_000)
      const racers = Array.from({ length: 100 }, () =>
        release({ resource: 'secret:limit', jti: 'limit', at }, { releasesPerMinute: 10 }),
      )
      const outcomes = await Promise.all(
        racers.map(async (racer, n) => {
          await sleep(n / 20)
          return await each(n).recordRelease(racer)
        }),
      )
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(10)
      expect(outcomes.filter((outcome) => outcome === 'too-many-releases')).toHaveLength(90)
    }
  })

  test('a lease is renewed once by a proof, whichever replica it comes to', async () => {
    await put(each(0), 'secret:lease')
    await issue(each(0), ['lease'], LASTING)
    const made = release({ resource: 'secret:lease', jti: 'lease' })
    await each(0).recordRelease(made)
    const proof = { id: 'lease-over-two-replicas', expiresAt: LATER }
    const renewal = { at: AT, until: LATER, jti: 'lease', proof, policyCommit: COMMIT }
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, n) => each(n).renewLease(made.release.id, renewal)),
    )
    expect(outcomes.filter((outcome) => outcome === 'renewed')).toHaveLength(1)
  })

  test('many of everything at once wait for one another and never in a circle', async () => {
    const numbers = Array.from({ length: 8 }, (_, n) => n)
    const names = numbers.map((n) => `secret:all-${n}`)
    const jtis = numbers.map((n) => `all-${n}`)
    await Promise.all(names.map((name) => put(each(0), name)))
    await issue(each(0), jtis, LASTING)
    await each(0).askApproval(approval('all'))
    const any = (from: readonly string[]) =>
      from[Math.floor(Math.random() * from.length)] ?? expect.fail()
    const shared = numbers.map((n) => ({ id: `all-proof-${n}`, expiresAt: LATER }))
    const outcomes: unknown[] = []
    const until = performance.now() + 1200
    const again = async (act: (n: number) => Promise<unknown>) => {
      for (let n = 0; performance.now() < until; n += 1)
        outcomes.push(await act(n).catch((error: unknown) => error))
    }
    const kept: string[] = []
    const releasing = async (n: number) => {
      const made = release(
        { resource: any(names), jti: any(jtis) },
        {
          ...(n % 5 === 0 && { proof: { id: `${any(jtis)}-${n}`, expiresAt: LATER } }),
          ...(n % 7 === 0 && { releasesPerMinute: 1_000_000 }),
          revision: 1,
        },
      )
      const outcome = await each(n).recordRelease(made)
      if (outcome === 'recorded') kept.push(made.release.id)
      return outcome
    }
    await Promise.all([
      ...Array.from({ length: 60 }, () => again(releasing)),
      ...Array.from({ length: 4 }, () =>
        again(async (n) => {
          await sleep(1)
          const proof = { id: `all-renewal-${Math.random()}`, expiresAt: LATER }
          const id = kept.at(-1)
          const renewal = { at: AT, until: LATER, jti: any(jtis), proof, policyCommit: COMMIT }
          return id === undefined ? 'renewed' : await each(n).renewLease(id, renewal)
        }),
      ),
      again(async (n) => {
        await sleep(20)
        // Those who revoke lock what they name, whether they revoke it or not: here all of it is live for a while only.
        const some = jtis.filter(() => Math.random() < 0.4)
        const early = { ...revocation, at: LASTING.expiresAt }
        return await each(n).revokeTokens(some.toReversed(), early, () => leaf())
      }),
      again(async (n) => {
        await sleep(10)
        const none = { versions: [9], at: AT }
        return await each(n).revokeVersions('acme', any(names), none, leaf())
      }),
      again(async (n) => {
        await sleep(30)
        const name = any(names.slice(0, 2))
        const known = await each(n).findResource('acme', name)
        const number = known?.versions[0]?.version ?? 0
        return await each(n).addResourceVersion(
          {
            resource: resource(name, { revision: number + 1 }),
            version: version(number + 1),
            after: number,
          },
          leaf(),
        )
      }),
      again(async (n) => {
        await sleep(10)
        const { sealed } = version(1)
        const change = (name: string) => ({ tenant: 'acme', name, version: 1, from: sealed })
        const changes = names.toReversed().map((name) => ({ ...change(name), to: sealed }))
        return await each(n).resealVersions(changes)
      }),
      again(async (n) => {
        await sleep(5)
        return await each(n).useOnce('dpop', any(shared.map(({ id }) => id)), LATER)
      }),
    ])
    expect(outcomes.filter((outcome) => outcome instanceof Error)).toEqual([])
    expect(outcomes.filter((outcome) => outcome === 'recorded').length).toBeGreaterThan(100)
    expect(kept.length).toBeGreaterThan(100)
    // Where one fails by a deadlock its batch is written again one by one, so the server is asked too.
    expect(await deadlocks()).toBe(0)
  })
})
