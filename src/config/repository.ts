/**
 * By which way is a policy repository reached? Git takes more than is wanted here: `ext::` runs a command, a name that
 * begins with a hyphen is an option to somebody, and a password in an address ends in process lists and logs.
 */
import { z } from 'zod'
import { isLoopback } from './values.ts'

export type RepositoryKind = 'local' | 'http' | 'ssh'

export const repository = z
  .string('must be a path or an address')
  .refine((text) => repositoryKind(text) !== undefined, {
    message:
      'must be a path, or a file://, https:// or ssh:// address or git@host:path (http:// only to this machine), without password, query or fragment; begin a path that has a colon with ./',
  })

/** Undefined: none that may be used. */
export function repositoryKind(text: string): RepositoryKind | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (text === '' || text.startsWith('-') || /[\x00-\x1f\x7f]/.test(text)) return undefined
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return addressKind(text)
  if (/^[A-Za-z0-9_][\w.+-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^-:]/.test(text)) return 'ssh'
  // `host:path` without a user, and `helper::address`: Git sees no path where a colon comes before the first slash.
  return /^[^/]*:/.test(text) ? undefined : 'local'
}

function addressKind(text: string): RepositoryKind | undefined {
  if (!URL.canParse(text) || /\s/.test(text)) return undefined
  const url = new URL(text)
  const { protocol, hostname, username, password, pathname, search, hash } = url
  if (password !== '' || search !== '' || hash !== '' || pathname.length < 2) return undefined
  switch (protocol) {
    case 'file:':
      return hostname === '' ? 'local' : undefined
    case 'https:':
      return username === '' ? 'http' : undefined
    case 'http:':
      return username === '' && isLoopback(url) ? 'http' : undefined
    case 'ssh:':
      return /^[A-Za-z0-9[]/.test(hostname) && /^(\w[\w.+-]*)?$/.test(username) ? 'ssh' : undefined
    default:
      return undefined
  }
}
