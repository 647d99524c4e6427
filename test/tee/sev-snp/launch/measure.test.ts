/** Does a launch measure to what virtee/sev-snp-measure 0.0.13 computes for it, and is everything else refused with a reason? */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../../../src/bytes/encoding.ts'
import {
  type LaunchOptions,
  measureLaunch,
  measureOvmf,
  NotMeasurable,
  vcpuTypes,
} from '../../../../src/tee/sev-snp/launch/measure.ts'
import type { VmmName } from '../../../../src/tee/sev-snp/launch/vmm.ts'
import { amdSevEntries, amdSevSections, image, stored } from './image.ts'

const kernel = Buffer.from('kernel')
const plain: LaunchOptions = {
  ovmf: image(),
  vcpus: 2,
  vcpuType: 'EPYC-Milan',
  vmm: 'QEMU',
  guestFeatures: 0x1n,
}

/** Computed by sev-snp-measure on the bytes of `image()`. */
const small: readonly (readonly [string, Partial<LaunchOptions>, string])[] = [
  [
    'one QEMU vCPU',
    { vcpus: 1, vcpuType: 'EPYC-v4' },
    '1e8202eaf49e9a0314378f318c36ace6e5cd983586d15af564de03a31717252e3dd832ac4019fffc27dc848e64147d6b',
  ],
  [
    'three Turin vCPUs with debug swap',
    { vcpus: 3, vcpuType: 'EPYC-Turin', guestFeatures: 0x21n },
    '7de4418e493d5aee41fe9e387fcc29df176676ac64102bfb1397a9a21e6255eec3a5b8fa31bb09e7a8b49c0b6ee47083',
  ],
  [
    'kernel, initrd and command line',
    { kernel, initrd: Buffer.from('initrd'), append: 'console=ttyS0' },
    '9663259658ba10cc747d885624b36955604cb6b5cca9d18b400e1401a88d817fc56d14a0dfad716470346761a904a44b',
  ],
  [
    'a kernel alone',
    { kernel },
    'da1a31935f24a966c911a164b7d8696fdee678825df9deff5ebb56ff28040cc78a6bebb2d93805aa061792dd4f8b2d4d',
  ],
  [
    'an empty kernel',
    { kernel: new Uint8Array() },
    'e9de02a990fd3037dd1fc99fe321f45318bbe8d841319e7f91ef00a7c114bb05cefb025adc9d6301d0c09ff5aeb6541c',
  ],
  [
    'EC2',
    { vmm: 'ec2' },
    '79ab0b1693bda9953a3db15f70ad6fea458f62e8895f9666c38d12c63d17a005bb37d71738d03b7b14a7a3a728a49333',
  ],
  [
    'EC2 with a kernel',
    { vmm: 'ec2', vcpus: 1, kernel },
    '4ed350c0408a7cd1960ad27589f2442345aa7885df9854097f024cb147d171a9b64c4cac1cb4baf16d40edd89197a7b2',
  ],
  [
    'GCE',
    { vmm: 'gce' },
    '9d9fd8239d40645786677c6ad76280c91b1e277622083cf1aec7a11a491eb7b1ef0b95133bfdbe32d4083d9e008df45f',
  ],
]

describe('a small AmdSev image measures as sev-snp-measure says', () => {
  it.each(small)('%s', (_, options, expected) => {
    expect(toHex(measureLaunch({ ...plain, ...options }))).toBe(expected)
  })

  it('its own pages alone', () => {
    expect(toHex(measureOvmf(image()))).toBe(
      'fcd86292c4f0e5a11b7a1251035631498a8db6ebfc471d23bfdb30ebbc9400f39b5b36c8363a646373fdb7297e6fb2de',
    )
  })
})

describe('what counts', () => {
  const reference = toHex(measureLaunch({ ...plain, kernel, append: 'quiet' }))

  it.each<[string, Partial<LaunchOptions>]>([
    ['a firmware byte', { ovmf: image().fill(0x5b, 0, 1) }],
    ['the number of vCPUs', { vcpus: 3 }],
    ['the vCPU model', { vcpuType: 'EPYC-Genoa' }],
    ['the VMM', { vmm: 'gce' }],
    ['a guest feature', { guestFeatures: 0x3n }],
    ['the kernel', { kernel: Buffer.from('kernel.') }],
    ['an empty kernel in place of one', { kernel: new Uint8Array() }],
    ['no kernel at all', { kernel: undefined, append: undefined }],
    ['an initrd', { initrd: Buffer.from('initrd') }],
    ['the command line', { append: 'quiet ' }],
  ])('%s changes the measurement', (_, change) => {
    expect(toHex(measureLaunch({ ...plain, kernel, append: 'quiet', ...change }))).not.toBe(
      reference,
    )
  })

  it('an empty initrd is no initrd, and an empty command line is none, as in QEMU', () => {
    expect(measureLaunch({ ...plain, kernel, initrd: new Uint8Array(), append: '' })).toEqual(
      measureLaunch({ ...plain, kernel }),
    )
  })

  it.each(['ec2', 'gce'] as const)(
    'the vCPU model does not on %s, so it may be left out',
    (vmm) => {
      expect(measureLaunch({ ...plain, vmm, vcpuType: undefined })).toEqual(
        measureLaunch({ ...plain, vmm }),
      )
    },
  )

  it('every vCPU type measures as the family, model and stepping of its QEMU model', () => {
    expect(Object.fromEntries(vcpuTypes)).toMatchObject({
      EPYC: 0x00800f12,
      'EPYC-v4': 0x00800f12,
      'EPYC-IBPB': 0x00800f12,
      'EPYC-Rome-v2': 0x00830f10,
      'EPYC-Milan': 0x00a00f11,
      'EPYC-Genoa-v1': 0x00a10f10,
      'EPYC-Turin': 0x00b00f00,
    })
  })
})

describe('options that do not fit are refused with a reason', () => {
  const withoutKernelHashes = image({
    sections: amdSevSections.filter(([, , type]) => type !== 0x10),
    entries: amdSevEntries.map(([guid, data]) =>
      guid === stored.hashTable ? [guid, new Uint8Array(8)] : [guid, data],
    ),
  })
  const withoutHashTable = image({
    entries: amdSevEntries.filter(([guid]) => guid !== stored.hashTable),
  })

  it.each<[string, Partial<LaunchOptions>, RegExp]>([
    [
      'a kernel on firmware without the section',
      { ovmf: withoutKernelHashes, kernel },
      /would not be measured \(aws\/uefi#20\)/,
    ],
    [
      'an empty kernel there',
      { ovmf: withoutKernelHashes, kernel: new Uint8Array() },
      /would not be measured/,
    ],
    [
      'a kernel on firmware without a hash table',
      { ovmf: withoutHashTable, kernel },
      /would not be measured/,
    ],
    [
      'an initrd without a kernel',
      { initrd: Buffer.from('initrd') },
      /only together with a kernel/,
    ],
    ['an empty command line without a kernel', { append: '' }, /only together with a kernel/],
    ['a NUL in the command line', { kernel, append: 'ro\0init=/x' }, /NUL/],
    ['no vCPUs', { vcpus: 0 }, /1 to 4096 vCPUs, not 0/],
    ['half a vCPU', { vcpus: 1.5 }, /not 1.5/],
    ['too many vCPUs', { vcpus: 4097 }, /not 4097/],
    ['no number of vCPUs', { vcpus: Number.NaN }, /not NaN/],
    ['an unknown vCPU type', { vcpuType: 'epyc' }, /Unknown vCPU type "epyc".*EPYC-v4.*EPYC-Turin/],
    ['a vCPU type that every object has', { vcpuType: 'constructor' }, /Unknown vCPU type/],
    ['an unknown vCPU type even on EC2', { vmm: 'ec2', vcpuType: 'epyc' }, /Unknown vCPU type/],
    ['no vCPU type on QEMU', { vcpuType: undefined }, /none was given.*EPYC-v4/],
    ['negative guest features', { guestFeatures: -1n }, /64 bits/],
    ['65 guest features', { guestFeatures: 1n << 64n }, /64 bits/],
  ])('%s', (_, options, reason) => {
    const measure = () => measureLaunch({ ...plain, ...options })
    expect(measure).toThrow(NotMeasurable)
    expect(measure).toThrow(reason)
  })

  it('that firmware still measures without a kernel', () => {
    expect(measureLaunch({ ...plain, ovmf: withoutKernelHashes })).toHaveLength(48)
  })
})

const recorded = new URL('../../../../../shared/vectors/', import.meta.url)
const table = new URL('launch-measurements.tsv', recorded)

describe('recorded launch measurements', () => {
  if (!existsSync(table)) {
    it.skip('agree (skipped: no launch-measurements.tsv beside this checkout)')
    return
  }
  const rows = readFileSync(table, 'utf8').trimEnd().split('\n').slice(1)

  it('are all there', () => {
    expect(rows.length).toBeGreaterThanOrEqual(8)
  })

  it.each(rows)('%s', (row) => {
    const [
      ovmfName,
      mode,
      vcpus,
      vcpuType,
      vmm,
      kernelName,
      initrdName,
      append,
      features,
      expected,
    ] = row.split('\t')
    const ovmf = new Uint8Array(readFileSync(new URL(`launch/${ovmfName}`, recorded)))
    const measurement =
      mode === 'snp:ovmf-hash'
        ? measureOvmf(ovmf)
        : measureLaunch({
            ovmf,
            vcpus: Number(vcpus),
            vcpuType,
            vmm: vmm as VmmName, // a name that is none of them fails in the lookup, and the row with it
            kernel: file(kernelName),
            initrd: file(initrdName),
            append: append === '-' ? undefined : append,
            guestFeatures: BigInt(features ?? ''),
          })
    expect(toHex(measurement)).toBe(expected)
  })
})

/** launch/README.md of the recorded evidence says how these are made. */
function file(name: string | undefined): Uint8Array | undefined {
  switch (name) {
    case '-':
      return undefined
    case '/dev/null':
      return new Uint8Array()
    case 'kernel.bin':
      return createHash('shake256', { outputLength: 100_000 }).update('kernel').digest()
    case 'initrd.bin':
      return createHash('shake256', { outputLength: 300_001 }).update('initrd').digest()
    default:
      throw new Error(`no recipe for ${name}`)
  }
}

it('measures any command line and file without failing', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.string(), (kernel, initrd, append) => {
      fc.pre(!append.includes('\0'))
      expect(measureLaunch({ ...plain, kernel, initrd, append })).toHaveLength(48)
    }),
    { numRuns: 50 },
  )
})
