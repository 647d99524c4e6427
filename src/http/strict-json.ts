/**
 * JSON in which every name stands once. JSON.parse lets the last of two win in silence, and what reads the same body
 * elsewhere (a gateway, a log) may let the first: two readers, two requests.
 */

const DEEPEST = 8

/** Throws SyntaxError with a sentence. */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  assertNamesUnique(text)
  return value
}

/** `text` is valid JSON, so only strings, braces, brackets, colons and commas need to be told apart. */
function assertNamesUnique(text: string): void {
  const open: (Set<string> | undefined)[] = []
  let expectsName = false
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
      case '[':
        expectsName = text[at] === '{'
        open.push(expectsName ? new Set() : undefined)
        if (open.length > DEEPEST) throw new SyntaxError(`values are nested above ${DEEPEST} deep`)
        break
      case '}':
      case ']':
        open.pop()
        expectsName = false
        break
      case ',':
        expectsName = open.at(-1) !== undefined
        break
      case '"': {
        const end = endOfString(text, at)
        const names = open.at(-1)
        if (expectsName && names) addName(names, text.slice(at, end + 1))
        expectsName = false
        at = end
      }
    }
  }
}

function addName(names: Set<string>, quoted: string): void {
  // Compared as they read: "a" and "\u0061" are one name. Without a backslash a string is what stands between its quotes.
  const name: unknown = quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1)
  if (typeof name !== 'string') return
  // Means nothing in any request, and something else to nearly every program that copies an object.
  if (name === '__proto__') throw new SyntaxError('the name "__proto__" is not allowed')
  if (names.has(name)) throw new SyntaxError(`the name ${JSON.stringify(name)} appears twice`)
  names.add(name)
}

/** Index of the closing quote: the first that an even number of backslashes precedes. */
function endOfString(text: string, start: number): number {
  let end = start
  do end = text.indexOf('"', end + 1)
  while (backslashesBefore(text, end) % 2 === 1)
  return end
}

function backslashesBefore(text: string, at: number): number {
  let first = at
  while (text[first - 1] === '\\') first--
  return at - first
}
