/**
 * What does a compiled Rego rule answer to an input? The module gets memory with a cap and OPA's pure functions, nothing
 * else; and a fresh instance for each question, so that no answer can depend on the one before.
 */
import { createHash } from 'node:crypto'
import { loadPolicy } from '@open-policy-agent/opa-wasm'
import type { RuleAnswer, RuleInput } from '../policy/rules/rule.ts'

export interface RegoSource {
  readonly wasm: Uint8Array
  /** Hex. */
  readonly sha256: string
  readonly entrypoint: string
}

export interface RegoProgram {
  readonly ask: (input: Partial<RuleInput>) => Promise<RuleAnswer>
}

declare global {
  // Node has them; only the DOM's types, which would bring a whole browser, declare them as values.
  namespace WebAssembly {
    const Module: {
      new (bytes: Uint8Array): Module
      imports(module: Module): readonly { module: string; name: string; kind: string }[]
    }
  }
}

/** Opens nothing: what OPA's host provides for strings, patterns, JSON and YAML. The rest stays "not implemented". */
const functions: Readonly<Record<string, never>> = Object.freeze(Object.create(null))

export async function regoProgram(
  { wasm, sha256, entrypoint }: RegoSource,
  pages: number,
): Promise<RegoProgram | { readonly mistake: string }> {
  if (createHash('sha256').update(wasm).digest('hex') !== sha256)
    return { mistake: 'the module is not the one that the rule names by its digest' }
  try {
    const module = new WebAssembly.Module(new Uint8Array(wasm))
    const foreign = foreignTo(module, wasm)
    if (foreign !== undefined) return { mistake: foreign }
    const instantiate = () =>
      loadPolicy(module, { initial: Math.min(16, pages), maximum: pages }, functions)
    const { entrypoints } = await instantiate()
    if (!Object.hasOwn(entrypoints, entrypoint))
      return {
        mistake: `the module has no entrypoint ${entrypoint}; it has ${Object.keys(entrypoints).join(', ')}`,
      }
    return {
      async ask(input) {
        try {
          return answerOf((await instantiate()).evaluate(input, entrypoint))
        } catch (cause) {
          return { fault: messageOf(cause) }
        }
      },
    }
  } catch (cause) {
    return { mistake: `it is no module that OPA compiled: ${messageOf(cause)}` }
  }
}

/** `[{ result }]`, or nothing at all where the rule is undefined. */
function answerOf(results: unknown): RuleAnswer {
  const [first, ...rest] = Array.isArray(results) ? results : []
  if (rest.length > 0) return { fault: 'the entrypoint has several results' }
  if (typeof first !== 'object' || first === null || !('result' in first))
    return { fault: 'the entrypoint is undefined: give it a value with `default allow := false`' }
  if (first.result === true) return { answer: true }
  if (first.result === false) return { answer: false, observed: false }
  return { fault: `the entrypoint is a ${typeof first.result} and not true or false` }
}

const MEMORY_SECTION = 5

/** A memory of its own would have no cap. */
function foreignTo(module: WebAssembly.Module, wasm: Uint8Array): string | undefined {
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module))
    if (from !== 'env' || !/^(memory|opa_(abort|println|builtin[0-4]))$/.test(name))
      return `the module imports the ${kind} ${from}.${name}, which OPA's modules do not`
  for (const { id, length } of sectionsOf(wasm)) {
    // One byte: a list of none.
    if (id === MEMORY_SECTION && length > 1) return 'the module brings a memory of its own'
  }
  return undefined
}

/** WebAssembly core specification 2.0, section 5.5: id, then the length of what follows in unsigned LEB128. The engine has found them valid. */
function* sectionsOf(
  wasm: Uint8Array,
): Generator<{ readonly id: number; readonly length: number }> {
  let at = 8
  while (at < wasm.length) {
    const id = wasm[at++] ?? 0
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    yield { id, length }
    at += length
  }
}

/** The library throws strings and plain objects too. */
function messageOf(cause: unknown): string {
  if (typeof cause === 'object' && cause !== null && 'message' in cause)
    return String(cause.message)
  return String(cause)
}
