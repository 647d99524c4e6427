/** `vouchsafe gateway`: says to nginx, Caddy or Envoy whether a request comes from an attested agent. */
import { answering, type Output, YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { type Files, readFile } from './files.ts'
import { listeningOn } from './log-witness-server.ts'
import { printable } from './text.ts'

/** As they were given: what cannot be meant is refused by the kit, in its own words. */
export interface GatewaySettings {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly gateway: (typeof kinds)[number]
  readonly publicUrl: string
  readonly accept?: readonly string[]
  /** JSON, of any shape. */
  readonly required?: unknown
  readonly jwksUri?: string
  readonly listen: { readonly host: string; readonly port: number }
}

export interface RunningGateway {
  readonly address: string
  readonly close: () => Promise<void>
}

export interface GatewayDeps extends Output {
  readonly files: Files
  /** Resolves once it listens. Throws TypeError for settings that cannot be meant, and Error where the address cannot be had. */
  readonly start: (
    settings: GatewaySettings,
    say: (entry: Readonly<Record<string, unknown>>) => void,
  ) => Promise<RunningGateway>
  readonly stopped: () => Promise<unknown>
}

const kinds = ['nginx', 'caddy', 'envoy'] as const

const options = {
  for: { type: 'string' },
  issuer: { type: 'string' },
  audience: { type: 'string', multiple: true },
  'public-url': { type: 'string' },
  accept: { type: 'string', multiple: true },
  require: { type: 'string' },
  'jwks-uri': { type: 'string' },
  listen: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe gateway --for KIND --issuer URL --audience NAME --public-url URL: may this request pass?

  --for KIND             nginx (auth_request), caddy (forward_auth) or envoy (ext_authz over HTTP): where the original
                         method and path stand in what the gateway asks
  --issuer URL           whose tokens count, exactly as they name it
  --audience NAME        what tokens must be for; may be given more than once
  --public-url URL       where agents reach the gateway, as their proofs name it
  --accept FORM          possession (default), federation or workload; may be given more than once
  --require FILE         JSON: what tokens must say, as \`required\` of the relying-party kit; default: real hardware, affirming
  --jwks-uri URL         where the issuer's keys are (default: what OpenID Connect Discovery says)
  --listen HOST:PORT     default 127.0.0.1:7390. Only the gateway may reach it
  --json                 print {listening} as JSON

Answers 200 with headers X-Vouchsafe-*, 401 or 403, and tells callers no reason: each decision is a line of JSON on stdout.
GET /healthz says that it runs. Runs until it is stopped. docs/relying-party.md has a configuration for each gateway.

Example:
  vouchsafe gateway --for nginx --issuer https://attest.example.com --audience kms.example --public-url https://kms.example
`

/** `args` is what follows `gateway`. Resolves to the exit code; never rejects. */
export async function gatewayCommand(args: readonly string[], deps: GatewayDeps): Promise<number> {
  return await answering('gateway', args, deps, () => gateway(args, deps))
}

/** Throws Mistake. */
async function gateway(args: readonly string[], deps: GatewayDeps): Promise<number> {
  const { values, positionals } = parseArguments('gateway', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('gateway', positionals, 'See `vouchsafe gateway --help`.')
  const kind = kinds.find((each) => each === values.for)
  const { issuer, audience, accept } = values
  const [publicUrl, jwksUri] = [values['public-url'], values['jwks-uri']]
  if (!kind || issuer === undefined || audience === undefined || publicUrl === undefined)
    throw new Mistake(
      `--for (${kinds.join(', ')}), --issuer, --audience and --public-url are all needed.`,
      'See `vouchsafe gateway --help`.',
    )
  const settings: GatewaySettings = {
    issuer,
    audience,
    gateway: kind,
    publicUrl,
    listen: listeningOn(values.listen ?? '127.0.0.1:7390'),
    ...(accept && { accept }),
    ...(jwksUri !== undefined && { jwksUri }),
    ...(values.require !== undefined && { required: await jsonIn(values.require, deps.files) }),
  }
  const running = await started(settings, deps)
  deps.out(
    values.json
      ? `${JSON.stringify({ listening: running.address })}\n`
      : `Answering ${kind} at ${printable(running.address)} about ${printable(publicUrl)}.\n`,
  )
  await deps.stopped()
  await running.close()
  return YES
}

/** Throws Mistake. */
async function started(settings: GatewaySettings, deps: GatewayDeps): Promise<RunningGateway> {
  try {
    return await deps.start(settings, (entry) => deps.out(`${JSON.stringify(entry)}\n`))
  } catch (error) {
    const isMeant = !(error instanceof TypeError)
    throw new Mistake(
      `${error instanceof Error ? error.message : String(error)}.`,
      isMeant ? 'Name an address that is free.' : 'Correct it; see `vouchsafe gateway --help`.',
    )
  }
}

/** Throws Mistake. */
async function jsonIn(path: string, files: Files): Promise<unknown> {
  const bytes = await readFile(files, path, '--require')
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw new Mistake(
      `--require ${path} is not JSON.`,
      'Write an object such as {"environment": "prod"}.',
    )
  }
}
