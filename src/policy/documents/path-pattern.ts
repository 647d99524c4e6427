/**
 * Which files does a pattern of the trust root name? `/` separates, `*` stands for any characters within one segment, and
 * `**` as a whole segment for any number of segments, none included. Everything else is itself: no `?`, no classes, no `!`.
 */

const LONGEST = 255
const MOST_SEGMENTS = 32

export function isPathPattern(text: string): boolean {
  const segments = text.split('/')
  return (
    text.length <= LONGEST &&
    segments.length <= MOST_SEGMENTS &&
    segments.every((segment) => segment === '**' || (isSegment(segment) && !segment.includes('**')))
  )
}

/** A plain path of a file of the repository, in no other spelling. */
export function isRepositoryPath(text: string): boolean {
  return isPathPattern(text) && !text.includes('*')
}

/** `.` and `..` are refused and not resolved; so is what a terminal, a reviewer or a Windows machine would read otherwise. */
function isSegment(segment: string): boolean {
  return (
    segment !== '' &&
    segment !== '.' &&
    segment !== '..' &&
    /^[^\p{C}\p{Zl}\p{Zp}\\]+$/u.test(segment)
  )
}

/** `path` as Git has it, of any length: linear in it for each segment of the pattern. A pattern that is none matches nothing. */
export function matchesPath(pattern: string, path: string): boolean {
  return isPathPattern(pattern) && matchesSegments(pattern.split('/'), path.split('/'))
}

/**
 * Two rows of a table instead of recursion: after a pattern's segment, which numbers of the path's segments are used up?
 * Backtracking over `**` would let a path of many segments take time without end.
 */
function matchesSegments(pattern: readonly string[], path: readonly string[]): boolean {
  let reached: readonly boolean[] = [true, ...path.map(() => false)]
  for (const segment of pattern)
    reached = segment === '**' ? afterAny(reached) : afterOne(segment, path, reached)
  return reached.at(-1) === true
}

function afterAny(reached: readonly boolean[]): readonly boolean[] {
  const first = reached.indexOf(true)
  return reached.map((_, used) => first !== -1 && used >= first)
}

function afterOne(
  segment: string,
  path: readonly string[],
  reached: readonly boolean[],
): readonly boolean[] {
  return reached.map(
    (_, used) =>
      used > 0 && reached[used - 1] === true && matchesName(segment, path[used - 1] ?? ''),
  )
}

/** The pieces between the stars, each at the first place where it fits: what is first leaves the most for the rest. */
function matchesName(segment: string, name: string): boolean {
  const [head = '', ...rest] = segment.split('*')
  const tail = rest.pop()
  if (tail === undefined) return name === segment
  if (!name.startsWith(head) || !name.endsWith(tail)) return false
  let at = head.length
  for (const piece of rest) {
    const found = name.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return at + tail.length <= name.length
}
