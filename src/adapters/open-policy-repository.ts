/**
 * One branch of a policy repository with its whole history, for a single run: a clone at a path is read where it lies, and
 * an address is fetched into a folder that is gone afterwards.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HistoryFault, type PolicyHistory } from '../policy/acceptance/acceptance.ts'
import { gitDirectoryOf } from './git-directory.ts'
import { gitHistory } from './git-history.ts'
import { openGitMirror } from './git-mirror.ts'
import { type GitSettings, runGit } from './git-process.ts'
import { resolveRevision } from './policy-folder.ts'

export interface PolicyRepositoryPlace {
  /** Path of a clone, or an address. */
  readonly repository: string
  /** Undefined: what is checked out for a path, `main` for an address. */
  readonly branch: string | undefined
}

export interface OpenPolicyRepository {
  readonly history: PolicyHistory
  readonly candidate: string
  readonly branch: string
  /** Full name of the commit that `revision` means: any that Git knows in a clone, full names only behind an address. */
  readonly resolve: (revision: string) => Promise<string>
  readonly close: () => Promise<void>
}

/** Throws HistoryFault: unreachable, no repository, no such branch, or a clone without its whole history. */
export async function openPolicyRepository(
  { repository, branch }: PolicyRepositoryPlace,
  settings: GitSettings,
): Promise<OpenPolicyRepository> {
  if (!repository.includes('://') && !/^[^/]*:/.test(repository))
    return await openClone(await gitDirectoryOf(repository), branch, settings)
  const directory = await mkdtemp(join(tmpdir(), 'vouchsafe-policy-'))
  const close = async () => await rm(directory, { recursive: true, force: true })
  try {
    const wanted = branch ?? 'main'
    const mirror = await openGitMirror({
      remote: repository,
      branch: wanted,
      directory,
      searchPath: settings.searchPath,
    })
    const candidate = await mirror.fetch()
    const resolve = async (name: string) => {
      if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name) && (await mirror.holds(name))) return name
      throw new HistoryFault(
        `${repository} has no commit ${JSON.stringify(name)} on ${wanted}: give its full name`,
      )
    }
    return { history: mirror, candidate, branch: wanted, resolve, close }
  } catch (cause) {
    await close()
    throw cause
  }
}

async function openClone(
  gitDir: string,
  branch: string | undefined,
  settings: GitSettings,
): Promise<OpenPolicyRepository> {
  const ask = asking(gitDir, settings)
  // Git would answer about a history that was cut off, and call the cut its beginning.
  if ((await ask(['rev-parse', '--is-shallow-repository'])).toString().trim() !== 'false')
    throw new HistoryFault(
      `${gitDir} is a shallow clone, whose history was cut off: run git fetch --unshallow (in a forge's CI, check out with its whole history)`,
    )
  const candidate = await resolveRevision(
    ask,
    branch === undefined ? 'HEAD' : `refs/heads/${branch}`,
  )
  return {
    history: gitHistory(gitDir, settings),
    candidate,
    branch: branch ?? (await checkedOut(ask)),
    resolve: async (revision) => await resolveRevision(ask, revision),
    close: async () => {},
  }
}

type Ask = ReturnType<typeof asking>

const MOST_BYTES = 1024

function asking(gitDir: string, settings: GitSettings) {
  return async (args: readonly string[]) =>
    await runGit({
      ...settings,
      mostBytes: MOST_BYTES,
      args: ['--git-dir', gitDir, ...args],
    })
}

/** `HEAD` where no branch is, as in most CI. */
async function checkedOut(ask: Ask): Promise<string> {
  const name = await ask(['rev-parse', '--abbrev-ref', 'HEAD'])
  return name.toString('utf8').trim()
}
