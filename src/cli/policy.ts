/** `vouchsafe policy`: the Git repository that says what may run, from making one to asking what a change would do. */
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { Mistake } from './arguments.ts'
import { approvePolicy } from './policy-approve.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { DIFF_FAULT, diffPolicy } from './policy-diff.ts'
import { initPolicy } from './policy-init.ts'
import { lintPolicy } from './policy-lint.ts'
import { pinPolicy } from './policy-pin.ts'
import { policyStatus } from './policy-status.ts'
import { testPolicy } from './policy-test.ts'
import { verifyPolicy } from './policy-verify.ts'
import { runVerb, type Verb } from './verbs.ts'

interface PolicyVerb extends Verb<PolicyDeps> {
  /** Exit code where it could not tell; 1 unless said. */
  readonly fault?: number
}

const verbs: Readonly<Record<string, PolicyVerb>> = {
  init: { summary: 'make a working, signed repository', run: initPolicy },
  lint: { summary: 'is this working folder free of mistakes?', run: lintPolicy },
  test: { summary: 'do the rules hold for their own cases?', run: testPolicy },
  approve: {
    summary: 'sign an approval of a file’s new content, or of a reset',
    run: approvePolicy,
  },
  verify: { summary: 'would this commit be accepted?', run: verifyPolicy },
  pin: { summary: 'what to configure, so that no first commit is taken on trust', run: pinPolicy },
  status: { summary: 'which policy does a service enforce, and what ails it?', run: policyStatus },
  diff: {
    summary: 'which agents would change verdict?',
    run: diffPolicy,
    fault: DIFF_FAULT,
  },
}

const help = `vouchsafe policy: the Git repository that says what may run, and what it may get

${Object.entries(verbs)
  .map(([name, { summary }]) => `  vouchsafe policy ${name.padEnd(9)} ${summary}`)
  .join('\n')}

Each takes --help and --json. docs/policy.md is the guide: begin with \`vouchsafe policy init DIRECTORY\`.
`

/** `args` is what follows `policy`. Resolves to the exit code; never rejects. */
export async function policyCommand(args: readonly string[], deps: PolicyDeps): Promise<number> {
  let fault: number | undefined
  const code = await runVerb(
    {
      command: 'policy',
      verbs,
      help,
      missing: 'What to do with the policy is missing.',
      async around(name, run) {
        fault = verbs[name]?.fault
        const told = await tellingHistory(name, run)
        fault = undefined
        return told
      },
    },
    args,
    deps,
  )
  return fault ?? code
}

async function tellingHistory(verb: string, run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (cause) {
    if (!(cause instanceof HistoryFault)) throw cause
    throw new Mistake(
      `${cause.message}.`,
      `See \`vouchsafe policy ${verb} --help\` for what is read.`,
      'file-unreadable',
    )
  }
}
