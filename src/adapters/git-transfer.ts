/** What has the remote, and how does it come here? One branch and nothing else of it, checked object by object on its way. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { type GitCredentials, presentationOf } from './git-credentials.ts'
import { type GitQuestion, runGit } from './git-process.ts'
import type { GitRemote } from './git-remote.ts'

export interface GitBranch {
  readonly remote: GitRemote
  readonly branch: string
  readonly credentials: GitCredentials | undefined
  /** PEM roots for the remote's TLS certificate, in place of the machine's. */
  readonly authoritiesFile: string | undefined
  /** Where a remote folder is said to be safe to read, whoever owns it. */
  readonly globalConfig: string
  readonly searchPath: string
  readonly timeoutMs: number
  /** Longest pack. */
  readonly mostFetchedBytes: number
}

const CANDIDATE = 'refs/vouchsafe/candidate'

const MOST_ADVERTISED_BYTES = 64 * 1024

/** What the branch names now: an object of any type. One round trip. Throws HistoryFault. */
export async function advertisedBy(branch: GitBranch): Promise<string> {
  const ref = `refs/heads/${branch.branch}`
  // Without a repository of ours, the object format is the remote's.
  const output = await ask(branch, {
    args: ['ls-remote', '--quiet', '--', branch.remote.address, ref],
    mostBytes: MOST_ADVERTISED_BYTES,
  })
  // git also prints refs that only end like it: refs/x/refs/heads/main.
  const [object] = output
    .toString('latin1')
    .split('\n')
    .flatMap((line) => (line.endsWith(`\t${ref}`) ? [line.slice(0, -ref.length - 1)] : []))
  if (object === undefined)
    throw new HistoryFault(
      `${branch.remote.address} has no branch ${branch.branch}: push it, or correct the name in the configuration`,
    )
  return objectName(object, branch)
}

/** Brings the branch and all that it descends from into this repository, and returns what it names. Throws HistoryFault. */
export async function receiveInto(
  gitDir: string,
  branch: GitBranch,
  begun?: () => void,
): Promise<string> {
  const { remote, mostFetchedBytes } = branch
  try {
    await ask(branch, {
      args: [
        ...['--git-dir', gitDir, 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head'],
        ...['--no-recurse-submodules', '--no-auto-maintenance', '--no-show-forced-updates'],
        // `+`: going back and aside is judged elsewhere, against what was accepted.
        ...['--', remote.address, `+refs/heads/${branch.branch}:${CANDIDATE}`],
      ],
      mostBytes: MOST_ADVERTISED_BYTES,
      mostWrittenBytes: mostFetchedBytes,
      begun,
    })
  } catch (cause) {
    if ((await longestPack(gitDir)) < mostFetchedBytes) throw cause
    throw new HistoryFault(
      `the branch ${branch.branch} of ${remote.address} brings more than ${mostFetchedBytes} bytes at once: a policy repository is text, so look for what was committed by mistake`,
    )
  }
  const received = await readFile(join(gitDir, CANDIDATE), 'latin1').catch(() => undefined)
  if (received !== undefined) return objectName(received.trimEnd(), branch)
  // Git takes nothing over from it, and calls that no failure.
  throw new HistoryFault(
    `${remote.address} has not the whole history of ${branch.branch}: it is a shallow clone, so run git fetch --unshallow there, or name the repository that it was cloned from`,
  )
}

async function longestPack(gitDir: string): Promise<number> {
  const folder = join(gitDir, 'objects/pack')
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size)
  return Math.max(0, ...(await Promise.all(sizes)))
}

function objectName(text: string, { remote }: GitBranch): string {
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text
  throw new HistoryFault(`${remote.address} gave "${text.slice(0, 80)}" as an object's name`)
}

async function ask(
  branch: GitBranch,
  question: Pick<GitQuestion, 'args' | 'mostBytes' | 'mostWrittenBytes' | 'begun'>,
): Promise<Buffer> {
  const { remote, credentials, authoritiesFile, globalConfig, searchPath, timeoutMs } = branch
  const { settings, environment, secrets } = await presentationOf(credentials, remote)
  try {
    return await runGit({
      ...question,
      searchPath,
      timeoutMs,
      protocol: remote.protocol,
      settings: { ...settings, ...(authoritiesFile && { 'http.sslCAInfo': authoritiesFile }) },
      environment: { ...environment, GIT_CONFIG_GLOBAL: globalConfig },
      secrets,
    })
  } catch (cause) {
    if (!(cause instanceof HistoryFault)) throw cause
    throw new HistoryFault(
      `the branch ${branch.branch} of ${remote.address} could not be fetched: ${cause.message}${advice(cause.message)}`,
    )
  }
}

function advice(message: string): string {
  const [, next] = advices.find(([symptom]) => symptom.test(message)) ?? []
  return next === undefined ? '' : ` (${next})`
}

const advices: readonly (readonly [RegExp, string])[] = [
  [
    /could not read Username|Authentication failed|returned error: 40[13]|Permission denied/,
    'the remote does not know these credentials: check the token or key file',
  ],
  [
    /redirect|returned error: 30\d/,
    'redirects are not followed: configure the address that it leads to',
  ],
  [/does not appear to be a git repository|not found/, 'check the address'],
  [/Host key verification failed/, 'add the host to the known_hosts file, after checking its key'],
]
