/** `vouchsafe backup`: everything that the database holds, in one file that `vouchsafe restore` reads. */
import type { DatabasePlace, DatabaseReading } from '../config.ts'
import { answering, type Output, YES } from './answering.ts'
import { onePath, parseArguments } from './arguments.ts'
import { type MaintenanceTerminal, progressBar, type RowProgress } from './backup-progress.ts'
import { reportMistakes } from './configuration-report.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'
import { counted, printable } from './text.ts'

export interface BackupDeps extends Output, MaintenanceTerminal {
  readonly readDatabase: (flags: Flags) => DatabaseReading
  /**
   * `file`: `-` for stdout. A file that is there is not overwritten, and one that is there afterwards is whole. Throws
   * Problem.
   */
  readonly backUp: (
    place: DatabasePlace,
    file: string,
    told: (progress: RowProgress) => void,
  ) => Promise<BackedUp>
}

export interface BackedUp {
  /** RFC 3339. */
  readonly madeAt: string
  /** The last that the database had. */
  readonly migration: string
  readonly tables: number
  readonly rows: number
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe backup FILE: write everything that the database holds into one file

  FILE                   must not exist yet; - writes to stdout
  --config FILE          and the flags of \`vouchsafe serve\`: DATABASE_URL or --data says which database
  --json                 print {file, madeAt, migration, tables, rows} (with -, on stderr)

A snapshot of one instant: on PostgreSQL replicas may go on meanwhile; PGlite is held by one process, so stop the service first.
The file holds evidence of agents, and keys that are sealed under the key-encryption key: whoever has both has the keys. Keep
them apart. It holds no clone of a policy repository and no endorsements, which are fetched again. Leave
VOUCHSAFE_DATA/policy where it is: it remembers what was accepted last, so that an older database is noticed.

Exits 0 (written) or 1 (nothing was).

Examples:
  vouchsafe backup /backups/vouchsafe-$(date +%F).backup
  vouchsafe backup - | age -r RECIPIENT > vouchsafe.backup.age
`

/** `args` is what follows `backup`. Resolves to the exit code; never rejects. */
export async function backupCommand(args: readonly string[], deps: BackupDeps): Promise<number> {
  return await answering('backup', args, deps, async () => {
    const { values, positionals } = parseArguments('backup', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const file = onePath('backup', 'FILE', positionals)
    const json = values.json === true
    const reading = deps.readDatabase(flagsOf(values))
    if ('mistakes' in reading) return reportMistakes('backup', reading.mistakes, { ...deps, json })
    const progress = progressBar(deps)
    try {
      const made = await deps.backUp(reading.place, file, progress.told)
      progress.end()
      const say = file === '-' ? deps.err : deps.out
      say(json ? `${JSON.stringify({ file, ...made })}\n` : text(file, made))
      return YES
    } finally {
      progress.end()
    }
  })
}

function text(file: string, { tables, rows, madeAt, migration }: BackedUp): string {
  const name = file === '-' ? 'stdout' : printable(file)
  return `${name}: ${counted(rows, 'row')} of ${counted(tables, 'table')} as of ${madeAt}, migration ${printable(migration)}\n`
}
