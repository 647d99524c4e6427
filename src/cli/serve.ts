/** `vouchsafe serve`: the service, until it is told to stop. Its log is JSON lines on stdout. */

import {
  CONFIG_FILE,
  DATABASE_URLS,
  flagOf,
  KEY_ENCRYPTION_KEY,
  settings,
} from '../config/settings.ts'
import type { Config, ConfigReading, Secrets } from '../config.ts'
import { answering, type Output, YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import { reportMistakes } from './configuration-report.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'

export interface ServeDeps extends Output {
  readonly readConfig: (flags: Flags) => ConfigReading
  readonly start: (config: Config, secrets: Secrets) => Promise<ServedService>
  /** Resolves to the name of the signal that asks the program to end. */
  readonly stopped: () => Promise<string>
}

interface ServedService {
  /** Where it listens, which is not where it is reached behind a proxy. */
  readonly address: string
  /** Of GET /metrics, where there is one. */
  readonly metricsAddress: string | undefined
  /** Says for `drainMs` that it is not ready before it closes its port. */
  readonly close: (options: { readonly drainMs: number }) => Promise<void>
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe serve: verify evidence and issue tokens over HTTP, until SIGTERM or SIGINT

Settings come from flags, from the environment, or from a JSON file that ${flagOf(CONFIG_FILE)} or ${CONFIG_FILE} names. A flag
wins over a variable, a variable over the file; \`vouchsafe config print\` says which is in force. Every variable has its
flag: ${flagOf('VOUCHSAFE_PORT')} for VOUCHSAFE_PORT, ${flagOf('VOUCHSAFE_POLICY_PIN')} for VOUCHSAFE_POLICY_PIN, but for the secrets at the end.

${settings
  .map(({ variable, path, says }) => `  ${variable.padEnd(36)} ${says} (file: ${path.join('.')})`)
  .join('\n')}
  ${KEY_ENCRYPTION_KEY.padEnd(36)} the key-encryption key itself: 32 bytes in hex or base64
  ${DATABASE_URLS.join(', ').padEnd(36)} address of a PostgreSQL, with its password
  ${''.padEnd(36)} more tenants: {"tenants": [{"name", "policy": {...}, "simulatedRoots", "keyBroker"}]} (file only)

  --json                 mistakes in the settings as one object

Exits 0 when it was told to stop, or 1 when it could not start.

Example:
  openssl rand -hex 32 > kek && chmod 600 kek
  VOUCHSAFE_PUBLIC_URL=https://attest.example.com VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE=kek \\
    VOUCHSAFE_POLICY=/srv/policy VOUCHSAFE_POLICY_PIN=sha256:... vouchsafe serve
`

/** `args` is what follows `serve`. Resolves to the exit code; never rejects. */
export async function serveCommand(args: readonly string[], deps: ServeDeps): Promise<number> {
  return await answering('serve', args, deps, async () => {
    const { values } = parseArguments('serve', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const reading = deps.readConfig(flagsOf(values))
    if ('mistakes' in reading)
      return reportMistakes('serve', reading.mistakes, { ...deps, json: values.json === true })
    const service = await deps.start(reading.config, reading.secrets)
    deps.err(`vouchsafe serve: ${reading.config.publicUrl} answers on ${service.address}\n`)
    if (service.metricsAddress !== undefined)
      deps.err(`vouchsafe serve: metrics are at ${service.metricsAddress}/metrics\n`)
    const signal = await deps.stopped()
    // SIGINT comes from a person, who does not want to wait; nobody spreads requests over his terminal.
    const drainSeconds = signal === 'SIGINT' ? 0 : reading.config.drainSeconds
    deps.err(
      `vouchsafe serve: ${signal}: ${drainSeconds > 0 ? `not ready from now on; the port closes in ${drainSeconds} s` : 'finishing what runs'}\n`,
    )
    await service.close({ drainMs: drainSeconds * 1000 })
    return YES
  })
}
