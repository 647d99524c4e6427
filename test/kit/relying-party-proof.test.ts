/** Which proofs of possession does the kit take, and which not? RFC 9449 section 4.3, one rule a row. */
import { calculateJwkThumbprint } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AgentKey, bornKeys } from '../../enclave/attestation.ts'
import { sha256 } from '../../kit/relying-party/base64url.ts'
import {
  memoryProofStore,
  type Reason,
  type RelyingPartyOptions,
} from '../../kit/relying-party/relying-party.ts'
import {
  outcome,
  type ProofChange,
  REQUEST,
  type RelyingScene,
  relyingScene,
} from './relying-scene.ts'

let scene: RelyingScene
let stranger: AgentKey
beforeAll(async () => {
  scene = await relyingScene()
  stranger = (await bornKeys()).sig
})
afterAll(() => scene.close())

async function outcomeOf(
  change: ProofChange,
  {
    request = {},
    ...options
  }: Partial<RelyingPartyOptions> & { readonly request?: Partial<typeof REQUEST> } = {},
): Promise<string> {
  const token = scene.good.possession
  const proof = await scene.proof(token, change)
  const verdict = await scene
    .party(options)
    .verify({ token, proof, request: { ...REQUEST, ...request } })
  return outcome(verdict)
}

const seconds = (ahead: number) => Math.floor(scene.from.service.clock.at.getTime() / 1000) + ahead

test.each<[string, Reason, () => ProofChange]>([
  ['typ of a token', 'proof-malformed', () => ({ header: { typ: 'at+jwt' } })],
  ['no key', 'proof-malformed', () => ({ header: { jwk: undefined } })],
  [
    'its private key',
    'proof-malformed',
    () => ({ header: { jwk: { ...scene.sig.publicKey, d: 'AA' } } }),
  ],
  ['a kid beside the key', 'proof-malformed', () => ({ header: { kid: 'x' } })],
  ['no jti', 'proof-malformed', () => ({ claims: { jti: undefined } })],
  ['a jti of 300 characters', 'proof-malformed', () => ({ claims: { jti: 'x'.repeat(300) } })],
  ['a number for a digest', 'proof-malformed', () => ({ claims: { bodySha256: 1 } })],
  ['5,000 characters', 'proof-malformed', () => ({ claims: { x: 'x'.repeat(5_000) } })],
  ['another agent’s key', 'proof-key-other', () => ({ key: stranger })],
  [
    'a stranger’s signature beside the attested key',
    'proof-signature-wrong',
    () => ({ key: { ...stranger, publicKey: scene.sig.publicKey } }),
  ],
  ['another method', 'proof-method-other', () => ({ claims: { htm: 'GET' } })],
  ['the method in small letters', 'proof-method-other', () => ({ claims: { htm: 'post' } })],
  [
    'another path',
    'proof-address-other',
    () => ({ claims: { htu: 'https://kms.example/v1/wrap' } }),
  ],
  [
    'another host',
    'proof-address-other',
    () => ({ claims: { htu: 'https://evil.example/v1/unwrap' } }),
  ],
  [
    'another scheme',
    'proof-address-other',
    () => ({ claims: { htu: 'http://kms.example/v1/unwrap' } }),
  ],
  [
    'a user in the address',
    'proof-address-other',
    () => ({ claims: { htu: 'https://a@kms.example/v1/unwrap' } }),
  ],
  ['no address', 'proof-address-other', () => ({ claims: { htu: 'unwrap' } })],
  ['a time 61 s ago', 'proof-stale', () => ({ claims: { iat: seconds(-61) } })],
  ['a time in 61 s', 'proof-stale', () => ({ claims: { iat: seconds(61) } })],
  ['no time', 'proof-stale', () => ({ claims: { iat: undefined } })],
  ['a time of text', 'proof-stale', () => ({ claims: { iat: `${seconds(0)}` } })],
  ['the digest of another token', 'proof-token-other', () => ({ claims: { ath: 'A'.repeat(43) } })],
  ['no digest of the token', 'proof-token-other', () => ({ claims: { ath: undefined } })],
  [
    'the digest of a body that is not there',
    'proof-body-other',
    () => ({ claims: { bodySha256: 'x' } }),
  ],
])('a proof with %s: %s', async (_, reason, change) => {
  expect(await outcomeOf({})).toBe('accepted')
  expect(await outcomeOf(change())).toBe(reason)
})

test('spellings of one address are one, and its query does not count', async () => {
  for (const htu of ['https://KMS.example:443/v1/unwrap?x=1#y', 'https://kms.example/v1/./unwrap'])
    expect(await outcomeOf({ claims: { htu } })).toBe('accepted')
})

test('members that say more about a public key are let be, as stock libraries send them', async () => {
  const jwk = { ...scene.sig.publicKey, ext: true, key_ops: ['verify'] }
  expect(await outcomeOf({ header: { jwk } })).toBe('accepted')
})

describe('a body', () => {
  const bodySha256 = 'n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg'
  test.each<
    [string, string, Partial<RelyingPartyOptions>, string, NonNullable<ProofChange['claims']>]
  >([
    ['named as it is', 'accepted', {}, bodySha256, { bodySha256 }],
    ['that is another', 'proof-body-other', {}, 'A'.repeat(43), { bodySha256 }],
    ['that nobody named', 'proof-body-other', {}, bodySha256, {}],
    ['that nobody named, where none need', 'accepted', { bodyDigest: 'if-named' }, bodySha256, {}],
    [
      'that is another, where none need be named',
      'proof-body-other',
      { bodyDigest: 'if-named' },
      'A'.repeat(43),
      { bodySha256 },
    ],
    ['that nobody read', 'accepted', {}, 'not-read', { bodySha256 }],
  ])('%s: %s', async (_, expected, options, received, claims) => {
    expect(await outcomeOf({ claims }, { ...options, request: { bodySha256: received } })).toBe(
      expected,
    )
  })

  test('that nobody read is named to whoever will', async () => {
    const token = scene.good.possession
    const proof = await scene.proof(token, { claims: { bodySha256 } })
    const request = { ...REQUEST, bodySha256: 'not-read' }
    const verdict = await scene.party().verify({ token, proof, request })
    expect(verdict).toMatchObject({ accepted: true, uncheckedBodySha256: bodySha256 })
  })
})

describe('a proof is good once', () => {
  const asked = async (party: ReturnType<RelyingScene['party']>, jti: string) => {
    const token = scene.good.possession
    const proof = await scene.proof(token, { claims: { jti } })
    return outcome(await party.verify({ token, proof, request: REQUEST }))
  }

  test('whoever brings it again is refused', async () => {
    const party = scene.party()
    expect(await asked(party, 'one')).toBe('accepted')
    expect(await asked(party, 'one')).toBe('proof-used')
    expect(await asked(party, 'two')).toBe('accepted')
  })

  test('of two at the same time one is accepted', async () => {
    const party = scene.party()
    const both = await Promise.all([asked(party, 'three'), asked(party, 'three')])
    expect(both.toSorted()).toEqual(['accepted', 'proof-used'])
  })

  test('a token that is refused uses nothing up', async () => {
    const party = scene.party({ required: { agent: 'somebody-else' }, proofs: throwing })
    expect(await asked(party, 'four')).toBe('agent-other')
  })

  const throwing = { useOnce: () => Promise.reject(new Error('down')) }

  test('a store that does not answer means no', async () => {
    expect(await asked(scene.party({ proofs: throwing }), 'five')).toBe('proof-store-unavailable')
  })

  test('the store in memory forgets what is over, and takes no more than it has room for', () => {
    let at = 0
    const store = memoryProofStore({ most: 2, now: () => at })
    expect(store.useOnce('a', 10)).toBe(true)
    expect(store.useOnce('b', 20)).toBe(true)
    expect(store.useOnce('a', 10)).toBe(false)
    expect(() => store.useOnce('c', 30)).toThrow(/no more room/)
    at = 10_000
    expect(store.useOnce('c', 30)).toBe(true)
    expect(store.useOnce('b', 20)).toBe(false)
  })

  test('it is remembered for longer than it could be brought again, on a clock that is behind as well', async () => {
    const until: number[] = []
    const proofs = { useOnce: (_: string, expiresAt: number) => until.push(expiresAt) > 0 }
    expect(await asked(scene.party({ proofs }), 'six')).toBe('accepted')
    expect(until).toEqual([seconds(120)])
  })
})

test('thumbprints and digests are those of others', async () => {
  expect(await calculateJwkThumbprint({ ...scene.sig.publicKey })).toBe(scene.sig.thumbprint)
  expect(await sha256('test')).toBe('n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg')
})
