/** `vouchsafe session ban|unban|bans`: machines on which nothing is attested, for one agent or for every one. */
import {
  bannedResponse,
  bansResponse,
  type LiftedReport,
  liftedResponse,
} from '../service/ban-report.ts'
import { YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { tenantOf } from './release-access.ts'
import {
  agentIn,
  askSessions,
  reasonOf,
  type SessionDeps,
  sessionHelp,
  sessionOptions,
} from './session-access.ts'
import { counted, printable } from './text.ts'

const options = {
  ...sessionOptions,
  agent: { type: 'string' },
  reason: { type: 'string' },
  session: { type: 'string' },
} as const

const changing = `  --agent ENV/AGENT      for this agent alone; default: for every agent
  --reason TEXT          one sentence for whoever asks why; it is kept in the log
  --tenant NAME          default: default
${sessionHelp('role operator')}`

const banHelp = `vouchsafe session ban PLATFORM | --session ID: no session and no token on a machine until the ban is lifted

Its sessions end at once, and live tokens that rest on its evidence are revoked within seconds. What is refused for it
fails the check revoked.ban.

  PLATFORM               name of the machine in hex, as \`vouchsafe session show\` has it
  --session ID           the machine that this session runs on, under each of its names
${changing}
  --json                 {bans: [{platform, agent, reason, by, at}], sessions, next}

Exits 0 or 1 (could not tell).

Example:
  vouchsafe session ban --session 8hXvR4mZsR2cSxqoW1oXQw --reason "stolen blade" --url https://attest.example.com --token-file token
`

const unbanHelp = `vouchsafe session unban PLATFORM...: lift a ban, under each name of the machine

What ended by the ban stays over: agents on the machine open new sessions.

  PLATFORM               as \`vouchsafe session bans\` has it
${changing}
  --json                 {lifted: [{platform, agent, reason, by, at}], next}

Exits 0 or 1 (could not tell, or there is no such ban).
`

const bansHelp = `vouchsafe session bans: which machines are banned, for whom, by whom and why

  --tenant NAME          default: default
${sessionHelp('any role but enforcer')}
  --json                 {bans: [{platform, agent, reason, by, at}]}

Exits 0 or 1 (could not tell).
`

export async function banVerb(args: readonly string[], deps: SessionDeps): Promise<number> {
  const { values, positionals } = parseArguments('session ban', args, options)
  if (values.help) {
    deps.out(banHelp)
    return YES
  }
  const { session } = values
  const agent = agentIn(values)
  const body = {
    tenant: tenantOf(values),
    ...(session === undefined ? { platform: platformIn('ban', positionals) } : { session }),
    ...(agent && { agent }),
    reason: reasonOf(values),
  }
  if (session !== undefined)
    noPath('session ban --session', positionals, 'Name the machine or the session, not both.')
  const question = { method: 'POST', path: '/v1/bans', body } as const
  const report = await askSessions(question, bannedResponse, { values, deps })
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : `${report.bans.map(banText).join('')}${counted(report.sessions, 'session')} ended by it.\n${printable(report.next)}\n`,
  )
  return YES
}

export async function unbanVerb(args: readonly string[], deps: SessionDeps): Promise<number> {
  const { session: _, ...own } = options
  const { values, positionals } = parseArguments('session unban', args, own)
  if (values.help) {
    deps.out(unbanHelp)
    return YES
  }
  const agent = agentIn(values)
  const common = { tenant: tenantOf(values), ...(agent && { agent }), reason: reasonOf(values) }
  const platforms = positionals.length === 0 ? [''] : positionals
  const lifted: LiftedReport['lifted'][] = []
  let next = ''
  for (const platform of platforms.map((each) => platformIn('unban', [each]))) {
    const question = {
      method: 'POST',
      path: '/v1/bans/lifts',
      body: { ...common, platform },
    } as const
    const report = await askSessions(question, liftedResponse, { values, deps })
    lifted.push(report.lifted)
    next = report.next
  }
  deps.out(
    values.json
      ? `${JSON.stringify({ lifted, next })}\n`
      : `${lifted.map((each) => `lifted: ${banText(each)}`).join('')}${printable(next)}\n`,
  )
  return YES
}

export async function bansVerb(args: readonly string[], deps: SessionDeps): Promise<number> {
  const { values, positionals } = parseArguments('session bans', args, sessionOptions)
  if (values.help) {
    deps.out(bansHelp)
    return YES
  }
  noPath('session bans', positionals, 'It lists all of them.')
  const path = `/v1/bans?tenant=${tenantOf(values)}`
  const report = await askSessions({ method: 'GET', path }, bansResponse, { values, deps })
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : report.bans.length === 0
        ? 'There are none.\n'
        : report.bans.map(banText).join(''),
  )
  return YES
}

function banText({
  platform,
  agent,
  reason,
  by,
  at,
}: {
  readonly platform: string
  readonly agent: { readonly environment: string; readonly agent: string } | null
  readonly reason: string
  readonly by: string
  readonly at: string
}): string {
  const whom = agent ? `${agent.environment}/${agent.agent}` : 'every agent'
  return `${printable(`${platform}  ${whom}, by ${by} at ${at}: ${reason}`)}\n`
}

/** Throws Mistake. */
function platformIn(verb: string, positionals: readonly string[]): string {
  const [platform, ...more] = positionals
  if (platform !== undefined && more.length === 0 && /^([0-9a-f]{2}){8,64}$/.test(platform))
    return platform
  throw new Mistake(
    `\`vouchsafe session ${verb}\` takes the name of one machine, in hex.`,
    '`vouchsafe session show ID` has the names of the machine that a session runs on.',
  )
}
