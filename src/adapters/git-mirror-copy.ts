/**
 * Everything that was fetched in one object format, and whether it still is what it was. Damage is noticed when it is met or
 * at the first fetch, and mended at the next one from the remote; what the remote no longer has is said and not forgotten.
 */
import { HistoryFault, type PolicyHistory } from '../policy/acceptance/acceptance.ts'
import { gitHistory } from './git-history.ts'
import type { KeptRef, MirrorRepository, Pack } from './git-mirror-repository.ts'
import { objectsOf, UnreadableObject } from './git-objects.ts'
import type { GitSettings } from './git-process.ts'
import { type GitBranch, receiveInto } from './git-transfer.ts'

export interface MirrorCopy {
  readonly history: PolicyHistory
  readonly isSound: () => boolean
  readonly holds: (commit: string) => Promise<boolean>
  /** Holds what the branch names, which was `advertised` a moment ago, and resolves to it. Throws HistoryFault. */
  readonly bring: (advertised: string, branch: GitBranch) => Promise<string>
  readonly keepAccepted: (commit: string) => Promise<void>
  /** Throws HistoryFault where it was kept and cannot be read any more. */
  readonly lastKept: () => Promise<KeptRef | undefined>
}

/** Each fetch brings one pack, and git looks through all of them. */
const MOST_PACKS = 50
const MEND_AGAIN_MS = 600_000

export function mirrorCopy(
  repository: MirrorRepository,
  settings: GitSettings & { readonly mostKeptBytes: number },
): MirrorCopy {
  let stored = gitHistory(repository.gitDir, settings)
  let isChecked = false
  /** Why something could not be read; undefined while nothing was missed. */
  let damage: string | undefined
  /** When everything was fetched anew, and what the branch named: what the remote has not does not come by asking often. */
  let mended = { advertised: '', at: Number.NEGATIVE_INFINITY }
  /** What was left after sweeping: accepted history may itself be larger than the limit. */
  let sweptBytes = 0

  async function holdsCommit(name: string): Promise<boolean> {
    try {
      await stored.commitObject(name)
      return true
    } catch (cause) {
      if (cause instanceof UnreadableObject) return false
      throw cause
    }
  }

  async function holds(commit: string): Promise<boolean> {
    return await holdsCommit(commit).catch(() => false)
  }

  async function mend(advertised: string, branch: GitBranch): Promise<void> {
    if (!isChecked) await check()
    isChecked = true
    if (damage === undefined) return
    if (mended.advertised !== advertised || performance.now() - mended.at > MEND_AGAIN_MS) {
      await fetchAnew(branch)
      mended = { advertised, at: performance.now() }
    }
    await check()
    if (damage === undefined) return
    throw new HistoryFault(
      `${repository.gitDir} is damaged, and what is missing is not on the branch any more (${damage}): push the last accepted commit to the remote again, restore the folder from a backup, or remove it to go on without what it kept`,
    )
  }

  async function check(): Promise<void> {
    damage = undefined
    await repository.check().catch(note)
  }

  function note(cause: unknown): void {
    if (!(cause instanceof HistoryFault)) throw cause
    damage ??= cause.message
  }

  /** Without using anything that is here, nor giving up the only copy of what was accepted. */
  async function fetchAnew(branch: GitBranch): Promise<void> {
    const kept = await repository.ref('accepted')
    const before = await repository.packs()
    const received = await repository.beside('alone', async (incoming) => {
      const name = await receiveInto(incoming, branch)
      const hasKept = kept && (await objectsOf(incoming, settings)(kept.commit, 0))
      const taken = await repository.takeOver(incoming)
      if (hasKept || !kept)
        await repository.remove(before.filter((pack) => !taken.includes(pack.name)))
      return name
    })
    // Its process knows the packs that were there before.
    stored = gitHistory(repository.gitDir, settings)
    await repository.setRef('candidate', received)
  }

  async function fetchNews(branch: GitBranch, begun: () => void): Promise<string> {
    return await repository.beside('borrowing', async (incoming) => {
      try {
        const name = await receiveInto(incoming, branch, begun)
        await repository.takeOver(incoming)
        return name
      } catch (cause) {
        // What should have been borrowed may be the reason.
        await check()
        throw cause
      }
    })
  }

  async function sweepBeyond(mostPacks: number): Promise<void> {
    const packs = await repository.packs()
    const bytes = sizeOf(packs)
    if (packs.length <= mostPacks && bytes <= Math.max(settings.mostKeptBytes, 1.5 * sweptBytes))
      return
    await repository.sweep().catch(note)
    sweptBytes = sizeOf(await repository.packs())
  }

  /** What cannot be read is remembered, so that the next fetch looks after it. */
  function noticing<A extends readonly unknown[], R>(
    method: (history: PolicyHistory) => (...values: A) => Promise<R>,
  ): (...values: A) => Promise<R> {
    return async (...values) => {
      try {
        return await method(stored)(...values)
      } catch (cause) {
        if (cause instanceof UnreadableObject) {
          note(cause)
          if (!(await repository.exists()))
            throw new HistoryFault('the policy repository has not been fetched yet')
        }
        throw cause
      }
    }
  }

  return {
    history: {
      firstParents: noticing(({ firstParents }) => firstParents),
      commitObject: noticing(({ commitObject }) => commitObject),
      changedPaths: noticing(({ changedPaths }) => changedPaths),
      filesOf: noticing(({ filesOf }) => filesOf),
    },
    isSound: () => damage === undefined,
    holds,
    async bring(advertised, branch) {
      if (!isChecked || !(await repository.exists())) await repository.prepare()
      await mend(advertised, branch)
      const candidate = await repository.ref('candidate').catch(() => undefined)
      if (candidate?.commit === advertised && (await holdsCommit(advertised))) return advertised
      // Whoever reads what comes needs a process that hands it out: it starts while git fetches.
      const received = await fetchNews(branch, () => void holds(advertised))
      if (!(await holdsCommit(received))) {
        damage = `${received} was fetched and cannot be read`
        throw new HistoryFault(
          `${repository.gitDir} is damaged and will be fetched anew: ${damage}`,
        )
      }
      await repository.setRef('candidate', received)
      // Accepted changes are swept together where nobody waits for them.
      await sweepBeyond(2 * MOST_PACKS)
      return received
    },
    async keepAccepted(commit) {
      if (!(await holdsCommit(commit)))
        throw new HistoryFault(`${commit} cannot be kept: the mirror does not have it`)
      await repository.setRef('accepted', commit)
      await sweepBeyond(MOST_PACKS)
    },
    lastKept: async () => await repository.ref('accepted'),
  }
}

function sizeOf(packs: readonly Pack[]): number {
  return packs.reduce((sum, { bytes }) => sum + bytes, 0)
}
