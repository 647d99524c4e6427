/** A sandbox with one approved plugin, and what it wrote down. */
import type { Grants } from '../../enclave/sandbox/capabilities.ts'
import type { Plugin } from '../../enclave/sandbox/plugin.ts'
import type { PluginLimits } from '../../enclave/sandbox/plugin-terms.ts'
import { digestOf, openSandbox, PluginRefused } from '../../enclave/sandbox/sandbox.ts'
import type { Behaviour, Measurement } from '../../src/rats/runtime-event.ts'

export interface Scene {
  readonly load: (bytes: Uint8Array) => Promise<Plugin>
  readonly measured: Measurement[]
  readonly reported: Behaviour[]
  readonly close: () => Promise<void>
}

export function sceneFor(
  approved: Uint8Array,
  { grants = {}, limits = {} }: { grants?: Grants; limits?: Partial<PluginLimits> } = {},
): Scene {
  const measured: Measurement[] = []
  const reported: Behaviour[] = []
  const sandbox = openSandbox([{ name: 'tested', digest: digestOf(approved), grants, limits }], {
    async record(each) {
      measured.push(each)
    },
    report: (each) => reported.push(each),
  })
  return { ...sandbox, measured, reported }
}

/** Codes of the refusals; throws when it was loaded. */
export async function refusedCodes(loading: Promise<unknown>): Promise<readonly string[]> {
  try {
    await loading
  } catch (error) {
    if (error instanceof PluginRefused) return error.refusals.map(({ code }) => code)
    throw error
  }
  throw new Error('it was loaded')
}
