/** What every store must do with evidence and what it rests on. */
import { describe, expect, test } from 'vitest'
import { type EndorsementParts, endorsements } from '#src/rats/endorsements.ts'
import type { AppraisalPlace, AppraisalRecord, Store } from '#src/service/ports.ts'
import { AT, attestation, DAY, LATER, record, uuid } from './store-records.ts'

const bytes = (...values: number[]) => new Uint8Array(values)
const parts: EndorsementParts = {
  certificates: [bytes(), bytes(0, 255, 10, 13)],
  crls: [bytes(1)],
  tcbInfos: [
    {
      body: new TextEncoder().encode('{"tcbInfo": {"b":1 ,"a":1.0}}\n'),
      signature: new Uint8Array(64).fill(9),
      issuerChain: [bytes(2), bytes(3, 4)],
    },
  ],
  qeIdentities: [{ body: bytes(0xff, 0xfe), signature: bytes(), issuerChain: [] }],
}

export function evidenceContract(store: () => Store): void {
  describe('evidence', () => {
    test('endorsements come back byte for byte, under the digest that names them', async () => {
      const { digest } = endorsements(parts)
      const held = { digest, parts }
      const kept = record(uuid(20), { endorsementsDigest: digest })
      await store().recordAttestation(attestation(kept, { endorsements: held }))
      // Again, by an appraisal of another day.
      const next = record(uuid(21), { ...kept, id: uuid(21), at: new Date(AT.getTime() + 2 * DAY) })
      await store().recordAttestation(attestation(next, { endorsements: held }))
      const found = await store().findEndorsements(digest)
      expect(found).toEqual({ ...parts, digest })
      expect(endorsements(found ?? {}).digest).toBe(digest)
      // Digested when it was read, and not again.
      expect(await store().findEndorsements(digest)).toBe(found)
      expect(await store().findEndorsements('none')).toBeUndefined()
    })

    test('a challenge that was used before keeps no endorsements, unless another needs them', async () => {
      const held = { digest: 'late', parts }
      const spent = { id: 'spent', expiresAt: LATER }
      await store().recordAttestation(attestation(record(uuid(22)), { challenge: spent }))
      const loser = attestation(record(uuid(23)), { challenge: spent, endorsements: held })
      await store().recordAttestation(loser)
      expect(await store().findEndorsements('late')).toBeUndefined()
      const winner = attestation(record(uuid(24)), { endorsements: held })
      expect(await Promise.all([loser, winner].map((each) => store().recordAttestation(each)))) //
        .toEqual(['challenge-used', 'recorded'])
      expect(await store().findEndorsements('late')).toEqual(endorsements(parts))
    })

    test('pages run from the newest to the oldest, and none is told twice', async () => {
      const tenant = 'paged'
      // Two of every three at the very same instant.
      const all = Array.from({ length: 30 }, (_, n) =>
        record(uuid(300 + n), { tenant, at: new Date(AT.getTime() + Math.floor(n / 3) * 1000) }),
      )
      for (const each of all) await store().recordAttestation(attestation(each))
      const since = new Date(AT.getTime() + 2000)
      const seen: AppraisalRecord[] = []
      let before: AppraisalPlace | undefined
      do {
        const page = await store().appraisalsOf(tenant, { since, limit: 7, before })
        expect(page.records.length).toBeLessThanOrEqual(7)
        seen.push(...page.records)
        before = page.next
      } while (before)
      const expected = all
        .filter(({ at }) => at >= since)
        .toSorted((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1))
      expect(seen).toEqual(expected)
    })

    test('what is old is forgotten, and what the rest needs is kept', async () => {
      const old = new Date(AT.getTime() - 40 * DAY)
      const kept = async (n: number, at: Date, digest: string) =>
        await store().recordAttestation(
          attestation(record(uuid(n), { at, endorsementsDigest: digest, tenant: 'pruned' }), {
            endorsements: { digest, parts },
          }),
        )
      await kept(30, old, 'only old')
      await kept(31, old, 'old and new')
      await kept(32, AT, 'old and new')
      expect(await store().pruneEvidence(new Date(AT.getTime() - 30 * DAY))).toBe(2)
      expect(await store().findAppraisal(uuid(30))).toBeUndefined()
      expect(await store().findAppraisal(uuid(32))).toEqual(
        record(uuid(32), { endorsementsDigest: 'old and new', tenant: 'pruned' }),
      )
      expect(await store().findEndorsements('only old')).toBeUndefined()
      expect(await store().findEndorsements('old and new')).toEqual(endorsements(parts))
    })

    test('what rests on the same as something forgotten is whole', async () => {
      await store().pruneEvidence(new Date(AT.getTime() + 10 * DAY))
      const { records } = await store().appraisalsOf('acme', { since: new Date(0), limit: 10 })
      expect(records).toEqual([])
      const kept = record(uuid(33))
      await store().recordAttestation(attestation(kept))
      expect(await store().findAppraisal(uuid(33))).toEqual(kept)
    })
  })
}
