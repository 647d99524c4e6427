/**
 * What did the plugin answer? JSON that an untrusted program wrote: UTF-8, not deep, and without the names through which an
 * object that is merged into another changes every object of the process.
 */

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue }

/** Whoever walks it recursively must not run out of stack. */
const DEEPEST = 64
const utf8 = new TextDecoder('utf-8', { fatal: true })

export function resultOf(
  output: Uint8Array,
): { readonly value: JsonValue } | { readonly fault: string } {
  let value: JsonValue
  try {
    value = JSON.parse(utf8.decode(output))
  } catch {
    return { fault: 'its answer is no JSON' }
  }
  // Level by level and not recursively.
  let level: JsonValue[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return { fault: `its answer is more than ${DEEPEST} deep` }
    const next: JsonValue[] = []
    for (const each of level) {
      if (typeof each !== 'object' || each === null) continue
      const name = Array.isArray(each) ? undefined : Object.keys(each).find(isPolluting)
      if (name !== undefined) return { fault: `its answer has a member ${name}` }
      for (const inner of Object.values(each)) next.push(inner)
    }
    level = next
  }
  return { value }
}

function isPolluting(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype'
}
