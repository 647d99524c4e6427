/**
 * What does a CEL rule answer to an input? Exactly true passes, exactly false fails; an error, or anything else, is a fault.
 * Nothing here ends it early: a caller who must go on runs it where he can end it.
 */
import { CelScalar, celEnv, celFunc, celList, celMap, isCelError, plan } from '@bufbuild/cel'
import type { Datum } from '../../rats/check.ts'
import { type FieldPath, fieldsRead, parseCel } from './cel-tree.ts'
import type { RuleAnswer, RuleValue } from './rule.ts'
import { variableNames } from './rule-variables.ts'

export interface CelProgram {
  readonly reads: readonly FieldPath[]
  readonly ask: (input: CelInput) => RuleAnswer
}

/** An input as CEL sees it: made once for all rules that are asked about it. */
export interface CelInput {
  readonly input: Readonly<Record<string, RuleValue>>
  readonly variables: NonNullable<Parameters<ReturnType<typeof plan>>[0]>
}

export function celInput(input: Readonly<Record<string, RuleValue>>): CelInput {
  const variables = Object.entries(input).map(([name, value]) => [name, celOf(value)] as const)
  return { input, variables: Object.fromEntries(variables) }
}

/** Characters. What a rule makes of its input is no longer than any input; doubled often enough it would fill the memory. */
const LONGEST_TEXT = 64 * 1024

const env = celEnv({
  funcs: [
    celFunc('_+_', [CelScalar.STRING, CelScalar.STRING], CelScalar.STRING, (one, other) => {
      if (one.length + other.length <= LONGEST_TEXT) return one + other
      throw new Error(`a text is longer than ${LONGEST_TEXT} characters`)
    }),
    // The library's own takes the empty string for 0, and hexadecimal, which no other implementation of CEL does.
    celFunc('int', [CelScalar.STRING], CelScalar.INT, (text) => {
      if (!/^(0|-?[1-9]\d{0,17})$/.test(text)) throw new Error('the text is no integer')
      return BigInt(text)
    }),
  ],
})

/** `expression` is one that celMistakes found nothing in. */
export function celProgram(expression: string): CelProgram | { readonly mistake: string } {
  const reading = parseCel(expression)
  if (!('tree' in reading)) return { mistake: reading.message }
  const { tree } = reading
  const reads = fieldsRead(tree, variableNames)
  let evaluate: ReturnType<typeof plan>
  try {
    evaluate = plan(env, tree.root)
  } catch (cause) {
    return { mistake: messageOf(cause) }
  }
  return {
    reads,
    ask({ input, variables }) {
      try {
        const result: unknown = evaluate(variables)
        if (result === true) return { answer: true }
        if (result === false) return { answer: false, observed: observedBy(reads, input) }
        if (isCelError(result)) return { fault: result.message }
        return { fault: `it is a ${typeof result} and not true or false` }
      } catch (cause) {
        return { fault: messageOf(cause) }
      }
    },
  }
}

/** All numbers among claims are whole: as floating point, `1 / 2` would be something else. */
function celOf(value: RuleValue): CelInput['variables'][string] {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (isList(value)) return celList(value.map(celOf))
  const fields = new Map(Object.entries(value).map(([name, each]) => [name, celOf(each)]))
  // The library takes a field that is null for absent in has() and `in`, where CEL's definition does not.
  return Object.assign(celMap(fields), { has: (name: string) => fields.has(name) })
}

/** `[["evidence.vmpl", 2], ...]`: what the answer rests on. Absent fields are not listed. */
function observedBy(reads: readonly FieldPath[], input: RuleValue): Datum {
  return reads.flatMap((path) => {
    const value = valueAt(input, path)
    return value === undefined ? [] : [[path.join('.'), datumOf(value)]]
  })
}

export function valueAt(input: RuleValue, path: FieldPath): RuleValue | undefined {
  let value: RuleValue | undefined = input
  for (const name of path) {
    if (typeof value !== 'object' || value === null || isList(value)) return undefined
    value = Object.hasOwn(value, name) ? value[name] : undefined
  }
  return value
}

function datumOf(value: RuleValue): Datum {
  if (typeof value !== 'object' || value === null) return value
  return isList(value) ? value.map(datumOf) : JSON.stringify(value)
}

function isList(value: RuleValue): value is readonly RuleValue[] {
  return Array.isArray(value)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
