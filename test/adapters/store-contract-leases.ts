/** What every store must do with leases of what was released, and with sessions of the Key Broker. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '#src/service/ports.ts'
import type { RecordedRelease, ReleaseRecord } from '#src/service/release-ports.ts'
import { COMMIT, issue, put, release, session } from './release-records.ts'
import { AT, acceptedPolicy, DAY, LATER, leaf } from './store-records.ts'

const later = (ms: number) => new Date(AT.getTime() + ms)
const revocation = { at: AT, reason: 'operator', detail: '', by: 'alice' } as const
type Change = Partial<ReleaseRecord>
type Rest = Partial<Omit<RecordedRelease, 'release'>>

export function leaseContract(store: () => Store): void {
  const until = later(600_000)
  const [resourceName, jti] = ['secret:lease', 'lease']
  const recorded = async (change: Change = {}, rest: Rest = {}) => {
    const made = release({ resource: resourceName, jti, ...change }, rest)
    expect(await store().recordRelease(made)).toBe('recorded')
    return made.release
  }
  let proofs = 0
  const renew = async (id: string, change = {}) => {
    proofs += 1
    const proof = { id: `renewal-${proofs}`, expiresAt: LATER }
    return await store().renewLease(id, {
      ...{ at: later(1), until, jti, proof, policyCommit: COMMIT },
      ...change,
    })
  }

  describe('leases', () => {
    beforeAll(async () => {
      await put(store(), resourceName)
      await issue(store(), [jti, 'lease-2', 'lease-revoked'], { expiresAt: later(DAY) })
      await issue(store(), ['lease-stranger'], { tenant: 'stranger' })
      await store().revokeTokens(['lease-revoked'], revocation, () => leaf())
    })

    test('are moved, by whichever token of the agent holds by then', async () => {
      const kept = await recorded()
      expect(await renew(kept.id, { jti: 'lease-2' })).toBe('renewed')
      expect(await store().findRelease(kept.id)).toEqual({ ...kept, leaseUntil: until })
      const again = later(700_000)
      expect(await renew(kept.id, { at: until, until: again })).toBe('renewed')
      expect((await store().findRelease(kept.id))?.leaseUntil).toEqual(again)
    })

    test.each([
      ['lease-over', { at: later(300_001) }],
      ['token-revoked', { jti: 'none' }],
      ['token-revoked', { jti: 'lease-revoked' }],
      ['token-revoked', { jti: 'lease-stranger' }],
      ['proof-used', { proof: { id: 'lease-used', expiresAt: LATER } }],
    ])('are not moved (%s): %j', async (refusal, change) => {
      await store().useOnce('dpop', 'lease-used', LATER)
      const kept = await recorded()
      expect(await renew(kept.id, change)).toBe(refusal)
      expect(await store().findRelease(kept.id)).toEqual(kept)
    })

    test('are not moved by another policy than was accepted last', async () => {
      const tenant = 'lease-moved-on'
      await put(store(), resourceName, { tenant })
      await issue(store(), ['lease-by'], { tenant, expiresAt: later(DAY) })
      const kept = await recorded({ tenant, jti: 'lease-by' })
      const by = async (policyCommit: string) =>
        await renew(kept.id, { jti: 'lease-by', policyCommit })
      const accepted = acceptedPolicy(1, { tenant, commit: '1'.repeat(40) })
      await store().acceptPolicy(undefined, accepted, leaf())
      expect(await by(COMMIT)).toBe('policy-behind')
      expect(await store().findRelease(kept.id)).toEqual(kept)
      expect(await by(accepted.commit)).toBe('renewed')
    })

    test('are not moved where there is none, or no release', async () => {
      const { id } = await recorded({ leaseUntil: undefined })
      expect(await renew(id)).toBe('lease-over')
      expect(await renew('00000000-0000-4000-8000-999999999999')).toBe('lease-over')
      expect(await renew('\0')).toBe('lease-over')
    })

    test('are not moved twice by one proof', async () => {
      const { id } = await recorded()
      const proof = { id: 'lease-raced', expiresAt: LATER }
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => renew(id, { proof })))
      expect(outcomes.filter((outcome) => outcome === 'renewed')).toHaveLength(1)
      expect(new Set(outcomes)).toEqual(new Set(['renewed', 'proof-used']))
    })

    test('of a version that was revoked end', async () => {
      await put(store(), 'secret:ends')
      const kept = await recorded({ resource: 'secret:ends' })
      await store().revokeVersions('acme', 'secret:ends', { versions: 'all', at: AT }, leaf())
      const proof = { id: 'kept', expiresAt: LATER }
      expect(await renew(kept.id, { proof })).toBe('version-revoked')
      expect(await store().findRelease(kept.id)).toEqual(kept)
      expect(await store().useOnce('dpop', 'kept', LATER)).toBe(true)
    })
  })
}

export function brokerSessionContract(store: () => Store): void {
  describe('sessions of the Key Broker', () => {
    const attested = {
      at: later(5),
      environment: 'prod',
      agent: 'invoice-bot',
      appraisal: 'id',
      teePublicKey: '{"kty":"EC"}',
      policyCommit: 'c'.repeat(40),
      expiresAt: later(9000),
    }

    test('are kept as they are, before and after they are attested', async () => {
      const opened = session('s1')
      await store().openBrokerSession(opened)
      expect(await store().findBrokerSession('s1')).toEqual(opened)
      await store().attestBrokerSession('s1', attested)
      expect(await store().findBrokerSession('s1')).toEqual({ ...opened, attested })
    })

    test('have a nonce that is good once, before their end', async () => {
      await store().openBrokerSession(session('s2'))
      expect(await store().spendBrokerNonce('s2', LATER)).toBe(false)
      const spent = await Promise.all(
        Array.from({ length: 20 }, () => store().spendBrokerNonce('s2', AT)),
      )
      expect(spent.filter(Boolean)).toHaveLength(1)
      expect(await store().spendBrokerNonce('none', AT)).toBe(false)
    })

    test('are opened and attested once', async () => {
      await store().openBrokerSession(session('s3'))
      await expect(store().openBrokerSession(session('s3'))).rejects.toThrow('storage-unavailable')
      await store().attestBrokerSession('s3', attested)
      for (const id of ['s3', 'none'])
        await expect(store().attestBrokerSession(id, attested)).rejects.toThrow(
          'storage-unavailable',
        )
    })
  })
}
