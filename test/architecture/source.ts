/**
 * What one source file imports and which globals it touches, read from its syntax tree: comments and strings do not
 * count, `export ... from`, `import()`, `import('...').Type` and `globalThis.process` do.
 */
import { parseAst } from 'vitest/node'

export interface Source {
  /** From the repository root, with forward slashes. */
  readonly file: string
  readonly text: string
}

export interface Import {
  readonly line: number
  /** `undefined` when `import()` was given something other than a literal. */
  readonly specifier: string | undefined
  /** The names taken, as the exporting module calls them: `*` for `* as`, nothing for `export *` and `import()`. */
  readonly names: readonly string[]
}

/** A global that is read: `process.env`, `Date.now`, `new Date()`, `fetch()`. */
export interface Use {
  readonly line: number
  readonly name: string
}

interface Node {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

interface Visit {
  readonly node: Node
  readonly parent: Node | undefined
  /** The property of the parent that holds this node. */
  readonly key: string
}

/** Throws what the parser throws when the text is not TypeScript. */
export function readSource({ file, text }: Source): {
  readonly imports: readonly Import[]
  readonly uses: readonly Use[]
} {
  const lang = file.endsWith('x') ? 'tsx' : 'ts'
  // The parser's own node types are a union of a hundred shapes; here a node is a `type`, a `start` and properties.
  const visits = [...walk(parseAst(text, { lang }) as unknown as Node)]
  const lineOf = ({ start }: Node) => text.slice(0, start).split('\n').length
  const declared = new Set(visits.flatMap(({ node }) => namesDeclaredBy(node)))

  return {
    imports: visits
      .filter(({ node }) => importing.has(node.type) && node.source)
      .map(({ node }) => ({
        line: lineOf(node),
        specifier: literal(node.source),
        names: nodesIn(node.specifiers).map((specifier) => nameTaken(specifier)),
      })),
    uses: visits.flatMap((visit) => {
      const name = useIn(visit)
      if (name === undefined) return []
      // A file's own `fetch` parameter is a port, not the global. There is no such excuse for `process`.
      const root = name.replace(/^new /, '').split(/[.(]/, 1)[0] ?? ''
      return declared.has(root) && root !== 'process' ? [] : [{ line: lineOf(visit.node), name }]
    }),
  }
}

const importing = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

function* walk(node: Node, parent?: Node, key = ''): Generator<Visit> {
  yield { node, parent, key }
  for (const [childKey, value] of Object.entries(node))
    for (const child of nodesIn(value)) yield* walk(child, node, childKey)
}

function nodesIn(value: unknown): readonly Node[] {
  return (Array.isArray(value) ? value : [value]).filter(isNode)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}

function literal(node: unknown): string | undefined {
  return isNode(node) && typeof node.value === 'string' ? node.value : undefined
}

/** What another module calls the thing: the left side of `randomBytes as bytes`. */
function nameTaken(specifier: Node): string {
  const outer = specifier.type === 'ExportSpecifier' ? specifier.local : specifier.imported
  if (!isNode(outer)) return specifier.type === 'ImportDefaultSpecifier' ? 'default' : '*'
  return String(outer.name ?? outer.value)
}

/** The longest dotted name that starts here, or `undefined` where this node is no read of a global. */
function useIn({ node, parent, key }: Visit): string | undefined {
  if (node.type === 'NewExpression' && nodesIn(node.arguments).length === 0) {
    const made = dotted(node.callee)
    return made && `new ${made}()`
  }
  if (node.type === 'CallExpression') {
    const called = dotted(node.callee)
    return called && `${called}()`
  }
  if (node.type === 'ChainExpression') return undefined
  // Part of a longer name, or the callee of a call, that was reported as a whole.
  if (key === 'callee' && parent?.type === 'CallExpression') return undefined
  if (key === 'object' && parent && dotted(parent) !== undefined) return undefined
  return isNameOnly({ node, parent, key }) ? undefined : dotted(node)
}

/** `a.b`, `a['b']` and `a?.b` as `a.b`, without a leading `globalThis`. `undefined` when the root is not a plain name. */
function dotted(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Identifier') return String(node.name)
  if (node.type === 'ChainExpression') return dotted(node.expression)
  if (node.type !== 'MemberExpression') return undefined
  const object = dotted(node.object)
  const { property } = node
  const name = node.computed ? literal(property) : isNode(property) && property.name
  if (object === undefined || typeof name !== 'string') return undefined
  return object === 'globalThis' || object === 'global' ? name : `${object}.${name}`
}

/** A property's, a type's or a foreign export's name: written here, but no value is read. */
function isNameOnly({ parent, key }: Visit): boolean {
  if (key === 'property' || key === 'key') return parent?.computed !== true
  return ['imported', 'exported', 'exprName', 'label', 'typeName'].includes(key)
}

/** What the file gives a name of its own: variables, parameters, functions. Not imports: an imported clock is a clock. */
function namesDeclaredBy(node: Node): readonly string[] {
  const { id, params, param } = node
  const patterns = node.type === 'VariableDeclarator' ? [id] : [params, param].flat()
  const own = /^Function/.test(node.type) ? [id] : []
  return [...patterns, ...own].flatMap(namesIn)
}

function namesIn(pattern: unknown): readonly string[] {
  if (!isNode(pattern)) return []
  switch (pattern.type) {
    case 'Identifier':
      return [String(pattern.name)]
    case 'ObjectPattern':
      return nodesIn(pattern.properties).flatMap((property) => namesIn(property.value ?? property))
    case 'ArrayPattern':
      return nodesIn(pattern.elements).flatMap(namesIn)
    case 'AssignmentPattern':
      return namesIn(pattern.left)
    case 'RestElement':
      return namesIn(pattern.argument)
    default:
      return []
  }
}
