/** Does the service show where it runs, freshly, to whoever asks, and say so where it cannot? */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { toHex } from '../../src/bytes/encoding.ts'
import { Problem } from '../../src/problems.ts'
import { readVerifierAnswer } from '../../src/rats/verifier-answer.ts'
import { readVerifierClaims, verifierReportDataOf } from '../../src/rats/verifier-claims.ts'
import type { SelfAttester, SelfAttesting } from '../../src/service/self-attestation.ts'
import { AT, attester, get, type RunningService, runService } from './running-service.ts'

const machine = attester(new Uint8Array(48).fill(0x5e))
const asked: Uint8Array[] = []
const simulated: SelfAttester = {
  kind: 'simulated',
  async attest(reportData) {
    asked.push(reportData)
    return {
      tee: 'sev-snp',
      evidence: await machine.attest(reportData),
      endorsements: { tcbInfos: [], qeIdentities: [], ...machine.endorsements },
    }
  },
}
const self: SelfAttesting = {
  attester: simulated,
  keys: 'sealed-outside',
}
const nonce = () => randomBytes(32).toString('base64url')

let service: RunningService
beforeAll(async () => {
  service = await runService({ self })
})
afterAll(() => service.close())

const paths = [
  '/.well-known/attestation',
  '/simulated/.well-known/attestation',
  '/t/acme/.well-known/attestation',
]

describe('GET <issuer>/.well-known/attestation', () => {
  it.each(paths)(
    '%s says what its issuer publishes, over the nonce of the caller',
    async (path) => {
      const mine = nonce()
      const issuer = `${service.url}${path.replace('/.well-known/attestation', '')}`
      const { status, json, headers } = await get(`${service.url}${path}?nonce=${mine}`)
      expect(status, JSON.stringify(json)).toBe(200)
      expect(headers.get('cache-control')).toBe('no-store')
      const answer = readVerifierAnswer(json)
      const claims = readVerifierClaims(answer?.claims ?? '')
      const text = async (url: string) => await (await fetch(url)).text()
      const jwks = await text(`${issuer}/.well-known/jwks.json`)
      expect(claims).toEqual({
        nonce: mine,
        issuer,
        jwks_sha256: sha256(jwks),
        spiffe_bundle_sha256: sha256(await text(`${issuer}/.well-known/spiffe-bundle`)),
        log_key: (await text(`${service.url}/v1/log/key`)).trim(),
        policy_digest: service.policy.current?.digest,
        build: 'vouchsafe/test',
        keys: 'sealed-outside',
        time: AT.toISOString(),
      })
      expect(answer?.jwks).toBe(jwks)
      expect(toHex(answer?.evidence.quote.subarray(0x50, 0x90) ?? new Uint8Array())).toBe(
        toHex(verifierReportDataOf(answer?.claims ?? '')),
      )
      expect(answer?.endorsements.crls).toHaveLength(1)
    },
  )

  it('asks the hardware anew for every request, the same nonce included', async () => {
    const before = asked.length
    const url = `${service.url}/.well-known/attestation?nonce=${nonce()}`
    const answers = await Promise.all([get(url), get(url)])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(asked.length - before).toBe(2)
  })

  it.each([
    ['no nonce', ''],
    ['an empty nonce', '?nonce='],
    ['15 bytes', `?nonce=${Buffer.alloc(15).toString('base64url')}`],
    ['65 bytes', `?nonce=${Buffer.alloc(65).toString('base64url')}`],
    ['padding', `?nonce=${Buffer.alloc(16).toString('base64')}`],
    ['another spelling of the same bytes', '?nonce=AAAAAAAAAAAAAAAAAAAAAB'],
    ['two nonces', `?nonce=${Buffer.alloc(16).toString('base64url')}&nonce=AAAA`],
    ['something else besides', `?nonce=${Buffer.alloc(16).toString('base64url')}&fresh=1`],
  ])('refuses %s', async (_, query) => {
    const before = asked.length
    const { status, json } = await get(`${service.url}/.well-known/attestation${query}`)
    expect([status, json.code]).toEqual([400, 'request-malformed'])
    expect(asked).toHaveLength(before)
  })

  it('takes nonces of 16 to 64 bytes', async () => {
    for (const size of [16, 64]) {
      const text = randomBytes(size).toString('base64url')
      const { status } = await get(`${service.url}/.well-known/attestation?nonce=${text}`)
      expect(status).toBe(200)
    }
  })

  it('stands in the contract with its query', async () => {
    const { json } = await get(`${service.url}/openapi.json`)
    const operation = json.paths['/t/acme/.well-known/attestation'].get
    const parameters = z.array(z.looseObject({ name: z.string() })).parse(operation.parameters)
    expect(parameters.map(({ name }) => name)).toContain('nonce')
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['200', '501', '503']))
  })
})

describe('a service that cannot show where it runs', () => {
  it('says so, and what to do, and leaves the log alone', async () => {
    const other = await runService()
    try {
      const { status, json } = await get(`${other.url}/.well-known/attestation?nonce=${nonce()}`)
      expect([status, json.code]).toEqual([501, 'self-attestation-unavailable'])
      expect(json.next).toContain('configfs')
      expect(other.journal).toEqual([])
      const malformed = await get(`${other.url}/.well-known/attestation`)
      expect(malformed.status).toBe(400)
    } finally {
      await other.close()
    }
  })

  const faulty: readonly (readonly [string, SelfAttester['attest'], RegExp])[] = [
    [
      'an earlier report',
      async () => await simulated.attest(new Uint8Array(64)),
      /about other data than was asked for/,
    ],
    [
      'no report at all',
      async (reportData) => ({
        ...(await simulated.attest(reportData)),
        evidence: { quote: new Uint8Array(7) },
      }),
      /does not read as sev-snp evidence/,
    ],
    [
      'the report of a TEE that nobody knows',
      async (reportData) => ({ ...(await simulated.attest(reportData)), tee: 'arm-cca' }),
      /does not read as arm-cca evidence/,
    ],
    [
      'nothing in time',
      async () => {
        throw new Problem('self-attestation-failed', 'no report came', { retryAfterSeconds: 5 })
      },
      /no report came/,
    ],
  ]

  it.each(faulty)('answers 503 when its machine gives %s', async (_, attest, says) => {
    const other = await runService({ self: { ...self, attester: { kind: 'hardware', attest } } })
    try {
      const { status, json, headers } = await get(
        `${other.url}/.well-known/attestation?nonce=${nonce()}`,
      )
      expect([status, json.code]).toEqual([503, 'self-attestation-failed'])
      expect(json.detail).toMatch(says)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    } finally {
      await other.close()
    }
  })
})

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
