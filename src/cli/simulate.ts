/**
 * `vouchsafe simulate fleet`: how many agents can this service watch? Thousands of sessions, each with its own key, signature and
 * history, against a service of one's own.
 */
import { type Output, REFUSED, YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { type AttestRequest, agentOptions, attestRequest } from './attest-request.ts'
import { type FleetDone, type FleetSeen, fleetLine, fleetTable } from './simulate-report.ts'
import { SIMULATED_MACHINE } from './simulated-machine.ts'
import { printable } from './text.ts'
import { runVerb } from './verbs.ts'

export interface SimulateDeps extends Output {
  /** Whether the line of progress may be written over itself. */
  readonly terminal: boolean
  /** Throws Mistake. */
  readonly fleet: (request: FleetAsked, told: (seen: FleetSeen) => void) => Promise<FleetOutcome>
}

export type FleetOutcome =
  | { readonly verdict: 'ran'; readonly report: FleetDone }
  /** The first agent was refused, as all would be. */
  | { readonly verdict: 'refused'; readonly code: string; readonly detail: string }

export interface FleetAsked extends AttestRequest {
  /** Where it really answers. */
  readonly connect: string
  readonly agents: number
  readonly opensPerSecond: number
  readonly heartbeatSeconds: number | undefined
  readonly durationSeconds: number
  readonly connections: number
  readonly renewTokensSeconds: number
  readonly closes: boolean
  readonly pids: readonly number[]
  readonly collector: string | undefined
  readonly modes: string
  /** A file of `vouchsafe measure tree`. */
  readonly measurements: string | undefined
}

const options = {
  ...agentOptions,
  connect: { type: 'string' },
  agents: { type: 'string' },
  'open-rate': { type: 'string' },
  heartbeat: { type: 'string' },
  duration: { type: 'string' },
  connections: { type: 'string' },
  'renew-tokens': { type: 'string' },
  measurements: { type: 'string' },
  collector: { type: 'string' },
  modes: { type: 'string' },
  pid: { type: 'string', multiple: true },
  close: { type: 'boolean' },
  'my-own-service': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe simulate fleet --service URL --agent NAME --simulator FOLDER: watch many agents at once

  --service URL          public address of the service, for which messages are signed
  --connect ADDRESS      where it answers, http://HOST:PORT. Default: --service
  --agent NAME           which approved agent they all are; its release must have a section \`runtime\`
  --environment NAME     default prod
  --tenant NAME          default default
  --issuer URL           default: the service's issuer for simulated evidence of this tenant
  --audience NAME        of a release rule; up to four times
  --simulator FOLDER     what was launched, on the simulated machine that all agents share
  --machine FILE         of that machine. Default: ${SIMULATED_MACHINE}
  --agents N             default 1000
  --open-rate N          sessions opened in a second, default 50
  --heartbeat SECONDS    default: as the service says it
  --duration SECONDS     measured once all are open and one heartbeat has passed, default 60
  --connections N        at most, kept alive, default 256
  --renew-tokens SECONDS each agent asks for tokens as often. Default: with quotes only
  --measurements FILE    what each reports to have loaded when it opens: a list of \`vouchsafe measure tree\`
  --collector DIGEST     what watches, sha256:HEX. Default: of this very program
  --modes NAMES          what is watched, default files,kernel-events,memory-text
  --pid N                of the service, to tell its memory and CPU; may be repeated
  --close                close the sessions at the end. Default: they fall silent
  --my-own-service       it is mine although it is not on this machine
  --json                 print the report as JSON; progress goes to stderr

Every agent has its own keys, session, boot id and chains; each heartbeat is signed and brings an event. Machines are what they share.
What was waited for a connection is part of the latency.

Exits 0 (it ran), 2 (the first agent was refused) or 1 (could not tell).

Example, beside a running \`vouchsafe dev\`:
  vouchsafe simulate fleet --service http://127.0.0.1:8080 --agent invoice-bot --audience kms.example \\
    --simulator .vouchsafe/dev/agents/invoice-bot --agents 100
`

/** `args` is what follows `simulate`. Resolves to the exit code; never rejects. */
export async function simulateCommand(
  args: readonly string[],
  deps: SimulateDeps,
): Promise<number> {
  return await runVerb(
    {
      command: 'simulate',
      verbs: { fleet: { summary: 'many agents against one service', run: fleetVerb } },
      help,
      missing: 'What to simulate is missing.',
    },
    args,
    deps,
  )
}

/** Seconds, where lines stay. */
const LINES_EVERY = 10

async function fleetVerb(args: readonly string[], deps: SimulateDeps): Promise<number> {
  const { values, positionals } = parseArguments('simulate fleet', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('simulate fleet', positionals, 'See `vouchsafe simulate fleet --help`.')
  const asked = askedOf(values)
  const every = deps.terminal ? 1 : LINES_EVERY
  let seen = 0
  const outcome = await deps.fleet(asked, (progress) => {
    if (seen++ % every === 0) deps.err(fleetLine(progress, deps))
  })
  if (deps.terminal) deps.err('\n')
  if (outcome.verdict === 'refused') {
    const { code, detail } = outcome
    deps.out(
      values.json
        ? `${JSON.stringify({ verdict: 'refused', code, detail })}\n`
        : `The first agent was refused: ${printable(code)}: ${printable(detail)}\n`,
    )
    return REFUSED
  }
  deps.out(values.json ? `${JSON.stringify(outcome.report)}\n` : fleetTable(outcome.report))
  return YES
}

type Values = ReturnType<typeof parseArguments<typeof options>>['values']

/** Throws Mistake. */
function askedOf(values: Values): FleetAsked {
  const { service, agent, simulator } = values
  if (service === undefined || agent === undefined || simulator === undefined)
    throw new Mistake(
      `--${service === undefined ? 'service' : agent === undefined ? 'agent' : 'simulator'} is missing.`,
      'See `vouchsafe simulate fleet --help`.',
    )
  const connect = values.connect ?? service
  assertOwn(connect, values['my-own-service'])
  return {
    ...attestRequest(values, { service, agent, release: undefined }),
    connect,
    agents: whole('agents', values.agents ?? '1000', 100_000),
    opensPerSecond: whole('open-rate', values['open-rate'] ?? '50', 10_000),
    heartbeatSeconds:
      values.heartbeat === undefined ? undefined : whole('heartbeat', values.heartbeat, 3_600),
    durationSeconds: whole('duration', values.duration ?? '60', 86_400),
    connections: whole('connections', values.connections ?? '256', 10_000),
    renewTokensSeconds:
      values['renew-tokens'] === undefined
        ? 0
        : whole('renew-tokens', values['renew-tokens'], 3_600),
    closes: values.close ?? false,
    pids: (values.pid ?? []).map((pid) => whole('pid', pid, 2 ** 22)),
    collector: values.collector,
    modes: (values.modes ?? 'files,kernel-events,memory-text').split(',').toSorted().join(' '),
    measurements: values.measurements,
  }
}

/** Load is for a service of one's own. The resolver is not asked: a name may be anybody's tomorrow. */
function assertOwn(address: string, isOwn: boolean | undefined): void {
  const url = URL.parse(address)
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Mistake(
      `--connect ${address} is no address.`,
      'Write it as http://127.0.0.1:8080 or https://attest.example.',
    )
  if (!isOwn && !/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname))
    throw new Mistake(
      `${url.hostname} is not this machine, and a fleet is as good as an attack on it.`,
      'Simulate against a service on a loopback address, or say with --my-own-service that it is yours.',
    )
}

function whole(option: string, text: string, most: number): number {
  const value = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  throw new Mistake(
    `--${option} ${text} is no number from 1 to ${most}.`,
    'See `vouchsafe simulate fleet --help`.',
  )
}
