/**
 * What does a runtime configuration name, and by which digest can hardware name it? The host hands it to the machine at
 * launch and puts its digest where the hardware reports it (HOST_DATA, MRCONFIGID, CONFIGID); the guest must have been
 * built, and so measured, to refuse any other. Then what it names is as good as measured.
 */
import { hash } from 'node:crypto'
import { fromHex, sameBytes } from '../../bytes/encoding.ts'
import type { ReferenceValue, RuntimeConfig } from '../../rats/release.ts'
import { visible } from '../visible-text.ts'

const LARGEST = 256 * 1024

export function readRuntimeConfig(
  path: string,
  bytes: Uint8Array,
): { readonly config: RuntimeConfig } | { readonly mistake: string } {
  if (bytes.length > LARGEST)
    return {
      mistake: `${visible(path)} is ${bytes.length} bytes long; at most ${LARGEST} are read`,
    }
  const known = read.get(bytes)
  if (known?.path === path) return { config: known }
  const config = {
    path,
    sha256: hash('sha256', bytes, 'hex'),
    sha384: hash('sha384', bytes, 'hex'),
    sha512: hash('sha512', bytes, 'hex'),
    names: digestsNamedIn(Buffer.from(bytes).toString('latin1')),
  }
  read.set(bytes, config)
  return { config }
}

/** By the file in memory, whose bytes nobody changes: a thousand manifests may name one large configuration. */
const read = new WeakMap<Uint8Array, RuntimeConfig>()

/**
 * Every `sha256:<64 hex digits>` that stands by itself, wherever. What the text does with it is not understood here: whoever
 * approves the file sees it, and a digest that is only mentioned counts as named.
 */
function digestsNamedIn(text: string): ReadonlySet<string> {
  return new Set(text.match(/(?<![\w-])sha256:[0-9a-f]{64}(?![\w-])/g))
}

/** Where a TEE's evidence carries the digest of a configuration. */
export interface ConfigField {
  /** Of the reference value, as of the evidence. */
  readonly name: string
  /** What the reference value expects there. */
  readonly expected: Uint8Array | undefined
  readonly algorithm: 'sha256' | 'sha384' | 'sha512'
  /** How a manifest spells it. */
  readonly prefix: string
}

export function configFieldOf({ tee, reference }: ReferenceValue): ConfigField {
  switch (tee) {
    case 'sev-snp':
      return {
        name: 'hostData',
        expected: reference.hostData,
        algorithm: 'sha256',
        prefix: 'sha256',
      }
    case 'tdx':
      return {
        name: 'mrConfigId',
        expected: reference.mrConfigId,
        algorithm: 'sha384',
        prefix: 'sha384',
      }
    case 'sgx':
      return { name: 'configId', expected: reference.configId, algorithm: 'sha512', prefix: 'hex' }
    case 'sample':
      // It carries none, so none is ever bound.
      return { name: 'svn', expected: undefined, algorithm: 'sha256', prefix: 'sha256' }
  }
}

/** Whether evidence that matches carries the digest of this configuration. */
export function isBound({ expected, algorithm }: ConfigField, config: RuntimeConfig): boolean {
  const digest = fromHex(config[algorithm])
  return expected !== undefined && digest !== undefined && sameBytes(expected, digest)
}
