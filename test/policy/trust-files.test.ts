/** The files under trust/ together: everybody who is named has a key, and nothing lies there that means nothing. */

import { describe, expect, test } from 'vitest'
import { readTrustFiles, type TrustFiles } from '#src/policy/documents/trust-files.ts'
import type { PolicyFile } from '#src/policy/policy.ts'
import { trustDigest } from '#src/policy/policy-digest.ts'
import { openPgpKey } from './openpgp-keys.ts'
import { allowedSigners, alteredRoot, everybody, file, root, trust } from './trust-documents.ts'

function trustOf(files: readonly PolicyFile[]): TrustFiles {
  const reading = readTrustFiles(files)
  if ('mistakes' in reading) throw new Error(said(files).join('\n'))
  return reading.trust
}

function said(files: readonly PolicyFile[]): readonly string[] {
  const reading = readTrustFiles(files)
  return 'mistakes' in reading
    ? reading.mistakes.map(
        ({ file: path, line, column, message }) => `${path}:${line}:${column} ${message}`,
      )
    : []
}

const [rootFile, signersFile] = trust
if (!rootFile || !signersFile) throw new Error('the sample has two files')

test('root, keys and a digest of all of trust/', () => {
  const read = trustOf([...trust, file('README.md', 'not trust')])
  expect(read.root.repository).toBe('acme/policy')
  expect(read.signers.allowed.principals).toEqual(
    new Set(['alice', 'bob', 'carol', 'dave', 'clock']),
  )
  expect(read.signers.openPgp).toEqual(new Map())
  expect(read.digest).toBe(trustDigest(trust))
})

test('the digest changes with every file under trust/ and with no other', () => {
  const { digest } = trustOf(trust)
  expect(trustOf([...trust, file('agents/prod/a.yaml', '')]).digest).toBe(digest)
  expect(trustOf([...trust, file('trust/openpgp/eve.asc', openPgpKey(1).armored)]).digest).not.toBe(
    digest,
  )
})

test('an OpenPGP key is a key as well', () => {
  const keyring = file('trust/openpgp/dave.asc', openPgpKey(1).armored)
  const files = [
    rootFile,
    file('trust/allowed_signers', allowedSigners('alice', 'bob', 'carol')),
    keyring,
  ]
  expect(trustOf(files).signers.openPgp).toEqual(new Map([['dave', keyring.bytes]]))
})

test('a page may say what the folder is for', () =>
  expect(said([...trust, file('trust/README.md', 'keys')])).toEqual([]))

describe('refused', () => {
  test.each<[string, readonly PolicyFile[], string]>([
    ['nothing at all', [], 'trust/root.yaml:1:1 this file is missing'],
    ['a root without keys', [rootFile], 'trust/allowed_signers:1:1 this file is missing'],
    ['keys without a root', [signersFile], '`vouchsafe policy init` makes a repository'],
    [
      'a principal without a key',
      [rootFile, file('trust/allowed_signers', allowedSigners('alice', 'bob', 'carol'))],
      'trust/root.yaml:12:20 dave has no key: neither a line in trust/allowed_signers nor trust/openpgp/dave.asc',
    ],
    [
      'a principal in other letters',
      [file('trust/root.yaml', alteredRoot('[dave]', '[Dave]')), signersFile],
      'Dave has no key',
    ],
    [
      'an approver without a key',
      [file('trust/root.yaml', alteredRoot('[carol]', '[erin]')), signersFile],
      'trust/root.yaml:21:22 erin has no key',
    ],
    [
      'a broken root and broken keys, both named',
      [file('trust/root.yaml', 'a: 1'), file('trust/allowed_signers', 'alice')],
      'trust/allowed_signers:1:6',
    ],
    [
      'a file that is almost one of these',
      [...trust, file('trust/allowed-signers', everybody)],
      'trust/allowed-signers:1:1 trust/allowed-signers is not a trust file',
    ],
    [
      'a keyring in another form',
      [...trust, file('trust/openpgp/dave.gpg', '')],
      'trust/openpgp/dave.gpg is not a trust file',
    ],
    [
      'a keyring of nobody',
      [...trust, file('trust/openpgp/-x.asc', '')],
      '-x is no name of a principal',
    ],
    [
      'a keyring without end',
      [...trust, file('trust/openpgp/dave.asc', new Uint8Array(256 * 1024 + 1))],
      'trust/openpgp/dave.asc:1:1 the file is 262145 bytes long',
    ],
    [
      'keyrings without end',
      [...trust, ...Array.from({ length: 257 }, (_, n) => file(`trust/openpgp/p${n}.asc`, ''))],
      'trust/openpgp/p256.asc:1:1 trust/openpgp holds more than 256 files',
    ],
    [
      'a keyring of something else',
      [...trust, file('trust/openpgp/dave.asc', 'armored')],
      'trust/openpgp/dave.asc:1:1 no public keys can be read from it',
    ],
    [
      'one OpenPGP key of two principals',
      [
        ...trust,
        file('trust/openpgp/dave.asc', openPgpKey(1).armored),
        file('trust/openpgp/erin.asc', openPgpKey(1).armored),
      ],
      "is dave's already: a key belongs to one principal",
    ],
    [
      'two principals whom some file systems would take for one',
      [...trust, file('trust/openpgp/Dave.asc', '')],
      'trust/openpgp/Dave.asc:1:1 Dave and dave differ only in upper and lower case',
    ],
  ])('%s', (_, files, says) => expect(said(files).join('\n')).toContain(says))

  test('a sound root is not enough', () =>
    expect(
      said([file('trust/root.yaml', root), file('trust/allowed_signers', 'x y z')]),
    ).not.toEqual([]))
})
