/**
 * Reads one commit of a local Git repository with the system's git, which alone knows every format and checks SHA-1 for
 * collisions. Nothing of the repository is executed, followed or fetched: no hooks, filters, links, submodules or promised
 * objects, no user's or system's configuration, and no working tree.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface GitSettings {
  /** Where `git` is looked for: PATH. */
  readonly searchPath: string
  readonly timeoutMs: number
}

interface CommittedFile {
  readonly path: string
  readonly bytes: Uint8Array
}

/** The repository is not as it must be; the message is a sentence for its operator. */
export class RepositoryFault extends Error {
  override readonly name = 'RepositoryFault'
}

const MOST_FILES = 20_000
const LARGEST_FILE = 1024 * 1024
const LARGEST_TREE = 64 * 1024 * 1024
const LARGEST_LISTING = 8 * 1024 * 1024

export interface GitRepository {
  /** Name of the commit that HEAD points to. Throws RepositoryFault. */
  readonly head: () => Promise<string>
  /** Every file of that commit, in Git's order. Throws RepositoryFault. */
  readonly filesOf: (commit: string) => Promise<readonly CommittedFile[]>
}

/** `path`: a bare repository, or a working tree's folder. Parent folders are never searched for one. */
export function gitRepository(path: string, settings: GitSettings): GitRepository {
  const folder = resolve(path)
  const nested = join(folder, '.git')
  const run = (args: readonly string[], limits: Limits) =>
    runGit(['--git-dir', existsSync(nested) ? nested : folder, ...hardening, ...args], {
      ...settings,
      ...limits,
    })
  return {
    async head() {
      const text = await run(['rev-parse', '--verify', '--end-of-options', 'HEAD^{commit}'], {
        mostBytes: 200,
      })
      return commitName(text.toString('latin1').trim())
    },
    async filesOf(commit) {
      const listing = await run(['ls-tree', '-r', '-z', '-l', '--full-tree', commitName(commit)], {
        mostBytes: LARGEST_LISTING,
      })
      const entries = entriesOf(listing)
      const size = entries.reduce((sum, entry) => sum + entry.size, 0)
      const contents = await run(['cat-file', '--batch'], {
        mostBytes: size + entries.length * 200,
        input: entries.map(({ object }) => `${object}\n`).join(''),
      })
      return cutOut(entries, contents)
    },
  }
}

/** What configuration in the repository itself could make these commands do, said not to. */
const hardening = [
  ...['core.fsmonitor=false', 'core.hooksPath=/dev/null', 'protocol.allow=never'].flatMap(
    (setting) => ['-c', setting],
  ),
  '--no-pager',
  '--no-optional-locks',
]

interface Limits {
  readonly mostBytes: number
  readonly input?: string
}

async function runGit(
  args: readonly string[],
  { searchPath, timeoutMs, mostBytes, input = '' }: GitSettings & Limits,
): Promise<Buffer> {
  const child = spawn('git', args, {
    // Complete: nothing of this process's environment reaches git.
    env: {
      PATH: searchPath,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_NO_LAZY_FETCH: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_OPTIONAL_LOCKS: '0',
      // No protocol has this name: a promised object that is absent is an error and not a connection.
      GIT_ALLOW_PROTOCOL: 'none',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  const chunks: Buffer[] = []
  let size = 0
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > mostBytes) child.kill('SIGKILL')
    else chunks.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(0, 500)
  })
  // A git that ends early closes its end; its exit code says why.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return await new Promise((resolved, reject) => {
    child.on('error', (cause) =>
      reject(new RepositoryFault(`git could not be started: ${cause.message}`)),
    )
    child.on('close', (code, signal) => {
      if (code === 0) resolved(Buffer.concat(chunks))
      else if (size > mostBytes)
        reject(new RepositoryFault(`git wrote more than ${mostBytes} bytes`))
      else
        reject(
          new RepositoryFault(
            signal
              ? `git did not answer within ${timeoutMs} ms`
              : `git says: ${complaint.trim().split('\n')[0] || `exit ${code}`}`,
          ),
        )
    })
  })
}

interface Entry {
  readonly path: string
  readonly object: string
  readonly size: number
}

/** `<mode> SP <type> SP <object> SP+ <size> TAB <path> NUL`, paths as they are because of -z. */
function entriesOf(listing: Buffer): readonly Entry[] {
  const records = listing.toString('latin1').split('\0').slice(0, -1)
  if (records.length > MOST_FILES)
    throw new RepositoryFault(`the commit has ${records.length} files; at most ${MOST_FILES}`)
  const entries = records.map(entryOf)
  const total = entries.reduce((sum, { size }) => sum + size, 0)
  if (total > LARGEST_TREE)
    throw new RepositoryFault(`the commit has ${total} bytes; at most ${LARGEST_TREE} are read`)
  return entries
}

const kinds: Readonly<Record<string, string>> = {
  '120000': 'a symbolic link',
  '160000': 'a submodule',
}

function entryOf(record: string): Entry {
  const [, mode = '', object = '', sizeText = '', raw = ''] =
    /^(\d{6}) \w+ ([0-9a-f]{40}|[0-9a-f]{64}) +(\d+|-)\t(.+)$/s.exec(record) ?? []
  const path = pathOf(raw)
  if (mode !== '100644' && mode !== '100755')
    throw new RepositoryFault(
      `${path} is ${kinds[mode] ?? `an entry of mode ${mode}`}: a policy repository holds plain files only`,
    )
  const size = Number.parseInt(sizeText, 10)
  if (!(size <= LARGEST_FILE))
    throw new RepositoryFault(`${path} has ${sizeText} bytes; at most ${LARGEST_FILE} are read`)
  return { path, object, size }
}

/** UTF-8, and nothing that a terminal, a log or another file system would read differently. */
function pathOf(raw: string): string {
  let path: string
  try {
    path = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(raw, 'latin1'))
  } catch {
    throw new RepositoryFault(`the path ${JSON.stringify(raw)} is not UTF-8`)
  }
  const steps = path.split('/')
  if (
    path === '' ||
    path.length > 500 ||
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/u.test(path) ||
    steps.some((step) => ['', '.', '..'].includes(step) || step.toLowerCase() === '.git')
  )
    throw new RepositoryFault(`the path ${JSON.stringify(path)} is not a plain relative path`)
  return path
}

/** `<object> SP blob SP <size> LF <contents> LF`, in the order asked. */
function cutOut(entries: readonly Entry[], contents: Buffer): readonly CommittedFile[] {
  let at = 0
  return entries.map(({ path, object, size }) => {
    const head = `${object} blob ${size}\n`
    const start = at + head.length
    if (contents.toString('latin1', at, start) !== head)
      throw new RepositoryFault(`git did not hand out ${path} (object ${object})`)
    at = start + size + 1
    return { path, bytes: new Uint8Array(contents.subarray(start, start + size)) }
  })
}

function commitName(text: string): string {
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return text
  throw new RepositoryFault(`"${text.slice(0, 80)}" is not the name of a commit`)
}
