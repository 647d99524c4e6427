/** What every store must do. One suite, run on each of them. */
import { describe, expect, test } from 'vitest'
import type { AppraisalRecord, SealedKey, Store } from '#src/service/ports.ts'

export const AT = new Date('2026-06-01T00:00:00.123Z')
const LATER = new Date('2026-06-01T00:02:00.456Z')

export function record(id: string, change: Partial<AppraisalRecord> = {}): AppraisalRecord {
  return {
    id,
    requestId: 'r1',
    at: AT,
    tenant: 'acme',
    environment: 'prod',
    agent: 'invoice-bot',
    tee: 'sev-snp',
    verdict: 'issued',
    status: 'affirming',
    trustVector: { hardware: 2 },
    findings: [
      { id: 'a.b.c', outcome: 'pass' },
      // What an attacker writes into a certificate's name.
      { id: 'a.b.d', outcome: 'fail', detail: 'nul \0, lone \ud800', observed: [1, null, 'x'] },
    ],
    policyCommit: 'c'.repeat(40),
    policyDigest: 'sha256:00',
    manifest: 'agents/prod/invoice-bot.yaml',
    referenceValue: 'milan',
    runtimeClaims: {
      nonce: 'n',
      verifier: 'v',
      sig_jkt: 's',
      enc_jkt: '',
      tenant: 'acme',
      agent: 'invoice-bot',
      environment: 'prod',
      session: '',
      seq: '0',
      transcript: '',
    },
    evidence: { quote: new Uint8Array([0, 1, 255]), auxblob: new Uint8Array([2]) },
    endorsementsDigest: 'd',
    token: { jti: id, expiresAt: LATER },
    ...change,
  }
}

const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString().padStart(12, '0')}`

export function storeContract(name: string, store: () => Store): void {
  describe(name, () => {
    test('keeps an appraisal exactly as it was', async () => {
      const kept = record(uuid(1))
      expect(await store().recordAttestation({ id: 'c1', expiresAt: LATER }, kept)).toBe('recorded')
      expect(await store().findAppraisal(uuid(1))).toEqual(kept)
    })

    test('keeps a refusal without token, reference value and certificate table', async () => {
      const refused = record(uuid(2), {
        verdict: 'refused',
        referenceValue: undefined,
        token: undefined,
        evidence: { quote: new Uint8Array() },
      })
      await store().recordAttestation({ id: 'c2', expiresAt: LATER }, refused)
      expect(await store().findAppraisal(uuid(2))).toEqual(refused)
    })

    test('knows nothing of what was never recorded', async () =>
      expect(await store().findAppraisal(uuid(99))).toBeUndefined())

    test('a challenge is used once, and the second use leaves no trace', async () => {
      const challenge = { id: 'c3', expiresAt: LATER }
      expect(await store().recordAttestation(challenge, record(uuid(3)))).toBe('recorded')
      expect(await store().recordAttestation(challenge, record(uuid(4)))).toBe('challenge-used')
      expect(await store().findAppraisal(uuid(4))).toBeUndefined()
    })

    test('of fifty at once one wins', async () => {
      const challenge = { id: 'c5', expiresAt: LATER }
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          store().recordAttestation(challenge, record(uuid(100 + n))),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      const found = await Promise.all(
        Array.from({ length: 50 }, (_, n) => store().findAppraisal(uuid(100 + n))),
      )
      expect(found.filter(Boolean)).toHaveLength(1)
    })

    test('an appraisal that cannot be kept does not use up the challenge', async () => {
      const challenge = { id: 'c6', expiresAt: LATER }
      await store().recordAttestation({ id: 'c7', expiresAt: LATER }, record(uuid(7)))
      const outcome = store().recordAttestation(challenge, record(uuid(7)))
      if (name !== 'memory') await expect(outcome).rejects.toThrow('storage-unavailable')
      else await outcome
      if (name !== 'memory')
        expect(await store().recordAttestation(challenge, record(uuid(8)))).toBe('recorded')
    })

    test('forgets challenges only once they have expired', async () => {
      await store().recordAttestation(
        { id: 'old', expiresAt: new Date('2020-01-01T00:00:00Z') },
        record(uuid(9)),
      )
      expect(await store().pruneChallenges(AT)).toBe(1)
      expect(await store().pruneChallenges(AT)).toBe(0)
      expect(
        await store().recordAttestation({ id: 'c1', expiresAt: LATER }, record(uuid(10))),
      ).toBe('challenge-used')
    })

    test('the first key of a purpose stays, whoever asks at the same time', async () => {
      const made = Array.from(
        { length: 10 },
        (_, n): SealedKey => ({
          kid: `k${n}`,
          purpose: 'challenge',
          createdAt: new Date(AT.getTime() + n),
          sealed: new Uint8Array([n, 255]),
        }),
      )
      const kept = await Promise.all(made.map((key) => store().keepFirstKey(key)))
      expect(new Set(kept.map(({ kid }) => kid)).size).toBe(1)
      expect(await store().keysFor('challenge')).toEqual([kept[0]])
      expect(await store().keysFor('token:https://a.example')).toEqual([])
    })

    test('answers a ping', async () => expect(await store().ping()).toBeUndefined())
  })
}
