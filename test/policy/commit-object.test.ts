import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import { readCommit, withSignature } from '../../src/policy/signatures/commit-object.ts'
import { signSsh } from '../../src/policy/signatures/ssh-signature.ts'
import { joined, utf8 } from './ssh-blobs.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const sha1 = 'a'.repeat(40)
const sha256 = 'b'.repeat(64)
const PERSON = 'Alice Example <alice@example.com> 1780000000 +0200'

/** `extra`: header lines after the committer. */
function commit({
  tree = sha1,
  parents = [sha1],
  author = PERSON,
  committer = PERSON,
  extra = '',
  message = 'a subject\n',
} = {}): Uint8Array {
  return utf8(
    [
      `tree ${tree}`,
      ...parents.map((parent) => `parent ${parent}`),
      `author ${author}`,
      `committer ${committer}`,
      `${extra}\n${message}`,
    ].join('\n'),
  )
}

const payload = commit()
const armored = signSsh(privateKey, payload, 'git')
const header = (name: string, text = armored) =>
  `${name} ${text.trimEnd().replaceAll('\n', '\n ')}\n`

describe('a commit', () => {
  test('is read', () => {
    expect(readCommit(payload)).toEqual({
      tree: sha1,
      parents: [sha1],
      author: {
        name: 'Alice Example',
        email: 'alice@example.com',
        at: new Date(1_780_000_000_000),
      },
      payload,
      signature: undefined,
    })
  })

  test.each<[string, Uint8Array, 'sha1' | 'sha256']>([
    ['of SHA-1', payload, 'sha1'],
    ['of SHA-256', commit({ tree: sha256, parents: [sha256] }), 'sha256'],
    ['without parents', commit({ parents: [] }), 'sha1'],
    ['with two parents', commit({ parents: [sha1, 'c'.repeat(40)] }), 'sha1'],
    ['without a message', commit({ message: '' }), 'sha1'],
    ['with a NUL in its message', commit({ message: 'a\0b\n' }), 'sha1'],
    ['with a message in Latin-1', joined(payload, new Uint8Array([0xe4, 0xff])), 'sha1'],
    ['whose message looks like a signature', commit({ message: header('gpgsig') }), 'sha1'],
    [
      'whose message holds a header after an empty line',
      commit({ message: `x\n\n${header('gpgsig')}` }),
      'sha1',
    ],
    ['with an encoding', commit({ extra: 'encoding ISO-8859-1\n' }), 'sha1'],
    [
      'that merges a signed tag',
      commit({ extra: `mergetag object ${sha1}\n type commit\n  gpgsig not a header\n \n text\n` }),
      'sha1',
    ],
  ])('%s gets back the bytes that were signed', (_, bytes, format) => {
    const read = readCommit(withSignature(bytes, armored, format))
    expect(Buffer.from(read.payload)).toEqual(Buffer.from(bytes))
    expect(read.signature?.kind).toBe('ssh')
    expect(Buffer.from(read.signature?.armored ?? []).toString()).toBe(armored)
  })

  test('has its signature wherever among the later headers it stands', () => {
    const bytes = commit({ extra: `${header('gpgsig')}encoding x\n` })
    expect(Buffer.from(readCommit(bytes).payload)).toEqual(
      Buffer.from(commit({ extra: 'encoding x\n' })),
    )
  })

  test('whose signature has an empty line keeps it', () => {
    const pgp = '-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n'
    const read = readCommit(withSignature(payload, pgp, 'sha1'))
    expect(Buffer.from(read.signature?.armored ?? []).toString()).toBe(pgp)
    expect(read.signature?.kind).toBe('openpgp')
  })

  test('signed with X.509 says so', () => {
    const cms = '-----BEGIN SIGNED MESSAGE-----\nMII=\n-----END SIGNED MESSAGE-----\n'
    expect(readCommit(withSignature(payload, cms, 'sha1')).signature?.kind).toBe('x509')
  })

  test.each<[string, Parameters<typeof commit>[0], string, string]>([
    [
      'control characters',
      { author: `A\u001b[31mlice <a\u0007> 1 +0000` },
      'A\\u{1b}[31mlice',
      'a\\u{7}',
    ],
    ['a bidirectional override', { author: 'A\u202elice <> 1 +0000' }, 'A\\u{202e}lice', ''],
    ['letters beyond ASCII', { author: 'Älice 🦊 <ä@b> 1 +0000' }, 'Älice 🦊', 'ä@b'],
    ['no name', { author: '<a@b> 1 +0000' }, '', 'a@b'],
    ['a long name', { author: `${'n'.repeat(900)} <a> 1 +0000` }, `${'n'.repeat(200)}...`, 'a'],
  ])('by an author with %s is shown in printable text', (_, fields, name, email) => {
    expect(readCommit(commit(fields)).author).toMatchObject({ name, email })
  })

  test('by an author whose name is no UTF-8 is read all the same', () => {
    const bytes = Buffer.from(commit({ author: `Al\u00eece <a> 1 +0000` }))
    const latin1 = Buffer.from(bytes.toString('utf8'), 'latin1')
    expect(readCommit(new Uint8Array(latin1)).author.name).toBe('Al\ufffdce')
  })

  const signed = header('gpgsig')
  test.each<[string, Uint8Array, string]>([
    ['of no bytes', new Uint8Array(), 'headers without an end'],
    ['without an end of its headers', utf8(`tree ${sha1}\n`), 'headers without an end'],
    ['of more than a megabyte', new Uint8Array(1_048_577), '1048577 bytes'],
    ['without a tree', commit().slice(46), 'the header parent'],
    [
      'with two trees',
      utf8(`tree ${sha1}\n${Buffer.from(commit()).toString()}`),
      'the header tree',
    ],
    ['with a short tree', commit({ tree: 'abc' }), 'the object name abc'],
    ['with a tree in capitals', commit({ tree: 'A'.repeat(40) }), 'the object name'],
    ['with a parent of another format', commit({ parents: [sha256] }), 'named by 64 digits'],
    [
      'with 65 parents',
      commit({ parents: Array.from({ length: 65 }, () => sha1) }),
      'one more parent',
    ],
    ['with a parent after the committer', commit({ extra: `parent ${sha1}\n` }), 'late parent'],
    ['with a second author', commit({ extra: `author ${PERSON}\n` }), 'late author'],
    ['with a second committer', commit({ extra: `committer ${PERSON}\n` }), 'late committer'],
    ['with an author without an address', commit({ author: 'Alice 1 +0000' }), 'the person'],
    ['with an author without a time', commit({ author: 'Alice <a>' }), 'the person'],
    ['with a committer of two times', commit({ committer: 'A <a> 1 +0000 2 +0000' }), 'the person'],
    [
      'with an author in the far future',
      commit({ author: 'A <a> 9999999999999 +0000' }),
      'the person',
    ],
    ['with a NUL in its headers', commit({ author: 'A\0lice <a> 1 +0000' }), 'a NUL'],
    ['with a line that is no header', commit({ extra: 'novalue\n' }), 'the line novalue'],
    [
      'that begins with a continuation',
      utf8(` x\n${Buffer.from(payload).toString()}`),
      'the line  x',
    ],
    ['with two signatures', commit({ extra: signed + signed }), 'a second signature'],
    [
      'with a signature of each format',
      commit({ extra: `${signed}${header('gpgsig-sha256')}` }),
      'a second signature',
    ],
    [
      "with the other format's signature",
      commit({ extra: header('gpgsig-sha256') }),
      'under the header gpgsig-sha256',
    ],
    [
      'of SHA-256 with the signature of SHA-1',
      commit({ tree: sha256, parents: [], extra: signed }),
      'under the header gpgsig, expected one signature, under the header gpgsig-sha256',
    ],
    ['with a signature of no known kind', commit({ extra: 'gpgsig hello\n' }), 'the line hello'],
    ['with an empty signature', commit({ extra: 'gpgsig \n' }), 'the line '],
    [
      'with a signature of 100 kB',
      commit({ extra: header('gpgsig', armored + 'x'.repeat(100_000)) }),
      'bytes, expected at most 65536',
    ],
  ])('%s is malformed', (_, bytes, observed) => {
    expect(() => readCommit(bytes)).toThrow(Malformed)
    expect(() => readCommit(bytes)).toThrow(observed)
  })

  test('whose every signed byte was kept differs when any of them does', () => {
    const raw = withSignature(payload, armored, 'sha1')
    const seen = new Set<string>()
    for (let at = 0; at < raw.length; at++) {
      try {
        const { payload: read, signature } = readCommit(raw.with(at, (raw[at] ?? 0) ^ 1))
        seen.add(JSON.stringify([[...read], [...(signature?.armored ?? [])]]))
      } catch (cause) {
        expect(cause).toBeInstanceOf(Malformed)
        seen.add(`${at}`)
      }
    }
    // No two changes read alike, and none reads like the original.
    const original = readCommit(raw)
    seen.add(JSON.stringify([[...original.payload], [...(original.signature?.armored ?? [])]]))
    expect(seen.size).toBe(raw.length + 1)
  })

  test('cannot be signed where it is none', () => {
    expect(() => withSignature(utf8('no commit'), armored, 'sha1')).toThrow(TypeError)
  })
})
