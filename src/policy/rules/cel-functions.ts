/**
 * Which operators and functions may a rule use, and on which types? Nothing that reads a clock, and none of CEL's floating
 * point, bytes or unsigned integers: no claim has such a type. `dyn` is missing on purpose, since it switches checks off.
 */
import type { CelType, Scalar } from './cel-types.ts'

export interface Signature {
  /** `list` and `map`: of whatever. */
  readonly takes: readonly (Scalar | 'list' | 'map')[]
  readonly gives: Scalar
}

/** How an operator is written, for sentences; the keys are the names that CEL's parser gives them. */
const spelled: Readonly<Record<string, string>> = {
  '!_': '!',
  '-_': '-',
  '_&&_': '&&',
  '_||_': '||',
  '_<_': '<',
  '_<=_': '<=',
  '_>_': '>',
  '_>=_': '>=',
  '_==_': '==',
  '_!=_': '!=',
  '_+_': '+',
  '_-_': '-',
  '_*_': '*',
  '_/_': '/',
  '_%_': '%',
  '@in': 'in',
}

export function spellingOf(name: string): string {
  return Object.hasOwn(spelled, name) ? (spelled[name] ?? name) : name.replace('.', '')
}

const ordered: readonly Signature[] = [
  takes('bool', 'int', 'int'),
  takes('bool', 'string', 'string'),
  takes('bool', 'timestamp', 'timestamp'),
  takes('bool', 'duration', 'duration'),
]
const whole: readonly Signature[] = [takes('int', 'int', 'int')]
const textTest: readonly Signature[] = [takes('bool', 'string', 'string')]
const size: readonly Signature[] = [
  takes('int', 'string'),
  takes('int', 'list'),
  takes('int', 'map'),
]

/** A method's name begins with a dot, and the value before the dot is its first argument. */
const signatures: Readonly<Record<string, readonly Signature[]>> = {
  '!_': [takes('bool', 'bool')],
  '-_': [takes('int', 'int')],
  '_&&_': [takes('bool', 'bool', 'bool')],
  '_||_': [takes('bool', 'bool', 'bool')],
  '_<_': ordered,
  '_<=_': ordered,
  '_>_': ordered,
  '_>=_': ordered,
  '_+_': [
    ...whole,
    takes('string', 'string', 'string'),
    takes('timestamp', 'timestamp', 'duration'),
    takes('timestamp', 'duration', 'timestamp'),
    takes('duration', 'duration', 'duration'),
  ],
  '_-_': [
    ...whole,
    takes('duration', 'timestamp', 'timestamp'),
    takes('timestamp', 'timestamp', 'duration'),
    takes('duration', 'duration', 'duration'),
  ],
  '_*_': whole,
  '_/_': whole,
  '_%_': whole,
  size,
  '.size': size,
  '.contains': textTest,
  '.startsWith': textTest,
  '.endsWith': textTest,
  '.matches': textTest,
  int: [takes('int', 'int'), takes('int', 'string'), takes('int', 'timestamp')],
  string: [takes('string', 'string'), takes('string', 'int'), takes('string', 'bool')],
  timestamp: [takes('timestamp', 'string'), takes('timestamp', 'timestamp')],
  duration: [takes('duration', 'string'), takes('duration', 'duration')],
}

export function signaturesOf(name: string): readonly Signature[] | undefined {
  return Object.hasOwn(signatures, name) ? signatures[name] : undefined
}

export const functionNames: readonly string[] = Object.keys(signatures)
  .filter((name) => /^\.?[a-z]/i.test(name))
  .map(spellingOf)
  .filter((name, index, names) => names.indexOf(name) === index)
  .toSorted()

export function fits({ takes: wanted }: Signature, given: readonly CelType[]): boolean {
  return (
    wanted.length === given.length &&
    given.every(({ kind }, index) => kind === 'any' || kind === wanted[index])
  )
}

function takes(gives: Scalar, ...wanted: Signature['takes']): Signature {
  return { takes: wanted, gives }
}
