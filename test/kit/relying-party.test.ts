/** Which tokens does the relying party's kit refuse, and why? Each rule has a token of a running service that only it refuses. */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenForm } from '#src/rats/release.ts'
import { openTokens } from '../../enclave/attestation.ts'
import {
  type Reason,
  type RelyingPartyOptions,
  relyingParty,
} from '../../kit/relying-party/relying-party.ts'
import { attestAt } from '../http/attempt.ts'
import { agentOf, runService } from '../http/running-service.ts'
import { audiences, ISSUER, outcome, type RelyingScene, relyingScene } from './relying-scene.ts'

let scene: RelyingScene
beforeAll(async () => {
  scene = await relyingScene()
})
afterAll(() => scene.close())

const forms = ['possession', 'federation', 'workload'] as const

type Change = Readonly<Record<string, unknown>>

async function outcomeOf(
  token: string | undefined,
  options?: Partial<RelyingPartyOptions>,
): Promise<string> {
  return outcome(await scene.verify(scene.party(options), token))
}

describe('a good token', () => {
  test.each(forms)('of the form %s is accepted, and read', async (form) => {
    const verdict = await scene.verify(scene.party(), scene.good[form])
    if (!verdict.accepted) throw new Error(verdict.detail)
    const { sub, jti, exp } = decodeJwt(scene.good[form])
    expect(verdict.proved).toBe(true)
    expect(verdict.claims).toMatchObject({
      form,
      issuer: ISSUER,
      subject: sub,
      jti,
      expiresAt: exp,
      tenant: 'default',
      environment: 'prod',
      agent: 'invoice-bot',
      generation: 42,
      earStatus: 'affirming',
      assurance: 'hardware',
      tee: 'sev-snp',
      measurement: 'a1'.repeat(48),
      keyThumbprint: scene.sig.thumbprint,
      trustVector: { executables: 3, hardware: 2 },
    })
  })

  test('in the EAR names of 2023 is accepted as well', async () => {
    const [opened] = await scene.from.tokens({
      audience: audiences.possession,
      query: '?ear=legacy',
    })
    expect(await outcomeOf(opened?.token)).toBe('accepted')
  })

  test('for federation counts without a proof, and is then not proved', async () => {
    const verdict = await scene.party().verify({ token: scene.good.federation })
    expect(verdict).toMatchObject({ accepted: true, proved: false })
  })

  test.each(['possession', 'workload'] as const)(
    'of the form %s counts only with a proof',
    async (form) => {
      const party = scene.party()
      expect(outcome(await party.verify({ token: scene.good[form] }))).toBe('proof-missing')
      expect(await party.verifyWithoutProof({ token: scene.good[form] })).toMatchObject({
        accepted: true,
        proved: false,
      })
    },
  )

  test('of simulated hardware is one of another issuer, and is taken only where it is asked for', async () => {
    const simulated = await relyingSimulated()
    expect(await simulated.outcome({})).toBe('assurance-other')
    expect(await simulated.outcome({ required: { assurance: 'simulated' } })).toBe('accepted')
    await simulated.close()
  })
})

/** Of a service whose machines nobody vouches for. */
async function relyingSimulated() {
  const service = await runService()
  const [opened] = await openTokens((await attestAt(service)).json, (await agentOf(service)).keys)
  return {
    async outcome(options: Partial<RelyingPartyOptions>) {
      const party = relyingParty({
        issuer: service.simulated,
        audience: 'kms.example',
        now: () => service.clock.at.getTime(),
        ...options,
      })
      return outcome(await party.verifyWithoutProof({ token: opened?.token }))
    },
    close: () => service.close(),
  }
}

describe('what is no token of an accepted form', () => {
  test.each<[string, Reason, () => string | undefined | Promise<string | undefined>]>([
    ['nothing', 'token-missing', () => undefined],
    ['an empty text', 'token-missing', () => ''],
    ['a JWE', 'token-malformed', () => 'e30.e30.e30.e30.e30'],
    ['no JWT', 'token-malformed', () => 'opaque'],
    ['padding', 'token-malformed', () => `${scene.good.possession}==`],
    [
      'a second spelling of its signature',
      'token-malformed',
      () => respelled(scene.good.federation),
    ],
    [
      '17,000 characters',
      'token-malformed',
      () => scene.signed('possession', { x: 'x'.repeat(17_000) }),
    ],
    ['a list for claims', 'token-malformed', () => scene.headed('possession', {}, [])],
    [
      'typ of another form',
      'token-form-other',
      () => scene.headed('possession', { typ: 'wit+jwt+x' }),
    ],
    [
      'a status list’s typ',
      'token-form-other',
      () => scene.headed('possession', { typ: 'statuslist+jwt' }),
    ],
    ['no typ', 'token-form-other', () => scene.headed('possession', { typ: undefined })],
    ['alg none', 'token-form-other', () => scene.headed('possession', { alg: 'none' })],
    ['alg HS256', 'token-form-other', () => scene.headed('possession', { alg: 'HS256' })],
    [
      'the alg of another form',
      'token-form-other',
      () => scene.headed('possession', { alg: 'RS256' }),
    ],
    ['crit', 'token-form-other', () => scene.headed('possession', { crit: ['b64'], b64: true })],
    ['crit alone', 'token-form-other', () => scene.headed('possession', { crit: [] })],
    [
      'a key of its own',
      'token-form-other',
      () => scene.headed('possession', { jwk: scene.sig.publicKey }),
    ],
    [
      'an address of keys',
      'token-form-other',
      () => scene.headed('possession', { jku: `${ISSUER}/keys` }),
    ],
    ['no kid', 'token-form-other', () => scene.headed('possession', { kid: undefined })],
    ['a number for a kid', 'token-form-other', () => scene.headed('possession', { kid: 1 })],
  ])('%s: %s', async (_, reason, token) => {
    expect(await outcomeOf(await token())).toBe(reason)
  })

  test('a form that is not accepted here is refused, however good the token is', async () => {
    for (const form of forms)
      for (const only of forms)
        expect(await outcomeOf(scene.good[form], { accept: [only] })).toBe(
          form === only ? 'accepted' : 'token-form-other',
        )
  })

  test('possession is what is accepted where nothing else is said', async () => {
    const { accept } = scene.party({ accept: undefined } as object)
    expect(accept).toEqual(['possession'])
  })

  test.each([1, null, {}, [], Symbol('token')])(
    'JavaScript that brings %s gets a refusal',
    async (token) => {
      const party = scene.party()
      expect(outcome(await party.verify({ token: token as never }))).toBe('token-missing')
      const proved = {
        token: scene.good.possession,
        request: { method: 'GET', url: 'x', bodySha256: 'none' },
      }
      expect(outcome(await party.verify({ ...proved, proof: token as never }))).toBe(
        'proof-malformed',
      )
    },
  )
})

/** The last character of an RSA signature has bits to spare. */
function respelled(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.at(-1) ?? '')
  return token.slice(0, -1) + alphabet[last ^ 1]
}

describe('what the issuer did not sign', () => {
  test.each<[string, Reason, () => string | Promise<string>]>([
    ['a kid of nobody', 'key-unknown', () => scene.headed('possession', { kid: 'nobody' })],
    [
      'the kid of a key of another kind',
      'key-unknown',
      () => scene.headed('possession', { kid: decodeProtectedHeader(scene.good.federation).kid }),
    ],
    [
      'the kid of a WIT-SVID, whose keys are in no JSON Web Key Set',
      'key-unknown',
      () => scene.headed('possession', { kid: decodeProtectedHeader(scene.good.workload).kid }),
    ],
    [
      'a key of the JSON Web Key Set for a WIT-SVID',
      'key-unknown',
      () => scene.headed('possession', { typ: 'wit+jwt' }),
    ],
    [
      'other claims under its signature',
      'signature-wrong',
      () => withClaims(scene.good.possession, { sub: 'spiffe://attest.example.com/mallory' }),
    ],
    ['another signature', 'signature-wrong', () => flipped(scene.good.possession)],
    ['another signature (RSA)', 'signature-wrong', () => flipped(scene.good.federation)],
    ['a signature of another length', 'signature-wrong', () => scene.good.possession.slice(0, -2)],
    ['no signature', 'signature-wrong', () => scene.good.possession.replace(/[^.]+$/, '')],
  ])('%s: %s', async (_, reason, token) => {
    expect(await outcomeOf(await token())).toBe(reason)
  })
})

function withClaims(token: string, change: Change): string {
  const [header, , signature] = token.split('.')
  const claims = Buffer.from(JSON.stringify({ ...decodeJwt(token), ...change }))
  return [header, claims.toString('base64url'), signature].join('.')
}

function flipped(token: string): string {
  const at = token.lastIndexOf('.') + 5
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}

describe('claims that were signed, and do not count here', () => {
  const second = (ahead: number) => Math.floor(scene.from.service.clock.at.getTime() / 1000) + ahead
  test.each<[string, TokenForm, Reason, () => Change]>([
    ['another iss', 'possession', 'issuer-other', () => ({ iss: `${ISSUER}/simulated` })],
    ['iss with a slash more', 'federation', 'issuer-other', () => ({ iss: `${ISSUER}/` })],
    ['no iss', 'federation', 'issuer-other', () => ({ iss: undefined })],
    [
      'another verifier inside a WIT-SVID',
      'workload',
      'issuer-other',
      () => scene.within('workload', ['ear_verifier_id', 'developer'], `${ISSUER}/simulated`),
    ],
    ['another aud', 'possession', 'audience-other', () => ({ aud: 'other.example' })],
    ['a list for aud', 'possession', 'claims-malformed', () => ({ aud: [audiences.possession] })],
    ['an aud in a WIT-SVID', 'workload', 'claims-malformed', () => ({ aud: audiences.workload })],
    ['an end that has come', 'possession', 'token-expired', () => ({ exp: second(-10) })],
    ['a beginning that has not', 'possession', 'token-not-yet-good', () => ({ nbf: second(11) })],
    ['iat ahead', 'possession', 'token-not-yet-good', () => ({ iat: second(11) })],
    ['16 minutes', 'possession', 'token-too-long-lived', () => ({ exp: second(901) })],
    ['6 minutes', 'federation', 'token-too-long-lived', () => ({ exp: second(301) })],
    ['no exp', 'possession', 'claims-malformed', () => ({ exp: undefined })],
    ['half a second', 'possession', 'claims-malformed', () => ({ exp: second(100) + 0.5 })],
    ['exp as text', 'possession', 'claims-malformed', () => ({ exp: `${second(100)}` })],
    ['no nbf', 'possession', 'claims-malformed', () => ({ nbf: undefined })],
    ['no iat', 'possession', 'claims-malformed', () => ({ iat: undefined })],
    ['no sub', 'possession', 'claims-malformed', () => ({ sub: undefined })],
    ['no jti', 'possession', 'claims-malformed', () => ({ jti: '' })],
    ['no tenant', 'possession', 'claims-malformed', () => ({ tenant: undefined })],
    ['no cnf', 'possession', 'claims-malformed', () => ({ cnf: undefined })],
    ['a short thumbprint', 'possession', 'claims-malformed', () => ({ cnf: { jkt: 'abc' } })],
    [
      'a second key',
      'possession',
      'claims-malformed',
      () => ({ cnf: { jkt: scene.sig.thumbprint, 'x5t#S256': 'x' } }),
    ],
    [
      'thumbprint and key',
      'federation',
      'claims-malformed',
      () => ({ cnf: { jkt: scene.sig.thumbprint, jwk: scene.sig.publicKey } }),
    ],
    [
      'a key of another kind',
      'workload',
      'claims-malformed',
      () => ({ cnf: { jwk: { kty: 'OKP' } } }),
    ],
    ['no status', 'possession', 'claims-malformed', () => ({ status: undefined })],
    [
      'an index below the list',
      'possession',
      'claims-malformed',
      () => scene.within('possession', ['status', 'status_list', 'idx'], -1),
    ],
    ['no appraisal', 'possession', 'claims-malformed', () => ({ att_appraisal: undefined })],
    ['no leaf', 'possession', 'claims-malformed', () => ({ att_log: {} })],
    ['a list of scopes', 'possession', 'claims-malformed', () => ({ scope: ['a'] })],
    ['a number for a nonce', 'possession', 'claims-malformed', () => ({ eat_nonce: 1 })],
    [
      'another profile',
      'possession',
      'claims-malformed',
      () => ({ eat_profile: 'tag:psacertified.org,2023:psa#tfm' }),
    ],
    [
      'a profile of JavaScript',
      'possession',
      'claims-malformed',
      () => ({ eat_profile: 'constructor' }),
    ],
    ['no result of the machine', 'possession', 'claims-malformed', () => ({ submods: {} })],
    ['no result of the whole', 'possession', 'claims-malformed', () => ({ ear_status: undefined })],
    ['a status of its own', 'possession', 'claims-malformed', () => ({ ear_status: 'splendid' })],
    [
      'a tier that is none',
      'possession',
      'claims-malformed',
      () =>
        scene.within(
          'possession',
          ['submods', 'cpu0', 'ear_trustworthiness_vector', 'hardware'],
          2.5,
        ),
    ],
    ['debugging', 'possession', 'claims-malformed', () => ({ dbgstat: 'enabled' })],
    ['no assurance', 'possession', 'claims-malformed', () => ({ att_assurance: undefined })],
    ['no measurement', 'possession', 'claims-malformed', () => ({ att_measurement: undefined })],
    ['no release', 'possession', 'claims-malformed', () => ({ att_release: undefined })],
    [
      'no generation',
      'possession',
      'claims-malformed',
      () => scene.within('possession', ['att_release', 'generation'], '42'),
    ],
    ['no policy', 'possession', 'claims-malformed', () => ({ att_policy: {} })],
    ['another assurance', 'possession', 'assurance-other', () => ({ att_assurance: 'simulated' })],
    ['a warning', 'possession', 'status-insufficient', () => ({ ear_status: 'warning' })],
    ['no status', 'possession', 'status-insufficient', () => ({ ear_status: 'none' })],
    [
      'a machine worse than it is called',
      'possession',
      'status-insufficient',
      () =>
        scene.within(
          'possession',
          ['submods', 'cpu0', 'ear_trustworthiness_vector', 'hardware'],
          32,
        ),
    ],
    [
      'negative tiers, which have the same meaning',
      'possession',
      'status-insufficient',
      () =>
        scene.within(
          'possession',
          ['submods', 'cpu0', 'ear_trustworthiness_vector', 'hardware'],
          -33,
        ),
    ],
    [
      'a claim of no meaning',
      'possession',
      'status-insufficient',
      () =>
        scene.within(
          'possession',
          ['submods', 'cpu0', 'ear_trustworthiness_vector', 'hardware'],
          0,
        ),
    ],
    [
      'an agent worse than its machine',
      'possession',
      'status-insufficient',
      () => scene.within('possession', ['submods', 'agent0', 'ear_status'], 'contraindicated'),
    ],
  ])('%s (%s): %s', async (_, form, reason, change) => {
    expect(await outcomeOf(await scene.signed(form, {}))).toBe('accepted')
    expect(await outcomeOf(await scene.signed(form, change()))).toBe(reason)
  })

  test('clocks may differ by ten seconds, and not by more', async () => {
    for (const [change, expected] of [
      [{ exp: second(-9) }, 'accepted'],
      [{ nbf: second(10), iat: second(10) }, 'accepted'],
      [{ exp: second(-10) }, 'token-expired'],
    ] as const)
      expect(await outcomeOf(await scene.signed('possession', change))).toBe(expected)
    const expired = await scene.signed('possession', { exp: second(0) })
    expect(await outcomeOf(expired, { clockSkewSeconds: 0 })).toBe('token-expired')
  })

  test('a nonce that was asked for must be there', async () => {
    const token = await scene.signed('federation', { eat_nonce: 'mine-mine' })
    const party = scene.party()
    expect(await party.verify({ token, nonce: 'mine-mine' })).toMatchObject({ accepted: true })
    expect(outcome(await party.verify({ token, nonce: 'other' }))).toBe('nonce-other')
    const without = { token: scene.good.federation, nonce: 'mine-mine' }
    expect(outcome(await party.verify(without))).toBe('nonce-other')
  })
})
