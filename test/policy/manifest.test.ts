/** AgentRelease manifests: what they say, and every way in which one is wrong, with file, line and column. */
import { describe, expect, test } from 'vitest'
import { altered, mistakes, read, valid } from './manifests.ts'

const measurement = `measurement: sha384:${'a1'.repeat(48)}`
const tuple = `      tee: sev-snp\n      ${measurement}`
const hex = (size: number, octet = 'bb') => octet.repeat(size)

describe('a valid manifest', () => {
  test('says which evidence is the agent’s and what it may be given', () => {
    expect(mistakes(valid)).toEqual([])
    expect(read(valid)).toMatchObject({
      release: {
        environment: 'prod',
        agent: 'invoice-bot',
        version: '1.8.0',
        generation: 42,
        notBefore: new Date('2026-01-01T00:00:00Z'),
        notAfter: new Date('2027-01-01T00:00:00Z'),
        referenceValues: [
          {
            id: 'milan-4vcpu',
            line: 11,
            tee: 'sev-snp',
            reference: { measurement: new Uint8Array(48).fill(0xa1) },
          },
        ],
        rules: [{ audience: 'kms.example', tokenTtlSeconds: 300 }],
        manifest: { file: 'agents/prod/invoice-bot.yaml' },
      },
    })
  })

  test('an expectation that is not written is absent and not undefined: checks say "no expectation"', () => {
    const reading = read(valid)
    const reference = 'release' in reading && reading.release.referenceValues[0]?.reference
    expect(Object.keys(reference || {})).toEqual(['measurement'])
  })

  test('every SNP expectation reaches the reference value', () => {
    const reading = read(
      altered(
        tuple,
        `${tuple}
      hostData: sha256:${hex(32)}
      familyId: hex:${hex(16)}
      imageId: hex:${hex(16)}
      minimumGuestSvn: 2
      idKeyDigests: [sha384:${hex(48)}]
      authorKeyDigests: [sha384:${hex(48)}]
      vmpl: 1
      minimumTcb: {fmc: 1, bootloader: 2, tee: 3, snp: 4, microcode: 5}
      minimumFirmware: {major: 1, minor: 55, build: 40}
      minimumAbi: {major: 1, minor: 51}
      guestPolicy: {smt: true, singleSocket: false}
      platformInfo: {tsme: true, aliasCheck: true}
      mitigations: "0x8000000000000001"
      chipIds: [hex:${hex(64)}]
      deniedChipIds: [hex:${hex(64, 'cc')}]
      products: [Milan]
      deniedProducts: [Turin]`,
      ),
    )
    expect(reading).toMatchObject({
      release: {
        referenceValues: [
          {
            reference: {
              hostData: new Uint8Array(32).fill(0xbb),
              familyId: new Uint8Array(16).fill(0xbb),
              imageId: new Uint8Array(16).fill(0xbb),
              minimumGuestSvn: 2,
              idKeyDigests: [new Uint8Array(48).fill(0xbb)],
              authorKeyDigests: [new Uint8Array(48).fill(0xbb)],
              vmpl: 1,
              minimumTcb: { fmc: 1, bootloader: 2, tee: 3, snp: 4, microcode: 5 },
              minimumFirmware: { major: 1, minor: 55, build: 40 },
              minimumAbi: { major: 1, minor: 51 },
              guestPolicy: { smt: true, singleSocket: false },
              platformInfo: { tsme: true, aliasCheck: true },
              mitigations: 0x8000000000000001n,
              chipIds: [new Uint8Array(64).fill(0xbb)],
              deniedChipIds: [new Uint8Array(64).fill(0xcc)],
              products: ['Milan'],
              deniedProducts: ['Turin'],
            },
          },
        ],
      },
    })
  })

  test('TDX and SGX tuples stand beside SNP’s', () => {
    const reading = read(
      altered(
        '  release:',
        `    - id: tdx-1
      tee: tdx
      mrTd: sha384:${hex(48)}
      rtmr0: sha384:${hex(48)}
      rtmr1: sha384:${hex(48)}
      rtmr2: sha384:${hex(48)}
      tdAttributes: {mask: hex:ffffffffffffffff, value: hex:0000001000000000}
      tcbStatuses: [UpToDate, SWHardeningNeeded]
      minimumTcbEvaluationDataNumber: 18
      deniedFmspcs: [00906ed50000]
    - id: sgx-1
      tee: sgx
      mrSigner: sha256:${hex(32)}
      isvProdId: 1
      minimumIsvSvn: 7
  release:`,
      ),
    )
    expect(reading).toMatchObject({
      release: {
        referenceValues: [
          {},
          {
            tee: 'tdx',
            reference: {
              rtmr2: new Uint8Array(48).fill(0xbb),
              tdAttributes: { value: new Uint8Array([0, 0, 0, 0x10, 0, 0, 0, 0]) },
              tcbStatuses: ['UpToDate', 'SWHardeningNeeded'],
              deniedFmspcs: ['00906ed50000'],
            },
          },
          { tee: 'sgx', reference: { isvProdId: 1, minimumIsvSvn: 7 } },
        ],
      },
    })
  })

  test('a waiver carries its reason', () => {
    const reading = read(
      altered('  release:', '  waivers:\n    - {check: revocation, reason: offline}\n  release:'),
    )
    const waivers = 'release' in reading && reading.release.waivers
    expect([...(waivers || [])]).toEqual([['revocation', 'offline']])
  })
})

describe('a mistake is named with its place', () => {
  const cases: readonly [what: string, from: string, to: string, says: string][] = [
    ['another api version', 'v1alpha1', 'v2', '1:13 apiVersion'],
    ['another kind', 'AgentRelease', 'Pod', '2:7 kind'],
    ['an unknown key', '  version', '  owner: me\n  version', '5:3 metadata.owner is not a known'],
    [
      'an unknown expectation',
      measurement,
      `${measurement}\n      measurment: x`,
      '14:7 spec.referenceValues[0].measurment is not a known field',
    ],
    ['a missing field', '  generation: 42\n', '', '4:3 metadata.generation is missing'],
    ['a name other than the file’s', 'name: invoice-bot', 'name: other', '4:9 metadata.name'],
    ['a foreign environment', '  version', '  environment: dev\n  version', 'must be prod'],
    ['a version that YAML takes for a number', '"1.8.0"', '18', '5:12 metadata.version: must be'],
    ['generation 0', 'generation: 42', 'generation: 0', '6:15 metadata.generation'],
    ['a generation in quotes', 'generation: 42', 'generation: "42"', '6:15 metadata.generation'],
    ['a day that is none', '2026-01-01T', '2026-02-30T', 'is not in the calendar'],
    ['a local time', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00+01:00', 'in UTC'],
    ['an end before the start', '2027-01-01', '2025-01-01', '8:13 metadata.notAfter'],
    ['an unknown TEE', 'tee: sev-snp', 'tee: sgx2', 'tee must be sev-snp, tdx or sgx'],
    ['a digest without its algorithm', 'sha384:', '', 'must be sha384: followed by 96'],
    ['a digest of another algorithm', 'sha384:a1', 'sha256:a1', 'must be sha384: followed by 96'],
    ['a digest one digit short', 'sha384:a1', 'sha384:a', '13:20 spec.referenceValues[0].meas'],
    ['a digest in capitals', 'sha384:a1', 'sha384:A1', 'lower-case hex'],
    ['a tuple without measurement', `      ${measurement}\n`, '', 'measurement is missing'],
    ['an empty allowlist', measurement, `${measurement}\n      chipIds: []`, 'leave it out'],
    ['a VMPL that does not exist', measurement, `${measurement}\n      vmpl: 4`, '14:13'],
    [
      'report data, which the binding sets',
      measurement,
      `${measurement}\n      reportData: hex:00`,
      'reportData is not a known field',
    ],
    [
      'a value outside its mask',
      tuple,
      `      tee: sgx\n      mrEnclave: sha256:${hex(32)}\n      attributes: {mask: hex:${hex(16, '00')}, value: hex:${hex(16)}}`,
      'its mask leaves out',
    ],
    [
      'a signer alone',
      tuple,
      `      tee: sgx\n      mrSigner: sha256:${hex(32)}`,
      'a signer alone approves all',
    ],
    [
      'a revoked TCB',
      tuple,
      `      tee: sgx\n      mrEnclave: sha256:${hex(32)}\n      tcbStatuses: [Revoked]`,
      'tcbStatuses[0]',
    ],
    ['a token of an hour', '300s', '3600s', 'must be at most 300s'],
    ['a token of no time', '300s', '0s', 'must be whole seconds'],
    ['a time to live in bare numbers', 'ttl: 300s', 'ttl: 300', '16:12 spec.release[0].ttl'],
    ['no release rule', '    - audience: kms.example\n      ttl: 300s', '    []', 'spec.release'],
    [
      'an audience twice',
      '      ttl: 300s',
      '      ttl: 300s\n    - {audience: kms.example, ttl: 60s}',
      '17:18 spec.release[1].audience: kms.example appears twice',
    ],
    [
      'an id twice',
      '  release:',
      `    - {id: milan-4vcpu, tee: sev-snp, ${measurement}}\n  release:`,
      'milan-4vcpu appears twice',
    ],
    [
      'a waiver of what may not be waived',
      '  release:',
      '  waivers:\n    - {check: snp.signature.valid, reason: x}\n  release:',
      '15:15 spec.waivers[0].check: snp.signature.valid is no check that may be waived',
    ],
    [
      'a waiver without a reason',
      '  release:',
      '  waivers:\n    - {check: revocation}\n  release:',
      'spec.waivers[0].reason is missing',
    ],
  ]
  test.each(cases)('%s', (_, from, to, says) => {
    const said = mistakes(altered(from, to))
    expect(said.join('\n')).toContain(says)
  })

  test('all of them at once', () =>
    expect(
      mistakes(valid.replace('"1.8.0"', '1').replace('300s', '1h').replace('Agent', 'A')),
    ).toHaveLength(3))

  test.each(['', '[]', 'null', '"x"', '- a'])('a file that holds %j', (text) =>
    expect(mistakes(text)).toHaveLength(1),
  )

  test.each([
    'agents/prod/invoice-bot.yml',
    'agents/invoice-bot.yaml',
    'agents/prod/eu/invoice-bot.yaml',
    'agents/prod/.yaml',
    'agents/../invoice-bot.yaml',
    'agents/PROD/invoice-bot.yaml',
    'agents/prod/invoice_bot.yaml',
    'agents/prod/README.md',
  ])('a manifest at %s', (path) =>
    expect(mistakes(valid, path).join()).toContain('agents/<environment>/<agent>.yaml'),
  )
})
