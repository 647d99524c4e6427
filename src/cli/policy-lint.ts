/** `vouchsafe policy lint`: every mistake in a working folder, committed or not, at its line and column. */
import { createHash } from 'node:crypto'
import { readStatement } from '../policy/acceptance/approval-statement.ts'
import { type FileMistake, mistakeText, type PolicyFile, readPolicy } from '../policy/policy.ts'
import { REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { whileReading } from './policy-reading.ts'
import { coloured, counted, plain, printable } from './text.ts'

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy lint [PATH]: every mistake in the working folder of a policy repository

  PATH                   the repository's folder (default: this one)
  --json                 print {valid, files, mistakes: [{file, line, column, message}]}

Reads what is on disk, committed or not: trust files, manifests, measurement lists, revocations, heartbeat and approvals by
their schemas, YAML's traps, every rule compiled and asked its own cases. Says nothing about signatures: that is what
\`vouchsafe policy verify\` does.
Exits 0 (no mistake), 2 (mistakes) or 1 (could not tell).
`

export async function lintPolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy lint', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const folder = await deps.openWorkingFolder(folderOf('policy lint', positionals))
  const files = await folder.files()
  const reading = await whileReading(
    deps,
    async (context) => await readPolicy(files, { ...context, commit: 'working folder' }),
  )
  const mistakes = [
    ...('mistakes' in reading ? reading.mistakes : []),
    ...files.flatMap(statementMistakes),
  ]
  const valid = mistakes.length === 0
  const paint = deps.colour ? coloured : plain
  deps.out(
    values.json
      ? `${JSON.stringify({ valid, files: files.length, mistakes })}\n`
      : [
          ...mistakes.map((mistake) => `${printable(mistakeText(mistake))}\n`),
          valid
            ? `${paint('good', 'No mistake')} in ${counted(files.length, 'file')}.\n`
            : `${paint('bad', counted(mistakes.length, 'mistake'))} in ${counted(files.length, 'file')}.\n`,
        ].join(''),
  )
  return valid ? YES : REFUSED
}

/** The one folder that a verb may be given; this one where it is not. */
export function folderOf(command: string, positionals: readonly string[]): string {
  const [path = '.', stray] = positionals
  if (stray !== undefined)
    throw new Mistake(
      `One folder is taken at a time, and ${positionals.length} were given: ${positionals.join(', ')}.`,
      `See \`vouchsafe ${command} --help\`.`,
    )
  return path
}

/** A statement that cannot be read, or stands under another name, counts for nothing and says so nowhere else. */
function statementMistakes({ path, bytes }: PolicyFile): readonly FileMistake[] {
  const [, folder] = /^approvals\/([^/]+)\/statement\.json$/.exec(path) ?? []
  if (folder === undefined) return []
  const reading = readStatement(bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const messages = [
    ...('mistake' in reading ? [`this statement ${reading.mistake}`] : []),
    ...(folder === sha256
      ? []
      : [`the folder must be called ${sha256}, the SHA-256 of this very file`]),
  ]
  return messages.map((message) => ({ file: path, line: 1, column: 1, message }))
}
