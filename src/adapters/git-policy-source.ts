/**
 * Policy from the HEAD commit of a local Git repository: whoever can move HEAD decides. (Signatures, ancestry and
 * thresholds take this adapter's place behind the same port: design section 5.) A commit that is no policy leaves the one
 * in force, and the condition says why.
 */
import { mistakeText, type Policy, readPolicy } from '../policy/policy.ts'
import type { Clock, Journal, PolicyCondition, PolicySource } from '../service/ports.ts'
import { type GitRepository, RepositoryFault } from './git-repository.ts'

export interface GitPolicyRequest {
  readonly tenant: string
  readonly repository: GitRepository
  /** Ids and groups of checks that a policy may waive. */
  readonly waivable: ReadonlySet<string>
  readonly clock: Clock
  readonly journal: Journal
}

const MOST_MISTAKES_TOLD = 20

/** Nothing is read before the first `refresh`. */
export function gitPolicySource(request: GitPolicyRequest): PolicySource {
  const { tenant, repository, waivable, clock, journal } = request
  let accepted: Policy | undefined
  let running: Promise<void> | undefined
  let condition: PolicyCondition = {
    name: 'NotRead',
    message: 'the repository has not been read yet',
    since: clock.now(),
    commit: undefined,
  }

  async function look(): Promise<void> {
    try {
      const commit = await repository.head()
      if (commit === accepted?.commit)
        return settle('Synced', `commit ${commit} is in force`, commit)
      // A commit never changes: what was no policy a moment ago still is none.
      if (commit === condition.commit && condition.name === 'SchemaInvalid') return
      const files = await repository.filesOf(commit)
      const reading = readPolicy(files, { commit, waivable, previous: accepted })
      if ('mistakes' in reading) {
        const told = reading.mistakes.slice(0, MOST_MISTAKES_TOLD).map(mistakeText)
        const rest = reading.mistakes.length - told.length
        return settle(
          'SchemaInvalid',
          [...told, ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n'),
          commit,
        )
      }
      accepted = reading.policy
      settle('Synced', `commit ${commit} is in force`, commit)
    } catch (cause) {
      settle(
        'FetchFailed',
        cause instanceof RepositoryFault
          ? cause.message
          : `the repository could not be read: ${cause instanceof Error ? cause.message : cause}`,
        undefined,
      )
    }
  }

  function settle(
    name: PolicyCondition['name'],
    message: string,
    commit: string | undefined,
  ): void {
    if (condition.name === name && condition.message === message) return
    condition = { name, message, since: clock.now(), commit }
    journal.record({
      event: name === 'Synced' ? 'policy.accepted' : 'policy.condition',
      at: condition.since,
      fields: { tenant, condition: name, message, commit: commit ?? null },
    })
  }

  return {
    accepted: () => accepted,
    condition: () => condition,
    // Polls that overlap wait for the one that runs.
    refresh: () => {
      running ??= look().finally(() => {
        running = undefined
      })
      return running
    },
  }
}
