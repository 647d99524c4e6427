/** `vouchsafe migrate`: brings the tables of a database up to this version, and says before what it would do. */
import type { DatabasePlace, DatabaseReading } from '../config.ts'
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import { reportMistakes } from './configuration-report.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'
import { counted, printable } from './text.ts'

export interface MigrateDeps extends Output {
  readonly readDatabase: (flags: Flags) => DatabaseReading
  /** Names, the oldest first. Throws Problem, where a newer version was there as well. */
  readonly pending: (place: DatabasePlace) => Promise<readonly string[]>
  /** All or nothing; resolves to what was applied. Throws Problem. */
  readonly migrate: (place: DatabasePlace) => Promise<readonly string[]>
}

const options = {
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe migrate: bring the tables of the database up to this version

  --dry-run              only say which migrations are pending; exits 2 where there are any
  --config FILE          and the flags of \`vouchsafe serve\`: DATABASE_URL or --data says which database
  --json                 print {applied} or, with --dry-run, {pending}: names of migrations

All of them are applied in one transaction, or none. \`vouchsafe serve\` gives an empty PostgreSQL its tables, and refuses one
that lacks migrations: the version before does not run on it any more, so stop its replicas and make a backup first. There is
no way back but a backup: a database that a newer version has changed is refused by an older one. PGlite in a data directory
is brought up to date at every start.

Exits 0 (up to date), 2 (pending) or 1 (could not tell, or nothing was changed).

Example:
  vouchsafe backup before.backup && vouchsafe migrate
`

/** `args` is what follows `migrate`. Resolves to the exit code; never rejects. */
export async function migrateCommand(args: readonly string[], deps: MigrateDeps): Promise<number> {
  return await answering('migrate', args, deps, async () => {
    const { values } = parseArguments('migrate', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const json = values.json === true
    const reading = deps.readDatabase(flagsOf(values))
    if ('mistakes' in reading) return reportMistakes('migrate', reading.mistakes, { ...deps, json })
    return values['dry-run'] === true
      ? tellPending(await deps.pending(reading.place), { ...deps, json })
      : tellApplied(await deps.migrate(reading.place), { ...deps, json })
  })
}

type Told = Output & { readonly json: boolean }

function tellPending(pending: readonly string[], { out, json }: Told): number {
  if (json) out(`${JSON.stringify({ pending })}\n`)
  else if (pending.length === 0) out('Up to date: nothing is pending.\n')
  else
    out(`${counted(pending.length, 'migration is', 'migrations are')} pending:\n${listed(pending)}`)
  return pending.length === 0 ? YES : REFUSED
}

function tellApplied(applied: readonly string[], { out, json }: Told): number {
  if (json) out(`${JSON.stringify({ applied })}\n`)
  else if (applied.length === 0) out('Up to date: nothing was pending.\n')
  else out(`Applied ${counted(applied.length, 'migration')}:\n${listed(applied)}`)
  return YES
}

function listed(names: readonly string[]): string {
  return names.map((name) => `  ${printable(name)}\n`).join('')
}
