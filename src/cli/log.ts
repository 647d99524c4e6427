/** `vouchsafe log`: the transparency log, from the side of those who do not have to trust it. */
import { LogFault } from '../log/log-fault.ts'
import { Mistake } from './arguments.ts'
import type { LogDeps } from './log-deps.ts'
import { proveLog } from './log-prove.ts'
import { verifyLog } from './log-verify.ts'
import { witnessLog } from './log-witness.ts'
import { runVerb, type Verb } from './verbs.ts'

const verbs: Readonly<Record<string, Verb<LogDeps>>> = {
  verify: { summary: 'is the log what it says, and does it continue what it was?', run: verifyLog },
  prove: { summary: 'prove that a decision is in it, to whoever has its key', run: proveLog },
  witness: { summary: 'cosign it while it only grows', run: witnessLog },
}

const help = `vouchsafe log: every decision of a verifier, provable to those who do not trust it

${Object.entries(verbs)
  .map(([name, { summary }]) => `  vouchsafe log ${name.padEnd(8)} ${summary}`)
  .join('\n')}

Each takes --help and --json. docs/transparency.md says what is logged and what that proves.
`

/** `args` is what follows `log`. Resolves to the exit code; never rejects. */
export async function logCommand(args: readonly string[], deps: LogDeps): Promise<number> {
  return await runVerb(
    {
      command: 'log',
      verbs,
      help,
      missing: 'What to do with the log is missing.',
      around: (_, run) => told(run),
    },
    args,
    deps,
  )
}

/** A log that contradicts itself outside of what a verb judges: nothing can be told by it. */
async function told(run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (cause) {
    if (!(cause instanceof LogFault)) throw cause
    throw new Mistake(
      `${cause.message}.`,
      'What was asked is no log of this kind, or not to be trusted.',
    )
  }
}
