/**
 * What does a raw commit object say, and over which bytes was it signed? Git's own algorithm (commit.c,
 * parse_signed_commit): the signature header with its continuation lines is cut out, and every other byte is the payload.
 * Git would join two signatures and read either hash's header; here a commit has one, under the name that its hash gives it.
 */
import { concat } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import { visible } from '../visible-text.ts'

export interface Commit {
  /** Hex names of 40 or 64 digits. */
  readonly tree: string
  /** First parent first. */
  readonly parents: readonly string[]
  /** Claimed by whoever made the commit and vouched for by nobody: for display, never to judge by. */
  readonly author: Person
  /** Every byte but the signature header: what was signed. */
  readonly payload: Uint8Array
  readonly signature: CommitSignature | undefined
}

export interface Person {
  /** Printable: other characters are escaped. */
  readonly name: string
  readonly email: string
  readonly at: Date
}

export interface CommitSignature {
  readonly kind: 'ssh' | 'openpgp' | 'x509'
  /** Without the spaces that begin a header's continuation lines. */
  readonly armored: Uint8Array
}

export type ObjectFormat = 'sha1' | 'sha256'

/** `raw`: as `git cat-file commit` prints it. Throws Malformed. */
export function readCommit(raw: Uint8Array): Commit {
  if (raw.length > LARGEST_COMMIT)
    throw new Malformed(
      { path: 'commit', offset: 0 },
      `${raw.length} bytes`,
      `at most ${LARGEST_COMMIT} bytes`,
    )
  // Latin-1 keeps one character to a byte, so that offsets of the text are offsets of the object.
  const text = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('latin1')
  const end = text.indexOf('\n\n')
  if (end < 0)
    throw new Malformed({ path: 'commit', offset: 0 }, 'headers without an end', 'an empty line')
  const cursor = new HeaderCursor(text.slice(0, end + 1))

  const tree = objectName(cursor.take('tree'), cursor)
  const parents: string[] = []
  while (cursor.name === 'parent') {
    const parent = objectName(cursor.take('parent'), cursor)
    if (parent.length !== tree.length)
      throw cursor.malformed(`a parent named by ${parent.length} digits`, `${tree.length} digits`)
    if (parents.push(parent) > MOST_PARENTS)
      throw cursor.malformed('one more parent', `at most ${MOST_PARENTS}`)
  }
  const author = personOf(cursor.take('author'), cursor)
  personOf(cursor.take('committer'), cursor)

  const signatureHeader = headerFor(tree.length === 40 ? 'sha1' : 'sha256')
  let signed: { readonly start: number; readonly end: number; readonly value: string } | undefined
  while (cursor.name !== undefined) {
    const { name, offset: start } = cursor
    if (once.has(name)) throw cursor.malformed(`a second or late ${name} header`, 'each once')
    if (signatureHeaders.includes(name) && (name !== signatureHeader || signed))
      throw cursor.malformed(
        signed ? 'a second signature' : `a signature under the header ${name}`,
        `one signature, under the header ${signatureHeader}`,
      )
    const value = cursor.take(name)
    if (name === signatureHeader) signed = { start, end: cursor.offset, value }
  }
  if (!signed) return { tree, parents, author, payload: raw, signature: undefined }
  return {
    tree,
    parents,
    author,
    payload: concat(raw.subarray(0, signed.start), raw.subarray(signed.end)),
    signature: signatureOf(signed.value),
  }
}

/** The commit that `readCommit` takes apart again. The header goes where Git puts it: last. */
export function withSignature(
  payload: Uint8Array,
  armored: string,
  objectFormat: ObjectFormat,
): Uint8Array {
  const end = Buffer.from(payload.buffer, payload.byteOffset, payload.length).indexOf('\n\n') + 1
  if (end === 0) throw new TypeError('the payload is no commit: no empty line ends its headers')
  const lines = armored.replace(/\n$/, '').replaceAll('\n', '\n ')
  const header = Buffer.from(`${headerFor(objectFormat)} ${lines}\n`, 'latin1')
  return concat(payload.subarray(0, end), header, payload.subarray(end))
}

const LARGEST_COMMIT = 1024 * 1024
const LARGEST_SIGNATURE = 64 * 1024
const MOST_PARENTS = 64
const signatureHeaders = ['gpgsig', 'gpgsig-sha256']
const once: ReadonlySet<string> = new Set(['tree', 'parent', 'author', 'committer'])

/** In a SHA-256 repository `gpgsig` would sign the SHA-1 form of the commit, which is another object. */
function headerFor(objectFormat: ObjectFormat): string {
  return objectFormat === 'sha1' ? 'gpgsig' : 'gpgsig-sha256'
}

/** Walks `name SP value LF` with continuation lines, which begin with a space. */
class HeaderCursor {
  readonly #text: string
  offset = 0

  constructor(text: string) {
    this.#text = text
    const nul = text.indexOf('\0')
    if (nul >= 0) throw new Malformed({ path: 'commit', offset: nul }, 'a NUL', 'headers of text')
  }

  /** Of the header that comes next; undefined at the end. */
  get name(): string | undefined {
    if (this.offset === this.#text.length) return undefined
    const line = this.#text.slice(this.offset, this.#text.indexOf('\n', this.offset))
    const space = line.indexOf(' ')
    if (space <= 0) throw this.malformed(`the line ${visible(line)}`, 'a name, a space, a value')
    return line.slice(0, space)
  }

  /** Value of the next header, lines joined by line feeds. */
  take(name: string): string {
    if (this.name !== name)
      throw this.malformed(`the header ${visible(this.name ?? '(none)')}`, `the header ${name}`)
    const start = this.offset + name.length + 1
    let end = this.#text.indexOf('\n', start)
    while (this.#text[end + 1] === ' ') end = this.#text.indexOf('\n', end + 1)
    this.offset = end + 1
    return this.#text.slice(start, end).replaceAll('\n ', '\n')
  }

  malformed(observed: string, expected: string): Malformed {
    return new Malformed({ path: 'commit', offset: this.offset }, observed, expected)
  }
}

function objectName(value: string, cursor: HeaderCursor): string {
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value)) return value
  throw cursor.malformed(`the object name ${visible(value)}`, '40 or 64 hex digits')
}

/** `Name <email> seconds zone` */
function personOf(value: string, cursor: HeaderCursor): Person {
  const open = value.indexOf('<')
  const close = value.indexOf('>', open)
  const [, seconds] = /^ (\d{1,12}) [+-]\d{4}$/.exec(value.slice(close + 1)) ?? []
  if (open < 0 || close < 0 || seconds === undefined)
    throw cursor.malformed(`the person ${visible(value)}`, 'a name, <email>, seconds and zone')
  return {
    name: visible(utf8(value.slice(0, open).trim())),
    email: visible(utf8(value.slice(open + 1, close))),
    at: new Date(Number(seconds) * 1000),
  }
}

/** Bytes that are no UTF-8 become replacement characters, which is visible enough for what nobody vouches for. */
function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

const kinds: Readonly<Record<string, CommitSignature['kind']>> = {
  '-----BEGIN SSH SIGNATURE-----': 'ssh',
  '-----BEGIN PGP SIGNATURE-----': 'openpgp',
  '-----BEGIN PGP MESSAGE-----': 'openpgp',
  '-----BEGIN SIGNED MESSAGE-----': 'x509',
}

function signatureOf(value: string): CommitSignature {
  const at = { path: 'commit.signature', offset: 0 }
  if (value.length > LARGEST_SIGNATURE)
    throw new Malformed(at, `${value.length} bytes`, `at most ${LARGEST_SIGNATURE} bytes`)
  const firstLine = value.split('\n', 1)[0] ?? ''
  const kind = kinds[firstLine]
  if (kind === undefined)
    throw new Malformed(at, `the line ${visible(firstLine)}`, 'an SSH, OpenPGP or X.509 signature')
  return { kind, armored: new Uint8Array(Buffer.from(`${value}\n`, 'latin1')) }
}
