/**
 * How does an agent run a plugin that it does not trust? Only what was approved by digest is compiled, with the grants that
 * were approved with it; each call has a deadline, and is a line in the behaviour log. docs/sandbox.md.
 *
 * What this does not stop: a fault of the engine itself. A plugin runs in the agent’s process.
 */
import { hash } from 'node:crypto'
import { isUint8Array } from 'node:util/types'
import { Malformed } from '../../src/bytes/malformed.ts'
import type { Grants } from './capabilities.ts'
import { type ModuleOutline, outlineOf } from './module-outline.ts'
import { openPlugin, type Plugin, type SandboxAudit } from './plugin.ts'
import { defaultLimits, type PluginLimits, type Refusal, refusalsOf } from './plugin-terms.ts'
import { engine, type WasmModule } from './web-assembly.ts'

/** What operators agreed to: these bytes, with these grants. Part of what is measured. */
export interface ApprovedPlugin {
  /** As it stands in the log: 1 to 128 characters. */
  readonly name: string
  /** `sha256:<hex>` of the file. */
  readonly digest: string
  readonly grants: Grants
  readonly limits?: Partial<PluginLimits>
}

export interface Sandbox {
  /** Resolves to a plugin that may be called, or throws PluginRefused. The bytes are copied before they are looked at. */
  readonly load: (bytes: Uint8Array) => Promise<Plugin>
  readonly close: () => Promise<void>
}

export class PluginRefused extends Error {
  override readonly name = 'PluginRefused'
  readonly digest: string
  readonly refusals: readonly Refusal[]

  constructor(digest: string, refusals: readonly Refusal[]) {
    super(`plugin ${digest}: ${refusals.map(({ sentence }) => sentence).join(' ')}`)
    this.digest = digest
    this.refusals = refusals
  }
}

export function openSandbox(approved: readonly ApprovedPlugin[], audit: SandboxAudit): Sandbox {
  const byDigest = new Map(approved.map((each) => [each.digest, each]))
  const largest = Math.max(0, ...approved.map((each) => limitsOf(each).moduleBytes))
  const open: Plugin[] = []
  return {
    async load(bytes) {
      const own = copied(bytes)
      const digest = digestOf(own)
      try {
        const entry = byDigest.get(digest)
        if (!entry) throw new PluginRefused(digest, [notApproved(own.length, largest)])
        const { grants } = entry
        const limits = limitsOf(entry)
        const outline = judged(own, { digest, grants, limits })
        const module = await compiled(own, outline, digest)
        await audit.record({ kind: 'plugin', path: entry.name, digest })
        const plugin = openPlugin({ ...entry, limits, module, outline, audit })
        open.push(plugin)
        return plugin
      } catch (error) {
        if (error instanceof PluginRefused)
          audit.report({
            kind: 'plugin-call',
            plugin: byDigest.get(digest)?.name ?? 'not approved',
            digest,
            outcome: 'refused',
            milliseconds: 0,
          })
        throw error
      }
    },
    async close() {
      await Promise.all(open.map((plugin) => plugin.close()))
    },
  }
}

/** `sha256:<hex>`, as an approval names it. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes, 'hex')}`
}

/**
 * Into a buffer that nobody else holds. A view may show a part of a larger buffer, a shared one may change between hash and
 * compilation, and a subclass or a proxy may answer each question differently: all of that ends here, because the copy is made
 * from internal slots. Extism hashed `view.buffer` and compiled `view`.
 */
function copied(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!isUint8Array(bytes)) throw new TypeError('a plugin is a Uint8Array')
  return new Uint8Array(bytes)
}

function notApproved(size: number, largest: number): Refusal {
  return {
    code: size > largest ? 'too-large' : 'not-approved',
    sentence: `${size} bytes whose digest no approved plugin has: look at it with \`vouchsafe plugin inspect\`, and have the digest approved.`,
  }
}

function limitsOf({ limits }: ApprovedPlugin): PluginLimits {
  return { ...defaultLimits, ...limits }
}

function judged(
  bytes: Uint8Array,
  terms: { readonly digest: string; readonly grants: Grants; readonly limits: PluginLimits },
): ModuleOutline {
  const { digest, limits } = terms
  if (bytes.length > limits.moduleBytes)
    throw new PluginRefused(digest, [
      {
        code: 'too-large',
        sentence: `is ${bytes.length} bytes; at most ${limits.moduleBytes} are let: raise moduleBytes, or make it smaller.`,
      },
    ])
  const outline = decoded(bytes, digest)
  const refusals = refusalsOf(outline, terms)
  if (refusals.length > 0) throw new PluginRefused(digest, refusals)
  return outline
}

function decoded(bytes: Uint8Array, digest: string): ModuleOutline {
  try {
    return outlineOf(bytes)
  } catch (error) {
    if (error instanceof Malformed) throw malformed(digest, error.message)
    throw error
  }
}

/** The same bytes. That the engine reads the same imports and exports in them is looked at, and not assumed. */
async function compiled(
  bytes: Uint8Array,
  outline: ModuleOutline,
  digest: string,
): Promise<WasmModule> {
  let module: WasmModule
  try {
    module = await engine.compile(bytes)
  } catch {
    throw malformed(digest, 'the engine finds it invalid')
  }
  const ours = JSON.stringify([
    outline.imports.map(({ module: from, name, kind }) => [from, name, kind]),
    outline.exports.map(({ name, kind }) => [name, kind]),
  ])
  const theirs = JSON.stringify([
    engine.Module.imports(module).map(({ module: from, name, kind }) => [from, name, kind]),
    engine.Module.exports(module).map(({ name, kind }) => [name, kind]),
  ])
  if (ours !== theirs)
    throw malformed(digest, 'the engine reads other imports or exports in it than were judged')
  return module
}

function malformed(digest: string, found: string): PluginRefused {
  return new PluginRefused(digest, [
    {
      code: 'malformed',
      sentence: `is no module that can be judged: ${found}. Build it for WebAssembly 2.0, without threads, exceptions or 64-bit memory.`,
    },
  ])
}
