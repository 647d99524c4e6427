/**
 * One full copy of a remote's branch, and the way to renew it. What a fetch brings is received beside the copy and taken over
 * whole or not at all: a transfer that is killed, too large or unsound leaves nothing behind. Whether a commit may become
 * the policy is judged elsewhere; here any commit of the branch will do.
 */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import type { PolicyMirror } from '../service/policy-ports.ts'
import { checkCredentials, type GitCredentials } from './git-credentials.ts'
import { type MirrorCopy, mirrorCopy } from './git-mirror-copy.ts'
import { mirrorRepository, type ObjectFormat, writeWhole } from './git-mirror-repository.ts'
import { runGit } from './git-process.ts'
import { readBranch, readRemote } from './git-remote.ts'
import { advertisedBy, type GitBranch } from './git-transfer.ts'

export interface MirrorRequest {
  /** A folder, file://, https://, ssh://, git@host:path, or http:// to this machine. */
  readonly remote: string
  readonly branch: string
  /** Made if it is not there. Several mirrors of the same remote and branch, in several processes, may share it. */
  readonly directory: string
  /** PATH. */
  readonly searchPath: string
  readonly limits?: MirrorLimits
  readonly credentials?: GitCredentials | undefined
  /** PEM roots for the remote's TLS certificate, in place of the machine's. */
  readonly authoritiesFile?: string | undefined
}

export interface MirrorLimits {
  /** One exchange with the remote, or one piece of work on the copy. */
  readonly timeoutMs: number
  /** What one fetch may bring, packed. */
  readonly mostFetchedBytes: number
  /** Beyond this, packed, what was refused is swept away. What was accepted may take more. */
  readonly mostKeptBytes: number
}

export const usualLimits: MirrorLimits = {
  timeoutMs: 60_000,
  mostFetchedBytes: 64 * 1024 * 1024,
  mostKeptBytes: 256 * 1024 * 1024,
}

/** GIT_CONFIG_GLOBAL and GIT_CONFIG_COUNT, without which nothing of what git-process.ts sets holds. */
const OLDEST_GIT = [2, 32] as const

/** Asks nothing of the remote yet. Throws Problem('configuration-invalid'), or HistoryFault for a folder that cannot be used. */
export async function openGitMirror(request: MirrorRequest): Promise<PolicyMirror> {
  const { searchPath, limits = usualLimits, credentials, authoritiesFile } = request
  const { timeoutMs, mostFetchedBytes } = limits
  const remote = readRemote(request.remote)
  checkCredentials(credentials, remote)
  const directory = resolve(request.directory)
  const globalConfig = join(directory, 'gitconfig')
  await inFolder(directory, async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeWhole(globalConfig, globalConfigFor(remote.protocol), directory)
  })
  const branch: GitBranch = {
    remote,
    branch: readBranch(request.branch),
    credentials,
    authoritiesFile: authoritiesFile === undefined ? undefined : resolve(authoritiesFile),
    globalConfig,
    searchPath,
    timeoutMs,
    mostFetchedBytes,
  }
  const copyOf = (format: ObjectFormat) => {
    const settings = { searchPath, timeoutMs, mostKeptBytes: limits.mostKeptBytes }
    return mirrorCopy(mirrorRepository({ directory, format, ...settings }), settings)
  }
  return policyMirror(directory, branch, { sha1: copyOf('sha1'), sha256: copyOf('sha256') })
}

/** A remote may change its object format, and what was accepted in the old one is still there to be compared with. */
type Copies = Readonly<Record<ObjectFormat, MirrorCopy>>

function policyMirror(directory: string, branch: GitBranch, copies: Copies): PolicyMirror {
  const copyWith = (commit: string) => copies[commit.length === 64 ? 'sha256' : 'sha1']
  const inTurn = oneAtATime()
  let isGitChecked = false
  let last: string | undefined

  async function fetch(): Promise<string> {
    if (!isGitChecked) await checkGit(branch)
    isGitChecked = true
    const advertised = await advertisedBy(branch)
    const copy = copyWith(advertised)
    if (advertised !== last || !copy.isSound()) last = await copy.bring(advertised, branch)
    return last
  }

  return {
    firstParents: async (from, to) => await copyWith(to).history.firstParents(from, to),
    commitObject: async (commit) => await copyWith(commit).history.commitObject(commit),
    changedPaths: async (before, after) =>
      await copyWith(after).history.changedPaths(before, after),
    filesOf: async (commit, under) => await copyWith(commit).history.filesOf(commit, under),
    fetch: async () => await inTurn(async () => await inFolder(directory, fetch)),
    holds: async (commit) => await copyWith(commit).holds(commit),
    keepAccepted: async (commit) =>
      await inTurn(
        async () =>
          await inFolder(directory, async () => await copyWith(commit).keepAccepted(commit)),
      ),
    async lastKept() {
      const [one, other] = [await copies.sha1.lastKept(), await copies.sha256.lastKept()]
      const isOther = other && (!one || other.writtenAt > one.writtenAt)
      return (isOther ? other : one)?.commit
    },
  }
}

/** A full disk or a folder of another user is not this program's fault, and has a sentence. */
async function inFolder<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof Error && 'syscall' in cause)) throw cause
    throw new HistoryFault(`the mirror in ${directory} cannot be used: ${cause.message}`)
  }
}

async function checkGit({ searchPath, timeoutMs }: GitBranch): Promise<void> {
  const output = await runGit({ args: ['version'], mostBytes: 1_000, searchPath, timeoutMs })
  const [, major, minor] = /^git version (\d+)\.(\d+)/.exec(output.toString('latin1')) ?? []
  const [oldestMajor, oldestMinor] = OLDEST_GIT
  const isNewEnough =
    Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor)
  if (isNewEnough) return
  throw new HistoryFault(
    `git ${OLDEST_GIT.join('.')} or newer is needed; this machine has ${JSON.stringify(output.toString('latin1').trim().slice(0, 80))}`,
  )
}

/**
 * Git reads no repository of another user unless told so, because its configuration could start programs. Here the operator
 * has named the folder, what git would start from it is off (git-process.ts), and who wrote a commit is told by its signature.
 */
function globalConfigFor(protocol: string): string {
  return protocol === 'file' ? '[safe]\n\tdirectory = *\n' : ''
}

function oneAtATime(): <T>(work: () => Promise<T>) => Promise<T> {
  let before: Promise<unknown> = Promise.resolve()
  return async (work) => {
    const result = before.then(work, work)
    before = result
    return await result
  }
}
