/** `vouchsafe policy`: the Git repository that says what may run, from making one to asking what a change would do. */
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { answering, YES } from './answering.ts'
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

interface Verb {
  readonly summary: string
  /** `args` is what follows the verb. Resolves to the exit code; throws what `answering` tells. */
  readonly run: (args: readonly string[], deps: PolicyDeps) => Promise<number>
  /** Exit code where it could not tell; 1 unless said. */
  readonly fault?: number
}

const verbs: Readonly<Record<string, Verb>> = {
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
  const [name = '', ...rest] = args
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  let isTold = false
  const code = await answering(verb ? `policy ${name}` : 'policy', args, deps, async () => {
    const told = await answerTo(name, verb, { rest, deps })
    isTold = true
    return told
  })
  return isTold ? code : (verb?.fault ?? code)
}

async function answerTo(
  name: string,
  verb: Verb | undefined,
  { rest, deps }: { readonly rest: readonly string[]; readonly deps: PolicyDeps },
): Promise<number> {
  try {
    if (verb) return await verb.run(rest, deps)
  } catch (cause) {
    if (!(cause instanceof HistoryFault)) throw cause
    throw new Mistake(
      `${cause.message}.`,
      `See \`vouchsafe policy ${name} --help\` for what is read.`,
      'file-unreadable',
    )
  }
  if (['help', '--help', '-h'].includes(name)) {
    deps.out(help)
    return YES
  }
  throw new Mistake(
    name === ''
      ? 'What to do with the policy is missing.'
      : `There is no \`vouchsafe policy ${name}\`.`,
    `Choose one of ${Object.keys(verbs).join(', ')}; see \`vouchsafe policy --help\`.`,
  )
}
