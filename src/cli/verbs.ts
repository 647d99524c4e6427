/** How a command that has verbs (`vouchsafe keys list`) runs the one that was named, and what it says to any other. */
import { answering, type Output, YES } from './answering.ts'
import { Mistake } from './arguments.ts'

export interface Verb<Deps> {
  readonly summary: string
  /** `args` is what follows the verb. Resolves to the exit code; throws what `answering` tells. */
  readonly run: (args: readonly string[], deps: Deps) => Promise<number>
}

export interface VerbCommand<Deps> {
  /** The word after `vouchsafe`. */
  readonly command: string
  readonly verbs: Readonly<Record<string, Verb<Deps>>>
  readonly help: string
  /** Where no verb is given. */
  readonly missing: string
  /** Where there is none of that name. Default: names it. */
  readonly unknown?: string
  /** Around whichever verb runs: tells faults of its own as Mistakes. */
  readonly around?: (verb: string, run: () => Promise<number>) => Promise<number>
}

/** `args` is what follows the command. Resolves to the exit code; never rejects. */
export async function runVerb<Deps extends Output>(
  { command, verbs, help, missing, unknown, around = (_, run) => run() }: VerbCommand<Deps>,
  args: readonly string[],
  deps: Deps,
): Promise<number> {
  const [name = '', ...rest] = args
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  return await answering(verb ? `${command} ${name}` : command, args, deps, async () => {
    if (verb) return await around(name, () => verb.run(rest, deps))
    if (['help', '--help', '-h'].includes(name)) {
      deps.out(help)
      return YES
    }
    throw new Mistake(
      name === '' ? missing : (unknown ?? `There is no \`vouchsafe ${command} ${name}\`.`),
      `Choose one of ${Object.keys(verbs).join(', ')}; see \`vouchsafe ${command} --help\`.`,
    )
  })
}
