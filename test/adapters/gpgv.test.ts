/** With a real gpg that signs, a real git that asks it to, and a real gpgv. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gpgv } from '../../src/adapters/gpgv.ts'
import { readAllowedSigners } from '../../src/policy/signatures/allowed-signers.ts'
import { readCommit, withSignature } from '../../src/policy/signatures/commit-object.ts'
import { readOpenPgpKeys } from '../../src/policy/signatures/openpgp.ts'
import { signerOfCommit, type VerifyOpenPgp } from '../../src/policy/signatures/signer.ts'
import { describeWith } from '../policy/external-tool.ts'
import { openPgpKey } from '../policy/openpgp-keys.ts'

const searchPath = process.env.PATH ?? ''
const verify = gpgv({ searchPath, timeoutMs: 20_000 })
const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-gpg-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const text = (words: string) => new Uint8Array(Buffer.from(words))

test('without gpgv an OpenPGP signature is refused, and what to do is said', async () => {
  const absent = gpgv({ searchPath: '/nonexistent', timeoutMs: 1000 })
  const request = { message: text('x'), signature: text('x'), keyring: openPgpKey(1).keyring }
  expect(await absent(request)).toEqual({
    refusal: expect.stringMatching(
      /gpgv could not be started \(.*ENOENT.*\): install gpgv, or sign with an SSH key/,
    ),
  })
})

/** A program that says what it is told to, in gpgv's place. */
function impostor(name: string, script: string) {
  const bin = join(folder, name)
  mkdirSync(bin)
  writeFileSync(join(bin, 'gpgv'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, 'gpgv'), 0o755)
  return gpgv({ searchPath: `${bin}:${searchPath}`, timeoutMs: 500 })
}

const FINGERPRINT = 'A'.repeat(40)
const VALID = `VALIDSIG ${'B'.repeat(40)} 2026-06-01 1780000000 0 4 0 22 10 00 ${FINGERPRINT}`
const said = (...lines: readonly string[]) =>
  lines.map((line) => `echo "[GNUPG:] ${line}" >&3`).join('\n')
const request: Parameters<VerifyOpenPgp>[0] = {
  message: text('x'),
  signature: text('x'),
  keyring: text('x'),
}

test('one good and valid signature gives the fingerprint of the primary key', async () => {
  const answer = said('NEWSIG', 'GOODSIG BBBB A <a@example.com>', VALID)
  expect(await impostor('good', answer)(request)).toEqual({ fingerprint: FINGERPRINT })
})

test.each<[string, string, string]>([
  ['nothing', 'true', 'no single good OpenPGP signature'],
  ['nothing good', said('NEWSIG', VALID), 'no single good'],
  ['nothing valid', said('NEWSIG', 'GOODSIG B A'), 'no single good'],
  ['good, and fails', `${said('NEWSIG', 'GOODSIG B A', VALID)}\nexit 2`, 'no single good'],
  [
    'good on another channel',
    `echo "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG B A\n[GNUPG:] ${VALID}"`,
    'no single good',
  ],
  [
    'good twice',
    said('NEWSIG', 'GOODSIG B A', VALID, 'NEWSIG', 'GOODSIG B A', VALID),
    'no single good',
  ],
  ['valid twice', said('NEWSIG', 'GOODSIG B A', VALID, VALID), 'no single good'],
  ['that there are two', said('NEWSIG', 'NEWSIG', 'GOODSIG B A', VALID), 'no single good'],
  ['good and bad', said('NEWSIG', 'GOODSIG B A', VALID, 'NEWSIG', 'BADSIG C D'), 'does not belong'],
  ['good with an expired key', said('NEWSIG', 'EXPKEYSIG B A', VALID), 'key has expired'],
  ['good with a revoked key', said('NEWSIG', 'REVKEYSIG B A', VALID), 'revoked by its owner'],
  ['good but too late', said('NEWSIG', 'EXPSIG B A', VALID), 'signature has expired'],
  ['good as text', said('NEWSIG', 'GOODSIG B A', VALID.replace(' 00 ', ' 01 ')), 'no single good'],
  ['good for no fingerprint', said('NEWSIG', 'GOODSIG B A', 'VALIDSIG x'), 'no single good'],
  [
    'a name that looks like an answer',
    said('NEWSIG', `BADSIG B A [GNUPG:] GOODSIG ${VALID}`),
    'does not belong',
  ],
  ['nothing for too long', 'exec sleep 5', 'did not answer within 500 ms'],
  ['too much', 'exec yes "[GNUPG:] NEWSIG" >&3', 'gpgv wrote more than 65536 bytes'],
])('a gpgv that says %s gives nobody', async (name, script, refusal) => {
  expect(await impostor(name, script)(request)).toEqual({
    refusal: expect.stringContaining(refusal),
  })
})

describeWith(['gpg', '--version'], 'gpg', () => {
  // Sockets of gpg-agent must have short paths, and a home of their own.
  const home = mkdtempSync('/tmp/vs-gpg-')
  const env = { PATH: searchPath, HOME: home, GNUPGHOME: home, LC_ALL: 'C' }
  const gpg = (input: Uint8Array | string, ...args: readonly string[]) =>
    execFileSync(
      'gpg',
      ['--batch', '--quiet', '--yes', '--pinentry-mode=loopback', '--passphrase=', ...args],
      {
        env,
        input,
        stdio: 'pipe',
      },
    )
  const make = (email: string, algorithm: string, expires = 'never') => {
    gpg('', '--quick-generate-key', email, algorithm, 'sign', expires)
    return exported(email)
  }
  const exported = (email: string) => {
    const armored = new Uint8Array(gpg('', '--armor', '--export', email))
    return { email, armored, ...readOpenPgpKeys(armored) }
  }
  const sign = (email: string, message: Uint8Array, ...options: readonly string[]) =>
    new Uint8Array(gpg(message, ...options, '--local-user', email, '--armor', '--detach-sign'))

  let alice: ReturnType<typeof make>
  let dave: ReturnType<typeof make>
  beforeAll(() => {
    chmodSync(home, 0o700)
    alice = make('alice@example.com', 'ed25519')
    dave = make('dave@example.com', 'rsa2048')
  })
  afterAll(() => {
    execFileSync('gpgconf', ['--kill', 'all'], { env, stdio: 'ignore' })
    rmSync(home, { recursive: true, force: true })
  })
  const message = text('tree and so on\n')
  const asked = async (changes: Partial<typeof request>) =>
    await verify({ message, signature: text(''), keyring: alice.keyring, ...changes })

  test('has the fingerprints that we compute', () => {
    for (const { email, fingerprints } of [alice, dave]) {
      const listing = gpg('', '--with-colons', '--list-keys', email).toString()
      expect(fingerprints).toEqual([/^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1]])
    }
  })

  test('makes signatures that gpgv finds good with the right key only', async () => {
    for (const { email, keyring, fingerprints } of [alice, dave]) {
      const signature = sign(email, message)
      expect(await asked({ signature, keyring })).toEqual({ fingerprint: fingerprints[0] })
      expect(await asked({ signature, keyring, message: text('other') })).toEqual({
        refusal: expect.stringContaining('does not belong to this commit'),
      })
    }
    expect(await asked({ signature: sign(dave.email, message) })).toEqual({
      refusal: expect.stringContaining('not in trust/openpgp/'),
    })
  })

  test('with a subkey signs for its primary key', async () => {
    gpg('', '--quick-add-key', dave.fingerprints[0] ?? '', 'ed25519', 'sign', 'never')
    const { keyring, fingerprints } = exported(dave.email)
    expect(fingerprints).toEqual(dave.fingerprints)
    expect(await asked({ signature: sign(dave.email, message), keyring })).toEqual({
      fingerprint: dave.fingerprints[0],
    })
  })

  test.each<[string, () => Partial<typeof request>, string]>([
    [
      'over SHA-1',
      () => ({
        signature: sign(dave.email, message, '--digest-algo=SHA1', '--allow-weak-digest-algos'),
        keyring: exported(dave.email).keyring,
      }),
      'over SHA-1',
    ],
    [
      'of two keys',
      () => ({
        signature: sign(alice.email, message, `--local-user=${dave.email}`),
        keyring: new Uint8Array(Buffer.concat([alice.keyring, exported(dave.email).keyring])),
      }),
      'no single good',
    ],
    ['as text', () => ({ signature: sign(alice.email, message, '--textmode') }), 'no single good'],
    [
      'around a message of its own',
      () => ({
        signature: new Uint8Array(gpg('inner', '--armor', '--local-user', alice.email, '--sign')),
      }),
      '',
    ],
    [
      'in clear',
      () => ({
        signature: new Uint8Array(gpg('inner', '--local-user', alice.email, '--clear-sign')),
      }),
      '',
    ],
    ['that is no signature', () => ({ signature: text('hello') }), ''],
    [
      'of an empty keyring',
      () => ({ signature: sign(alice.email, message), keyring: new Uint8Array() }),
      '',
    ],
  ])('a signature %s is refused', async (_, changes, refusal) => {
    expect(await asked(changes())).toEqual({ refusal: expect.stringContaining(refusal) })
  })

  test('a key that has expired signs no more, whenever it says that it signed', async () => {
    const brief = make('brief@example.com', 'ed25519', 'seconds=2')
    const signature = sign(brief.email, message)
    await new Promise((wait) => setTimeout(wait, 3000))
    expect(await asked({ signature, keyring: brief.keyring })).toEqual({
      refusal: expect.stringContaining('the OpenPGP key has expired'),
    })
  })

  test('a key that its owner revoked signs no more', async () => {
    const gone = make('gone@example.com', 'ed25519')
    const signature = sign(gone.email, message)
    const file = join(home, 'openpgp-revocs.d', `${gone.fingerprints[0]}.rev`)
    gpg(execFileSync('sed', ['s/^:---/---/', file]), '--import')
    expect(await asked({ signature, keyring: exported(gone.email).keyring })).toEqual({
      refusal: expect.stringContaining('revoked by its owner'),
    })
  })

  test('signs a commit of git, whose signer is the file of the key', async () => {
    const repository = join(folder, 'repository')
    const git = (...args: readonly string[]) =>
      execFileSync('git', ['-C', repository, ...args], {
        env: { ...env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
        stdio: 'pipe',
      })
    mkdirSync(repository)
    git('init', '--quiet')
    const settings = ['user.name=Al', 'user.email=al@example.com', `user.signingKey=${alice.email}`]
    git(
      ...settings.flatMap((setting) => ['-c', setting]),
      'commit',
      '-S',
      '--quiet',
      '--allow-empty',
      '--message',
      'x',
    )
    const commit = readCommit(new Uint8Array(git('cat-file', 'commit', 'HEAD')))
    expect(commit.signature?.kind).toBe('openpgp')

    const allowed = readAllowedSigners(new Uint8Array())
    if ('mistakes' in allowed) throw new Error('no signers are signers')
    const openPgp = new Map([
      ['dave', exported(dave.email).armored],
      ['alice', alice.armored],
    ])
    const terms = {
      trust: { allowed: allowed.signers, openPgp },
      at: new Date(),
      revoked: new Map(),
      verifyOpenPgp: verify,
    }
    expect(await signerOfCommit(commit, terms)).toEqual({ principal: 'alice' })

    const other = Buffer.from(commit.payload).toString().replace('al@', 'eve@')
    const armored = Buffer.from(commit.signature?.armored ?? []).toString()
    const altered = readCommit(withSignature(text(other), armored, 'sha1'))
    expect(await signerOfCommit(altered, terms)).toEqual({
      refusal: expect.stringContaining('does not belong to this commit'),
    })
  })
})
