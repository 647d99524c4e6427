/** `vouchsafe session quarantine|release|evict|quote ID`: what an operator decides about one session. */
import type { SessionAction, sessionActions } from '../service/act-on-session.ts'
import { sessionLine } from '../service/session-report.ts'
import { YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import {
  askSessions,
  reasonOf,
  type SessionDeps,
  sessionHelp,
  sessionNamed,
  sessionOptions,
} from './session-access.ts'
import { lineText } from './session-text.ts'
import { coloured, plain } from './text.ts'
import type { Verb } from './verbs.ts'

const says: Readonly<Record<SessionAction, { readonly summary: string; readonly more: string }>> = {
  quarantine: {
    summary: 'end its tokens, and let nothing go on until it is released',
    more: 'Its tokens are revoked at once, and it is given neither tokens nor secrets. Its agent gets\nnothing in another session of the same boot either. Ban its machine for more than that.',
  },
  release: {
    summary: 'let a quarantined one go on, once it brought a full quote',
    more: 'It is suspended until then. What the policy of now does not approve brings it down again.',
  },
  evict: {
    summary: 'end it; its agent may open another',
    more: 'Its tokens are revoked at once. Who must not come back is banned: `vouchsafe session ban`.',
  },
  quote: {
    summary: 'ask it for a full quote at once',
    more: 'It holds on meanwhile; without the quote it is given no tokens after a while.',
  },
}

const options = { ...sessionOptions, reason: { type: 'string' } } as const

export const actVerbs: Readonly<Record<SessionAction, Verb<SessionDeps>>> = {
  quarantine: verbOf('quarantine'),
  release: verbOf('release'),
  evict: verbOf('evict'),
  quote: verbOf('quote'),
}

function verbOf(action: (typeof sessionActions)[number]): Verb<SessionDeps> {
  const { summary } = says[action]
  return { summary, run: async (args, deps) => await act(action, args, deps) }
}

function helpOf(action: SessionAction): string {
  const { summary, more } = says[action]
  return `vouchsafe session ${action} ID --reason TEXT: ${summary}

${more}

  --reason TEXT          one sentence for whoever asks why; it is kept in the log
${sessionHelp('role operator')}
  --json                 {id, environment, agent, state, standing, reason, by, ...}

Exits 0 or 1 (could not tell, or not with a session in that state). Asked twice, it is done once.

Example:
  vouchsafe session ${action} 8hXvR4mZsR2cSxqoW1oXQw --reason "ticket 42" --url https://attest.example.com --token-file token
`
}

async function act(
  action: SessionAction,
  args: readonly string[],
  deps: SessionDeps,
): Promise<number> {
  const { values, positionals } = parseArguments(`session ${action}`, args, options)
  if (values.help) {
    deps.out(helpOf(action))
    return YES
  }
  const path = `/v1/sessions/${sessionNamed(action, positionals)}/actions`
  const body = { action, reason: reasonOf(values) }
  const session = await askSessions({ method: 'POST', path, body }, sessionLine, { values, deps })
  deps.out(
    values.json
      ? `${JSON.stringify(session)}\n`
      : lineText(session, deps.colour ? coloured : plain),
  )
  return YES
}
