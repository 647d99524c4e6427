/**
 * What may stand on a command line, and what is said when something else does. Options are a table for `parseArgs`;
 * an option that may appear once and appears twice is refused, because the later one would win in silence.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'

export type MistakeCode = 'arguments-invalid' | 'file-unreadable'

/** What the caller asked wrongly: a sentence that says what, and one that says what to do next. Exit code 1. */
export class Mistake extends Error {
  override readonly name = 'Mistake'
  readonly detail: string
  readonly next: string
  readonly code: MistakeCode

  constructor(detail: string, next: string, code: MistakeCode = 'arguments-invalid') {
    super(detail)
    this.detail = detail
    this.next = next
    this.code = code
  }
}

type Options = NonNullable<ParseArgsConfig['options']>
type Config<O extends Options> = { args: string[]; options: O; allowPositionals: true }
export type Parsed<O extends Options> = Pick<
  ReturnType<typeof parseArgs<Config<O>>>,
  'values' | 'positionals'
>

/** Throws Mistake. `command` is the word after `vouchsafe`. */
export function parseArguments<const O extends Options>(
  command: string,
  args: readonly string[],
  options: O,
): Parsed<O> {
  const help = `See \`vouchsafe ${command} --help\`.`
  try {
    const config = {
      args: idsAreNoOptions(args, options),
      options,
      allowPositionals: true,
    } as const
    for (const [name, times] of timesGiven(config))
      if (times > 1 && !options[name]?.multiple)
        throw new Mistake(`--${name} was given ${times} times and is taken once.`, help)
    return parseArgs(config)
  } catch (error) {
    // parseArgs throws a TypeError with such a code, and a sentence, for every argument that does not fit the table.
    if (
      error instanceof TypeError &&
      'code' in error &&
      `${error.code}`.startsWith('ERR_PARSE_ARGS')
    )
      throw new Mistake(error.message, help)
    throw error
  }
}

/**
 * Ids are random in base64url, and one in 64 begins with a hyphen: such a word is an id, since no letters that stand together
 * behind one hyphen are as many.
 */
const ID = /^-[A-Za-z0-9_][\w-]{14,}$/

/** Such an id is what the option before it takes, where there is one that takes something; it goes behind `--` otherwise. */
function idsAreNoOptions(args: readonly string[], options: Options): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  const words: string[] = []
  const ids: string[] = []
  for (const word of args.slice(0, end)) {
    const before = words.at(-1)
    if (!ID.test(word)) words.push(word)
    else if (before?.startsWith('--') && options[before.slice(2)]?.type === 'string')
      words[words.length - 1] = `${before}=${word}`
    else ids.push(word)
  }
  return ids.length === 0
    ? [...words, ...args.slice(end)]
    : [...words, '--', ...ids, ...args.slice(end + 1)]
}

function timesGiven(config: ParseArgsConfig): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  for (const token of parseArgs({ ...config, tokens: true }).tokens)
    if (token.kind === 'option') times.set(token.name, (times.get(token.name) ?? 0) + 1)
  return times
}

/** The one PATH that a command takes. Throws Mistake. */
export function onePath(command: string, what: string, positionals: readonly string[]): string {
  const [path, ...more] = positionals
  if (path === undefined || path === '')
    throw new Mistake(
      `${what} is missing.`,
      `Begin with \`vouchsafe ${command} ${what}\`; see \`vouchsafe ${command} --help\`.`,
    )
  if (more.length > 0)
    throw new Mistake(
      `One ${what} is taken at a time and ${positionals.length} were given: ${positionals.join(', ')}.`,
      'Run the command once for each, and quote what contains spaces.',
    )
  return path
}

/** Of a command that takes options alone. Throws Mistake. */
export function noPath(command: string, positionals: readonly string[], next: string): void {
  const [stray] = positionals
  if (stray !== undefined) throw new Mistake(`\`vouchsafe ${command}\` takes no ${stray}.`, next)
}

/** `NAME=VALUE`, split at the first equals sign. Throws Mistake. */
export function namedValue(
  option: string,
  text: string,
  example: string,
): { readonly name: string; readonly value: string } {
  const split = text.indexOf('=')
  if (split < 1)
    throw new Mistake(`--${option} ${text} names nothing.`, `Write it as --${option} ${example}.`)
  return { name: text.slice(0, split), value: text.slice(split + 1) }
}
