/** `vouchsafe restore`: a backup into an empty database, and what must be done before the service begins on it. */
import type { DatabasePlace, DatabaseReading } from '../config.ts'
import { answering, type Output, YES } from './answering.ts'
import { onePath, parseArguments } from './arguments.ts'
import type { BackedUp } from './backup.ts'
import { type MaintenanceTerminal, progressBar, type RowProgress } from './backup-progress.ts'
import { reportMistakes } from './configuration-report.ts'
import { type Flags, flagsOf, settingOptions } from './setting-options.ts'
import { counted, printable } from './text.ts'

export interface RestoreDeps extends Output, MaintenanceTerminal {
  readonly readDatabase: (flags: Flags) => DatabaseReading
  /** All or nothing. `file`: `-` for stdin. Throws Problem, for a database that is not empty as well. */
  readonly restore: (
    place: DatabasePlace,
    file: string,
    told: (progress: RowProgress) => void,
  ) => Promise<RestoredDatabase>
}

export interface RestoredDatabase extends BackedUp {
  /** Keys of tokens and challenges that were forgotten: one that was revoked since would be good again. */
  readonly forgottenKeys: number
  /** The transparency log as the backup has it; undefined where it had not begun. */
  readonly log: { readonly size: number; readonly checkpoint: string } | undefined
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe restore FILE: put a backup into an empty database

  FILE                   as \`vouchsafe backup\` wrote it; - reads stdin
  --config FILE          and the flags of \`vouchsafe serve\`: DATABASE_URL or --data says which database
  --json                 print {madeAt, migration, tables, rows, forgottenKeys, log: {size, checkpoint}, next}

A database that holds anything is refused: make a new one, or move the data directory's folder \`database\` away. A file that is
cut off or altered is refused, and a backup of a newer version too. All of it is put in, or nothing.

Exits 0 (restored) or 1 (nothing was).

Example:
  createdb vouchsafe2 && DATABASE_URL=postgres://vouchsafe@db/vouchsafe2 vouchsafe restore vouchsafe-2026-06-01.backup
`

/** `args` is what follows `restore`. Resolves to the exit code; never rejects. */
export async function restoreCommand(args: readonly string[], deps: RestoreDeps): Promise<number> {
  return await answering('restore', args, deps, async () => {
    const { values, positionals } = parseArguments('restore', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const file = onePath('restore', 'FILE', positionals)
    const json = values.json === true
    const reading = deps.readDatabase(flagsOf(values))
    if ('mistakes' in reading) return reportMistakes('restore', reading.mistakes, { ...deps, json })
    const progress = progressBar(deps)
    try {
      const restored = await deps.restore(reading.place, file, progress.told)
      progress.end()
      const next = nextSteps(restored)
      deps.out(
        json
          ? `${JSON.stringify({ ...restored, log: restored.log ?? null, next })}\n`
          : text(restored, next),
      )
      return YES
    } finally {
      progress.end()
    }
  })
}

/** What a database cannot know of the time since: whoever chooses which backup is restored would choose what is forgotten. */
function nextSteps({ log }: RestoredDatabase): readonly string[] {
  return [
    'Replicas that ran through the restoration must be started again. Relying parties that cache keys take tokens of before for 5 minutes more: agents must attest again.',
    'Start with the VOUCHSAFE_DATA/policy of before: where a newer policy was accepted than this database knows, the service keeps to that and says RollbackOrRewrite. `vouchsafe policy status` shows it.',
    'Revoke again what was revoked of secrets and model keys since the backup: in this database it is good. `vouchsafe release list` shows what is there.',
    ...(log
      ? [
          `Compare the log, whose size is ${log.size}, with the last checkpoint that a witness or an auditor has. If theirs is larger, entries that were published are missing: do not go on with this log, since whoever has seen the other would see a fork.`,
        ]
      : []),
  ]
}

function text(
  { tables, rows, madeAt, forgottenKeys, log }: RestoredDatabase,
  next: readonly string[],
): string {
  return [
    `Restored ${counted(rows, 'row')} of ${counted(tables, 'table')}, as of ${madeAt}.`,
    `${counted(forgottenKeys, 'key')} of tokens and challenges forgotten, since one that was revoked meanwhile would be good again: every challenge and every token of before is refused, and new keys are made at the next start. Numbers of events and status lists go on where no number was given out before.`,
    ...(log
      ? [
          'Its last checkpoint:',
          ...log.checkpoint
            .trimEnd()
            .split('\n')
            .map((line) => `  ${printable(line)}`),
        ]
      : []),
    'Before you let anybody in:',
    ...next.map((step, at) => `  ${at + 1}. ${step}`),
    '',
  ].join('\n')
}
