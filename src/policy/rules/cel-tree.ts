/**
 * What does a CEL expression look like as a tree, and which fields of the input does it read? The parser is recursive and
 * slow on what it cannot read, so that size and brackets are bounded before it sees anything, and the tree's after.
 */
import { parse } from '@bufbuild/cel'

export type CelNode = NonNullable<ReturnType<typeof parse>['expr']>
export type CelCall = Extract<CelNode['exprKind'], { case: 'callExpr' }>['value']
export type CelFold = Extract<CelNode['exprKind'], { case: 'comprehensionExpr' }>['value']

export interface CelMistake {
  /** Into the expression, in UTF-16 code units. */
  readonly offset: number
  readonly message: string
}

export interface CelTree {
  readonly root: CelNode
  readonly offsetOf: (node: CelNode) => number
}

/** `['evidence', 'policy', 'debug']` */
export type FieldPath = readonly string[]

export const LARGEST_EXPRESSION = 4096
/** Each level may multiply the parser's work on an expression that it ends up refusing: 500 of them took it a second. */
const MOST_BRACKETS = 64
const MOST_NODES = 1_000
const DEEPEST = 100

export function parseCel(expression: string): { readonly tree: CelTree } | CelMistake {
  if (Buffer.byteLength(expression) > LARGEST_EXPRESSION)
    return { offset: 0, message: `an expression has at most ${LARGEST_EXPRESSION} bytes` }
  const brackets = expression.match(/[([{]/g)?.length ?? 0
  if (brackets > MOST_BRACKETS)
    return {
      offset: 0,
      message: `the expression has ${brackets} opening brackets; at most ${MOST_BRACKETS} are read: split the rule`,
    }
  try {
    const { expr, sourceInfo } = parse(expression)
    if (!expr) return { offset: 0, message: 'the expression is empty' }
    const tree = {
      root: expr,
      offsetOf: ({ id }: CelNode) => sourceInfo?.positions[Number(id)] ?? 0,
    }
    return tooLarge(tree) ?? { tree }
  } catch (cause) {
    return syntaxMistake(cause)
  }
}

/** The longest paths of fields that it reads, from a variable on, each once. Names of a comprehension's own are no paths. */
export function fieldsRead(
  { root }: CelTree,
  variables: ReadonlySet<string>,
): readonly FieldPath[] {
  const paths = new Map<string, FieldPath>()
  const rest = [root]
  for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
    const path = fieldPath(node)
    if (path?.[0] !== undefined && variables.has(path[0])) paths.set(path.join('.'), path)
    else rest.push(...partsOf(node))
  }
  return [...paths.values()].toSorted((a, b) => (a.join('.') < b.join('.') ? -1 : 1))
}

/** Of `a.b`, `a["b"]` and has(a.b); undefined for anything that is not a variable and literal names after it. */
function fieldPath({ exprKind }: CelNode): FieldPath | undefined {
  if (exprKind.case === 'identExpr') return [exprKind.value.name]
  if (exprKind.case === 'selectExpr') {
    const { operand, field } = exprKind.value
    const path = operand && fieldPath(operand)
    return path && [...path, field]
  }
  if (exprKind.case !== 'callExpr' || exprKind.value.function !== '_[_]') return undefined
  const [operand, index] = exprKind.value.args
  const field = index && literalText(index)
  const path = field === undefined ? undefined : operand && fieldPath(operand)
  return path && field !== undefined ? [...path, field] : undefined
}

export function literalText({ exprKind }: CelNode): string | undefined {
  if (exprKind.case !== 'constExpr') return undefined
  const { constantKind } = exprKind.value
  return constantKind.case === 'stringValue' ? constantKind.value : undefined
}

function partsOf({ exprKind }: CelNode): readonly CelNode[] {
  switch (exprKind.case) {
    case 'selectExpr':
      return present(exprKind.value.operand)
    case 'callExpr':
      return present(exprKind.value.target, ...exprKind.value.args)
    case 'listExpr':
      return exprKind.value.elements
    case 'structExpr':
      return exprKind.value.entries.flatMap(({ keyKind, value }) =>
        present(keyKind.case === 'mapKey' ? keyKind.value : undefined, value),
      )
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value
      return present(iterRange, accuInit, loopCondition, loopStep, result)
    }
    default:
      return []
  }
}

function present(...nodes: readonly (CelNode | undefined)[]): readonly CelNode[] {
  return nodes.filter((node) => node !== undefined)
}

function tooLarge(tree: CelTree): CelMistake | undefined {
  let nodes = 0
  const rest: (readonly [CelNode, number])[] = [[tree.root, 1]]
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const [node, depth] = next
    nodes++
    if (depth > DEEPEST || nodes > MOST_NODES)
      return {
        offset: tree.offsetOf(node),
        message:
          depth > DEEPEST
            ? `the expression is nested more than ${DEEPEST} deep: split the rule`
            : `the expression has more than ${MOST_NODES} parts: split the rule`,
      }
    for (const part of partsOf(node)) rest.push([part, depth + 1])
  }
  return undefined
}

function syntaxMistake(cause: unknown): CelMistake {
  if (cause instanceof RangeError)
    return { offset: 0, message: 'the expression is nested too deeply to be read' }
  if (!(cause instanceof Error)) throw cause
  return { offset: offsetOf(cause), message: `it is not CEL: ${sentenceOf(cause)}` }
}

/** The parser's message starts with a place of its own, and may list every token that there is. */
function sentenceOf({ message }: Error): string {
  const sentence = message.replace(/^<input>:\d+:\d+: /, '').replace(/ but expecting .*/s, '')
  return sentence.startsWith('found ') ? `${sentence} where it cannot stand` : sentence
}

function offsetOf(cause: Error): number {
  const location: unknown = 'location' in cause ? cause.location : undefined
  if (typeof location !== 'object' || location === null || !('start' in location)) return 0
  const { start } = location
  if (typeof start !== 'object' || start === null || !('offset' in start)) return 0
  return typeof start.offset === 'number' ? start.offset : 0
}
