/** `--last COMMIT`: what is remembered of a commit that was accepted before, put together from its history alone. */
import type { AcceptedState, PolicyHistory } from '../policy/acceptance/acceptance.ts'
import { declaredGeneration, keepsMark } from '../policy/acceptance/generations.ts'
import type { PolicyFile } from '../policy/policy.ts'
import { policyDigest } from '../policy/policy-digest.ts'
import type { OpenRepository } from './policy-deps.ts'

/**
 * Its tree is taken as it is. Files that were deleted before it keep the generation that they had last, so that nothing old
 * comes back by another run. Throws HistoryFault, for a commit that is not there too.
 */
export async function acceptedAt(
  { history, resolve }: OpenRepository,
  revision: string,
): Promise<AcceptedState> {
  const commit = await resolve(revision)
  const files = await history.filesOf(commit)
  const present = new Set(files.map(({ path }) => path))
  const deleted: PolicyFile[] = []
  for (const [path, lastIn] of await lastCommitsOf(history, commit))
    if (!present.has(path)) deleted.push(...(await history.filesOf(lastIn, [path])))
  const marks = [...files, ...deleted].flatMap((file) => {
    const generation = keepsMark(file.path) ? declaredGeneration(file) : undefined
    return generation === undefined ? [] : [[file.path, generation] as const]
  })
  return { commit, digest: policyDigest(files), marks: Object.fromEntries(marks), provenance: {} }
}

/** For every document that ever was: the commit before its last change, which for one that is gone is the last that had it. */
async function lastCommitsOf(
  history: PolicyHistory,
  commit: string,
): Promise<ReadonlyMap<string, string>> {
  const lastIn = new Map<string, string>()
  let before: string | undefined
  for (const each of (await history.firstParents(undefined, commit)) ?? []) {
    for (const path of await history.changedPaths(before, each))
      if (before !== undefined && keepsMark(path)) lastIn.set(path, before)
    before = each
  }
  return lastIn
}
