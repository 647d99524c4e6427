/** `vouchsafe session show ID`: what a session measured, what is wrong with it, and what brought it down. */
import { type SessionDocument, sessionDocument } from '../service/session-report.ts'
import { YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import {
  askSessions,
  type SessionDeps,
  sessionHelp,
  sessionNamed,
  sessionOptions,
} from './session-access.ts'
import { stateText } from './session-text.ts'
import { coloured, type Paint, plain, printable } from './text.ts'

const help = `vouchsafe session show ID: what a session measured, what is wrong with it, and what brought it down

${sessionHelp('any role but enforcer')}
  --json                 everything that is told of it; the measurements themselves, the newest 1,000

Exits 0 or 1 (could not tell, or there is no such session).

Example:
  vouchsafe session show 8hXvR4mZsR2cSxqoW1oXQw --url https://attest.example.com --token-file token
`

export async function showVerb(args: readonly string[], deps: SessionDeps): Promise<number> {
  const { values, positionals } = parseArguments('session show', args, sessionOptions)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const path = `/v1/sessions/${sessionNamed('show', positionals)}`
  const session = await askSessions({ method: 'GET', path }, sessionDocument, { values, deps })
  deps.out(
    values.json
      ? `${JSON.stringify(session)}\n`
      : documentText(session, deps.colour ? coloured : plain),
  )
  return YES
}

/** Enough for whoever looks; --json has more. */
const MOST_SHOWN = 10

function documentText(session: SessionDocument, paint: Paint): string {
  const { state, id, environment, agent, measured, findings, modes, demanded } = session
  const kinds = Object.entries(measured.kinds).map(([kind, count]) => `${count} ${kind}`)
  const newest = measured.newest.slice(-MOST_SHOWN)
  const rows: readonly (readonly [string, string])[] = [
    ['agent', `${environment}/${agent}`],
    ...(session.reason === ''
      ? []
      : [['why', `${session.reason} (by ${session.by}, ${session.changedAt})`] as const]),
    ['heard', `${session.heardAt}; LATE after ${session.leaseUntil} unless it is heard`],
    [
      'quoted',
      `${session.quotedAt}, every ${session.attestEverySeconds} s${demanded ? `; demanded: ${demanded}` : ''}`,
    ],
    ['appraisal', `${session.appraisal}: see \`vouchsafe explain\``],
    ['machine', session.platforms.join(' ')],
    ['watched', modes.length === 0 ? 'nothing' : modes.join(' ')],
    [
      'told',
      `${session.seq} messages, ${session.measurements} measurements, ${session.behaviours} lines of behaviour, ${session.dropped} lost`,
    ],
    ['measured', kinds.length === 0 ? 'nothing' : kinds.join(', ')],
  ]
  return [
    `${stateText(state, paint)} ${id}`,
    ...rows.map(([name, text]) => `  ${name.padEnd(10)} ${printable(text)}`),
    ...newest.map(({ kind, path, digest }) => `    ${printable(`${kind} ${path} ${digest}`)}`),
    ...findings.map(
      ({ id: check, detail }) =>
        `  ${paint('bad', 'not approved')} ${printable(`${check}: ${detail}`)}`,
    ),
    '',
  ].join('\n')
}
