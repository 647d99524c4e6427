/** `vouchsafe config`: are these settings usable, and which is in force because of whom? */
import { variablesOnly } from '../config/settings.ts'
import type { ConfigReading, InForceReading } from '../config.ts'
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { reportMistakes } from './configuration-report.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'
import { coloured, counted, plain, printable } from './text.ts'

export interface ConfigDeps extends Output {
  readonly colour: boolean
  readonly readConfig: (flags: Flags) => ConfigReading
  readonly readInForce: (flags: Flags) => InForceReading
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe config: look at the settings of \`vouchsafe serve\`, and start nothing

  vouchsafe config validate     tell every mistake, and exit 0 (usable) or 2 (not)
  vouchsafe config print        tell every setting with who said it: flag, environment, file or default

  --config FILE          and the flags of \`vouchsafe serve\`, which win over variables, which win over the file
  --json                 validate: {usable, mistakes}; print: {settings: [{name, value, origin, by}]}

Files that hold secrets are named and their content never shown; of ${variablesOnly.slice(1).join(', ')}
only whether they are set.

Examples:
  vouchsafe config validate --config /etc/vouchsafe.json
  VOUCHSAFE_PORT=9000 vouchsafe config print --config /etc/vouchsafe.json
`

/** `args` is what follows `config`. Resolves to the exit code; never rejects. */
export async function configCommand(args: readonly string[], deps: ConfigDeps): Promise<number> {
  return await answering('config', args, deps, async () => {
    const { values, positionals } = parseArguments('config', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const asked = { flags: flagsOf(values), json: values.json === true }
    const [verb, ...more] = positionals
    if (verb === 'validate' && more.length === 0) return validate(deps, asked)
    if (verb === 'print' && more.length === 0) return print(deps, asked)
    throw new Mistake(
      verb === undefined ? 'no verb was given.' : `there is no "config ${positionals.join(' ')}".`,
      'Choose `vouchsafe config validate` or `vouchsafe config print`.',
    )
  })
}

interface Asked {
  readonly flags: Flags
  readonly json: boolean
}

function validate({ readConfig, ...deps }: ConfigDeps, { flags, json }: Asked): number {
  const reading = readConfig(flags)
  const mistakes = 'mistakes' in reading ? reading.mistakes : []
  if (json) deps.out(`${JSON.stringify({ usable: mistakes.length === 0, mistakes })}\n`)
  else if (mistakes.length > 0) reportMistakes('config validate', mistakes, { ...deps, json })
  else deps.out('The settings are usable. `vouchsafe doctor` looks at what they lead to.\n')
  return mistakes.length === 0 ? YES : REFUSED
}

function print({ readInForce, colour, ...deps }: ConfigDeps, { flags, json }: Asked): number {
  const reading = readInForce(flags)
  if ('mistakes' in reading)
    return reportMistakes('config print', reading.mistakes, { ...deps, json })
  const { settings } = reading
  if (json) {
    deps.out(
      `${JSON.stringify({ settings: settings.map((each) => ({ ...each, by: each.by ?? null })) })}\n`,
    )
    return YES
  }
  const paint = colour ? coloured : plain
  const widest = Math.max(...settings.map(({ name }) => name.length))
  const width = Math.max(...settings.map(({ value }) => shown(value).length))
  for (const { name, value, origin, by } of settings)
    deps.out(
      `${name.padEnd(widest)}  ${shown(value).padEnd(Math.min(width, 48))}  ${paint('faint', by === undefined ? origin : `${origin} ${by}`)}\n`,
    )
  deps.out(
    `${counted(settings.length, 'setting')}; a flag wins over a variable, a variable over the file.\n`,
  )
  return YES
}

function shown(value: unknown): string {
  if (value === null) return '-'
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
