/**
 * How does git prove to a remote who it is? By files that are read anew for every exchange, so that a rotated token needs no
 * restart; and never by anything that shows on a command line, in a log or at another host.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { HistoryFault } from '../policy/acceptance/acceptance.ts'
import { Problem } from '../problems.ts'
import type { GitRemote } from './git-remote.ts'

export type GitCredentials =
  /** `Authorization: Bearer <content of the file>`, over HTTPS. */
  | { readonly kind: 'bearer'; readonly tokenFile: string }
  /** A user name and a password or token, over HTTPS, as most forges take them. */
  | { readonly kind: 'basic'; readonly username: string; readonly passwordFile: string }
  /** Both files in OpenSSH's formats; a host that known_hosts does not name is refused. */
  | { readonly kind: 'ssh'; readonly keyFile: string; readonly knownHostsFile: string }

/** What one run of git needs to present them. */
export interface Presentation {
  readonly settings: Readonly<Record<string, string>>
  readonly environment: Readonly<Record<string, string>>
  /** Never to be repeated, even if the remote sends them back. */
  readonly secrets: readonly string[]
}

/** Throws Problem('configuration-invalid') for credentials that this remote could not be shown. */
export function checkCredentials(
  credentials: GitCredentials | undefined,
  { protocol }: GitRemote,
): void {
  if (protocol === 'ssh' && credentials?.kind !== 'ssh')
    throw unfit('a remote over ssh needs a key file and a known_hosts file')
  if (!credentials) return
  if (protocol === 'file') throw unfit('a folder on this machine takes no credentials')
  if (protocol !== 'ssh' && credentials.kind === 'ssh')
    throw unfit('an ssh key is of no use over HTTP: give a token file')
  // Printable, without a colon.
  if (credentials.kind === 'basic' && !/^[\x21-\x39\x3b-\x7e]{1,200}$/.test(credentials.username))
    throw unfit('a user name has neither spaces nor colons')
  if (credentials.kind !== 'ssh') return
  // ssh expands ${} and %, and splits at spaces, inside its options.
  for (const file of [credentials.keyFile, credentials.knownHostsFile])
    if (!/^[\w/.+=@,:-]+$/.test(resolve(file)))
      throw unfit(
        `the path ${JSON.stringify(file)} has characters that ssh would interpret: rename it`,
      )
}

/** Throws HistoryFault for files that cannot be read or hold no token. */
export async function presentationOf(
  credentials: GitCredentials | undefined,
  remote: GitRemote,
): Promise<Presentation> {
  switch (credentials?.kind) {
    case undefined:
      return { settings: {}, environment: {}, secrets: [] }
    case 'bearer': {
      const token = await secretIn(credentials.tokenFile)
      return headerFor(remote, `Bearer ${token}`, [token])
    }
    case 'basic': {
      const password = await secretIn(credentials.passwordFile)
      const encoded = Buffer.from(`${credentials.username}:${password}`).toString('base64')
      return headerFor(remote, `Basic ${encoded}`, [encoded, password])
    }
    case 'ssh':
      return {
        settings: {},
        environment: { GIT_SSH_COMMAND: sshCommand(credentials) },
        secrets: [],
      }
  }
}

/** Bound to this very URL; redirects are not followed (git-process.ts), so no other server sees it. */
function headerFor(
  { address }: GitRemote,
  value: string,
  secrets: readonly string[],
): Presentation {
  return {
    settings: { [`http.${address}.extraHeader`]: `Authorization: ${value}` },
    environment: {},
    secrets,
  }
}

async function secretIn(file: string): Promise<string> {
  let text: string
  try {
    text = (await readFile(file, 'latin1')).trim()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HistoryFault(`the file with the token for the policy repository: ${reason}`)
  }
  // A line feed would begin another header.
  if (/^[\x21-\x7e]{1,8192}$/.test(text)) return text
  throw new HistoryFault(
    `${file} must hold one token, of 1 to 8192 printable characters without spaces: it has ${text.length}`,
  )
}

/** No configuration, agent, password, forwarding or shared connection: this key, these hosts, and nobody is asked. */
function sshCommand({
  keyFile,
  knownHostsFile,
}: {
  readonly keyFile: string
  readonly knownHostsFile: string
}): string {
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: resolve(knownHostsFile),
    GlobalKnownHostsFile: '/dev/null',
    UpdateHostKeys: 'no',
    IdentityFile: resolve(keyFile),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    ControlPath: 'none',
    ConnectTimeout: '15',
    ServerAliveInterval: '10',
    ServerAliveCountMax: '3',
  }
  // Git hands this to a shell: every word is of characters that no shell interprets (checkCredentials).
  const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  return ['ssh', '-F', '/dev/null', ...words].join(' ')
}

function unfit(why: string): Problem {
  return new Problem('configuration-invalid', `the credentials of the policy repository: ${why}`)
}
