/**
 * What may the log say about an error? Where it was thrown, and of its message what cannot be a secret: libraries quote what
 * they were given, a database driver the parameters of its query, JSON.parse the text, fetch the address with its password.
 */

export interface CauseLine {
  readonly type: string
  readonly code?: string
  readonly message?: string
  /** Where it was thrown, the innermost first. */
  readonly at?: readonly string[]
  readonly cause?: CauseLine
}

const DEEPEST = 4
const MOST_FRAMES = 12
const LONGEST_MESSAGE = 200
const LONGEST_FRAME = 200

export function causeLine(cause: unknown, depth = 1): CauseLine {
  if (!(cause instanceof Error)) return { type: typeof cause }
  const code = codeOf(cause)
  const message = messageOf(cause)
  const frames = framesOf(cause)
  return {
    type: cause.name.slice(0, 100),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
    ...(frames.length > 0 && { at: frames }),
    ...(cause.cause !== undefined &&
      depth < DEEPEST && { cause: causeLine(cause.cause, depth + 1) }),
  }
}

/** `ECONNREFUSED`, `ERR_INVALID_ARG_TYPE`, PostgreSQL's `23505`. */
function codeOf(error: Error): string | undefined {
  const code = 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[A-Za-z0-9_.-]{1,40}$/.test(code) ? code : undefined
}

/**
 * The first line, without what looks like a value: drizzle puts parameters into the second. JSON.parse quotes pieces of its
 * text that are too short to be told from words, so a SyntaxError says nothing but its name.
 */
function messageOf({ name, message }: Error): string | undefined {
  if (name === 'SyntaxError') return undefined
  const [first = ''] = message.split(/[\r\n\u2028\u2029]/, 1)
  return (
    first
      .slice(0, 2000)
      .replace(/\/\/[^/\s@]*@/g, '//…@')
      .replace(/\bparams:.*/s, 'params: …')
      // Digests, tokens, nonces, keys and evidence, in hex, base64 and base64url. What is all small letters names a table or a file.
      .replace(/[A-Za-z0-9+/_=-]{24,}/g, (run) => (/^[a-z/_-]+$/.test(run) ? run : '…'))
      .slice(0, LONGEST_MESSAGE)
  )
}

/** Behind the message, which may hold lines that look like frames. */
function framesOf({ stack = '', message }: Error): readonly string[] {
  const begin = stack.indexOf(message)
  const behind = begin === -1 ? stack : stack.slice(begin + message.length)
  return behind
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MOST_FRAMES)
    .map((line) => line.trim().slice(0, LONGEST_FRAME))
}
