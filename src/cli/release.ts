/** `vouchsafe release`: the secrets and model keys that attested agents may be given. */
import { approvalsVerb, approveVerb } from './release-approvals.ts'
import type { ReleaseDeps } from './release-deps.ts'
import { listVerb } from './release-list.ts'
import { putVerb, rotateVerb } from './release-put.ts'
import { revokeVerb } from './release-revoke.ts'
import { runVerb, type Verb } from './verbs.ts'

const verbs: Readonly<Record<string, Verb<ReleaseDeps>>> = {
  put: { summary: 'add a secret or model key, from a file or a pipe', run: putVerb },
  rotate: { summary: 'another version of it, or another way to have it', run: rotateVerb },
  list: { summary: 'which there are, and how each may be had; never what they are', run: listVerb },
  revoke: { summary: 'end versions at once: nobody is given them any more', run: revokeVerb },
  approvals: { summary: 'which agents wait for operators to agree', run: approvalsVerb },
  approve: { summary: 'agree that an agent may have a secret', run: approveVerb },
}

const help = `vouchsafe release: the secrets and model keys that attested agents may be given

${Object.entries(verbs)
  .map(([name, { summary }]) => `  vouchsafe release ${name.padEnd(9)} ${summary}`)
  .join('\n')}

Each takes --help and --json.
`

/** `args` is what follows `release`. Resolves to the exit code; never rejects. */
export async function releaseCommand(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  return await runVerb(
    {
      command: 'release',
      verbs,
      help,
      missing: 'What to do is missing.',
      unknown: 'There is no such verb of `vouchsafe release`.',
    },
    args,
    deps,
  )
}
