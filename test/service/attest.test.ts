/** An attestation as a whole, without HTTP: what is kept of it is enough to decide it again, and says what matched. */
import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import type { Policy } from '#src/policy/policy.ts'
import type { RemoteInput } from '#src/policy/rules/rule.ts'
import { proofCache } from '#src/rats/proof-cache.ts'
import { type Attested, attest } from '#src/service/attest.ts'
import { broughtOnly } from '#src/service/brought-endorsements.ts'
import { issueAttestationChallenge } from '#src/service/issue-challenge.ts'
import { openVerifier } from '#src/service/open-verifier.ts'
import type { AppraisalRecord, Store } from '#src/service/ports.ts'
import { reappraise } from '#src/service/reappraise.ts'
import type { Verifier } from '#src/service/verifier.ts'
import {
  type AgentKeys,
  bornKeys,
  claimsFor,
  openTokens,
  signProof,
} from '../../enclave/attestation.ts'
import { AT, measurementOf, snpMachine, tenant } from './fleet.ts'
import { BOT, manifest, type PolicyParts, policyOf, rule, rulesAnswering } from './policies.ts'

const URL = 'https://verifier.example'
const call = { at: AT, requestId: 'r1', remoteAddress: '192.0.2.7' }
const machine = snpMachine('one')
const keys: AgentKeys = await bornKeys()

let store: Store
let policy: Policy
let verifier: Verifier
let asked: RemoteInput[]

beforeEach(async () => {
  store = memoryStore()
  asked = []
  await serve({})
})

async function serve(parts: PolicyParts): Promise<void> {
  policy = policyOf(parts)
  const condition = { name: 'Synced', message: '', since: AT, commit: undefined } as const
  verifier = await openVerifier({
    store,
    random: { bytes: (size) => new Uint8Array(randomBytes(size)) },
    clock: { now: () => AT },
    journal: { record: () => {} },
    keyEncryption: [keyEncryptionBySecret('file', new Uint8Array(32).fill(7))],
    proofs: proofCache(64),
    publicUrl: URL,
    build: 'vouchsafe/test',
    pause: async () => {},
    tenants: [
      {
        name: 'default',
        anchors: tenant.anchors,
        collect: broughtOnly,
        policy: {
          accepted: () => policy,
          conditions: () => [condition],
          refresh: async () => {},
        },
        remotePolicy: {
          ask: async (input) => {
            asked.push(input)
            return { answer: true }
          },
        },
      },
    ],
  })
}

async function attested({
  measurement = 0xa1,
  certificates = machine.endorsements.certificates,
}: {
  readonly measurement?: number
  readonly certificates?: readonly Uint8Array[]
} = {}): Promise<Attested> {
  const { nonce } = issueAttestationChallenge(verifier, { tenant: 'default' }, call)
  const identity = {
    tenant: 'default',
    environment: 'prod',
    agent: 'invoice-bot',
    verifier: `${URL}/simulated`,
  }
  const claims = claimsFor(identity, keys, nonce)
  const body = JSON.stringify(claims)
  const { digest: _, ...endorsements } = machine.endorsements
  return await attest(
    verifier,
    {
      tee: undefined,
      evidence: machine.attest(claims, measurementOf(measurement)),
      endorsements: { ...endorsements, certificates },
      claims,
      jwk: keys.sig.publicKey,
      encJwk: keys.enc.publicKey,
      audiences: [],
      relyingPartyNonce: undefined,
      earNames: '2026',
      proof: await signProof(body, { claims, service: URL, key: keys.sig }),
      bodySha256: createHash('sha256').update(body).digest('base64url'),
    },
    call,
  )
}

async function kept({ id }: Attested): Promise<AppraisalRecord> {
  const record = await store.findAppraisal(id)
  if (!record) throw new Error('nothing was kept')
  return record
}

describe('of an issued attestation', () => {
  test('the record names what matched, who approved it, and what the hardware vouches for', async () => {
    const outcome = await attested()
    expect(outcome.verdict).toBe('issued')
    expect(await kept(outcome)).toMatchObject({
      verdict: 'issued',
      audiences: ['kms.example'],
      manifest: BOT,
      manifestProvenance: { commit: 'b'.repeat(40), principal: 'alice' },
      referenceValue: { id: 'current', line: 11, isMatched: true },
      layers: [{ subject: 'launch', bound: 'hardware', through: 'measurement' }],
      leafHash: outcome.logLeaf,
    })
  })

  test('the token says which layers are bound', async () => {
    const outcome = await attested()
    if (outcome.verdict !== 'issued') throw new Error('refused')
    const [opened] = await openTokens({ tokens: outcome.issued.tokens }, keys)
    expect(JSON.stringify(decodeJwt(opened?.token ?? ''))).toContain(`sha384:${'a1'.repeat(48)}`)
  })

  test('the remote policy heard of scopes and peer', async () => {
    await attested()
    expect(asked).toMatchObject([
      { resource: { scopes: ['secret:db-ro'] }, connection: { remoteAddress: '192.0.2.7' } },
    ])
  })
})

test('a refusal is kept with the nearest tuple, which did not match', async () => {
  expect(await kept(await attested({ measurement: 0xa2 }))).toMatchObject({
    verdict: 'refused',
    referenceValue: { id: 'current', line: 11, isMatched: false },
    layers: [],
  })
})

test('a refusal by a rule is kept with the tuple that matched', async () => {
  const rules = rulesAnswering([rule('no')], () => [{ answer: false, observed: 1 }])
  await serve({ rules })
  expect(await kept(await attested())).toMatchObject({
    verdict: 'refused',
    referenceValue: { isMatched: true },
    layers: [{ subject: 'launch' }],
  })
})

describe('stored evidence', () => {
  test('is decided again as it was decided first', async () => {
    await attested()
    await attested({ measurement: 0xa2 })
    const to = policyOf({ manifests: { [BOT]: manifest({ measurement: 'a2' }) } })
    const report = await reappraise({
      verifier,
      tenant,
      from: policy,
      to,
      since: new Date(AT.getTime() - 1),
      at: AT,
    })
    expect(report).toMatchObject({ examined: 2, unexaminable: 0, changed: 2 })
    expect(report.entries.map(({ before, after }) => `${before} ${after}`).toSorted()).toEqual([
      'issued refused',
      'refused issued',
    ])
  })

  test('is kept without what a stranger piled up beside it', async () => {
    const pile = Array.from({ length: 33 }, () => new Uint8Array(4096))
    const record = await kept(await attested({ certificates: pile }))
    expect(await store.findEndorsements(record.endorsementsDigest)).toBeUndefined()
  })
})

test('after the grace of a heartbeat nothing is released', async () => {
  await serve({ heartbeat: { notAfter: new Date(AT.getTime() - 10_000), graceSeconds: 10 } })
  expect((await attested()).verdict).toBe('issued')
  await serve({ heartbeat: { notAfter: new Date(AT.getTime() - 10_001), graceSeconds: 10 } })
  await expect(attested()).rejects.toThrow('policy-stale')
})
