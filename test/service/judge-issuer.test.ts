/** Does each check of an issuer's own evidence refuse what it is there for, alone, and does nothing else refuse a good one? */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/bytes/encoding.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { checkIds } from '../../src/rats/appraisal.ts'
import { bindingChecks } from '../../src/rats/binding.ts'
import { canonicalJson } from '../../src/rats/canonical-json.ts'
import { endorsements } from '../../src/rats/endorsements.ts'
import { proofCache } from '../../src/rats/proof-cache.ts'
import { type RuntimeClaims, reportDataOf } from '../../src/rats/runtime-claims.ts'
import { claimsForm, verifierChecks } from '../../src/rats/verifier-checks.ts'
import { verifierClaimsText, verifierReportDataOf } from '../../src/rats/verifier-claims.ts'
import { judgeIssuer } from '../../src/service/judge-issuer.ts'
import { sevSnp } from '../../src/tee/sev-snp/sev-snp.ts'
import {
  AT,
  bundle,
  failing,
  goodClaims,
  ISSUER,
  judged,
  jwks,
  measurement,
  snp,
  type Told,
  tdx,
} from './issuer-scene.ts'

const agentDomain = (text: string) =>
  new Uint8Array(createHash('sha512').update('vouchsafe/report-data/v1\0').update(text).digest())

const refusals: readonly (readonly [id: string, what: string, told: Told])[] = [
  ['verifier.claims.canonical', 'white space', { text: (text) => text.replace(':', ': ') }],
  [
    'verifier.claims.canonical',
    'a member more',
    { text: (text) => text.replace('{', '{"also":"this",') },
  ],
  [
    'verifier.claims.canonical',
    'a member less',
    { text: (text) => text.replace(/"build":"[^"]*",/, '') },
  ],
  [
    'verifier.claims.canonical',
    'a member twice',
    { text: (text) => text.replace('{', '{"keys":"in-tee",') },
  ],
  [
    'verifier.claims.canonical',
    'keys held nobody knows where',
    { text: (text) => text.replace('in-tee', 'somewhere') },
  ],
  ['verifier.claims.canonical', 'no JSON', { text: () => 'verifier' }],
  [
    'verifier.claims.canonical',
    'half a character',
    { text: (text) => text.replace('n', '\ud800') },
  ],
  [
    'verifier.binding.report-data',
    'evidence that an agent had made over the very same bytes',
    { reportData: agentDomain },
  ],
  [
    'verifier.binding.report-data',
    'evidence over other claims',
    { reportData: (text) => verifierReportDataOf(text.replace('vouchsafe/1', 'vouchsafe/2')) },
  ],
  ['verifier.claims.nonce', 'an answer to another', { asked: { nonce: 'm'.repeat(43) } }],
  [
    'verifier.claims.issuer',
    'an answer relayed from the genuine issuer',
    {
      asked: { issuer: 'https://relay.example' },
      published: { discoveryIssuer: 'https://relay.example' },
    },
  ],
  [
    'verifier.discovery.issuer',
    'another issuer’s discovery document',
    { published: { discoveryIssuer: `${ISSUER}/` } },
  ],
  [
    'verifier.claims.jwks',
    'a key set of somebody in between',
    { published: { jwks: Buffer.from('{"keys": []}') } },
  ],
  ['verifier.claims.jwks-carried', 'a key set changed on the way', { carried: '{"keys":[{}]}' }],
  [
    'verifier.claims.spiffe-bundle',
    'a bundle of somebody in between',
    { published: { spiffeBundle: Buffer.from('{}') } },
  ],
  ['verifier.claims.log-key', 'another log', { published: { logKey: 'other+1+A' } }],
  ['verifier.claims.log-key', 'a log that is hidden', { published: { logKey: undefined } }],
  ['verifier.claims.log-key', 'a log that is denied', { claims: { log_key: '' } }],
  [
    'verifier.claims.policy',
    'another policy',
    { asked: { policyDigest: `sha256:${'cd'.repeat(32)}` } },
  ],
  ['verifier.claims.policy', 'no policy at all', { claims: { policy_digest: '' } }],
  [
    'verifier.claims.time',
    'a clock that is slow',
    { claims: { time: new Date(AT.getTime() - 301_000).toISOString() } },
  ],
  [
    'verifier.claims.time',
    'a clock that is fast',
    { claims: { time: new Date(AT.getTime() + 301_000).toISOString() } },
  ],
  ['verifier.claims.time', 'no time', { claims: { time: 'now' } }],
  ['verifier.launch.expected', 'whatever was launched', { expected: new Map() }],
  [
    'verifier.launch.expected',
    'a field compared that its host chose',
    { expected: new Map([['hostData', new Uint8Array(32)]]) },
  ],
  ['verifier.keys.in-tee', 'keys that others hold too', { claims: { keys: 'sealed-outside' } }],
]

describe('a good issuer', () => {
  it('is affirmed, with every check passed or not applicable', () => {
    const { appraisal, claims } = judged()
    expect(failing({ appraisal, claims })).toEqual([])
    expect(appraisal.status).toBe('affirming')
    expect(claims).toEqual(goodClaims)
  })

  it('may run on TDX as well', () => {
    const told = { platform: tdx, expected: new Map([['mrTd', measurement]]) }
    expect(judged(told).appraisal).toMatchObject({ tee: 'tdx', status: 'affirming' })
    expect(
      failing(judged({ ...told, expected: new Map([['rtmr0', new Uint8Array(48)]]) })),
    ).toContain('verifier.launch.expected')
  })

  it('needs no log, and no policy where none is asked for', () => {
    const { appraisal } = judged({
      claims: { log_key: '' },
      published: { logKey: undefined },
      asked: { policyDigest: undefined },
    })
    expect(appraisal.status).toBe('affirming')
    expect(
      appraisal.findings.filter(
        ({ id, outcome }) => outcome === 'not-applicable' && id.startsWith('verifier.'),
      ),
    ).toMatchObject([{ id: 'verifier.claims.log-key' }, { id: 'verifier.claims.policy' }])
  })

  it('is warned of where keys held outside are let pass', () => {
    const { appraisal } = judged({
      claims: { keys: 'sealed-outside' },
      waivers: new Map([['verifier.keys.in-tee', 'not demanded']]),
    })
    expect(appraisal.status).toBe('warning')
    expect(appraisal.findings.at(-1)).toMatchObject({
      id: 'verifier.keys.in-tee',
      outcome: 'waived',
    })
  })

  it('is contraindicated on a simulator, although no check fails', () => {
    const result = judged({}, 'simulated')
    expect(failing(result)).toEqual([])
    expect(result.appraisal.status).toBe('contraindicated')
  })
})

describe('a refusal', () => {
  it.each(refusals)('%s alone refuses %s', (id, _, told) => {
    const result = judged(told)
    expect(failing(result)).toEqual([id])
    expect(result.appraisal.status).toBe('contraindicated')
  })

  it('is shown for every check', () => {
    const all = [...claimsForm, ...verifierChecks].map(({ id }) => id)
    expect([...new Set(refusals.map(([id]) => id))].sort()).toEqual(all.toSorted())
  })

  it('waives nothing but what says so', () => {
    const waivers = new Map(
      [...claimsForm, ...verifierChecks].flatMap(
        ({ id }) =>
          [
            [id, 'because'],
            ['attributes', 'because'],
          ] as const,
      ),
    )
    const waived = refusals.filter(
      ([, , told]) => failing(judged({ ...told, waivers })).length === 0,
    )
    expect([...new Set(waived.map(([id]) => id))]).toEqual([
      'verifier.launch.expected',
      'verifier.keys.in-tee',
    ])
  })

  it('believes no claims that the evidence is not bound to', () => {
    expect(judged({ reportData: agentDomain }).claims).toBeUndefined()
    expect(judged({ text: (text) => `${text} ` }).claims).toBeUndefined()
  })

  it('lists every check, whatever fails', () => {
    const all = [
      ...claimsForm.map(({ id }) => id),
      ...checkIds(sevSnp),
      ...verifierChecks.map(({ id }) => id),
    ]
    for (const [, , told] of [['', '', {}] as const, ...refusals])
      expect(judged(told).appraisal.findings.map(({ id }) => id)).toEqual(all)
    const untrusted = judgeIssuer(
      {
        asked: { issuer: ISSUER, nonce: '', at: AT, policyDigest: undefined },
        answer: {
          claims: verifierClaimsText(goodClaims),
          tee: 'sev-snp',
          evidence: { quote: new Uint8Array(4) },
          endorsements: snp.endorsements,
          jwks,
        },
        published: {
          discoveryIssuer: ISSUER,
          jwks: Buffer.from(jwks),
          spiffeBundle: Buffer.from(bundle),
          logKey: undefined,
        },
      },
      {
        at: AT,
        anchors: anchorSet([]),
        endorsements: endorsements(),
        waivers: new Map(),
        proofs: proofCache(1),
        expected: new Map(),
        verifierWaivers: new Map(),
      },
    )
    expect(untrusted.appraisal.findings.map(({ id }) => id)).toEqual(all)
    expect(untrusted.appraisal.status).toBe('contraindicated')
  })
})

describe('the two domains', () => {
  const agent: RuntimeClaims = {
    nonce: 'n',
    verifier: ISSUER,
    sig_jkt: 's',
    enc_jkt: '',
    tenant: 'acme',
    agent: 'a',
    environment: 'prod',
    session: '',
    seq: '0',
    transcript: '',
  }

  it('never give one digest, not even over the very same bytes', () => {
    const text = new TextDecoder().decode(canonicalJson({ ...agent }))
    expect(toHex(reportDataOf(agent))).toBe(toHex(agentDomain(text)))
    expect(toHex(verifierReportDataOf(text))).not.toBe(toHex(reportDataOf(agent)))
  })

  it('keep what the verifier’s hardware says from passing as an agent’s', () => {
    const [reportData] = bindingChecks
    const text = new TextDecoder().decode(canonicalJson({ ...agent }))
    expect(
      reportData?.judge({ claims: agent, reportData: verifierReportDataOf(text), issuer: ISSUER }),
    ).toMatchObject({ sentence: expect.stringContaining('other claims') })
  })
})
