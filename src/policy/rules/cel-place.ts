/**
 * Where in the file stands this character of an expression? YAML folds lines, strips indentation and undoes escapes, so
 * the two texts are walked side by side, whitespace apart.
 */
interface Place {
  readonly line: number
  readonly column: number
}

export interface Placed {
  readonly expression: string
  /** Into the expression. */
  readonly offset: number
  /** Where YAML says that the value begins: at a quote, at `>` or `|`, or at the text itself. */
  readonly start: Place
}

/** `source` is the text of the whole file. The start of the value, if the texts cannot be matched. */
export function placeInFile(source: string, { expression, offset, start }: Placed): Place {
  let at = offsetOf(source, start)
  if (at === undefined) return start
  // A block's text begins after the line of its indicator.
  if (/[>|]/.test(source[at] ?? '')) at = source.indexOf('\n', at) + 1
  else if (/["']/.test(source[at] ?? '')) at++
  for (let index = 0; index <= offset && index < expression.length; index++) {
    const character = expression[index] ?? ''
    if (/\s/.test(character)) continue
    const found = next(source, character, at)
    if (found === undefined) return start
    at = found + 1
  }
  return offset < 0 || at === 0 ? start : placeOf(source, at - 1)
}

/** An escape puts at most a backslash and a few characters in between. */
const FARTHEST = 200

function next(source: string, character: string, from: number): number | undefined {
  const found = source.indexOf(character, from)
  return found === -1 || found - from > FARTHEST ? undefined : found
}

function offsetOf(source: string, { line, column }: Place): number | undefined {
  let at = 0
  for (let each = 1; each < line; each++) {
    const end = source.indexOf('\n', at)
    if (end === -1) return undefined
    at = end + 1
  }
  return at + column - 1
}

function placeOf(source: string, offset: number): Place {
  const before = source.slice(0, offset)
  const line = before.split('\n').length
  return { line, column: offset - before.lastIndexOf('\n') }
}
