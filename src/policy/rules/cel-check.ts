/**
 * Does a CEL expression mean anything for this input? Every variable, field, function and type is looked up before a rule
 * is ever asked: a misspelt field would otherwise be an error at the first attestation, and `vmpl != "0"` always true.
 */
import type { ClaimSchema } from '../../rats/tee.ts'
import { typeOfCall, typeOfElement, typeOfField, unknownFunction } from './cel-calls.ts'
import {
  type CelCall,
  type CelFold,
  type CelMistake,
  type CelNode,
  type CelTree,
  literalText,
  parseCel,
} from './cel-tree.ts'
import {
  any,
  bool,
  type CelType,
  common,
  int,
  isNullable,
  listOf,
  named,
  one,
  string,
  typeOfClaim,
} from './cel-types.ts'

/** Each level of a list within a list multiplies what a rule costs. */
const DEEPEST_FOLD = 2
const LARGEST_INT = 2n ** 63n - 1n

interface Walk {
  readonly tree: CelTree
  readonly mistakes: CelMistake[]
  /** What names stand for at this place: variables, and what the comprehensions around it bind. */
  readonly types: ReadonlyMap<string, CelType>
  /** How many comprehensions are around it. */
  readonly folds: number
}

/** `variables`: what a rule may look at, by name. Every mistake that was found; none means that it can be compiled. */
export function celMistakes(expression: string, variables: ClaimSchema): readonly CelMistake[] {
  const reading = parseCel(expression)
  if (!('tree' in reading)) return [reading]
  const { tree } = reading
  const mistakes: CelMistake[] = []
  const types = new Map<string, CelType>()
  for (const [name, claim] of Object.entries(variables))
    if (claim !== 'hidden') types.set(name, typeOfClaim(claim))
  const walk = { tree, mistakes, types, folds: 0 }
  const result = typeOf(walk, tree.root)
  if (result.kind !== 'bool' && result.kind !== 'any')
    mistake(walk, tree.root, `a rule must be true or false, and this is ${one(result)}`)
  else if (isNullable(result))
    mistake(
      walk,
      tree.root,
      'this may be null, and a rule must be true or false: compare it with true',
    )
  return mistakes
}

function typeOf(walk: Walk, node: CelNode): CelType {
  const { exprKind } = node
  switch (exprKind.case) {
    case 'constExpr':
      return constant(walk, node, exprKind.value.constantKind)
    case 'identExpr':
      return variable(walk, node, exprKind.value.name)
    case 'selectExpr': {
      const { operand, field, testOnly } = exprKind.value
      if (!operand) return any
      const found = settled(walk, node, typeOfField(typeOf(walk, operand), field))
      return testOnly ? bool : found
    }
    case 'callExpr':
      return call(walk, node, exprKind.value)
    case 'listExpr':
      return listOf(
        sameType(walk, node, { what: 'elements of a list', nodes: exprKind.value.elements }),
      )
    case 'structExpr':
      return map(walk, node, exprKind.value)
    case 'comprehensionExpr':
      return fold(walk, node, exprKind.value)
    default:
      return mistake(walk, node, 'the expression is not complete')
  }
}

type CelMap = Extract<CelNode['exprKind'], { case: 'structExpr' }>['value']
type Constant = Extract<CelNode['exprKind'], { case: 'constExpr' }>['value']['constantKind']

function constant(walk: Walk, node: CelNode, literal: Constant): CelType {
  switch (literal.case) {
    case 'boolValue':
      return bool
    case 'stringValue':
      return string
    case 'nullValue':
      return { kind: 'null' }
    case 'int64Value':
      if (literal.value <= LARGEST_INT && literal.value >= -LARGEST_INT - 1n) return int
      return mistake(walk, node, `${literal.value} does not fit into 64 bits`)
    default:
      return mistake(walk, node, 'numbers are whole and have no suffix, and text is no bytes')
  }
}

function variable(walk: Walk, node: CelNode, name: string): CelType {
  const type = walk.types.get(name)
  if (type) return type
  if (name === 'evidence')
    return mistake(walk, node, 'only a rule that names its `tee:` can read evidence')
  const known = [...walk.types.keys()].filter((each) => !each.startsWith('@'))
  return mistake(walk, node, `there is no variable ${name}; there are ${known.join(', ')}`)
}

function call(walk: Walk, node: CelNode, { target, function: name, args }: CelCall): CelType {
  const full = target ? `.${name}` : name
  const unknown = unknownFunction(full)
  if (unknown !== undefined) return mistake(walk, node, unknown)
  const parts = target ? [target, ...args] : args
  const given = parts.map((part) => typeOf(walk, part))
  if (full === '_[_]' && parts[1]) return settled(walk, node, indexed(walk, parts[1], given))
  // A pattern that came from the input would be the attester's program.
  const [pattern] = args
  if (full === '.matches' && pattern && literalText(pattern) === undefined)
    mistake(walk, pattern, 'the pattern of matches() must be written out as text in quotes')
  return settled(walk, node, typeOfCall(full, given))
}

function indexed(walk: Walk, index: CelNode, [owner = any, key = any]: readonly CelType[]) {
  if (owner.kind !== 'fields') return typeOfElement(owner, key)
  const name = literalText(index)
  if (name !== undefined) return typeOfField(owner, name)
  return mistake(
    walk,
    index,
    'a field must be named by text in quotes, so that it can be looked up now',
  )
}

function map(walk: Walk, node: CelNode, { messageName, entries }: CelMap): CelType {
  if (messageName !== '') return mistake(walk, node, `there is no type ${messageName}`)
  const keys = entries.flatMap(({ keyKind }) => (keyKind.case === 'mapKey' ? [keyKind.value] : []))
  const key = sameType(walk, node, { what: 'keys of a map', nodes: keys })
  if (key.kind !== 'string' && key.kind !== 'any')
    mistake(walk, node, `keys of a map must be strings, and these are ${named(key)}`)
  const values = entries.flatMap(({ value }) => (value ? [value] : []))
  const of = sameType(walk, node, { what: 'values of a map', nodes: values })
  // The library takes a key whose value is null for absent, where other implementations of CEL do not.
  if (isNullable(of)) mistake(walk, node, 'a value of a map must not be null')
  return { kind: 'map', of }
}

interface Several {
  readonly what: string
  readonly nodes: readonly CelNode[]
}

function sameType(walk: Walk, node: CelNode, { what, nodes }: Several): CelType {
  let type: CelType = any
  for (const each of nodes) {
    const next = typeOf(walk, each)
    const both = common(type, next)
    if (!both)
      return mistake(
        walk,
        node,
        `${what} must have one type, and here are ${named(type)} and ${named(next)}`,
      )
    type = both
  }
  return type
}

function fold(walk: Walk, node: CelNode, value: CelFold): CelType {
  const { iterRange, iterVar, accuVar, accuInit, loopStep, result } = value
  if (!iterRange || !accuInit || !loopStep || !result) return any
  const range = typeOf(walk, iterRange)
  if (range.kind !== 'list' && range.kind !== 'map' && range.kind !== 'any')
    mistake(walk, node, `${one(range)} has no elements to go through`)
  if (walk.folds >= DEEPEST_FOLD)
    return mistake(
      walk,
      node,
      `all(), exists(), map() and filter() may stand at most ${DEEPEST_FOLD} deep in one another`,
    )
  if (walk.types.has(iterVar))
    return mistake(walk, node, `the name ${iterVar} is taken: choose another for the elements`)
  const element = range.kind === 'list' ? range.of : range.kind === 'map' ? string : any
  const start = typeOf(walk, accuInit)
  const types = new Map([...walk.types, [iterVar, element], [accuVar, start]])
  const folds = walk.folds + 1
  const step = typeOf({ ...walk, types, folds }, loopStep)
  const after = new Map(types).set(accuVar, common(start, step) ?? step)
  return typeOf({ ...walk, types: after, folds }, result)
}

function settled(walk: Walk, node: CelNode, found: CelType | string): CelType {
  return typeof found === 'string' ? mistake(walk, node, found) : found
}

function mistake({ tree, mistakes }: Walk, node: CelNode, message: string): CelType {
  mistakes.push({ offset: tree.offsetOf(node), message })
  return any
}
