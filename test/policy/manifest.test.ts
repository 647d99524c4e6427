/** AgentRelease manifests: what they say. manifest-mistakes.test.ts has the ways in which one is wrong. */

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { altered, config, mistakes, read, releaseOf, valid } from './manifests.ts'

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
        rules: [{ audience: 'kms.example', form: 'possession', tokenTtlSeconds: 300, scopes: [] }],
        artifacts: [],
        models: [],
        runtime: undefined,
        runtimeConfig: undefined,
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

  test('artifacts, models, limits and scopes are what else it says', () => {
    const release = releaseOf(
      altered(
        '  release:',
        `  artifacts:
    - {name: image, kind: image, digest: "sha256:${hex(32)}", reference: registry.example/bot}
    - {name: sbom, kind: sbom, digest: "sha256:${hex(32, 'cc')}"}
  models:
    - {name: llama, version: 3, digest: "sha256:${hex(32, 'dd')}"}
  runtime:
    attestEvery: 15m
    egress: [{host: api.example, ports: [443, 8443]}]
    budget: {tokensPerMinute: 60000, usdPerDay: 50, cpuMillis: 2000, memoryMiB: 512}
  release:`,
      ).replace('ttl: 300s', 'ttl: 5m\n      scopes: ["secret:db-ro", "model:llama"]'),
    )
    expect(release).toMatchObject({
      artifacts: [
        {
          name: 'image',
          kind: 'image',
          digest: `sha256:${hex(32)}`,
          reference: 'registry.example/bot',
        },
        { name: 'sbom', kind: 'sbom', digest: `sha256:${hex(32, 'cc')}`, reference: undefined },
      ],
      models: [{ name: 'llama', version: 3, digest: `sha256:${hex(32, 'dd')}` }],
      runtime: {
        isSessionRequired: false,
        attestEverySeconds: 900,
        egress: [{ host: 'api.example', ports: [443, 8443] }],
        budget: { tokensPerMinute: 60000, usdPerDay: 50, cpuMillis: 2000, memoryMiB: 512 },
      },
      rules: [
        {
          audience: 'kms.example',
          form: 'possession',
          tokenTtlSeconds: 300,
          scopes: ['secret:db-ro', 'model:llama'],
        },
      ],
    })
  })

  test('limits that name no destination allow none', () =>
    expect(releaseOf(altered('  release:', '  runtime: {}\n  release:')).runtime).toEqual({
      isSessionRequired: false,
      attestEverySeconds: undefined,
      heartbeatSeconds: 10,
      measurements: [],
      lists: [],
      state: [],
      watch: ['files'],
      collectors: [],
      mostDropped: 0,
      sensitiveCalls: [],
      anonymousTextKiB: 0,
      egress: [],
      budget: {},
    }))

  test('a runtime configuration is known by three digests and by the digests that it names', () => {
    const digest = (algorithm: string) => createHash(algorithm).update(config.bytes).digest('hex')
    const text = altered('  release:', `  runtimeConfig: ${config.path}\n  release:`)
    expect(releaseOf(text).runtimeConfig).toEqual({
      path: config.path,
      sha256: digest('sha256'),
      sha384: digest('sha384'),
      sha512: digest('sha512'),
      names: new Set([`sha256:${hex(32, '1a')}`, `sha256:${hex(32, '2b')}`]),
    })
  })

  test('every field of a reference value has its line, those of its objects too', () => {
    const [referenceValue] = releaseOf(
      altered(
        tuple,
        `${tuple}
      vmpl: 1
      minimumTcb:
        snp: 4
        microcode: 5
      guestPolicy: {smt: true}
      products:
        - Milan`,
      ),
    ).referenceValues
    expect(referenceValue?.lines).toEqual({
      measurement: 13,
      vmpl: 14,
      minimumTcb: 15,
      'minimumTcb.snp': 16,
      'minimumTcb.microcode': 17,
      guestPolicy: 18,
      'guestPolicy.smt': 18,
      products: 19,
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
