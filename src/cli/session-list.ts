/** `vouchsafe session list`: which sessions there are, how each stands, and what watching them costs. */
import { type SessionLine, sessionsResponse, standings } from '../service/session-report.ts'
import { type SessionSummary, sessionSummary } from '../service/session-summary.ts'
import { YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { tenantOf, type Values } from './release-access.ts'
import {
  agentIn,
  askSessions,
  type SessionDeps,
  sessionHelp,
  sessionOptions,
} from './session-access.ts'
import { lineText } from './session-text.ts'
import { coloured, counted, plain, printable } from './text.ts'

const options = {
  ...sessionOptions,
  agent: { type: 'string' },
  environment: { type: 'string' },
  standing: { type: 'string' },
  summary: { type: 'boolean' },
} as const

const help = `vouchsafe session list: which sessions there are, and how each stands at this moment

  --agent ENV/AGENT      only of this agent
  --environment NAME     only of this environment
  --standing STANDING    only these: ${standings.join(', ')}
  --summary              how many are in which state, and what watching them costs: heartbeats and quotes a minute
  --tenant NAME          default: default
${sessionHelp('any role but enforcer')}
  --json                 {sessions: [{id, environment, agent, state, standing, reason, heardAt, ...}]}, or the summary

Exits 0 or 1 (could not tell).

Example:
  vouchsafe session list --standing quarantined --url https://attest.example.com --token-file token
`

export async function listVerb(args: readonly string[], deps: SessionDeps): Promise<number> {
  const { values, positionals } = parseArguments('session list', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('session list', positionals, '`vouchsafe session show ID` shows one.')
  const tenant = tenantOf(values)
  if (values.summary) {
    const path = `/v1/session-summary?tenant=${tenant}`
    const summary = await askSessions({ method: 'GET', path }, sessionSummary, { values, deps })
    deps.out(values.json ? `${JSON.stringify(summary)}\n` : summaryText(summary))
    return YES
  }
  const sessions = await everyOne(queryOf(values, tenant), { values, deps })
  const paint = deps.colour ? coloured : plain
  deps.out(
    values.json
      ? `${JSON.stringify({ sessions })}\n`
      : sessions.length === 0
        ? 'There are none.\n'
        : sessions.map((session) => lineText(session, paint)).join(''),
  )
  return YES
}

function queryOf(values: Values, tenant: string): URLSearchParams {
  const query = new URLSearchParams({ tenant })
  const agent = agentIn(values)
  const { environment = agent?.environment, standing } = values
  if (environment !== undefined) query.set('environment', String(environment))
  if (agent) query.set('agent', agent.agent)
  if (standing === undefined) return query
  if (!standings.some((each) => each === standing))
    throw new Mistake(
      '--standing is none.',
      `Give one of ${standings.join(', ')}; LATE and SUSPENDED by silence are states of open ones.`,
    )
  query.set('standing', String(standing))
  return query
}

async function everyOne(
  query: URLSearchParams,
  asking: { readonly values: Values; readonly deps: SessionDeps },
): Promise<readonly SessionLine[]> {
  const all: SessionLine[] = []
  for (let after: string | undefined; ; ) {
    if (after !== undefined) query.set('after', after)
    const question = { method: 'GET', path: `/v1/sessions?${query}` } as const
    const page = await askSessions(question, sessionsResponse, asking)
    all.push(...page.sessions)
    if (page.after === null) return all
    // A service that says the same again would keep us for ever.
    if (page.after === after)
      throw new Mistake(
        'The list does not come to an end: the service names the same place again.',
        'Use the command line of the version that the service runs.',
      )
    after = page.after
  }
}

function summaryText(summary: SessionSummary): string {
  const { states, agents, sessions, heartbeatsPerMinute, quotesPerMinute } = summary
  const held = Object.entries(states).filter(([, count]) => count > 0)
  return [
    `${counted(sessions, 'session')}: ${held.map(([state, count]) => `${count} ${state}`).join(', ') || 'none'}`,
    `${heartbeatsPerMinute} heartbeats and ${quotesPerMinute} quotes a minute`,
    ...agents.map(
      (each) =>
        `  ${printable(`${each.environment}/${each.agent}`)}: ${each.sessions} open, heartbeat every ${each.heartbeatSeconds} s (${each.heartbeatsPerMinute} a minute), quote every ${each.attestEverySeconds} s (${each.quotesPerMinute} a minute)`,
    ),
    '',
  ].join('\n')
}
