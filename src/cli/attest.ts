/**
 * `vouchsafe attest`: shows a service where this program runs, prints the tokens that it gets for that, and may fetch a secret
 * with them. On a confidential VM the kernel's report is the evidence; elsewhere a simulated machine can stand in.
 */
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { type Refusal, refusalText } from './attest-refusal.ts'
import { type AttestRequest, agentOptions, attestRequest } from './attest-request.ts'
import { SIMULATED_MACHINE } from './simulated-machine.ts'
import { printable } from './text.ts'

export interface AttestDeps extends Output {
  readonly attest: (request: AttestRequest) => Promise<AttestOutcome>
  /** A new file that only its owner may read. Rejects where there is one already. */
  readonly writeSecret: (path: string, secret: Uint8Array) => Promise<void>
}

export type AttestOutcome =
  | {
      readonly verdict: 'issued'
      readonly issuer: string
      readonly tokens: readonly {
        readonly form: string
        readonly audience: string
        readonly token: string
      }[]
      readonly released: ReleasedToFile | undefined
    }
  | Refusal

interface ReleasedToFile {
  readonly resource: string
  readonly version: number
  readonly release: string
  readonly leaseSeconds: number
  readonly logLeaf: string
  /** Overwritten once it was written. */
  readonly secret: Uint8Array
}

const options = {
  ...agentOptions,
  release: { type: 'string' },
  'minimum-version': { type: 'string' },
  out: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe attest --service URL --agent NAME: show a service where this runs, and print the tokens for it

  --service URL          public address of the service: https, or http on a loopback address
  --agent NAME           which approved agent this is
  --environment NAME     default prod
  --tenant NAME          default default
  --issuer URL           whom to believe. Default: the service's issuer for this tenant and kind of evidence
  --audience NAME        of a release rule; up to four times. Default: the only one of the release; with --release the service
  --simulator FOLDER     not this machine but a simulated one, on which the files of FOLDER were launched
  --machine FILE         of that machine. Default: ${SIMULATED_MACHINE}, which \`vouchsafe dev\` writes
  --release RESOURCE     fetch this too: secret:NAME or model:NAME. The first --audience is presented for it
  --minimum-version N    refuse an older one
  --out FILE             where it goes: a new file that only you may read
  --json                 {verdict, issuer, tokens: [{form, audience, token}], released: {resource, version, ...}}, or the refusal

Without --simulator the kernel is asked, at /sys/kernel/config/tsm/report, for which root is needed. The keys that are attested
live as long as the command: a token of possession is of no use after it, and is printed to be looked at. Agents that run on use
the client of docs/agents.md.

Exits 0 (tokens were issued), 2 (refused) or 1 (could not tell).

Example, beside a running \`vouchsafe dev\`:
  vouchsafe attest --service http://127.0.0.1:8080 --agent invoice-bot --audience kms.example \\
    --simulator .vouchsafe/dev/agents/invoice-bot
`

/** `args` is what follows `attest`. Resolves to the exit code; never rejects. */
export async function attestCommand(args: readonly string[], deps: AttestDeps): Promise<number> {
  return await answering('attest', args, deps, async () => {
    const { values, positionals } = parseArguments('attest', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    noPath('attest', positionals, 'Name the agent with --agent and the service with --service.')
    const { out: file, json = false } = values
    const request = requestOf(values)
    if (request.release && file === undefined)
      throw new Mistake(
        '--out is missing: a secret is not printed.',
        'Name a file that is not there yet.',
      )
    if (!request.release && file !== undefined)
      throw new Mistake('--out is for a secret, and none is asked for.', 'Name it with --release.')
    const outcome = await deps.attest(request)
    if (outcome.verdict === 'issued' && outcome.released && file !== undefined)
      await written(file, outcome.released, deps)
    deps.out(json ? `${JSON.stringify(jsonOf(outcome, file))}\n` : textOf(outcome, file))
    return outcome.verdict === 'issued' ? YES : REFUSED
  })
}

type Values = ReturnType<typeof parseArguments<typeof options>>['values']

/** Throws Mistake. */
function requestOf(values: Values): AttestRequest {
  const { service, agent, simulator, machine, release } = values
  if (service === undefined || agent === undefined)
    throw new Mistake(
      `--${service === undefined ? 'service' : 'agent'} is missing.`,
      'See `vouchsafe attest --help`.',
    )
  if (machine !== undefined && simulator === undefined)
    throw new Mistake(
      '--machine is of a simulated machine.',
      'Give the agent’s folder with --simulator.',
    )
  return attestRequest(values, {
    service,
    agent,
    release:
      release === undefined
        ? undefined
        : { resource: release, minimumVersion: versionOf(values['minimum-version'] ?? '1') },
  })
}

function versionOf(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Mistake(`--minimum-version ${text} is no version.`, 'Versions count from 1.')
}

async function written(
  file: string,
  { secret }: ReleasedToFile,
  { writeSecret }: AttestDeps,
): Promise<void> {
  try {
    await writeSecret(file, secret)
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST'
    throw new Mistake(
      exists ? `--out ${file} is there already.` : `--out ${file} cannot be written.`,
      'Name a file that is not there yet, in a folder that you may write to.',
    )
  } finally {
    secret.fill(0)
  }
}

function jsonOf(outcome: AttestOutcome, file: string | undefined) {
  if (outcome.verdict === 'refused' || !outcome.released) return outcome
  const { secret: _, ...released } = outcome.released
  return { ...outcome, released: { ...released, file } }
}

function textOf(outcome: AttestOutcome, file: string | undefined): string {
  if (outcome.verdict === 'refused') return refusalText(outcome)
  const { issuer, tokens, released } = outcome
  return [
    `Tokens of ${printable(issuer)}`,
    ...tokens.flatMap(({ form, audience, token }) => [
      `${printable(form)} for ${printable(audience)}`,
      printable(token),
    ]),
    ...(released
      ? [
          `${printable(released.resource)} version ${released.version} is in ${file}; its lease is ${Math.floor(released.leaseSeconds)} s, release ${printable(released.release)}`,
        ]
      : []),
    '',
  ].join('\n')
}
