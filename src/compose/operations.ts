/** The commands of whoever runs the service: settings, tables, backups. What the database needs is imported when it is asked for. */
import { isatty } from 'node:tty'
import { localFiles } from '../adapters/local-files.ts'
import type { Output } from '../cli/answering.ts'
import { backupCommand } from '../cli/backup.ts'
import { configCommand } from '../cli/config.ts'
import { migrateCommand } from '../cli/migrate.ts'
import { restoreCommand } from '../cli/restore.ts'
import type { Flags } from '../cli/setting-options.ts'
import type { ConfigSources } from '../config/given.ts'
import { readConfig, readDatabase, readInForce } from '../config.ts'

const STDIN = 0

export interface Operator extends Output {
  readonly sources: ConfigSources
  readonly colour: boolean
  /** Whether stderr leads to a terminal. */
  readonly terminal: boolean
  /** stdout for bytes: resolves when more may come. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  /** Opens stdin. */
  readonly input: () => AsyncIterable<Uint8Array>
}

/** One row for each, as src/main.ts has them. */
export function operationsCommands(operator: Operator) {
  const { sources, write, input } = operator
  const database = (flags: Flags) => readDatabase({ ...sources, flags })
  return {
    config: {
      summary: 'are the settings usable, and who said which?',
      run: async (args: readonly string[]) =>
        await configCommand(args, {
          ...operator,
          readConfig: (flags) => readConfig({ ...sources, flags }),
          readInForce: (flags) => readInForce({ ...sources, flags }),
        }),
    },
    release: {
      summary: 'the secrets and model keys that attested agents may be given',
      run: async (args: readonly string[]) => {
        const [{ releaseCommand }, { openStoredResources }] = await Promise.all([
          import('../cli/release.ts'),
          import('./resources.ts'),
        ])
        return await releaseCommand(args, {
          ...operator,
          files: localFiles,
          fetch: globalThis.fetch,
          stdin: { isTerminal: isatty(STDIN), read: input },
          openResources: (flags) =>
            openStoredResources(readConfig({ ...sources, flags }), { env: sources.env }),
        })
      },
    },
    migrate: {
      summary: 'bring the tables of the database up to this version',
      run: async (args: readonly string[]) => {
        const { migrate, pending } = await import('./maintenance.ts')
        return await migrateCommand(args, { ...operator, readDatabase: database, pending, migrate })
      },
    },
    backup: {
      summary: 'everything that the database holds, in one file',
      run: async (args: readonly string[]) => {
        const { backUp } = await import('./maintenance.ts')
        return await backupCommand(args, {
          ...operator,
          readDatabase: database,
          backUp: (place, file, told) => backUp(place, file, { told, write }),
        })
      },
    },
    restore: {
      summary: 'a backup into an empty database',
      run: async (args: readonly string[]) => {
        const { restore } = await import('./maintenance.ts')
        return await restoreCommand(args, {
          ...operator,
          readDatabase: database,
          restore: (place, file, told) => restore(place, file, { told, input }),
        })
      },
    },
  }
}
