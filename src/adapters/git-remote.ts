/** Where may a policy repository be fetched from? The text is configuration; git would also take options and commands for it. */
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Problem } from '../problems.ts'
import type { GitProtocol } from './git-process.ts'

export interface GitRemote {
  readonly protocol: GitProtocol
  /** As git is told. */
  readonly address: string
}

const forms =
  'a folder, file://, https://, ssh:// or git@host:path, and http:// only on this machine'

/** Throws Problem('configuration-invalid'). A folder need not exist yet. */
export function readRemote(text: string): GitRemote {
  if (text === '' || text.length > 2_000 || /[\p{C}\p{Zl}\p{Zp}]/u.test(text))
    throw refused(text, 'is empty, too long or has characters that cannot be seen')
  if (text.startsWith('-')) throw refused(text, 'would be an option of git')
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme !== undefined) return readUrl(text, scheme)
  if (isAbsolute(text) || !text.includes(':')) return { protocol: 'file', address: resolve(text) }
  // The form of scp: no host or user begins with a hyphen, which ssh would take for an option.
  if (/^\w[\w.-]*@\w[\w.-]*:(?!-)[^:]+$/.test(text)) return { protocol: 'ssh', address: text }
  throw refused(text, `is none of ${forms}`)
}

/** Throws Problem('configuration-invalid'). Git allows more names; these need no quoting anywhere. */
export function readBranch(text: string): string {
  const steps = text.split('/')
  if (
    text.length <= 200 &&
    steps.every((step) => /^\w[\w.+=@-]*$/.test(step) && !/\.\.|\.$|\.lock$|@\{/.test(step))
  )
    return text
  throw new Problem(
    'configuration-invalid',
    `"${text.slice(0, 80)}" is not taken for a branch: give its name without refs/heads/, of letters, digits and . _ + = @ - /`,
  )
}

function readUrl(text: string, scheme: string): GitRemote {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw refused(text, 'is not a URL')
  }
  if (url.search !== '' || url.hash !== '') throw refused(text, 'has a query or a fragment')
  if (url.password !== '')
    throw refused(text, 'holds a password: put it into a file and name that in the credentials')
  switch (scheme) {
    case 'file':
      if (url.host !== '') throw refused(text, 'names a host: write file:///path')
      return { protocol: 'file', address: fileURLToPath(url) }
    case 'https':
    case 'http':
      if (url.username !== '') throw refused(text, 'holds a user name: put it into the credentials')
      if (scheme === 'http' && !isLoopback(url.hostname))
        throw refused(
          text,
          'would be asked over a line on which anybody can read the token and hold back changes: write https://',
        )
      return { protocol: scheme, address: url.href }
    case 'ssh':
      if (!/^\w[\w.-]*$/.test(url.hostname) || !/^(\w[\w.-]*)?$/.test(url.username))
        throw refused(text, 'has a host or user that ssh might take for something else')
      if (!/^\/[^-]/.test(url.pathname)) throw refused(text, 'names no repository')
      return { protocol: 'ssh', address: url.href }
    default:
      throw refused(text, `is none of ${forms}`)
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function refused(text: string, why: string): Problem {
  // A password in a URL does not belong into a log either.
  const shown = text.slice(0, 200).replace(/\/\/[^/@]*@/, '//***@')
  return new Problem(
    'configuration-invalid',
    `the policy repository ${JSON.stringify(shown)} ${why}`,
  )
}
