/** `vouchsafe policy pin`: what a service is configured with, so that nobody's first commit is taken on trust. */
import { trustDigest } from '../policy/policy-digest.ts'
import { YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import type { PolicyDeps } from './policy-deps.ts'
import { placeOf } from './policy-place.ts'

const options = {
  repository: { type: 'string' },
  branch: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe policy pin [--repository PATH_OR_URL]: both pins of a branch as it stands

  --repository WHERE     path of a clone, or an address that Git can fetch from (default: .)
  --branch NAME          default: what is checked out for a path, main for an address
  --json                 print {branch, commit, trustDigest}

A trust digest names the files under trust/: a service begins at the oldest commit that has them, and judges everything since.
A commit is begun at as it is, whoever signed it. Compare either with what its owners tell you by another way: whoever serves
the repository could serve another. Exits 0 or 1 (could not).

Example:
  vouchsafe policy pin --repository https://git.example.com/policy.git
`

export async function pinPolicy(args: readonly string[], deps: PolicyDeps): Promise<number> {
  const { values, positionals } = parseArguments('policy pin', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const opened = await deps.openRepository(placeOf('policy pin', values, positionals))
  try {
    const { history, candidate: commit, branch } = opened
    const digest = trustDigest(await history.filesOf(commit, ['trust/']))
    deps.out(
      values.json
        ? `${JSON.stringify({ branch, commit, trustDigest: digest })}\n`
        : `trust digest  ${digest}\ncommit        ${commit}\n\nEither is a value for VOUCHSAFE_POLICY_PIN.\n`,
    )
    return YES
  } finally {
    await opened.close()
  }
}
