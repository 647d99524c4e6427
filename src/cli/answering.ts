/**
 * How every command ends: 0 yes, 2 refused, 1 could not tell. Nothing a command throws gets past here as a stack trace,
 * and with --json what went wrong is an object on stdout, so that a program never has to read prose.
 */
import { Problem, problemTypes } from '../problems.ts'
import { Mistake } from './arguments.ts'
import { printable } from './text.ts'

export const YES = 0
export const COULD_NOT_TELL = 1
export const REFUSED = 2

/** Both take whole text, line ends included, as a stream's `write` does. */
export interface Output {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

interface Fault {
  readonly code: string
  readonly detail: string
  readonly next: string
}

/** Runs `body` and resolves to its exit code, or to 1 with the reason written. Never rejects. */
export async function answering(
  command: string,
  args: readonly string[],
  { out, err }: Output,
  body: () => Promise<number>,
): Promise<number> {
  try {
    return await body()
  } catch (error) {
    const fault = faultOf(error)
    // Looked up by hand: the arguments may be the very thing that could not be parsed.
    if (args.includes('--json')) out(`${JSON.stringify({ error: fault })}\n`)
    else
      err(
        `vouchsafe${command && ` ${printable(command)}`}: ${printable(fault.detail)}\nWhat to do: ${printable(fault.next)}\n`,
      )
    return COULD_NOT_TELL
  }
}

function faultOf(error: unknown): Fault {
  if (error instanceof Mistake) return { code: error.code, detail: error.detail, next: error.next }
  if (error instanceof Problem)
    return { code: error.code, detail: error.detail, next: problemTypes[error.code].next }
  return {
    code: 'internal-error',
    detail: `it failed in a way that it should not: ${error instanceof Error ? error.message : String(error)}`,
    next: 'This is a bug in vouchsafe, and nothing was decided. Report the command line and, if you may, the file.',
  }
}
