/**
 * Where a secret comes from: a file or a pipe, and never the command line, which everybody on the machine may read and every
 * shell remembers. What looks like one there is refused, and not repeated.
 */
import { LARGEST_SECRET, RESOURCE_NAME } from '../service/resource-name.ts'
import { Mistake } from './arguments.ts'
import { readFile } from './files.ts'
import type { ReleaseDeps } from './release-deps.ts'

/** The one NAME that a verb takes. Throws Mistake, which quotes nothing: what stands there may be the secret. */
export function resourceNamed(verb: string, positionals: readonly string[]): string {
  const [name, ...more] = positionals
  if (name === undefined)
    throw new Mistake(
      'NAME is missing.',
      `Begin with \`vouchsafe release ${verb} secret:db-ro\`; see \`vouchsafe release ${verb} --help\`.`,
    )
  if (more.length > 0)
    throw new Mistake(
      `\`vouchsafe release ${verb}\` takes one NAME, and never a secret: command lines are read by others and kept by shells.`,
      'Name a file with --file, or pipe the secret in. If a secret stood there, it was seen: change it.',
    )
  if (RESOURCE_NAME.test(name)) return name
  throw new Mistake(
    'NAME is no name of a resource, which is secret: or model: and lower-case letters, digits and any of ._- after it.',
    'Name it as the scopes of release rules do: secret:db-ro. If a secret stood there, it was seen: change it.',
  )
}

export interface SecretSource {
  /** Undefined: standard input. */
  readonly file: string | undefined
  readonly stripNewline: boolean
}

/** Throws Mistake. Says on `err` what is easily overlooked. */
export async function secretFrom(
  { file, stripNewline }: SecretSource,
  { files, stdin, err }: Pick<ReleaseDeps, 'files' | 'stdin' | 'err'>,
): Promise<Uint8Array> {
  const read =
    file === undefined || file === '-' ? await piped(stdin) : await readFile(files, file, '--file')
  const endsLine = read.at(-1) === LINE_FEED
  const secret = stripNewline && endsLine ? read.subarray(0, -1) : read
  if (secret.length === 0)
    throw new Mistake('The secret is empty.', 'Check the file, or what was piped in.')
  if (secret.length > LARGEST_SECRET)
    throw new Mistake(
      `The secret has more than ${LARGEST_SECRET} bytes.`,
      'Encrypt it under a key that is a resource; models are sealed by `vouchsafe model seal`.',
    )
  if (endsLine && !stripNewline && isText(secret))
    err('The line feed at its end is part of the secret; --strip-newline leaves it out.\n')
  return secret
}

const LINE_FEED = 10

async function piped({ isTerminal, read }: ReleaseDeps['stdin']): Promise<Uint8Array> {
  if (isTerminal)
    throw new Mistake(
      'There is no secret: standard input is a terminal.',
      'Name a file with --file, or pipe the secret in.',
    )
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of read()) {
    chunks.push(chunk)
    size += chunk.length
    // One byte too many is refused by who counts them; the rest need not come.
    if (size > LARGEST_SECRET + 1) break
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** A key of random bytes may end so by chance, and nobody typed it. */
function isText(bytes: Uint8Array): boolean {
  try {
    return !/[^\P{Cc}\r\n\t]/u.test(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return false
  }
}
