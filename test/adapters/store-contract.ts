/** What every store must do. One suite, run on each of them. */
import { describe, expect, test } from 'vitest'
import { type EndorsementParts, endorsements } from '#src/rats/endorsements.ts'
import { chainFault } from '#src/service/acceptance-chain.ts'
import type {
  AppraisalRecord,
  DriftReport,
  EnforcementPoint,
  PolicyRecord,
  SealedKey,
  Store,
  UsedChallenge,
} from '#src/service/ports.ts'

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
    audience: 'kms.example',
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
    manifestProvenance: { commit: 'b'.repeat(40), principal: 'alice@example.com' },
    referenceValue: { id: 'milan', line: 12, isMatched: true },
    layers: [{ subject: 'launch', digest: 'a1', bound: 'hardware', through: 'measurement' }],
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

export async function keep(
  store: Store,
  challenge: UsedChallenge,
  appraisal: AppraisalRecord,
): Promise<'recorded' | 'challenge-used'> {
  return await store.recordAttestation(challenge, appraisal, undefined)
}

export function storeContract(name: string, store: () => Store): void {
  describe(name, () => {
    test('keeps an appraisal exactly as it was', async () => {
      const kept = record(uuid(1))
      expect(await keep(store(), { id: 'c1', expiresAt: LATER }, kept)).toBe('recorded')
      expect(await store().findAppraisal(uuid(1))).toEqual(kept)
    })

    test('keeps a refusal without token, reference value and certificate table', async () => {
      const refused = record(uuid(2), {
        verdict: 'refused',
        audience: undefined,
        manifestProvenance: undefined,
        referenceValue: undefined,
        layers: [],
        token: undefined,
        evidence: { quote: new Uint8Array() },
      })
      await keep(store(), { id: 'c2', expiresAt: LATER }, refused)
      expect(await store().findAppraisal(uuid(2))).toEqual(refused)
    })

    test('knows nothing of what was never recorded', async () =>
      expect(await store().findAppraisal(uuid(99))).toBeUndefined())

    test('a challenge is used once, and the second use leaves no trace', async () => {
      const challenge = { id: 'c3', expiresAt: LATER }
      expect(await keep(store(), challenge, record(uuid(3)))).toBe('recorded')
      expect(await keep(store(), challenge, record(uuid(4)))).toBe('challenge-used')
      expect(await store().findAppraisal(uuid(4))).toBeUndefined()
    })

    test('of fifty at once one wins', async () => {
      const challenge = { id: 'c5', expiresAt: LATER }
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, n) => keep(store(), challenge, record(uuid(100 + n)))),
      )
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1)
      const found = await Promise.all(
        Array.from({ length: 50 }, (_, n) => store().findAppraisal(uuid(100 + n))),
      )
      expect(found.filter(Boolean)).toHaveLength(1)
    })

    test('an appraisal that cannot be kept does not use up the challenge', async () => {
      const challenge = { id: 'c6', expiresAt: LATER }
      await keep(store(), { id: 'c7', expiresAt: LATER }, record(uuid(7)))
      const outcome = keep(store(), challenge, record(uuid(7)))
      if (name !== 'memory') await expect(outcome).rejects.toThrow('storage-unavailable')
      else await outcome
      if (name !== 'memory')
        expect(await keep(store(), challenge, record(uuid(8)))).toBe('recorded')
    })

    test('forgets challenges only once they have expired', async () => {
      await keep(
        store(),
        { id: 'old', expiresAt: new Date('2020-01-01T00:00:00Z') },
        record(uuid(9)),
      )
      expect(await store().pruneChallenges(AT)).toBe(1)
      expect(await store().pruneChallenges(AT)).toBe(0)
      expect(await keep(store(), { id: 'c1', expiresAt: LATER }, record(uuid(10)))).toBe(
        'challenge-used',
      )
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

    evidenceContract(store)
    policyContract(store)

    test('answers a ping', async () => expect(await store().ping()).toBeUndefined())
  })
}

const DAY = 24 * 3600_000
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

function evidenceContract(store: () => Store): void {
  describe('evidence', () => {
    test('endorsements come back byte for byte, under the digest that names them', async () => {
      const { digest } = endorsements(parts)
      const kept = record(uuid(20), { endorsementsDigest: digest })
      const held = { digest, parts }
      await store().recordAttestation({ id: 'e1', expiresAt: LATER }, kept, held)
      // Again, by an appraisal of another day.
      const next = record(uuid(21), { ...kept, id: uuid(21), at: new Date(AT.getTime() + 2 * DAY) })
      await store().recordAttestation({ id: 'e2', expiresAt: LATER }, next, held)
      const found = await store().findEndorsements(digest)
      expect(found).toEqual(parts)
      expect(endorsements(found ?? {}).digest).toBe(digest)
      expect(await store().findEndorsements('none')).toBeUndefined()
    })

    test('a challenge that was used before keeps no endorsements', async () => {
      const held = { digest: 'never', parts }
      const spent = { id: 'e1', expiresAt: LATER }
      await store().recordAttestation(spent, record(uuid(22)), held)
      expect(await store().findEndorsements('never')).toBeUndefined()
    })

    test('pages run from the newest to the oldest, and none is told twice', async () => {
      const tenant = 'paged'
      // Two of every three at the very same instant.
      const all = Array.from({ length: 30 }, (_, n) =>
        record(uuid(300 + n), { tenant, at: new Date(AT.getTime() + Math.floor(n / 3) * 1000) }),
      )
      for (const each of all) await keep(store(), { id: `page ${each.id}`, expiresAt: LATER }, each)
      const since = new Date(AT.getTime() + 2000)
      const seen: AppraisalRecord[] = []
      for (;;) {
        const page = await store().appraisalsOf(tenant, { since, limit: 7, before: seen.at(-1) })
        seen.push(...page)
        if (page.length < 7) break
      }
      const expected = all
        .filter(({ at }) => at >= since)
        .toSorted((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1))
      expect(seen).toEqual(expected)
    })

    test('what is old is forgotten, and what the rest needs is kept', async () => {
      const old = new Date(AT.getTime() - 40 * DAY)
      const set = (name: string) => ({ digest: name, parts })
      const kept = async (n: number, at: Date, digest: string) =>
        await store().recordAttestation(
          { id: `prune ${n}`, expiresAt: LATER },
          record(uuid(n), { at, endorsementsDigest: digest, tenant: 'pruned' }),
          set(digest),
        )
      await kept(30, old, 'only old')
      await kept(31, old, 'old and new')
      await kept(32, AT, 'old and new')
      expect(await store().pruneEvidence(new Date(AT.getTime() - 30 * DAY))).toBe(2)
      expect(await store().findAppraisal(uuid(30))).toBeUndefined()
      expect(await store().findAppraisal(uuid(32))).toBeDefined()
      expect(await store().findEndorsements('only old')).toBeUndefined()
      expect(await store().findEndorsements('old and new')).toEqual(parts)
    })
  })
}

function accepted(sequence: number, change: Partial<PolicyRecord> = {}): PolicyRecord {
  return {
    tenant: 'acme',
    sequence,
    commit: `${sequence}`.repeat(40),
    digest: `sha256:${sequence}`,
    marks: { 'agents/prod/ä.yaml': sequence, __proto__x: 1 },
    provenance: {
      'agents/prod/ä.yaml': { commit: '1'.repeat(40), principal: 'alice@example.com' },
      'README.md': { commit: '1'.repeat(40), principal: undefined },
    },
    acceptedAt: new Date(AT.getTime() + sequence * 1000),
    ...change,
  }
}

function policyContract(store: () => Store): void {
  describe('policies', () => {
    const first = accepted(1)
    const second = accepted(2)

    test('the accepted policy comes back as it was, and every tenant has its own', async () => {
      expect(await store().policyOf('acme')).toBeUndefined()
      expect(await store().acceptPolicy(undefined, first)).toBe('accepted')
      expect(await store().policyOf('acme')).toStrictEqual(first)
      expect(await store().policyHeadOf('acme')).toEqual({ sequence: 1, commit: first.commit })
      expect(await store().policyHeadOf('other')).toBeUndefined()
      expect(await store().policyOf('other')).toBeUndefined()
      expect(await store().acceptPolicy(undefined, accepted(1, { tenant: 'other' }))).toBe(
        'accepted',
      )
    })

    test.each([
      ['that none was accepted before', undefined, second],
      ['another predecessor', '9'.repeat(40), second],
      ['another number', first.commit, accepted(3)],
    ])('who believes %s is superseded, and nothing changes', async (_, previous, next) => {
      expect(await store().acceptPolicy(previous, next)).toBe('superseded')
      expect(await store().policyOf('acme')).toStrictEqual(first)
      expect(await store().acceptancesOf('acme')).toHaveLength(1)
    })

    test('of twenty successors at once one is accepted', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store().acceptPolicy(first.commit, accepted(2, { digest: `sha256:${n}` })),
        ),
      )
      expect(outcomes.filter((outcome) => outcome === 'accepted')).toHaveLength(1)
      expect(await store().acceptancesOf('acme')).toHaveLength(2)
    })

    test('the history is a chain that ends in the accepted policy', async () => {
      const links = await store().acceptancesOf('acme')
      expect(links.map(({ sequence }) => sequence)).toEqual([1, 2])
      expect(chainFault(links, await store().policyOf('acme'))).toBeUndefined()
    })

    test('the first sight of a commit stays, tenant by tenant', async () => {
      const commits = ['a'.repeat(40), 'b'.repeat(40)]
      await store().firstSeen('acme', commits.slice(0, 1), AT)
      const seen = await store().firstSeen('acme', commits, LATER)
      expect([...seen]).toEqual([
        [commits[0], AT],
        [commits[1], LATER],
      ])
      expect(
        (await store().firstSeen('other', commits.slice(0, 1), LATER)).get('a'.repeat(40)),
      ).toEqual(LATER)
      expect(await store().firstSeen('acme', [], AT)).toEqual(new Map())
    })

    test('thousands of commits are seen in one go', async () => {
      const commits = Array.from({ length: 12_000 }, (_, n) => n.toString(16).padStart(40, '0'))
      const seen = await store().firstSeen('many', commits, AT)
      expect(seen.size).toBe(12_000)
      expect(await store().pruneSightings(AT)).toBe(0)
      expect(await store().pruneSightings(new Date(AT.getTime() + 1))).toBe(12_001)
    })

    const drift = (commit: string): DriftReport => ({
      tenant: 'acme',
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
      expect(await store().latestDrift('acme')).toBeUndefined()
      await store().keepDrift(drift('2'))
      await store().keepDrift(drift('3'))
      expect(await store().latestDrift('acme')).toEqual(drift('3'))
      expect(await store().latestDrift('other')).toBeUndefined()
    })

    test('an enforcement point is known by what it said last, until it was silent for too long', async () => {
      const point = (name: string, change: Partial<EnforcementPoint> = {}): EnforcementPoint => ({
        tenant: 'acme',
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
      expect(await store().enforcementPoints('acme')).toEqual([gateway, renewed, point('b')])
      expect(await store().pruneEnforcementPoints(LATER, ['verifier'])).toBe(2)
      expect(await store().enforcementPoints('acme')).toEqual([gateway, renewed])
    })
  })
}
