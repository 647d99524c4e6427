/** Does `vouchsafe verify --issuer` judge a running service by its own evidence, and notice whoever stands in between? */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { vendorFetch } from '../../src/adapters/vendor-fetch.ts'
import { verifyCommand } from '../../src/cli/verify.ts'
import type { IssuerDeps } from '../../src/cli/verify-issuer.ts'
import { type AnchorSet, anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import type { SelfAttesting } from '../../src/service/self-attestation.ts'
import {
  AT,
  anchorsOf,
  attester,
  platform,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { filesInMemory, output } from './command.ts'

const machine = attester(new Uint8Array(48).fill(0x5e))
const launched = `measurement=${'5e'.repeat(48)}`
const self: SelfAttesting = {
  attester: {
    kind: 'simulated',
    attest: async (reportData) => ({
      tee: 'sev-snp',
      evidence: await machine.attest(reportData),
      endorsements: { tcbInfos: [], qeIdentities: [], ...machine.endorsements },
    }),
  },
  keys: 'sealed-outside',
}
/** The simulator under the name of hardware, which only a test may give it. */
const trusted: AnchorSet = anchorSet(
  platform.anchors.map(({ der, product }) => ({
    certificate: decodeCertificate(der),
    product,
    assurance: 'hardware',
  })),
)

let service: RunningService
let unshown: RunningService
beforeAll(async () => {
  service = await runService({ self })
  unshown = await runService()
})
afterAll(async () => {
  await service.close()
  await unshown.close()
})

type Between = (url: string, bytes: Uint8Array) => Uint8Array | string | undefined
const visited: string[] = []
beforeEach(() => {
  visited.length = 0
})

/** `between`: another answer for what is fetched, or undefined for the one that came. */
async function verifying(
  args: readonly string[],
  { anchors = trusted, between }: { readonly anchors?: AnchorSet; readonly between?: Between } = {},
) {
  const { written, out, err } = output()
  const network: IssuerDeps = {
    async fetch(request) {
      visited.push(request.url)
      const response = await vendorFetch(request)
      const other = between?.(request.url, response.bytes)
      return other === undefined
        ? response
        : { ...response, status: 200, bytes: new Uint8Array(Buffer.from(other)) }
    },
    simulatedRoots: async () => anchorsOf(platform.anchors).anchors,
  }
  const code = await verifyCommand(args, {
    files: filesInMemory({}),
    out,
    err,
    now: () => AT,
    anchors,
    simulatedAllowed: false,
    network,
  })
  return { code, ...written }
}

const resultSchema = z.strictObject({
  issuer: z.string(),
  tee: z.string(),
  status: z.string(),
  trustVector: z.record(z.string(), z.number()),
  findings: z.array(z.looseObject({ id: z.string(), outcome: z.string() })),
  claims: z.looseObject({}),
  verifier: z.record(z.string(), z.string()).nullable(),
})

async function failing(args: readonly string[], deps?: Parameters<typeof verifying>[1]) {
  const { code, out } = await verifying([...args, '--json'], deps)
  const { findings, status } = resultSchema.parse(JSON.parse(out))
  return {
    code,
    status,
    failed: findings.flatMap(({ id, outcome }) => (outcome === 'fail' ? [id] : [])),
  }
}

describe('vouchsafe verify --issuer', () => {
  it('says yes with a warning, since the keys are also held outside', async () => {
    const { code, out } = await verifying(['--issuer', service.url, '--expect', launched])
    expect(code).toBe(0)
    expect(out).toMatch(/^WARNING sev-snp: 1 check waived \(verifier\.keys\.in-tee\)\n/)
    expect(out).toContain(`issuer ${service.url}\n  program vouchsafe/test`)
    expect(out).toContain(`policy  ${service.policy.current?.digest}`)
  })

  it.each(['--strict', '--keys-in-tee'])('%s makes a refusal of that', async (flag) => {
    const { code } = await verifying(['--issuer', service.url, '--expect', launched, flag])
    expect(code).toBe(2)
  })

  it('affirms an issuer whose keys are in the TEE alone', async () => {
    const inTee = await runService({ self: { ...self, keys: 'in-tee' } })
    try {
      const args = ['--issuer', inTee.url, '--expect', launched, '--keys-in-tee', '--strict']
      expect(await failing(args)).toEqual({ code: 0, status: 'affirming', failed: [] })
    } finally {
      await inTee.close()
    }
  })

  it('judges each issuer of a service by its own path, a slash at the end or not', async () => {
    for (const issuer of [`${service.url}/`, service.simulated, `${service.url}/t/acme`])
      expect((await failing(['--issuer', issuer, '--expect', launched])).failed).toEqual([])
  })

  it('refuses what nobody said may run there, and names it', async () => {
    const { code, out } = await verifying(['--issuer', service.url])
    expect(code).toBe(2)
    expect(out).toContain('REFUSED sev-snp by verifier.launch.expected')
    expect(out).toContain(`Next: say with --expect what may run there; ${'5e'.repeat(48)}`)
  })

  it('refuses another program than the one that is approved', async () => {
    const args = ['--issuer', service.url, '--expect', `measurement=${'5f'.repeat(48)}`]
    expect((await failing(args)).failed).toEqual([
      'snp.measurement.expected',
      'verifier.launch.expected',
    ])
  })

  it('takes waivers of its own checks with a reason, and of no others', async () => {
    const waive = (text: string) => ['--issuer', service.url, '--waive', text]
    expect(await failing(waive('verifier.launch.expected=looking around'))).toMatchObject({
      code: 0,
      status: 'warning',
    })
    const { code, err } = await verifying(waive('verifier.claims.nonce=no'))
    expect(code).toBe(1)
    expect(err).toContain('verifier.launch.expected, verifier.keys.in-tee')
  })

  it('compares the policy where one is demanded', async () => {
    const demand = (digest: string | undefined) => [
      ...['--issuer', service.url, '--expect', launched],
      ...['--policy-digest', digest ?? ''],
    ]
    expect((await failing(demand(service.policy.current?.digest))).failed).toEqual([])
    expect((await failing(demand(`sha256:${'0'.repeat(64)}`))).failed).toEqual([
      'verifier.claims.policy',
    ])
  })

  it('believes a simulator only by name, and then never as hardware', async () => {
    const args = ['--issuer', service.url, '--expect', launched]
    const vendors = anchorSet([])
    expect((await failing(args, { anchors: vendors })).failed).toEqual(['snp.chain.anchored'])
    const simulated = [...args, '--simulated-roots', 'folder']
    expect(await failing(simulated, { anchors: vendors })).toEqual({
      code: 2,
      status: 'contraindicated',
      failed: [],
    })
    const { out } = await verifying(simulated, { anchors: vendors })
    expect(out).toContain('by its simulated root: no check failed')
  })
})

describe('somebody in between', () => {
  const args = () => ['--issuer', service.url, '--expect', launched]
  const at =
    (path: string, make: (text: string) => string): Between =>
    (url, bytes) =>
      new URL(url).pathname === path ? make(Buffer.from(bytes).toString()) : undefined

  it.each([
    ['keys of its own', at('/.well-known/jwks.json', () => '{"keys":[]}'), 'verifier.claims.jwks'],
    [
      'a SPIFFE bundle of its own',
      at('/.well-known/spiffe-bundle', () => '{"keys":[]}'),
      'verifier.claims.spiffe-bundle',
    ],
    ['a log of its own', at('/v1/log/key', () => 'evil+1+A'), 'verifier.claims.log-key'],
    [
      'another issuer’s discovery',
      at('/.well-known/openid-configuration', (text) =>
        text.replace(/"issuer":"([^"]*)"/, '"issuer":"$1/simulated"'),
      ),
      'verifier.discovery.issuer',
    ],
    [
      'the evidence that it was given another time',
      at('/.well-known/attestation', () => recorded),
      'verifier.claims.nonce',
    ],
  ])('with %s is refused', async (_, between, id) => {
    recorded = await (
      await fetch(`${service.url}/.well-known/attestation?nonce=${'A'.repeat(43)}`)
    ).text()
    expect(await failing(args(), { between })).toMatchObject({ code: 2, failed: [id] })
  })
  let recorded = ''

  it('gets a second look, since keys may change between two questions', async () => {
    let times = 0
    const between = at('/.well-known/jwks.json', (text) => (times++ === 0 ? '{"keys":[]}' : text))
    expect((await failing(args(), { between })).failed).toEqual([])
    const nonces = visited.flatMap((url) => new URL(url).searchParams.get('nonce') ?? [])
    expect(new Set(nonces).size).toBe(2)
  })

  it('cannot send the questions elsewhere', async () => {
    const between = at('/.well-known/openid-configuration', (text) =>
      text.replace(/"jwks_uri":"[^"]*"/, '"jwks_uri":"http://169.254.169.254/latest"'),
    )
    const { code, err } = await verifying(args(), { between })
    expect(code).toBe(1)
    expect(err).toContain('http://169.254.169.254/latest is not at')
    expect(visited.every((url) => url.startsWith(service.url))).toBe(true)
  })

  it.each([
    ['no JSON', 'not json'],
    ['JSON of another form', '{"claims":"x"}'],
  ])('with %s leaves it open', async (_, text) => {
    const between = at('/.well-known/attestation', () => text)
    const { code, err } = await verifying(args(), { between })
    expect(code).toBe(1)
    expect(err).toContain('not of the documented form')
  })
})

describe('what cannot be answered', () => {
  it('tells what the issuer said where it runs in no TEE', async () => {
    const { code, err } = await verifying(['--issuer', unshown.url])
    expect(code).toBe(1)
    expect(err).toContain('it answered 501 (self-attestation-unavailable')
  })

  it('tells who does not answer', async () => {
    const { code, out } = await verifying(['--issuer', 'http://127.0.0.1:1', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'issuer-unusable' } })
  })

  it.each([
    [['--issuer', 'http://verifier.example'], /is not the URL of an issuer/],
    [['--issuer', 'https://u:p@verifier.example'], /is not the URL of an issuer/],
    [['--issuer', 'verifier.example'], /is not the URL of an issuer/],
    [['--issuer', 'https://verifier.example', 'report.bin'], /fetches its evidence/],
    [['--issuer', 'https://verifier.example', '--at', '2026-01-01T00:00:00Z'], /--at goes with/],
    [['--issuer', 'https://verifier.example', '--simulated'], /--simulated goes with/],
    [['--issuer', 'https://verifier.example', '--nonce', 'short'], /--nonce short is not/],
    [['--issuer', 'https://verifier.example', '--policy-digest', 'x'], /--policy-digest x is no/],
    [['report.bin', '--keys-in-tee'], /--keys-in-tee belongs to --issuer/],
    [['report.bin', '--nonce', 'A'.repeat(43)], /--nonce belongs to --issuer/],
  ])('%j is a mistake', async (args, says) => {
    const { code, err } = await verifying(args)
    expect(code).toBe(1)
    expect(err).toMatch(says)
    expect(visited).toEqual([])
  })
})
