/** `vouchsafe session`: the agents that are watched while they run, and what operators do about them. */

import type { SessionDeps } from './session-access.ts'
import { actVerbs } from './session-act.ts'
import { bansVerb, banVerb, unbanVerb } from './session-ban.ts'
import { listVerb } from './session-list.ts'
import { showVerb } from './session-show.ts'
import { watchVerb } from './session-watch.ts'
import { runVerb, type Verb } from './verbs.ts'

const verbs: Readonly<Record<string, Verb<SessionDeps>>> = {
  list: {
    summary: 'which there are and how each stands; --summary: how many, and the cost',
    run: listVerb,
  },
  show: { summary: 'one: what it measured, and what brought it down', run: showVerb },
  watch: {
    summary: 'follow what happens to sessions, bans and tokens, as it happens',
    run: watchVerb,
  },
  ...actVerbs,
  ban: { summary: 'a machine: no session and no token on it until it is lifted', run: banVerb },
  unban: { summary: 'lift a ban', run: unbanVerb },
  bans: { summary: 'which machines are banned', run: bansVerb },
}

const help = `vouchsafe session: the agents that are watched while they run

${Object.entries(verbs)
  .map(([name, { summary }]) => `  vouchsafe session ${name.padEnd(10)} ${summary}`)
  .join('\n')}

Each asks a running service (--url, --token-file) and takes --help and --json.
`

/** `args` is what follows `session`. Resolves to the exit code; never rejects. */
export async function sessionCommand(args: readonly string[], deps: SessionDeps): Promise<number> {
  return await runVerb(
    {
      command: 'session',
      verbs,
      help,
      missing: 'What to do is missing.',
      unknown: 'There is no such verb of `vouchsafe session`.',
    },
    args,
    deps,
  )
}
