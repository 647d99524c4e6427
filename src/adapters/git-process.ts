/**
 * Runs the system's git so that neither this process's environment, nor the machine's or a repository's configuration, nor
 * what a remote sends decides what it does: a complete environment, no hooks, helpers, prompts or submodules, everything
 * that is received checked by fsck, and limits of time, memory, processor and written bytes that the kernel keeps.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'

export interface GitSettings {
  /** Where `git` is looked for: PATH. */
  readonly searchPath: string
  readonly timeoutMs: number
}

export interface GitCommand extends GitSettings {
  /** Whatever came from outside is validated before, so that none of it can be taken for an option. */
  readonly args: readonly string[]
  /** The only transport it may use; none unless said. */
  readonly protocol?: GitProtocol
  /** Configuration beyond `settings` below, for values that no command line may show. */
  readonly settings?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  /** Longest file that it may write; it is ended when it writes more, and seldom says why. */
  readonly mostWrittenBytes?: number
}

export type GitProtocol = 'file' | 'http' | 'https' | 'ssh'

export interface GitQuestion extends GitCommand {
  /** Longest output. */
  readonly mostBytes: number
  /** Never to be repeated in a message, whoever sends them back. */
  readonly secrets?: readonly string[]
  /** Called once git is at work: starting a process takes this one up to 15 ms, which are free while git is waited for. */
  readonly begun?: (() => void) | undefined
}

const MOST_COMPLAINT_BYTES = 256 * 1024
/** Address space of each of git's processes: packs are mapped in small windows, and objects above 1 MiB are streamed. */
const MOST_MEMORY_BYTES = 1024 ** 3

/**
 * A limit that cannot be set is only ever one that is already lower, or one that this system does not know (macOS has no
 * limit of address space). `-f` counts blocks of 512 bytes.
 */
const LIMITED = [
  'ulimit -c 0',
  'ulimit -v "$1" 2>/dev/null || :',
  'ulimit -t "$2" 2>/dev/null || :',
  'if [ "$3" != - ]; then ulimit -f "$3" 2>/dev/null || :; fi',
  'shift 3',
  'exec git "$@"',
].join('\n')

/** In a process group of its own, which `stopGit` ends as a whole: git leaves transfer and unpacking to children. */
export function startGit(command: GitCommand): ChildProcessWithoutNullStreams {
  const { mostWrittenBytes, timeoutMs } = command
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      LIMITED,
      'sh',
      `${MOST_MEMORY_BYTES / 1024}`,
      `${Math.ceil(timeoutMs / 1000)}`,
      mostWrittenBytes === undefined ? '-' : `${Math.ceil(mostWrittenBytes / 512)}`,
      ...command.args,
    ],
    { cwd: '/', env: environmentOf(command), stdio: 'pipe', detached: true },
  )
  // A git that ends early closes its end; its exit code says why.
  child.stdin.on('error', () => {})
  return child
}

export function stopGit({ pid }: { readonly pid?: number | undefined }): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}

/** What git printed. Throws HistoryFault: not installed, too slow, too much, or git's own reason. */
export async function runGit(question: GitQuestion): Promise<Buffer> {
  const { mostBytes, timeoutMs } = question
  const child = startGit(question)
  question.begun?.()
  const chunks: Buffer[] = []
  let size = 0
  let complaint = ''
  let stopped: string | undefined
  const stop = (reason: string) => {
    stopped ??= reason
    stopGit(child)
  }
  const timer = setTimeout(() => stop(`git did not answer within ${timeoutMs} ms`), timeoutMs)
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > mostBytes) stop(`git printed more than ${mostBytes} bytes`)
    else chunks.push(chunk)
  })
  // A remote may send messages for ever.
  child.stderr.on('data', (chunk: Buffer) => {
    if (complaint.length < MOST_COMPLAINT_BYTES) complaint += chunk.toString('latin1')
    else stop('the remote sent more than 256 KiB of messages')
  })
  child.stdin.end()
  return await new Promise((settle, refuse) => {
    child.on('error', ({ message }) => {
      clearTimeout(timer)
      refuse(new HistoryFault(`git could not be started: ${message}`))
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      if (code === 0 && stopped === undefined) settle(Buffer.concat(chunks))
      else
        refuse(
          new HistoryFault(
            stopped ??
              sentenceOf(code, Buffer.from(complaint, 'latin1').toString('utf8'), question.secrets),
          ),
        )
    })
  })
}

/** For processes that are not run by `runGit` too. `complaint` may hold anything that a remote cared to send. */
export function sentenceOf(
  code: number | null,
  complaint: string,
  secrets: readonly string[] = [],
): string {
  if (code === 127) return 'git could not be started: it is not installed, or not on the PATH'
  const hidden = secrets.reduce(
    (text, secret) => (secret === '' ? text : text.replaceAll(secret, '***')),
    complaint,
  )
  const lines = hidden
    .split(/[\r\n]+/)
    .map((line) => line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '').trim())
    .filter((line) => line !== '')
  const telling =
    lines.find(
      (line) =>
        /^(fatal|error): /.test(line) &&
        !/^fatal: .*(fetch-pack|early EOF|index-pack failed)/.test(line),
    ) ??
    lines[0] ??
    (code === null ? 'it was ended by a signal' : `exit ${code}`)
  return `git says: ${telling.replace(/^(fatal|error): /, '').slice(0, 400)}`
}

/** Complete: nothing else of this process's environment reaches git. */
function environmentOf(command: GitCommand): Record<string, string> {
  const { searchPath, protocol = 'none', environment = {} } = command
  const entries = Object.entries({ ...settings, ...command.settings })
  return {
    PATH: searchPath,
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    // An object that stands in for another would be judged in its place.
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    // No protocol is called `none`: a promised object that is absent is an error and not a connection.
    GIT_ALLOW_PROTOCOL: protocol,
    ...environment,
    GIT_CONFIG_COUNT: `${entries.length}`,
    ...Object.fromEntries(
      entries.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, key],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
  }
}

/** Wins over the configuration of every repository that git opens. An empty value empties a list. */
const settings = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.askPass': '',
  'core.pager': 'cat',
  // A repository that borrows objects is told what the lender has (git-mirror-repository.ts).
  'core.alternateRefsCommand': 'true',
  'credential.helper': '',
  'transfer.fsckObjects': 'true',
  'fetch.fsckObjects': 'true',
  // Every fetch leaves exactly one pack, whose size is known before it is taken over.
  'fetch.unpackLimit': '1',
  'fetch.recurseSubmodules': 'false',
  'submodule.recurse': 'false',
  'transfer.bundleURI': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'protocol.version': '2',
  'http.followRedirects': 'false',
  'http.sslVerify': 'true',
  'http.proxy': '',
  // Ends a transfer that outlived this process.
  'http.lowSpeedLimit': '1',
  'http.lowSpeedTime': '60',
  'ssh.variant': 'ssh',
  'core.logAllRefUpdates': 'false',
  'core.filesRefLockTimeout': '2000',
  'core.fsync': 'committed,reference',
  'core.bigFileThreshold': '1m',
  'core.packedGitWindowSize': '16m',
  'core.packedGitLimit': '256m',
  'core.deltaBaseCacheLimit': '32m',
  'pack.threads': '1',
  'pack.windowMemory': '64m',
  'repack.writeBitmaps': 'false',
}
