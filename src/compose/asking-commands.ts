/** The commands that ask a service which runs, or its database: what was decided and why, with which keys, who is watched. */
import { setTimeout as sleep } from 'node:timers/promises'
import { localFiles } from '../adapters/local-files.ts'
import { systemClock, systemRandom } from '../adapters/system.ts'
import type { Output } from '../cli/answering.ts'
import { explainCommand } from '../cli/explain.ts'
import { reappraiseCommand } from '../cli/reappraise.ts'
import type { ConfigSources } from '../config/given.ts'
import { readConfig } from '../config.ts'
import type { Surroundings } from './machine.ts'

export interface Asker {
  readonly output: Output
  readonly sources: ConfigSources
  readonly surroundings: Surroundings
  readonly colour: boolean
  /** Whether stderr leads to a terminal. */
  readonly terminal: boolean
  /** Resolves at the first request to end. */
  readonly stopped: () => Promise<string>
}

/** One row for each, as src/main.ts has them. */
export function askingCommands(asker: Asker) {
  const { output, sources, surroundings, colour, terminal, stopped } = asker
  return {
    explain: {
      summary: 'why did an attestation end as it did? Asked of a running service',
      run: async (args: readonly string[]) =>
        await explainCommand(args, {
          ...output,
          colour,
          files: localFiles,
          fetch: globalThis.fetch,
        }),
    },
    keys: {
      summary: 'the keys that sign tokens: list, rotate, revoke, store under another key',
      run: async (args: readonly string[]) => {
        const [{ keysCommand }, { openStoredKeys }] = await Promise.all([
          import('../cli/keys.ts'),
          import('./keys.ts'),
        ])
        return await keysCommand(args, {
          ...output,
          colour,
          files: localFiles,
          fetch: globalThis.fetch,
          openKeys: (flags) => openStoredKeys(readConfig({ ...sources, flags }), surroundings),
        })
      },
    },
    log: {
      summary: 'the transparency log: verify it, prove a decision, witness it',
      run: async (args: readonly string[]) => {
        const [{ logCommand }, { keepDurably }] = await Promise.all([
          import('../cli/log.ts'),
          import('../adapters/durable-file.ts'),
        ])
        return await logCommand(args, {
          ...output,
          colour,
          terminal,
          files: localFiles,
          fetch: globalThis.fetch,
          now: systemClock.now,
          randomBytes: systemRandom.bytes,
          keepFile: keepDurably,
          wait: async (ms) => await sleep(ms),
          stopped,
        })
      },
    },
    session: {
      summary:
        'the agents that are watched while they run: who stands how, and what to do about it',
      run: async (args: readonly string[]) => {
        const { sessionCommand } = await import('../cli/session.ts')
        return await sessionCommand(args, {
          ...output,
          colour,
          files: localFiles,
          fetch: globalThis.fetch,
        })
      },
    },
    reappraise: {
      summary: 'would what was let pass still pass? Revokes the tokens of what would not',
      run: async (args: readonly string[]) =>
        await reappraiseCommand(args, {
          ...output,
          colour,
          terminal,
          files: localFiles,
          fetch: globalThis.fetch,
          async *directly(question) {
            const { reappraiseDirectly } = await import('./reappraise.ts')
            yield* reappraiseDirectly(question, readConfig(sources), surroundings)
          },
        }),
    },
  }
}
