/**
 * `vouchsafe measure snp`: which launch measurement belongs in a manifest, for this firmware, kernel and machine shape?
 * `vouchsafe measure tree` is measure-tree.ts.
 */
import { parseArgs } from 'node:util'
import { toHex } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import {
  measureLaunch,
  measureOvmf,
  NotMeasurable,
  vcpuTypes,
} from '../tee/sev-snp/launch/measure.ts'
import { type VmmName, vmms } from '../tee/sev-snp/launch/vmm.ts'
import { type MeasureTreeDeps, measureTreeCommand } from './measure-tree.ts'

interface MeasureIo {
  readonly readFile: (path: string) => Promise<Uint8Array>
  /** Both take whole text, line ends included, as a stream's `write` does. */
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** What `measure tree` takes. */
  readonly tree: MeasureTreeDeps
  /** `sha256:<hex>` of the collector that comes with this program. */
  readonly collector: () => Promise<string>
}

/** What the caller asked wrongly. The message says what is wrong and what to do next. */
class Mistake extends Error {}

const options = {
  ovmf: { type: 'string' },
  vcpus: { type: 'string' },
  'vcpu-type': { type: 'string' },
  vmm: { type: 'string' },
  kernel: { type: 'string' },
  initrd: { type: 'string' },
  append: { type: 'string' },
  'guest-features': { type: 'string' },
  'ovmf-hash-only': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

const SNP_ACTIVE = 0x1n

const help = `vouchsafe measure snp: recompute the launch measurement of an AMD SEV-SNP guest

  --ovmf FILE            firmware image that the VMM loads (required)
  --vmm NAME             ${Object.keys(vmms).join(', ')} (required)
  --vcpus N              vCPUs of the guest (required)
  --vcpu-type NAME       vCPU model, as QEMU's -cpu spells it (required for QEMU, measured by no other):
                         ${vcpuTypeLines().join('\n                         ')}
  --kernel FILE          kernel of a direct boot with kernel-hashes=on; an empty file is not the same as none
  --initrd FILE          its initrd (with --kernel)
  --append LINE          its command line (with --kernel); write --append=LINE when it begins with a dash
  --guest-features HEX   SEV_FEATURES of every vCPU (default 0x1; 0x21 with debug swap)
  --ovmf-hash-only       digest of the firmware's pages alone; takes only --ovmf and --json
  --json                 print {"measurement":"<hex>"}

Prints 48 bytes in hex: the MEASUREMENT that a guest launched so will report. Exits 0, or 1 when it could not tell.

\`vouchsafe measure tree --help\` is about what the agent loads while it runs. \`vouchsafe measure collector\` prints the digest of
the collector that comes with this program, for spec.runtime.collectors of a manifest.

Example:
  vouchsafe measure snp --ovmf OVMF.fd --vmm QEMU --vcpus 4 --vcpu-type EPYC-v4 \\
    --kernel vmlinuz --initrd initrd.img --append 'console=ttyS0 loglevel=7'
`

/** `args` is what follows `measure`. Resolves to the exit code: 0 with a measurement written, 1 with a sentence why not. */
export async function measureCommand(args: readonly string[], io: MeasureIo): Promise<number> {
  if (args[0] === 'tree')
    return await measureTreeCommand(args.slice(1), { ...io.tree, out: io.out, err: io.err })
  try {
    const { values, positionals } = parse(args)
    if (values.help) {
      io.out(help)
      return 0
    }
    if (positionals.length === 1 && positionals[0] === 'collector')
      return await printCollector(values, io)
    if (positionals.length !== 1 || positionals[0] !== 'snp')
      throw new Mistake(
        `It measures "snp", "tree" or "collector" and was asked for "${positionals.join(' ')}": ` +
          'begin with `vouchsafe measure snp` or `vouchsafe measure tree`, and quote what contains spaces.',
      )
    const measurement = values['ovmf-hash-only']
      ? await ovmfHashOnly(values, io)
      : await launch(values, io)
    io.out(values.json ? `${JSON.stringify({ measurement })}\n` : `${measurement}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof Mistake || error instanceof NotMeasurable)) throw error
    io.err(`vouchsafe measure: ${error.message}\nSee vouchsafe measure --help.\n`)
    return 1
  }
}

async function printCollector({ json, ...others }: Values, io: MeasureIo): Promise<number> {
  const [stray] = Object.keys(others)
  if (stray !== undefined) throw new Mistake(`\`measure collector\` takes no --${stray}.`)
  const collector = await io.collector()
  io.out(json ? `${JSON.stringify({ collector })}\n` : `${collector}\n`)
  return 0
}

async function launch(values: Values, io: MeasureIo): Promise<string> {
  const vmm = vmmOf(required(values, 'vmm'))
  const vcpus = vcpusOf(required(values, 'vcpus'))
  const guestFeatures = guestFeaturesOf(values['guest-features'] ?? '0x1')
  const vcpuType =
    vmms[vmm].rdx === 'vcpu-signature' ? required(values, 'vcpu-type') : values['vcpu-type']
  const ovmf = await read('ovmf', required(values, 'ovmf'), io)
  const kernel = await readOptional('kernel', values, io)
  const initrd = await readOptional('initrd', values, io)
  const { append } = values
  const measurement = aboutFirmware(values.ovmf, () =>
    measureLaunch({ ovmf, vcpus, vcpuType, vmm, kernel, initrd, append, guestFeatures }),
  )
  if ((guestFeatures & SNP_ACTIVE) === 0n)
    io.err(
      `vouchsafe measure: warning: bit 0 (SNP active) of ${values['guest-features']} is clear, ` +
        'and no SNP guest runs without it: add 0x1 unless you know better.\n',
    )
  return measurement
}

async function ovmfHashOnly(values: Values, io: MeasureIo): Promise<string> {
  const allowed = new Set(['ovmf', 'ovmf-hash-only', 'json'])
  const others = Object.keys(values).filter((name) => !allowed.has(name))
  if (others.length > 0)
    throw new Mistake(
      `--ovmf-hash-only measures the firmware alone: leave out --${others.join(', --')}, ` +
        'or leave out --ovmf-hash-only for the launch measurement.',
    )
  const ovmf = await read('ovmf', required(values, 'ovmf'), io)
  return aboutFirmware(values.ovmf, () => measureOvmf(ovmf))
}

function parse(args: readonly string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    // parseArgs throws a TypeError with such a code, and a sentence, for every argument that does not fit the table.
    if (
      error instanceof TypeError &&
      'code' in error &&
      `${error.code}`.startsWith('ERR_PARSE_ARGS')
    )
      throw new Mistake(error.message)
    throw error
  }
}

function required(values: Values, name: 'ovmf' | 'vmm' | 'vcpus' | 'vcpu-type'): string {
  const value = values[name]
  if (value !== undefined) return value
  const next = {
    ovmf: 'give the firmware image that the VMM loads, an AmdSev build of OVMF if it is to measure the kernel',
    vmm: `say who launches the guest, as one of ${Object.keys(vmms).join(', ')}`,
    vcpus: 'give the number of vCPUs that the guest is launched with',
    'vcpu-type': `QEMU measures the vCPU model, one of ${[...vcpuTypes.keys()].join(', ')}`,
  }[name]
  throw new Mistake(`--${name} is missing: ${next}.`)
}

function vmmOf(text: string): VmmName {
  // Object.keys of a Record<VmmName, …> written as one literal are VmmNames.
  const known = Object.keys(vmms) as VmmName[]
  const vmm = known.find((name) => name === text)
  if (vmm === undefined)
    throw new Mistake(`--vmm ${text} is unknown: choose one of ${known.join(', ')}, spelled so.`)
  return vmm
}

function vcpusOf(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text))
    throw new Mistake(`--vcpus ${text} is not a number of vCPUs: write it in decimal, such as 4.`)
  return Number(text)
}

/** The prefix is demanded: other tools read 21 as decimal. */
function guestFeaturesOf(text: string): bigint {
  if (!/^0x[0-9a-fA-F]{1,16}$/.test(text))
    throw new Mistake(
      `--guest-features ${text} is not a 64-bit number in hex: write it with 0x, such as 0x21.`,
    )
  return BigInt(text)
}

async function readOptional(
  name: 'kernel' | 'initrd',
  values: Values,
  io: MeasureIo,
): Promise<Uint8Array | undefined> {
  const path = values[name]
  return path === undefined ? undefined : await read(name, path, io)
}

async function read(name: string, path: string, io: MeasureIo): Promise<Uint8Array> {
  try {
    return await io.readFile(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Mistake(
      `--${name} ${path} cannot be read (${reason}): check the path and its permissions.`,
    )
  }
}

function aboutFirmware(path: string | undefined, measure: () => Uint8Array): string {
  try {
    return toHex(measure())
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    throw new Mistake(
      `--ovmf ${path} is not firmware for an SEV-SNP guest: ${error.message}. ` +
        'Give the image that the VMM loads, such as OVMF.fd of an AmdSev build, not a variable store or a disk.',
    )
  }
}

/** One line for each signature, so for each model with its versions. */
function vcpuTypeLines(): string[] {
  const lines = Map.groupBy(vcpuTypes.keys(), (name) => vcpuTypes.get(name))
  return [...lines.values()].map((names) => names.join(' '))
}
