/** A reconciler on a real signed repository, a real clone and whichever store: what its tests have in common. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGitMirror } from '#src/adapters/git-mirror.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { systemRandom } from '#src/adapters/system.ts'
import type { RuleEngine } from '#src/policy/rules/rule.ts'
import { waivableByPolicy } from '#src/service/open-verifier.ts'
import type { PolicyMirror, PolicySource } from '#src/service/policy-ports.ts'
import { policyReconciler, type ReconcilerRequest } from '#src/service/policy-reconciler.ts'
import type { JournalEntry, Store } from '#src/service/ports.ts'
import { tees } from '#src/tee/registry.ts'
import { searchPath } from '../git/policy-repository.ts'

export const T0 = Date.parse('2026-07-01T00:00:00Z')

export interface Rig {
  readonly clock: { at: Date; readonly now: () => Date }
  readonly journal: JournalEntry[]
  readonly store: Store
  readonly directory: string
  readonly source: PolicySource
  /** Names of what holds now. */
  readonly names: () => readonly string[]
  /** All messages of what holds now. */
  readonly message: () => string
  /** The same store, clone and clock, as after a restart. */
  readonly restarted: (change?: Partial<ReconcilerRequest>) => Rig
  readonly remove: () => void
}

/** No repository of these tests has rules. */
const noRules: RuleEngine = {
  prepare: async (rules) => ({
    prepared: {
      rules,
      ask: async () => [],
      remembered: () => [],
      askCases: async () => [],
    },
  }),
}

export function rig(
  remote: string,
  change: Partial<ReconcilerRequest> & {
    readonly store?: Store
    readonly directory?: string
    readonly wrap?: (mirror: PolicyMirror) => PolicyMirror
  } = {},
): Rig {
  const { directory = mkdtempSync(join(tmpdir(), 'vouchsafe-clone-')), wrap, ...rest } = change
  const clock = { at: new Date(T0), now: () => clock.at }
  const journal: JournalEntry[] = []
  const store = change.store ?? memoryStore()
  const make = (more: Partial<ReconcilerRequest>): Rig => {
    const source = policyReconciler({
      tenant: 't',
      mirror: async () => {
        const mirror = await openGitMirror({ remote, branch: 'main', directory, searchPath })
        return wrap ? wrap(mirror) : mirror
      },
      engine: noRules,
      start: { kind: 'first-commit' },
      waivable: waivableByPolicy(),
      claimSchemas: new Map(tees.map(({ name, claimSchema }) => [name, claimSchema])),
      clock,
      random: systemRandom,
      journal: { record: (entry) => journal.push(entry) },
      replica: 'replica-1',
      ...rest,
      store,
      ...more,
    })
    return {
      clock,
      journal,
      store,
      directory,
      source,
      names: () => source.conditions(clock.at).map(({ name }) => name),
      message: () =>
        source
          .conditions(clock.at)
          .map(({ message }) => message)
          .join('\n'),
      restarted: (again = {}) => make({ ...more, ...again }),
      remove: () => rmSync(directory, { recursive: true, force: true }),
    }
  }
  return make({})
}
