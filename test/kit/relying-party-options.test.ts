/** What may a relying party require, what does each requirement refuse, and which options cannot be meant? */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenForm } from '#src/rats/release.ts'
import type { Reason, RelyingPartyOptions } from '../../kit/relying-party/relying-party.ts'
import type { RequiredClaims } from '../../kit/relying-party/required-claims.ts'
import { ISSUER, outcome, type RelyingScene, relyingScene } from './relying-scene.ts'

let scene: RelyingScene
beforeAll(async () => {
  scene = await relyingScene()
})
afterAll(() => scene.close())

async function outcomeOf(token: string, options: Partial<RelyingPartyOptions>): Promise<string> {
  return outcome(await scene.verify(scene.party(options), token))
}

describe('required claims', () => {
  test.each<[RequiredClaims, RequiredClaims, Reason]>([
    [{ tenant: 'default' }, { tenant: 'acme' }, 'tenant-other'],
    [{ environment: ['dev', 'prod'] }, { environment: ['dev'] }, 'environment-other'],
    [{ agent: 'invoice-bot' }, { agent: 'invoice' }, 'agent-other'],
    [
      { subject: 'spiffe://attest.example.com/t/default/env/prod/agent/invoice-bot' },
      { subject: 'spiffe://attest.example.com/t/default/env/prod/agent' },
      'subject-other',
    ],
    [{ measurement: 'a1'.repeat(48) }, { measurement: 'b2'.repeat(48) }, 'measurement-other'],
    [{ tee: ['sev-snp', 'tdx'] }, { tee: 'tdx' }, 'tee-other'],
    [{ policyCommit: 'c'.repeat(40) }, { policyCommit: 'd'.repeat(40) }, 'policy-other'],
    [{}, { policyDigest: 'sha256:0' }, 'policy-other'],
    [{ leastGeneration: 42 }, { leastGeneration: 43 }, 'generation-old'],
    [{ scopes: ['secret:db-ro'] }, { scopes: ['secret:db-ro', 'secret:db-rw'] }, 'scope-missing'],
    [
      { trustVector: { hardware: 'affirming', executables: 'affirming' } },
      { trustVector: { 'storage-opaque': 'warning' } },
      'trust-claim-insufficient',
    ],
    [{ assurance: 'hardware' }, { assurance: 'simulated' }, 'assurance-other'],
  ])('%j holds, and %j does not', async (holds, fails, reason) => {
    const token = scene.good.federation
    expect(await outcomeOf(token, { required: holds })).toBe('accepted')
    expect(await outcomeOf(token, { required: fails })).toBe(reason)
  })

  test('a warning is enough for whoever says so, for the whole and for one claim', async () => {
    const path = ['submods', 'cpu0', 'ear_trustworthiness_vector', 'hardware']
    const token = await scene.signed('possession', scene.within('possession', path, 32))
    expect(await outcomeOf(token, { required: { status: 'warning' } })).toBe('accepted')
    const one = { status: 'warning', trustVector: { hardware: 'affirming' } } as const
    expect(await outcomeOf(token, { required: one })).toBe('trust-claim-insufficient')
    const bad = await scene.signed('possession', scene.within('possession', path, 96))
    expect(await outcomeOf(bad, { required: { status: 'warning' } })).toBe('status-insufficient')
  })

  test.each<[unknown, RegExp]>([
    [{ enviroment: 'prod' }, /enviroment/],
    [{ scopes: [] }, /scopes/],
    [{ scopes: 'secret:db-ro' }, /scopes/],
    [{ scopes: null }, /scopes/],
    [{ tenant: null }, /tenant/],
    [{ trustVector: null }, /trustVector/],
    [{ agent: '' }, /agent/],
    [{ agent: [1] }, /agent/],
    [{ status: 'contraindicated' }, /status/],
    [{ assurance: 'any' }, /assurance/],
    [{ trustVector: { hardwear: 'affirming' } }, /hardwear/],
    [{ trustVector: { hardware: 'none' } }, /hardware/],
    [{ measurement: 'sha384:a1' }, /hex/],
    [{ leastGeneration: '42' }, /leastGeneration/],
    [[], /object/],
    [7, /object/],
  ])('%j is refused before anything is judged by it', (required, said) => {
    expect(() => scene.party({ required: required as RequiredClaims })).toThrow(said)
  })
})

test.each<[string, Partial<RelyingPartyOptions>]>([
  ['an issuer over plain HTTP', { issuer: 'http://attest.example.com' }],
  ['an issuer with a slash', { issuer: `${ISSUER}/` }],
  ['an issuer with a user', { issuer: 'https://me@attest.example.com' }],
  ['an issuer with a query', { issuer: `${ISSUER}?x` }],
  ['no issuer', { issuer: 'attest' }],
  ['keys over plain HTTP', { jwksUri: 'http://attest.example.com/jwks' }],
  ['no audience', { audience: [] }],
  ['an empty audience', { audience: '' }],
  ['no form', { accept: [] }],
  ['a form of its own', { accept: ['bearer' as TokenForm] }],
  ['a skew of minutes', { clockSkewSeconds: 61 }],
  ['a skew of text', { clockSkewSeconds: '5' as never }],
  ['a day of grace', { statusGraceSeconds: 86_400 }],
  ['keys for a day', { keysMaxAgeSeconds: 86_400 }],
  ['a list that is half checked', { statusList: 'sometimes' as never }],
])('%s is refused at once', (_, options) => {
  expect(() => scene.party(options)).toThrow(TypeError)
})

test('http is taken to this machine', () => {
  for (const issuer of ['http://localhost:8080', 'http://127.0.0.1:8080', 'http://[::1]:8080'])
    expect(scene.party({ issuer }).accept).toHaveLength(3)
})
