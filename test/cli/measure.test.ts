/** Does `vouchsafe measure snp` print the measurement, or say in a sentence what is wrong and what to do next? */
import { describe, expect, it } from 'vitest'
import { measureCommand } from '../../src/cli/measure.ts'
import { amdSevSections, image } from '../tee/sev-snp/launch/image.ts'

const files: Readonly<Record<string, Uint8Array>> = {
  'OVMF.fd': image(),
  'stock.fd': image({
    sections: amdSevSections.filter(([, , type]) => type !== 0x10),
    entries: [],
  }),
  'no-hashes.fd': image({
    sections: amdSevSections.filter(([, , type]) => type !== 0x10),
  }),
  vars: new Uint8Array(0x1000),
  vmlinuz: Buffer.from('kernel'),
  'initrd.img': Buffer.from('initrd'),
  '/dev/null': new Uint8Array(),
}

async function run(...args: string[]) {
  let out = ''
  let err = ''
  const code = await measureCommand(args, {
    async readFile(path) {
      const file = files[path]
      if (file === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
      return file
    },
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    tree: {
      terminal: false,
      measureTree: () => Promise.reject(new Error('measure-tree.test.ts is about it')),
      writeFile: async () => {},
    },
    collector: async () => `sha256:${'c0'.repeat(32)}`,
  })
  return { code, out, err }
}

const guest = [
  'snp',
  '--ovmf',
  'OVMF.fd',
  '--vmm',
  'QEMU',
  '--vcpus',
  '2',
  '--vcpu-type',
  'EPYC-Milan',
]
const boot = ['--kernel', 'vmlinuz', '--initrd', 'initrd.img', '--append', 'console=ttyS0']
const booted =
  '9663259658ba10cc747d885624b36955604cb6b5cca9d18b400e1401a88d817fc56d14a0dfad716470346761a904a44b'

describe('prints', () => {
  it('the measurement in hex', async () => {
    expect(await run(...guest, ...boot)).toEqual({ code: 0, out: `${booted}\n`, err: '' })
  })

  it('the digest of the collector, for a manifest', async () => {
    const digest = `sha256:${'c0'.repeat(32)}`
    expect(await run('collector')).toEqual({ code: 0, out: `${digest}\n`, err: '' })
    expect(await run('collector', '--json')).toMatchObject({ out: `{"collector":"${digest}"}\n` })
    expect((await run('collector', '--vcpus', '2')).err).toContain('takes no --vcpus')
  })

  it('it as JSON', async () => {
    const { code, out } = await run(...guest, ...boot, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({ measurement: booted })
  })

  it('the digest of the firmware alone', async () => {
    expect(await run('snp', '--ovmf', 'OVMF.fd', '--ovmf-hash-only')).toEqual({
      code: 0,
      out: 'fcd86292c4f0e5a11b7a1251035631498a8db6ebfc471d23bfdb30ebbc9400f39b5b36c8363a646373fdb7297e6fb2de\n',
      err: '',
    })
  })

  it('guest features 0x1 when none are given, and others as given', async () => {
    const unsaid = await run(...guest)
    expect(await run(...guest, '--guest-features', '0x1')).toEqual(unsaid)
    expect((await run(...guest, '--guest-features', '0x21')).out).not.toBe(unsaid.out)
  })

  it('another measurement for an empty kernel than for none', async () => {
    const empty = await run(...guest, '--kernel', '/dev/null')
    expect(empty.code).toBe(0)
    expect(empty.out).not.toBe((await run(...guest)).out)
  })

  it('the measurement of EC2 and GCE guests without a vCPU type', async () => {
    for (const vmm of ['ec2', 'gce']) {
      const { code, out } = await run('snp', '--ovmf', 'OVMF.fd', '--vcpus', '2', '--vmm', vmm)
      expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^[0-9a-f]{96}\n$/) })
    }
  })

  it('a warning, and still the measurement, for features that no SNP guest has', async () => {
    const { code, out, err } = await run(...guest, '--guest-features', '0x20')
    expect({ code, err }).toEqual({ code: 0, err: expect.stringMatching(/warning.*SNP active/) })
    expect(out).toMatch(/^[0-9a-f]{96}\n$/)
  })

  it.each([['--help'], ['-h'], ['snp', '--help']])(
    'help with an example for %s',
    async (...args) => {
      const { code, out } = await run(...args)
      expect(code).toBe(0)
      expect(out).toMatch(/Example:\n {2}vouchsafe measure snp --ovmf/)
      expect(out).toMatch(/EPYC-Milan/)
    },
  )
})

describe('refuses, with the next step', () => {
  const changed = (name: string, value: string) => {
    const args = [...guest]
    args[args.indexOf(name) + 1] = value
    return args
  }
  const withoutOption = (name: string) => guest.toSpliced(guest.indexOf(name), 2)

  it.each<[string, readonly string[], RegExp]>([
    ['nothing to measure', [], /asked for "": begin with `vouchsafe measure snp`/],
    ['something else to measure', ['tdx', ...guest.slice(1)], /asked for "tdx"/],
    [
      'an unquoted command line',
      [...guest, '--kernel', 'vmlinuz', '--append', 'ro', 'quiet'],
      /"snp quiet".*quote/,
    ],
    ['an unknown option', [...guest, '--vcpu', '1'], /Unknown option '--vcpu'/],
    ['an option without its value', [...guest, '--kernel'], /'--kernel <value>' argument missing/],
    ['no firmware', withoutOption('--ovmf'), /--ovmf is missing: give the firmware/],
    ['no VMM', withoutOption('--vmm'), /--vmm is missing.*QEMU, ec2, gce/],
    ['another VMM', changed('--vmm', 'qemu'), /--vmm qemu is unknown.*QEMU, ec2, gce/],
    ['no vCPUs', withoutOption('--vcpus'), /--vcpus is missing/],
    ['vCPUs in words', changed('--vcpus', 'two'), /--vcpus two is not a number.*such as 4/],
    ['vCPUs in hex', changed('--vcpus', '0x2'), /--vcpus 0x2 is not a number/],
    ['zero vCPUs', changed('--vcpus', '0'), /--vcpus 0 is not a number/],
    ['too many vCPUs', changed('--vcpus', '5000'), /1 to 4096 vCPUs, not 5000/],
    ['no vCPU type for QEMU', withoutOption('--vcpu-type'), /--vcpu-type is missing.*EPYC-v4/],
    ['an unknown vCPU type', changed('--vcpu-type', 'EPYC-9'), /"EPYC-9".*Known: EPYC, EPYC-v1/],
    ['features without 0x', [...guest, '--guest-features', '21'], /--guest-features 21.*0x21/],
    ['features of 65 bits', [...guest, '--guest-features', '0x10000000000000000'], /64-bit/],
    [
      'a firmware that is not there',
      changed('--ovmf', 'gone.fd'),
      /--ovmf gone.fd cannot be read \(ENOENT.*check the path/,
    ],
    ['a kernel that is not there', [...guest, '--kernel', 'gone'], /--kernel gone cannot be read/],
    [
      'a variable store',
      changed('--ovmf', 'vars'),
      /no OVMF footer table.*is this an AmdSev build of OVMF\?/,
    ],
    ['firmware without SNP support', changed('--ovmf', 'stock.fd'), /built with SEV-SNP support\?/],
    [
      'a kernel that would not be measured',
      [...changed('--ovmf', 'no-hashes.fd'), '--kernel', 'vmlinuz'],
      /the kernel would not be measured \(aws\/uefi#20\): use an AmdSev build/,
    ],
    [
      'an initrd without a kernel',
      [...guest, '--initrd', 'initrd.img'],
      /only together with a kernel/,
    ],
    [
      'the firmware alone, with more',
      [...guest, '--ovmf-hash-only'],
      /leave out --vmm, --vcpus, --vcpu-type, or leave out --ovmf-hash-only/,
    ],
  ])('%s', async (_, args, reason) => {
    const { code, out, err } = await run(...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(reason)
    expect(err).toMatch(/^vouchsafe measure: .*\nSee vouchsafe measure --help\.\n$/)
  })
})
