/**
 * The working folder of a policy repository as it lies on disk, committed or not. Links are refused and not followed, as
 * they would be in a commit; what Git knows of earlier contents is asked of the system's git.
 */
import { lstat, open, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import type { PolicyFile } from '../policy/policy.ts'
import { gitDirectoryOf } from './git-directory.ts'
import { type GitQuestion, type GitSettings, runGit } from './git-process.ts'

export interface PolicyFolder {
  readonly path: string
  /** Everything but .git. Throws HistoryFault: links, too many, too large. */
  readonly files: () => Promise<readonly PolicyFile[]>
  /** What a file held last: in the commit that is checked out, or before it was deleted. Undefined: never committed. */
  readonly lastCommitted: (path: string) => Promise<Uint8Array | undefined>
  /** Full name of the commit that `revision` means here. Throws HistoryFault. */
  readonly resolve: (revision: string) => Promise<string>
}

const MOST_FILES = 20_000
const LARGEST_FILE = 1024 * 1024
const LARGEST_FOLDER = 64 * 1024 * 1024

/** Throws HistoryFault where there is no such folder. Parent folders are never searched. */
export async function openPolicyFolder(path: string, settings: GitSettings): Promise<PolicyFolder> {
  const top = resolve(path)
  const entry = await lstat(top).catch(() => undefined)
  if (!entry?.isDirectory()) throw new HistoryFault(`${top} is not a folder`)
  const ask = async (args: readonly string[], more: Partial<GitQuestion> = {}) => {
    const place = ['--git-dir', await gitDirectoryOf(top)]
    return await runGit({
      ...settings,
      mostBytes: LARGEST_FILE,
      ...more,
      args: [...place, ...args],
    })
  }
  return {
    path: top,
    files: async () => await filesBelow(top),
    async lastCommitted(file) {
      const commits = [() => 'HEAD', async () => `${await lastDeletion(ask, file)}^`]
      for (const commit of commits)
        try {
          const bytes = await ask(['cat-file', 'blob', `${await commit()}:${file}`])
          return new Uint8Array(bytes)
        } catch (cause) {
          if (!(cause instanceof HistoryFault)) throw cause
        }
      return undefined
    },
    resolve: async (revision) => await resolveRevision(ask, revision),
  }
}

type Ask = (args: readonly string[], more?: Partial<GitQuestion>) => Promise<Buffer>

/** Throws HistoryFault. `ask` adds which repository is meant. */
export async function resolveRevision(ask: Ask, revision: string): Promise<string> {
  try {
    const name = await ask([
      'rev-parse',
      '--verify',
      '--quiet',
      '--end-of-options',
      `${revision}^{commit}`,
    ])
    return name.toString('latin1').trim()
  } catch (cause) {
    if (!(cause instanceof HistoryFault)) throw cause
    throw new HistoryFault(`there is no commit ${JSON.stringify(revision)} in this clone`)
  }
}

async function lastDeletion(ask: Ask, file: string): Promise<string> {
  const answer = await ask(
    [
      'log',
      '--first-parent',
      '--diff-merges=first-parent',
      '--no-patch',
      '--no-renames',
      '--diff-filter=D',
      '--max-count=1',
      '--format=%H',
      'HEAD',
      '--',
      file,
    ],
    { environment: { GIT_LITERAL_PATHSPECS: '1' } },
  )
  const name = answer.toString('latin1').trim()
  if (name === '') throw new HistoryFault(`${file} was never deleted`)
  return name
}

async function filesBelow(top: string): Promise<readonly PolicyFile[]> {
  const files: PolicyFile[] = []
  let total = 0
  for (const folders = ['']; folders.length > 0; ) {
    const folder = folders.shift() ?? ''
    for (const entry of await readdir(join(top, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (path === '.git') continue
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) {
        const bytes = await contentOf(join(top, path), path)
        total += bytes.length
        files.push({ path, bytes })
      } else
        throw new HistoryFault(
          `${path} is neither a file nor a folder: a policy repository holds plain files only`,
        )
      if (files.length + folders.length > MOST_FILES || total > LARGEST_FOLDER)
        throw new HistoryFault(
          `${top} holds more than ${MOST_FILES} files or ${LARGEST_FOLDER} bytes: is it the top of a policy repository?`,
        )
    }
  }
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

async function contentOf(place: string, path: string): Promise<Uint8Array> {
  const file = await open(place, 'r')
  try {
    const { size } = await file.stat()
    if (size > LARGEST_FILE)
      throw new HistoryFault(`${path} has ${size} bytes; at most ${LARGEST_FILE} are read`)
    return new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}
