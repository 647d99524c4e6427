/** What `vouchsafe plugin` does: the sandbox’s own judgement, under all grants, of a file that nobody has approved yet. */
import type { Grants } from '../../enclave/sandbox/capabilities.ts'
import { outlineOf } from '../../enclave/sandbox/module-outline.ts'
import { abiOf, defaultLimits, neededBy, refusalsOf } from '../../enclave/sandbox/plugin-terms.ts'
import { digestOf } from '../../enclave/sandbox/sandbox.ts'
import { Malformed } from '../bytes/malformed.ts'
import type { InspectedPlugin } from '../cli/plugin.ts'

const everyGrant: Grants = {
  wasi: true,
  arguments: [],
  environment: {},
  clock: { resolutionMs: 1_000 },
  random: true,
  files: {},
}

export function inspectPlugin(bytes: Uint8Array): InspectedPlugin {
  const known = { digest: digestOf(bytes), bytes: bytes.length }
  try {
    const outline = outlineOf(bytes)
    return {
      ...known,
      abi: abiOf(outline) ?? '',
      needs: neededBy(outline),
      imports: outline.imports.map(({ module, name, type }) => `${module}.${name}${shape(type)}`),
      exports: outline.exports.map(({ name, type }) => `${name}${shape(type)}`),
      memoryPages: outline.memory?.most ?? null,
      refusals: refusalsOf(outline, { grants: everyGrant, limits: defaultLimits }).map(
        ({ sentence }) => sentence,
      ),
    }
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
    return {
      ...known,
      abi: '',
      needs: [],
      imports: [],
      exports: [],
      memoryPages: null,
      refusals: [`is no module that can be judged: ${error.message}.`],
    }
  }
}

/** Of a function; nothing for what is none. */
function shape(type: string): string {
  return type && `(${type.replace('>', ')->(')})`
}
