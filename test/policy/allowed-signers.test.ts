import { describe, expect, test } from 'vitest'
import {
  type AllowedSigners,
  principalOf,
  readAllowedSigners,
} from '../../src/policy/signatures/allowed-signers.ts'
import { type SshKey, sshKeyText } from '../../src/policy/signatures/ssh-key.ts'
import { describeWith } from './external-tool.ts'
import { container, ed25519Maker, rsaMaker, securityKeyMaker, utf8 } from './ssh-blobs.ts'
import { sshKeygen, sshKeygenProbe } from './ssh-keygen.ts'

const [alice, bob] = [ed25519Maker(), ed25519Maker()]
const [a, b] = [sshKeyText(alice.key), sshKeyText(bob.key)]
const at = new Date('2026-06-01T12:00:00Z')
const nobody = new Map<string, string>()

function signersOf(text: string): AllowedSigners {
  const reading = readAllowedSigners(utf8(text))
  if ('mistakes' in reading) throw new Error(JSON.stringify(reading.mistakes))
  return reading.signers
}

function mistakesOf(text: string | Uint8Array) {
  const reading = readAllowedSigners(typeof text === 'string' ? utf8(text) : text)
  return 'mistakes' in reading ? reading.mistakes : []
}

const asked = (text: string, { key, ...rest }: { key: SshKey } & Partial<Question>) =>
  principalOf(signersOf(text), { key, namespace: 'git', at, revoked: nobody, ...rest })

interface Question {
  readonly namespace: string
  readonly at: Date
  readonly revoked: ReadonlyMap<string, string>
}

describe('allowed_signers', () => {
  test.each<[string, string]>([
    ['a line', `alice ${a}\n`],
    ['a line without its end', `alice ${a}`],
    ['a comment behind the key', `alice ${a} alice's laptop, "quoted"\n`],
    ['tabs and many blanks', ` \talice \t ${a.replace(' ', '\t ')}\n`],
    ['comments and blank lines', `# signers\n\n   \n\t# more\nalice ${a}\n\n`],
    ['text that is not ASCII in a comment', `# Schlüssel für Älice\nalice ${a} Älice\n`],
    ['an address', `alice@example.com ${a}\n`],
    ['one namespace', `alice namespaces="git" ${a}\n`],
    ['two namespaces', `alice namespaces="git,vouchsafe-approval@v1" ${a}\n`],
    ['options in capitals', `alice NAMESPACES="git",Valid-After="20250101" ${a}\n`],
    ['a window', `alice valid-after="20250101Z",valid-before="20270101000000Z" ${a}\n`],
    ['several keys of one principal', `alice ${a}\nalice ${b}\n`],
    ['a security key', `alice ${a}\nbob ${sshKeyText(securityKeyMaker('ed25519').key)}\n`],
  ])('with %s gives the key to its principal', (_, text) => {
    const [principal] = signersOf(text).principals
    expect(asked(text, { key: alice.key })).toEqual({ principal })
    expect(principal).toMatch(/^alice/)
  })

  test('without a line gives nobody a key', () => {
    expect(signersOf('').principals.size).toBe(0)
    expect(asked('# nobody yet\n', { key: alice.key })).toEqual({
      refusal: `the key ${alice.key.fingerprint} (ssh-ed25519) is not in trust/allowed_signers: sign with a key that is, or have it added`,
    })
  })

  test.each<[string, string, number, number, string]>([
    ['a pattern', `*@example.com ${a}`, 1, 1, 'is a pattern'],
    ['a question mark', `alic? ${a}`, 1, 1, 'is a pattern'],
    ['a negation', `!mallory ${a}`, 1, 1, 'is a pattern'],
    ['two principals', `alice,bob ${a}`, 1, 1, 'names several principals'],
    ['a quoted principal', `"alice" ${a}`, 1, 1, 'is no name of a principal'],
    ['a path for a principal', `../alice ${a}`, 1, 1, 'is no name of a principal'],
    ['a slash in a principal', `team/alice ${a}`, 1, 1, 'is no name of a principal'],
    ['a long principal', `${'a'.repeat(129)} ${a}`, 1, 1, 'is no name of a principal'],
    ['a principal like alice', `аlice ${a}`, 1, 1, 'is no name of a principal'],
    ['a byte order mark', `\ufeffalice ${a}`, 1, 1, 'is no name of a principal'],
    [
      'a certificate authority',
      `alice cert-authority ${a}`,
      1,
      7,
      'cert-authority is not supported',
    ],
    [
      'a certificate authority among others',
      `alice namespaces="git",CERT-AUTHORITY ${a}`,
      1,
      24,
      'cert-authority',
    ],
    ['an unknown option', `alice no-touch-required ${a}`, 1, 7, '"no-touch-required" is neither'],
    [
      'an unknown option after a good one',
      `alice namespaces="git",x="1" ${a}`,
      1,
      24,
      '"x" is neither',
    ],
    ['no quotes', `alice namespaces=git ${a}`, 1, 17, 'write namespaces="..."'],
    ['single quotes', `alice namespaces='git' ${a}`, 1, 17, 'write namespaces="..."'],
    ['no closing quote', `alice namespaces="git ${a}`, 1, 17, 'write namespaces="..."'],
    ['an escaped quote', `alice namespaces="g\\"it" ${a}`, 1, 17, 'without backslashes'],
    ['a pattern of namespaces', `alice namespaces="*" ${a}`, 1, 19, 'patterns are not supported'],
    [
      'a negated namespace',
      `alice namespaces="git,!file" ${a}`,
      1,
      19,
      'patterns are not supported',
    ],
    ['an empty list of namespaces', `alice namespaces="" ${a}`, 1, 19, 'must be names'],
    ['a gap in the namespaces', `alice namespaces="git,,x" ${a}`, 1, 19, 'must be names'],
    ['a blank in the namespaces', `alice namespaces="git, x" ${a}`, 1, 19, 'must be names'],
    [
      'an option twice',
      `alice namespaces="git",namespaces="file" ${a}`,
      1,
      24,
      'namespaces stands twice',
    ],
    [
      'no comma between options',
      `alice namespaces="git"valid-after="20250101" ${a}`,
      1,
      23,
      'after an option',
    ],
    ['a comma and no option', `alice namespaces="git", ${a}`, 1, 24, 'is neither a key type'],
    ['options and no key', 'alice namespaces="git"', 1, 23, 'after an option'],
    ['options, a blank and no key', 'alice namespaces="git" ', 1, 24, 'the key is missing'],
    ['a day that is not', `alice valid-after="20250230" ${a}`, 1, 20, 'is no time'],
    ['an hour that is not', `alice valid-after="202502012400" ${a}`, 1, 20, 'is no time'],
    ['a second that leaps', `alice valid-after="20161231235960Z" ${a}`, 1, 20, 'is no time'],
    ['a time with hyphens', `alice valid-after="2025-01-01" ${a}`, 1, 20, 'is no time'],
    ['a relative time', `alice valid-before="+30d" ${a}`, 1, 21, 'is no time'],
    ['a time before the epoch', `alice valid-before="19700101Z" ${a}`, 1, 21, 'is no time'],
    [
      'an empty window',
      `alice valid-after="20250101",valid-before="20250101" ${a}`,
      1,
      44,
      'not later',
    ],
    ['only a principal', 'alice', 1, 6, 'the key is missing'],
    ['a key type and no key', 'alice ssh-ed25519', 1, 7, 'the key is missing'],
    ['a key that is no base64', 'alice ssh-ed25519 AAAA!', 1, 7, 'canonical padded base64'],
    [
      'a key without its padding',
      `alice ${sshKeyText(securityKeyMaker('ed25519').key).replace(/=+$/, '').slice(0, -1)}`,
      1,
      7,
      '',
    ],
    [
      'a key of another type than said',
      `alice ${a.replace('ssh-ed25519', 'ssh-rsa')}`,
      1,
      7,
      'the line says ssh-rsa, and the key is ssh-ed25519',
    ],
    [
      'an RSA key of 1024 bits',
      `alice ssh-rsa ${Buffer.from(rsaMaker(1024).blob).toString('base64')}`,
      1,
      7,
      'found an RSA key of 1024 bits, expected 2048 to 16384 bits',
    ],
    ['a DSA key', 'alice ssh-dss AAAAB3NzaC1kc3MAAAAA', 1, 7, 'found a key of type ssh-dss'],
    [
      'a certificate',
      'alice ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t',
      1,
      7,
      'cert-v01',
    ],
    [
      'a key of two principals',
      `# first\nalice ${a}\n\nbob ${a}`,
      4,
      17,
      `the key ${alice.key.fingerprint} stands on line 2 already, for alice`,
    ],
    ['a key twice', `alice ${a}\nalice namespaces="git" ${a}`, 2, 36, 'on one line'],
    [
      'principals that differ in case',
      `alice ${a}\nAlice ${b}`,
      2,
      1,
      'differ only in upper and lower case',
    ],
    [
      'carriage returns',
      `alice ${a}\r\nbob ${b}\n`,
      1,
      `alice ${a}`.length + 1,
      'the control character \\u{d}',
    ],
    ['a NUL', `alice ${a} \0\n`, 1, `alice ${a} `.length + 1, 'the control character \\u{0}'],
  ])('with %s is a mistake at its place', (_, text, line, column, message) => {
    expect(mistakesOf(text)).toEqual([{ line, column, message: expect.stringContaining(message) }])
  })

  test('reports every mistake', () => {
    const places = mistakesOf(`*@x ${a}\nbob ${b}\ncarol\n`).map(({ line }) => line)
    expect(places).toEqual([1, 3])
  })

  test('that is large or not UTF-8 is refused', () => {
    expect(mistakesOf(new Uint8Array(300_000))).toHaveLength(1)
    expect(mistakesOf(new Uint8Array([0xff, 0xfe]))[0]?.message).toContain('not UTF-8')
  })

  test.each([
    ['one long line of blanks', ' '.repeat(262_144)],
    ['one long word', 'a'.repeat(262_144)],
    ['one long option', `alice ${'x'.repeat(262_000)}`],
    ['many commas', `alice namespaces="${','.repeat(262_000)}" ${a}`],
    ['many options', `alice ${'valid-after="20250101",'.repeat(10_000)}x ${a}`],
    ['many empty lines', '\n'.repeat(262_144)],
    ['many lines', 'a\n'.repeat(131_000)],
  ])('of %s is read in no time', (_, text) => {
    const started = performance.now()
    readAllowedSigners(utf8(text))
    expect(performance.now() - started).toBeLessThan(500)
  })
})

describe('a key', () => {
  test('for other namespaces may not sign for this one', () => {
    const text = `# one\nalice namespaces="file,vouchsafe-approval@v1" ${a}\n`
    expect(asked(text, { key: alice.key })).toEqual({
      refusal: `the key ${alice.key.fingerprint} of alice may sign for file, vouchsafe-approval@v1 only, not for git (trust/allowed_signers, line 2)`,
    })
    expect(asked(text, { key: alice.key, namespace: 'file' })).toEqual({ principal: 'alice' })
    expect(asked(text, { key: alice.key, namespace: 'FILE' })).toHaveProperty('refusal')
  })

  test('that is revoked may not, and the reason is given on one line', () => {
    const revoked = new Map([[alice.key.fingerprint, 'laptop stolen\nbob']])
    expect(asked(`alice ${a}\nbob ${b}\n`, { key: alice.key, revoked })).toEqual({
      refusal: `the key ${alice.key.fingerprint} of alice is revoked (laptop stolen\\u{a}bob): sign with another key`,
    })
    expect(asked(`alice ${a}\nbob ${b}\n`, { key: bob.key, revoked })).toEqual({
      principal: 'bob',
    })
  })

  test('outside its window says when it was seen', () => {
    const text = `alice valid-after="20250101Z",valid-before="20260101Z" ${a}\n`
    expect(asked(text, { key: alice.key })).toEqual({
      refusal: `the key ${alice.key.fingerprint} of alice was valid until 2026-01-01T00:00:00Z, and this was first seen at 2026-06-01T12:00:00Z: the committer's own time does not count`,
    })
    expect(asked(text, { key: alice.key, at: new Date('2024-12-31T23:59:59Z') })).toEqual({
      refusal: `the key ${alice.key.fingerprint} of alice is valid from 2025-01-01T00:00:00Z, and this was first seen at 2024-12-31T23:59:59Z`,
    })
  })

  test('with a window is not valid at a time that is none', () => {
    const text = `alice valid-after="20250101Z" ${a}\n`
    expect(() => asked(text, { key: alice.key, at: new Date(Number.NaN) })).toThrow(RangeError)
  })
})

describeWith(sshKeygenProbe, 'ssh-keygen', () => {
  const keygen = sshKeygen()
  const message = utf8('hello')
  const armored = container(alice.sign(message, 'git'))

  /** Its verify-time is the `at` that is handed to us; TZ is UTC there. */
  test.each<[string, string, string]>([
    ['a second before valid-after', 'valid-after="20250102030405Z"', '2025-01-02T03:04:04Z'],
    ['at valid-after', 'valid-after="20250102030405Z"', '2025-01-02T03:04:05Z'],
    ['at valid-before', 'valid-before="20250102030405Z"', '2025-01-02T03:04:05Z'],
    ['a second after valid-before', 'valid-before="20250102030405Z"', '2025-01-02T03:04:06Z'],
    ['at a valid-before of a day', 'valid-before="20250102Z"', '2025-01-02T00:00:00Z'],
    ['later on the day of valid-before', 'valid-before="20250102Z"', '2025-01-02T00:00:01Z'],
    ['at a valid-after of minutes', 'valid-after="202501020304"', '2025-01-02T03:04:00Z'],
    ['before a valid-after of minutes', 'valid-after="202501020304"', '2025-01-02T03:03:59Z'],
    ['before a valid-after without Z', 'valid-after="20250102"', '2025-01-01T23:59:59Z'],
    ['at a valid-after without Z', 'valid-after="20250102"', '2025-01-02T00:00:00Z'],
    ['for its namespace', 'namespaces="file,git"', '2025-01-02T00:00:00Z'],
    ['for another namespace', 'namespaces="file"', '2025-01-02T00:00:00Z'],
    ['within a window', 'Valid-After="20250101",namespaces="git"', '2025-01-02T00:00:00Z'],
  ])('agrees with us on a key %s', (_, options, when) => {
    const line = `signer ${options} ${a} comment`
    const time = when.replaceAll(/[-:T]/g, '')
    const theirs = keygen.verifies(
      { line, armored, message, namespace: 'git' },
      '-O',
      `verify-time=${time}`,
    )
    const ours = asked(line, { key: alice.key, at: new Date(when) })
    expect('principal' in ours).toBe(theirs)
  })

  test('counts whole seconds, and so do we', () => {
    const line = `signer valid-before="20250102030405Z" ${a}`
    const last = asked(line, { key: alice.key, at: new Date('2025-01-02T03:04:05.999Z') })
    expect(last).toEqual({ principal: 'signer' })
  })

  test.each<[string, string]>([
    ['certificate authorities', `signer cert-authority ${a}`],
    ['an unknown option', `signer frobnicate ${a}`],
    ['an option twice', `signer namespaces="git",namespaces="git" ${a}`],
    ['no quotes', `signer namespaces=git ${a}`],
    ['an empty window', `signer valid-after="20250101Z",valid-before="20250101Z" ${a}`],
    ['another type than the key has', `signer ${a.replace('ssh-ed25519', 'ssh-rsa')}`],
  ])('takes no more than we do of a line with %s', (_, line) => {
    expect(keygen.verifies({ line, armored, message, namespace: 'git' })).toBe(false)
    expect(mistakesOf(line)).not.toEqual([])
  })
})
