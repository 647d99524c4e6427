import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  APPROVAL_NAMESPACE,
  APPROVAL_PAYLOAD_TYPE,
} from '../../src/policy/acceptance/approval-statement.ts'
import { readAllowedSigners } from '../../src/policy/signatures/allowed-signers.ts'
import { readCommit, withSignature } from '../../src/policy/signatures/commit-object.ts'
import { preAuthenticationEncoding, readDsseEnvelope } from '../../src/policy/signatures/dsse.ts'
import {
  approversOf,
  type CommitTerms,
  dsseApprovers,
  type SignerTerms,
  signerOfCommit,
  type VerifyOpenPgp,
} from '../../src/policy/signatures/signer.ts'
import { sshKeyOf, sshKeyText } from '../../src/policy/signatures/ssh-key.ts'
import { signSsh } from '../../src/policy/signatures/ssh-signature.ts'
import { openPgpKey } from './openpgp-keys.ts'
import { utf8 } from './ssh-blobs.ts'

interface Person {
  readonly principal: string
  readonly fingerprint: string
  readonly line: string
  readonly privateKey: ReturnType<typeof generateKeyPairSync>['privateKey']
}

function person(principal: string, options = ''): Person {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = sshKeyOf(publicKey)
  return {
    principal,
    fingerprint: key.fingerprint,
    line: `${principal} ${options} ${sshKeyText(key)}`,
    privateKey,
  }
}

const alice = person('alice')
const bob = person('bob', 'namespaces="git"')
const carol = person('carol', 'valid-before="20260101Z"')
const mallory = person('mallory')
const reading = readAllowedSigners(utf8([alice, bob, carol].map(({ line }) => line).join('\n')))
if ('mistakes' in reading) throw new Error('the signers of this test are wrong')
const terms: SignerTerms = {
  trust: { allowed: reading.signers, openPgp: new Map() },
  at: new Date('2026-06-01T00:00:00Z'),
  revoked: new Map(),
}

const payload = utf8(
  `tree ${'a'.repeat(40)}\nauthor Bob <bob@example.com> 1 +0000\ncommitter Bob <bob@example.com> 1 +0000\n\nx\n`,
)
const signed = (armored: string) => readCommit(withSignature(payload, armored, 'sha1'))
const signerOf = async (armored: string, more: Partial<CommitTerms> = {}) =>
  await signerOfCommit(signed(armored), { ...terms, ...more })

describe('the signer of a commit', () => {
  test('is whose key signed it, whoever its author says he is', async () => {
    expect(await signerOf(signSsh(alice.privateKey, payload, 'git'))).toEqual({
      principal: 'alice',
    })
  })

  test.each<[string, string, Partial<CommitTerms>, string]>([
    [
      'by a stranger',
      signSsh(mallory.privateKey, payload, 'git'),
      {},
      `the key ${mallory.fingerprint} (ssh-ed25519) is not in trust/allowed_signers`,
    ],
    [
      'over another commit',
      signSsh(alice.privateKey, utf8('x'), 'git'),
      {},
      'the signature by the key of alice does not belong to these bytes',
    ],
    [
      'for another purpose',
      signSsh(alice.privateKey, payload, 'file'),
      {},
      'was made for the namespace file, not for git',
    ],
    [
      'by a key that had expired when it was seen',
      signSsh(carol.privateKey, payload, 'git'),
      {},
      'was valid until 2026-01-01T00:00:00Z',
    ],
    [
      'by a revoked key',
      signSsh(alice.privateKey, payload, 'git'),
      { revoked: new Map([[alice.fingerprint, 'lost']]) },
      'is revoked (lost)',
    ],
    [
      'in armor that is broken',
      '-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n',
      {},
      'the SSH signature cannot be read: found 3 bytes left, expected 6 bytes',
    ],
    [
      'with X.509',
      '-----BEGIN SIGNED MESSAGE-----\n',
      {},
      'X.509 certificate, which is not supported: sign with an SSH key',
    ],
  ])('is nobody when it is signed %s', async (_, armored, more, refusal) => {
    expect(await signerOf(armored, more)).toEqual({ refusal: expect.stringContaining(refusal) })
  })

  test('is nobody when it is not signed, and the next step is said', async () => {
    expect(await signerOfCommit(readCommit(payload), terms)).toEqual({
      refusal: expect.stringMatching(
        /^it is not signed: set "git config gpg.format ssh".*"git commit -S"$/,
      ),
    })
  })
})

describe('OpenPGP', () => {
  const armored = '-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n'
  const [first, second] = [openPgpKey(1), openPgpKey(2)]
  const openPgp = new Map([
    ['alice', first.armored],
    ['dave', second.armored],
  ])
  const trust = { ...terms.trust, openPgp }
  const answering =
    (answer: Awaited<ReturnType<VerifyOpenPgp>>): VerifyOpenPgp =>
    async () =>
      answer

  test('asks about the signed bytes, with every key', async () => {
    const asked: Parameters<VerifyOpenPgp>[0][] = []
    const verifyOpenPgp: VerifyOpenPgp = async (request) => {
      asked.push(request)
      return { fingerprint: second.fingerprint }
    }
    expect(await signerOf(armored, { trust, verifyOpenPgp })).toEqual({ principal: 'dave' })
    expect(asked).toHaveLength(1)
    expect(Buffer.from(asked[0]?.message ?? [])).toEqual(Buffer.from(payload))
    expect(Buffer.from(asked[0]?.signature ?? []).toString()).toBe(armored)
    expect(Buffer.from(asked[0]?.keyring ?? [])).toEqual(
      Buffer.concat([first.keyring, second.keyring]),
    )
  })

  test.each<[string, Partial<CommitTerms>, string]>([
    [
      'without keys',
      { verifyOpenPgp: answering({ fingerprint: first.fingerprint }) },
      'trust/openpgp/ holds no keys',
    ],
    ['without a verifier', { trust }, 'which this verifier was not given'],
    ['that is refused', { trust, verifyOpenPgp: answering({ refusal: 'bad' }) }, 'bad'],
    [
      'by a key that nobody has',
      { trust, verifyOpenPgp: answering({ fingerprint: '0'.repeat(40) }) },
      "is nobody's",
    ],
    [
      'by a revoked key',
      {
        trust,
        verifyOpenPgp: answering({ fingerprint: first.fingerprint }),
        revoked: new Map([[first.fingerprint, 'lost']]),
      },
      'of alice is revoked (lost)',
    ],
    [
      'by a key revoked in lower case',
      {
        trust,
        verifyOpenPgp: answering({ fingerprint: first.fingerprint }),
        revoked: new Map([[first.fingerprint.toLowerCase(), 'lost']]),
      },
      'of alice is revoked (lost)',
    ],
    [
      'by a key of two principals',
      {
        trust: { ...trust, openPgp: new Map([...openPgp, ['eve', first.armored]]) },
        verifyOpenPgp: answering({ fingerprint: first.fingerprint }),
      },
      'for alice and for eve',
    ],
    [
      'with a file of keys that is broken',
      {
        trust: { ...trust, openPgp: new Map([...openPgp, ['eve', utf8('x')]]) },
        verifyOpenPgp: answering({ fingerprint: first.fingerprint }),
      },
      'trust/openpgp/eve.asc cannot be read',
    ],
  ])('%s is a refusal', async (_, more, refusal) => {
    expect(await signerOf(armored, more)).toEqual({ refusal: expect.stringContaining(refusal) })
  })
})

const statement = utf8('{"kind":"Approval"}')
const approval = ({ principal, privateKey }: Person, name = principal, of = statement) => ({
  principal: name,
  armored: utf8(signSsh(privateKey, of, APPROVAL_NAMESPACE)),
})
const dave = person('dave')
const withDave = readAllowedSigners(
  utf8([alice, bob, carol, dave].map(({ line }) => line).join('\n')),
)
if ('mistakes' in withDave) throw new Error('the signers of this test are wrong')
const approving = { ...terms, trust: { ...terms.trust, allowed: withDave.signers } }

describe('approvals beside a statement', () => {
  test('count their signers', () => {
    expect(approversOf(statement, [approval(alice), approval(dave)], approving)).toEqual({
      principals: new Set(['alice', 'dave']),
      faults: [],
    })
  })

  test('count one principal once, however often he signed', () => {
    const twice = [approval(alice), approval(alice)]
    expect(approversOf(statement, twice, approving).principals).toEqual(new Set(['alice']))
  })

  test.each<[string, ReturnType<typeof approval>, string]>([
    [
      'by a stranger',
      approval(mallory),
      'mallory.sig: nobody of this name is in trust/allowed_signers',
    ],
    ["by a stranger under a signer's name", approval(mallory, 'alice'), 'alice.sig: the key'],
    [
      "under another signer's name",
      approval(alice, 'dave'),
      "dave.sig: the key is alice's: name the file after its signer",
    ],
    [
      'of another statement',
      approval(alice, 'alice', utf8('other')),
      'alice.sig: the signature by the key of alice does not belong',
    ],
    [
      'by a key that may not approve',
      approval(bob),
      'may sign for git only, not for vouchsafe-approval@v1',
    ],
    ['by a key that has expired', approval(carol), 'was valid until'],
    [
      'for commits',
      { principal: 'alice', armored: utf8(signSsh(alice.privateKey, statement, 'git')) },
      'made for the namespace git, not for vouchsafe-approval@v1',
    ],
    [
      'that cannot be read',
      { principal: 'alice', armored: utf8('hello') },
      'alice.sig: the SSH signature cannot be read',
    ],
    ['with a name full of controls', approval(alice, '\u001b[31m'), '\\u{1b}[31m.sig: nobody'],
  ])('do not count %s, and say why', (_, given, fault) => {
    expect(approversOf(statement, [given, approval(dave)], approving)).toEqual({
      principals: new Set(['dave']),
      faults: [expect.stringContaining(fault)],
    })
  })

  test('by ten thousand strangers are told in a few sentences, soon', () => {
    const { armored } = approval(mallory)
    const many = Array.from({ length: 10_000 }, (_, index) => ({ principal: `m${index}`, armored }))
    const started = performance.now()
    const { principals, faults } = approversOf(statement, [...many, approval(alice)], approving)
    expect(performance.now() - started).toBeLessThan(500)
    expect(principals).toEqual(new Set(['alice']))
    expect(faults).toHaveLength(21)
    expect(faults.at(-1)).toBe('and 9980 more signatures like these')
  })
})

describe('an envelope with several signatures', () => {
  const encoded = preAuthenticationEncoding(APPROVAL_PAYLOAD_TYPE, statement)
  const by = ({ privateKey, fingerprint }: Person, of = encoded, keyid = fingerprint) => ({
    keyid,
    sig: sign(null, of, privateKey).toString('base64'),
  })
  const envelope = (...signatures: readonly object[]) =>
    readDsseEnvelope(
      utf8(
        JSON.stringify({
          payload: Buffer.from(statement).toString('base64'),
          payloadType: APPROVAL_PAYLOAD_TYPE,
          signatures,
        }),
      ),
      APPROVAL_PAYLOAD_TYPE,
    )

  test('counts its signers, each once', () => {
    expect(dsseApprovers(envelope(by(alice), by(dave), by(alice)), approving)).toEqual({
      principals: new Set(['alice', 'dave']),
      faults: [],
    })
  })

  test.each<[string, object, string]>([
    ['by a stranger', by(mallory), 'is no fingerprint of trust/allowed_signers'],
    ['without a keyid', { ...by(alice), keyid: undefined }, 'keyid "" is no fingerprint'],
    [
      "under another's keyid",
      by(mallory, encoded, alice.fingerprint),
      'the signature of alice does not belong to this payload',
    ],
    ['over the bare payload', by(alice, statement), 'the signature of alice does not belong'],
    ['by a key that may not approve', by(bob), 'may sign for git only'],
    ['by a key that has expired', by(carol), 'was valid until'],
  ])('does not count one %s, and says which', (_, given, fault) => {
    expect(dsseApprovers(envelope(by(dave), given), approving)).toEqual({
      principals: new Set(['dave']),
      faults: [expect.stringMatching(/^dsse.json, signature 2: /)],
    })
    expect(dsseApprovers(envelope(given), approving).faults[0]).toContain(fault)
  })

  test('does not count a revoked key', () => {
    const revoked = new Map([[alice.fingerprint, 'lost']])
    const approvers = dsseApprovers(envelope(by(alice)), { ...approving, revoked })
    expect(approvers.principals.size).toBe(0)
    expect(approvers.faults[0]).toContain('is revoked (lost)')
  })
})
