/**
 * `vouchsafe agent run`: starts a program as a watched agent, and keeps its session for as long as it runs. The keys stay in this
 * process; the program asks it for tokens, proofs and secrets over a Unix socket.
 */
import { join, resolve } from 'node:path'
import { agentLine } from './agent-lines.ts'
import { type Output, REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { type Refusal, refusalText } from './attest-refusal.ts'
import { type AttestRequest, agentOptions, attestRequest } from './attest-request.ts'
import { SIMULATED_MACHINE } from './simulated-machine.ts'
import { runVerb } from './verbs.ts'

export interface AgentDeps extends Output {
  readonly cwd: string
  /** Resolves when the program has ended. Throws Mistake. */
  readonly run: (request: AgentRunRequest, say: (entry: AgentNews) => void) => Promise<AgentOutcome>
}

export interface AgentRunRequest extends AttestRequest {
  readonly command: readonly [string, ...string[]]
  /** Absolute. */
  readonly socket: string
  readonly socketGid: number | undefined
  /** Absolute: folders of code and configuration that are measured. */
  readonly measure: readonly string[]
  /** Absolute: files and folders that the agent itself may change. */
  readonly state: readonly string[]
  /** Folders of models, absolute. */
  readonly models: readonly { readonly name: string; readonly path: string }[]
  /** The environment is measured, but for these; undefined: it is not. */
  readonly freeVariables: readonly string[] | undefined
  /** Absolute: where the measurement log of this boot is kept. */
  readonly log: string
  readonly sensor: boolean
  /** Absolute: measurement lists. Empty: only what no manifest can allow is stopped on the spot. */
  readonly approved: readonly string[]
  /** Destinations; empty: all. */
  readonly allow: readonly string[]
  readonly allowedCalls: readonly string[]
  /** Names of the manifest's egress. */
  readonly hosts: readonly string[]
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/** What happens meanwhile, in words that a program reads too. */
export interface AgentNews {
  readonly event: string
  readonly [name: string]: unknown
}

export type AgentOutcome =
  | { readonly verdict: 'ended'; readonly code: number }
  | { readonly verdict: 'stopped' }
  | { readonly verdict: 'over'; readonly state: string; readonly detail: string }
  | Refusal

const options = {
  ...agentOptions,
  socket: { type: 'string' },
  'socket-gid': { type: 'string' },
  measure: { type: 'string', multiple: true },
  state: { type: 'string', multiple: true },
  model: { type: 'string', multiple: true },
  'free-variable': { type: 'string', multiple: true },
  log: { type: 'string' },
  sensor: { type: 'boolean' },
  approved: { type: 'string', multiple: true },
  allow: { type: 'string', multiple: true },
  'allow-call': { type: 'string', multiple: true },
  host: { type: 'string', multiple: true },
  uid: { type: 'string' },
  gid: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const FOLDER = '.vouchsafe/agent'

const help = `vouchsafe agent run --service URL --agent NAME [...] -- COMMAND...: run a program as a watched agent

  --service URL          public address of the service: https, or http on a loopback address
  --agent NAME           which approved agent this is; its manifest needs a section \`runtime\`
  --environment NAME     default prod
  --tenant NAME          default default
  --issuer URL           whom to believe. Default: the service's issuer for this tenant and kind of evidence
  --audience NAME        of a release rule; up to four times. The first is presented to the service itself
  --simulator FOLDER     not this machine but a simulated one, on which the files of FOLDER were launched
  --machine FILE         of that machine. Default: ${SIMULATED_MACHINE}, which \`vouchsafe dev\` writes
  --measure PATH         a folder or file of the program's own code and configuration; may be given more than once
  --state PATH           what the program changes itself and the manifest names; may be given more than once
  --model NAME=FOLDER    a model that it loads, by the name in the manifest; may be given more than once
  --free-variable NAME   measure its environment, all but this and what else is named so; may be given more than once
  --sensor               the kernel reports what it opens, starts and connects to (root); built on first use
  --approved FILE        with --sensor: a measurement list. Whatever else it starts, maps or calls freezes it at once, before
                         the service was asked; without a list only what no manifest can allow. May be given more than once
  --allow-call NAME      with --approved: a sensitive system call that it may make; may be given more than once
  --allow ADDRESS        with --sensor: 192.0.2.0/24, 127.0.0.1:8443, [::1]:443; every other connection is denied and freezes it
  --host NAME            a host of the manifest's egress: connections to its addresses are told under its name
  --socket PATH          where it asks for tokens. Default: ${FOLDER}/run/agent.sock; COMMAND has it as VOUCHSAFE_SOCKET
  --socket-gid GID       a group whose members may reach the socket; who is answered is the program's user alone
  --uid UID, --gid GID   run the program as another user (root): it can then neither read these keys nor stop this process
  --log FOLDER           measurements of this boot, for this command alone. Default: ${FOLDER}/log
  --json                 what happens as JSON lines

What happens is told on stderr; stdin and stdout are the program's. When its session is put into quarantine or revoked, it is
killed with all that it started. Exits as the program did, 2 when it was refused or stopped for what it did, 1 when it could
not be watched.

Example, beside a running \`vouchsafe dev\`:
  vouchsafe agent run --service http://127.0.0.1:8080 --agent invoice-bot --audience kms.example \\
    --simulator .vouchsafe/dev/agents/invoice-bot --measure examples/python-agent \\
    -- python3 examples/python-agent/agent.py
`

/** `args` is what follows `agent`. Resolves to the exit code; never rejects. */
export async function agentCommand(args: readonly string[], deps: AgentDeps): Promise<number> {
  const verbs = { run: { summary: 'run a program as a watched agent', run } }
  const missing = 'what is to be done is missing.'
  return await runVerb({ command: 'agent', verbs, help, missing }, args, deps)
}

/** Throws Mistake. */
async function run(args: readonly string[], deps: AgentDeps): Promise<number> {
  const { values, positionals } = parseArguments('agent run', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const { json = false } = values
  const say = (entry: AgentNews) => deps.err(json ? `${JSON.stringify(entry)}\n` : agentLine(entry))
  const outcome = await deps.run(requestOf(values, positionals, deps), say)
  if (outcome.verdict === 'ended') return outcome.code
  if (outcome.verdict === 'stopped') return YES
  if (outcome.verdict === 'over')
    say({ event: 'over', state: outcome.state, detail: outcome.detail })
  else if (json) say({ event: 'refused', ...outcome })
  else deps.err(refusalText(outcome))
  return REFUSED
}

type Values = ReturnType<typeof parseArguments<typeof options>>['values']

/** Throws Mistake. */
function requestOf(
  values: Values,
  command: readonly string[],
  { cwd }: Pick<AgentDeps, 'cwd'>,
): AgentRunRequest {
  const { service, agent, simulator, machine, sensor = false } = values
  const { approved = [], allow = [], 'allow-call': allowedCalls = [] } = values
  const next = 'See `vouchsafe agent run --help`.'
  if (service === undefined || agent === undefined)
    throw new Mistake(`--${service === undefined ? 'service' : 'agent'} is missing.`, next)
  if (machine !== undefined && simulator === undefined)
    throw new Mistake(
      '--machine is of a simulated machine.',
      'Give the agent’s folder with --simulator.',
    )
  if (!sensor && approved.length + allow.length + allowedCalls.length > 0)
    throw new Mistake(
      '--approved, --allow and --allow-call are for the sensor.',
      'Give --sensor too: without it nobody sees such things in time.',
    )
  const [program, ...rest] = command
  if (program === undefined)
    throw new Mistake('the program is missing.', 'Put it at the end, after --.')
  const at = (path: string) => resolve(cwd, path)
  return {
    ...attestRequest(values, { service, agent, release: undefined }),
    command: [program, ...rest],
    socket: at(values.socket ?? join(FOLDER, 'run/agent.sock')),
    socketGid: numberOf('socket-gid', values['socket-gid']),
    measure: (values.measure ?? []).map(at),
    state: (values.state ?? []).map(at),
    models: (values.model ?? []).map((text) => modelOf(text, at)),
    freeVariables: values['free-variable'],
    log: at(values.log ?? join(FOLDER, 'log')),
    sensor,
    approved: approved.map(at),
    allow,
    allowedCalls,
    hosts: values.host ?? [],
    uid: numberOf('uid', values.uid),
    gid: numberOf('gid', values.gid),
  }
}

/** Throws Mistake. */
function modelOf(text: string, at: (path: string) => string): AgentRunRequest['models'][number] {
  const [, name, path] = /^([a-z0-9][a-z0-9.-]*)=(.+)$/.exec(text) ?? []
  if (name === undefined || path === undefined)
    throw new Mistake(
      `--model ${text} is not NAME=FOLDER.`,
      'Take NAME from the manifest’s models.',
    )
  return { name, path: at(path) }
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^(0|[1-9]\d{0,9})$/.test(text)) return Number(text)
  throw new Mistake(`--${name} ${text} is no number.`, 'Names of users and groups are not read.')
}
