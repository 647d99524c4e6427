/**
 * What was answered before, under everything that the rules read: evidence that differs in nothing they look at has the
 * same answers. Bounded in two generations, as src/rats/proof-cache.ts is.
 */
import { hash } from 'node:crypto'
import { valueAt } from '../policy/rules/cel-program.ts'
import type { FieldPath } from '../policy/rules/cel-tree.ts'
import type { RuleInput, RuleValue } from '../policy/rules/rule.ts'

export interface Memory<T> {
  readonly get: (key: string) => T | undefined
  readonly put: (key: string, value: T) => void
}

export function memory<T>(limit: number): Memory<T> {
  const generation = Math.max(1, Math.floor(limit / 2))
  let young = new Map<string, T>()
  let old = new Map<string, T>()

  function put(key: string, value: T): void {
    if (young.size >= generation && !young.has(key)) {
      old = young
      young = new Map()
    }
    old.delete(key)
    young.set(key, value)
  }

  return {
    get(key) {
      const fresh = young.get(key)
      if (fresh !== undefined) return fresh
      const known = old.get(key)
      if (known !== undefined) put(key, known)
      return known
    },
    put,
  }
}

/** Longer ones are kept as their SHA-256: memory is bounded, and nobody finds two inputs with one key. */
const LONGEST_KEY = 128

/** Distinct for inputs that differ in any of `paths`. */
export function keyOf(input: RuleInput, paths: readonly FieldPath[]): string {
  const fields = input as unknown as { readonly [name: string]: RuleValue }
  let key = ''
  for (const path of paths) key += keyPart(valueAt(fields, path))
  return key.length <= LONGEST_KEY ? key : hash('sha256', key, 'base64')
}

/** Ends where it says, so that two fields never read like one. */
function keyPart(value: RuleValue | undefined): string {
  switch (typeof value) {
    case 'string':
      return `${value.length}"${value}`
    case 'number':
      return `${value};`
    case 'boolean':
      return value ? 't' : 'f'
    case 'undefined':
      return 'u'
    default: {
      const text = JSON.stringify(value)
      return `${text.length}j${text}`
    }
  }
}
