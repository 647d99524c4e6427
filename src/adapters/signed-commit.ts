/**
 * Makes signed commits with the system's git, for `policy init`, `dev` and tests: blobs and trees by one fast-import (which
 * in Git 2.39 cannot sign), the commit object as written here and signed in this process. No hooks, nobody's configuration.
 */
import { spawn } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { withSignature } from '../policy/signatures/commit-object.ts'
import { signSsh } from '../policy/signatures/ssh-signature.ts'
import { Problem } from '../problems.ts'

export interface RepositorySettings {
  /** Where `git` is looked for: PATH. */
  readonly searchPath: string
  /** `main` unless given. */
  readonly branch?: string
  /** Without a working tree. */
  readonly kind?: 'bare' | 'working-tree'
  /** `sha1` unless given. */
  readonly objectFormat?: 'sha1' | 'sha256'
}

/** Throws Problem('policy-unavailable') where git is absent or refuses. */
export async function initRepository(
  path: string,
  { searchPath, branch = 'main', kind = 'working-tree', objectFormat = 'sha1' }: RepositorySettings,
): Promise<void> {
  await runGit(searchPath, [
    'init',
    '--quiet',
    '--template=',
    `--initial-branch=${branch}`,
    `--object-format=${objectFormat}`,
    ...(kind === 'bare' ? ['--bare'] : []),
    '--',
    path,
  ])
}

export interface SignedCommit {
  /** A bare repository, or a working tree's folder. */
  readonly repository: string
  readonly searchPath: string
  readonly message: string
  /** Changes to the first parent's tree; `null` deletes a file or folder. */
  readonly files?: Readonly<Record<string, string | Uint8Array | null>>
  /** Without one the commit is unsigned. */
  readonly signer?: CommitSigner
  /** Author's and committer's time; now unless given. */
  readonly at?: Date
  /** Its branch; what HEAD points to unless given. Made where it does not exist. */
  readonly branch?: string
  /** The branch's commit unless given; `[]` begins a history anew, two make a merge. The branch is moved wherever it was. */
  readonly parents?: readonly string[]
  /** Object name of a whole tree, instead of `files`: for entries that no plain file makes. */
  readonly tree?: string
  /** Signs instead of the signer's key, in any armor. */
  readonly sign?: (payload: Uint8Array) => string | Promise<string>
  /** What an attacker may claim. */
  readonly committer?: { readonly name?: string; readonly email?: string; readonly at?: Date }
}

export interface CommitSigner {
  /** Ed25519. */
  readonly privateKey: KeyObject
  readonly name: string
  readonly email: string
}

/**
 * Returns the commit's name. A working tree on that branch is brought to it; git refuses, and nothing is changed, where
 * that would overwrite what was not committed. Throws Problem('policy-unavailable').
 */
export async function commitSigned(request: SignedCommit): Promise<string> {
  const { repository, searchPath, branch, signer, message } = request
  const git = gitIn(repository, searchPath)
  const ref = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
  const before = await git.ask(['rev-parse', '--verify', '--quiet', `${ref}^{commit}`])
  const parents = request.parents ?? (before === undefined ? [] : [before])
  const tree = request.tree ?? (await treeOf(git, parents[0], request.files ?? {}))

  const at = request.at ?? new Date()
  const { name, email } = signer ?? { name: 'Nobody', email: 'nobody@localhost' }
  const committer = { name, email, at, ...request.committer }
  const payload = Buffer.from(
    [
      `tree ${tree}`,
      ...parents.map((parent) => `parent ${parent}`),
      `author ${personText({ name, email, at })}`,
      `committer ${personText(committer)}`,
      '',
      message.endsWith('\n') ? message : `${message}\n`,
    ].join('\n'),
  )
  const sign =
    request.sign ?? (signer && ((bytes: Uint8Array) => signSsh(signer.privateKey, bytes, 'git')))
  const object = sign
    ? withSignature(payload, await sign(payload), tree.length === 40 ? 'sha1' : 'sha256')
    : payload
  const commit = await git.run(['hash-object', '-t', 'commit', '-w', '--stdin'], object)
  if (git.hasWorkingTree && branch === undefined)
    await git.run(
      before === undefined
        ? ['read-tree', '-m', '-u', commit]
        : ['read-tree', '-m', '-u', before, commit],
    )
  // The old value: a commit that somebody else made meanwhile is not lost silently.
  await git.run(['update-ref', ref, commit, before ?? '0'.repeat(commit.length)])
  return commit
}

/** The newest commit of a branch. Throws Problem('policy-unavailable'). */
export async function headOf({
  repository,
  searchPath,
  branch,
}: Pick<SignedCommit, 'repository' | 'searchPath'> & { readonly branch: string }): Promise<
  string | undefined
> {
  const ref = `refs/heads/${branch}^{commit}`
  return await gitIn(repository, searchPath).ask(['rev-parse', '--verify', '--quiet', ref])
}

const TIMEOUT_MS = 60_000
const SCRATCH = 'refs/heads/vouchsafe-scratch'

/** Builds a commit on a scratch branch, asks for its tree, and forgets the branch before it is written. */
async function treeOf(
  git: Git,
  parent: string | undefined,
  files: Readonly<Record<string, string | Uint8Array | null>>,
): Promise<string> {
  const script: Uint8Array[] = []
  const say = (text: string) => script.push(Buffer.from(text))
  say(`commit ${SCRATCH}\ncommitter Nobody <nobody@localhost> 0 +0000\ndata 0\n`)
  if (parent !== undefined) say(`from ${parent}\n`)
  for (const [path, content] of Object.entries(files)) {
    if (content === null) {
      say(`D ${quoted(path)}\n`)
      continue
    }
    const bytes = Buffer.from(content)
    say(`M 100644 inline ${quoted(path)}\ndata ${bytes.length}\n`)
    script.push(bytes, Buffer.from('\n'))
  }
  say(`ls ""\nreset ${SCRATCH}\n\n`)
  const answer = await git.run(
    ['fast-import', '--quiet', '--cat-blob-fd=1', '--date-format=raw'],
    Buffer.concat(script),
  )
  const [, tree] = /^040000 tree ([0-9a-f]+)\t$/m.exec(answer) ?? []
  if (tree === undefined) throw unavailable(`git answered "${answer}" when asked for a tree`)
  return tree
}

function quoted(path: string): string {
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

interface Claimed {
  readonly name: string
  readonly email: string
  readonly at: Date
}

/** Git takes whatever stands there: a line feed in a name would begin a header of its own. */
function personText({ name, email, at }: Claimed): string {
  if (/[<>\n\0]/.test(name + email))
    throw new Problem(
      'configuration-invalid',
      `${JSON.stringify(name)} and ${JSON.stringify(email)} cannot name who commits: take <, > and line feeds out`,
    )
  return `${name} <${email}> ${Math.floor(at.getTime() / 1000)} +0000`
}

interface Git {
  readonly hasWorkingTree: boolean
  /** What git printed, without its last line feed. Throws Problem. */
  readonly run: (args: readonly string[], input?: Uint8Array) => Promise<string>
  /** Undefined where git says no by its exit code alone. */
  readonly ask: (args: readonly string[]) => Promise<string | undefined>
}

function gitIn(repository: string, searchPath: string): Git {
  const folder = resolve(repository)
  const nested = join(folder, '.git')
  const hasWorkingTree = existsSync(nested)
  const place = hasWorkingTree
    ? [`--git-dir=${nested}`, `--work-tree=${folder}`]
    : [`--git-dir=${folder}`]
  return {
    hasWorkingTree,
    run: async (args, input) => await runGit(searchPath, [...place, ...args], input),
    async ask(args) {
      const { code, output, complaint } = await spawnGit(searchPath, [...place, ...args])
      if (code === 0) return output
      if (complaint === '') return undefined
      throw unavailable(complaint)
    },
  }
}

async function runGit(searchPath: string, args: readonly string[], input?: Uint8Array) {
  const { code, output, complaint } = await spawnGit(searchPath, args, input)
  if (code === 0) return output
  throw unavailable(complaint || `it ended with ${code ?? 'a signal, or took too long'}`)
}

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly complaint: string
}

async function spawnGit(
  searchPath: string,
  args: readonly string[],
  input: Uint8Array = new Uint8Array(),
): Promise<Ended> {
  const harmless = ['-c', 'core.hooksPath=/dev/null', '-c', 'core.fsmonitor=false']
  const child = spawn('git', [...harmless, ...args], {
    // Nobody's settings, hooks or signing keys: the same commit everywhere.
    env: {
      PATH: searchPath,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_NO_REPLACE_OBJECTS: '1',
    },
    stdio: 'pipe',
  })
  // Not spawn's own: its timer outlives a program that is absent, and keeps this one from ending.
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  let output = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 2000)
  })
  // A git that ends early closes its end; its exit code says why.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return await new Promise((settle, refuse) => {
    child.on('error', ({ message }) => {
      clearTimeout(timer)
      refuse(unavailable(`it could not be started, is it installed? ${message}`))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      settle({ code, output: output.replace(/\n$/, ''), complaint: complaint.trim() })
    })
  })
}

function unavailable(reason: string): Problem {
  return new Problem('policy-unavailable', `git did not do what it was asked: ${reason}`)
}
