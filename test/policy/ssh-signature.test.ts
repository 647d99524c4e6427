import { generateKeyPairSync, sign as signRaw } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import {
  openSshPrivateKey,
  readSshKey,
  sshKeyOf,
  sshKeyText,
} from '../../src/policy/signatures/ssh-key.ts'
import { isGenuine, readSshSignature, signSsh } from '../../src/policy/signatures/ssh-signature.ts'
import { string, uint32 } from '../../src/policy/signatures/ssh-wire.ts'
import { describeWith } from './external-tool.ts'
import {
  armor,
  container,
  ed25519Maker,
  joined,
  mpint,
  type Parts,
  rsaMaker,
  securityKeyMaker,
  toBeSigned,
  utf8,
} from './ssh-blobs.ts'
import { sshKeygen, sshKeygenProbe } from './ssh-keygen.ts'

const message = utf8('the bytes\n')
const maker = ed25519Maker()
const good = maker.sign(message, 'git')
const judged = (armored: Uint8Array, of = message, namespace = 'git') =>
  isGenuine(readSshSignature(armored), of, namespace)

describe('a signature', () => {
  test('over these bytes for this namespace is genuine', () => {
    expect(judged(container(good))).toBe(true)
  })

  test('over other bytes is not', () => {
    expect(judged(container(good), utf8('other bytes'))).toContain('does not belong')
  })

  test('for another namespace says both', () => {
    expect(judged(container(good), message, 'vouchsafe-approval@v1')).toBe(
      'was made for the namespace git, not for vouchsafe-approval@v1: sign again for that one',
    )
  })

  test('whose namespace was rewritten is not', () => {
    expect(judged(container({ ...good, namespace: 'file' }), message, 'file')).toContain(
      'does not belong',
    )
  })

  test('by another key is not', () => {
    const other = ed25519Maker().key.blob
    expect(judged(container({ ...good, key: other }))).toContain('does not belong')
  })

  test('whose every byte counts: no other byte in any place is accepted', () => {
    const text = Buffer.from(container(good)).toString('latin1').split('\n')
    const blob = new Uint8Array(Buffer.from(text.slice(1, -2).join(''), 'base64'))
    for (let at = 0; at < blob.length; at++) {
      const changed = armor(blob.with(at, (blob[at] ?? 0) ^ 1))
      let verdict: true | string
      try {
        verdict = judged(changed)
      } catch (cause) {
        if (!(cause instanceof Malformed)) throw cause
        verdict = cause.message
      }
      expect(verdict, `byte ${at}`).not.toBe(true)
    }
  })

  const { privateKey: ec, publicKey: ecPublic } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = ecPublic.export({ format: 'jwk' })
  const ecKey = joined(
    string('ecdsa-sha2-nistp256'),
    string('nistp256'),
    string(joined(utf8('\x04'), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'))),
  )
  const raw = signRaw('sha256', toBeSigned(message, 'git'), {
    key: ec,
    dsaEncoding: 'ieee-p1363',
  })
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)]
  const ecdsa: Parts = {
    ...good,
    key: ecKey,
    algorithm: 'ecdsa-sha2-nistp256',
    value: string(joined(mpint(r), mpint(s))),
  }
  const value = (...integers: readonly Uint8Array[]) => string(joined(...integers))
  /** One more zero than SSH's shortest form. */
  const padded = (integer: Uint8Array) => string(joined(new Uint8Array(2), integer))

  const rsa = rsaMaker(2048)
  const rsaSignature = (hash: string, algorithm: string): Parts => ({
    ...good,
    key: rsa.blob,
    algorithm,
    value: string(signRaw(hash, toBeSigned(message, 'git'), rsa.privateKey)),
  })

  test('by ECDSA and RSA, made by hand, is genuine', () => {
    expect(judged(container(ecdsa))).toBe(true)
    expect(judged(container(rsaSignature('sha256', 'rsa-sha2-256')))).toBe(true)
    expect(judged(container(rsaSignature('sha512', 'rsa-sha2-512')))).toBe(true)
  })

  test.each<[string, Parts, string]>([
    ['of another magic', { ...good, magic: utf8('SSHSIH') }, 'expected SSHSIG'],
    ['of version 2', { ...good, version: 2 }, 'version 2'],
    ['of version 0', { ...good, version: 0 }, 'version 0'],
    ['without a namespace', { ...good, namespace: '' }, 'a name of 0 bytes'],
    ['with a namespace of 300 bytes', { ...good, namespace: 'n'.repeat(300) }, '300 bytes'],
    ['with a line feed in its namespace', { ...good, namespace: 'git\n' }, '6769740a'],
    ['with reserved bytes', { ...good, reserved: 'x' }, '1 reserved bytes'],
    ['over MD5', { ...good, hash: 'md5' }, 'the hash md5'],
    ['over SHA-1', { ...good, hash: 'sha1' }, 'the hash sha1'],
    ['over SHA-512 in capitals', { ...good, hash: 'SHA512' }, 'the hash SHA512'],
    ['with bytes after its end', { ...good, trailing: new Uint8Array(1) }, '1 bytes after'],
    [
      'with bytes after its value',
      { ...good, value: joined(good.value, new Uint8Array(1)) },
      '1 bytes after',
    ],
    ['of 63 bytes', { ...good, value: string(new Uint8Array(63)) }, '63 bytes'],
    ['of 65 bytes', { ...good, value: string(new Uint8Array(65)) }, '65 bytes'],
    [
      'with another algorithm than its key',
      { ...good, algorithm: 'ecdsa-sha2-nistp256' },
      'found the algorithm ecdsa-sha2-nistp256 with a key of type ssh-ed25519, expected ssh-ed25519',
    ],
    [
      'of WebAuthn',
      { ...good, algorithm: 'webauthn-sk-ecdsa-sha2-nistp256@openssh.com' },
      'webauthn',
    ],
    [
      'by RSA over SHA-1',
      rsaSignature('sha1', 'ssh-rsa'),
      'an RSA signature over SHA-1, which can be forged, expected rsa-sha2-256 or rsa-sha2-512',
    ],
    ['by ECDSA whose r is padded', { ...ecdsa, value: value(padded(r), mpint(s)) }, 'needless'],
    ['by ECDSA whose s is padded', { ...ecdsa, value: value(mpint(r), padded(s)) }, 'needless'],
    ['by ECDSA whose r is zero', { ...ecdsa, value: value(string(''), mpint(s)) }, 'zero'],
    [
      'by ECDSA whose r is negative',
      { ...ecdsa, value: value(string(new Uint8Array(32).fill(0xff)), mpint(s)) },
      'negative',
    ],
    [
      'by ECDSA whose r is longer than its field',
      { ...ecdsa, value: value(mpint(new Uint8Array(33).fill(1)), mpint(s)) },
      '33 bytes',
    ],
    [
      'by ECDSA with a third integer',
      { ...ecdsa, value: value(mpint(r), mpint(s), mpint(s)) },
      'bytes after',
    ],
    ['by ECDSA without s', { ...ecdsa, value: value(mpint(r)) }, '0 bytes left'],
  ])('%s is malformed', (_, parts, observed) => {
    expect(() => readSshSignature(container(parts))).toThrow(Malformed)
    expect(() => readSshSignature(container(parts))).toThrow(observed)
  })

  test.each<[string, Parts]>([
    ['by RSA whose algorithm names another hash', rsaSignature('sha512', 'rsa-sha2-256')],
    [
      'by RSA that is shorter than its modulus',
      { ...rsaSignature('sha512', 'rsa-sha2-512'), value: string(new Uint8Array(255).fill(1)) },
    ],
    [
      'by RSA with a zero in front',
      {
        ...rsaSignature('sha512', 'rsa-sha2-512'),
        value: string(
          joined(new Uint8Array(1), signRaw('sha512', toBeSigned(message, 'git'), rsa.privateKey)),
        ),
      },
    ],
    ['by ECDSA of r and s exchanged', { ...ecdsa, value: value(mpint(s), mpint(r)) }],
    [
      'by ECDSA whose r is beyond the order',
      { ...ecdsa, value: value(mpint(new Uint8Array(32).fill(0xff)), mpint(s)) },
    ],
  ])('%s is not genuine', (_, parts) => {
    expect(judged(container(parts))).toContain('does not belong')
  })
})

/** By OpenSSH 9.2 (`ssh-keygen -Y sign -n git`), but for sk-*, which are made up: no test machine has a security key. */
describe('a recorded signature', () => {
  const folder = join(import.meta.dirname, 'recorded')
  const recorded = new Uint8Array(readFileSync(join(folder, 'message')))

  test.each([
    ['ed25519.sig', 'ssh-ed25519'],
    ['ecdsa256.sig', 'ecdsa-sha2-nistp256'],
    ['ecdsa384.sig', 'ecdsa-sha2-nistp384'],
    ['ecdsa521.sig', 'ecdsa-sha2-nistp521'],
    ['rsa3072.sig', 'rsa-sha2-512'],
    ['sk-ed25519.sig', 'sk-ssh-ed25519@openssh.com'],
    ['sk-ecdsa.sig', 'sk-ecdsa-sha2-nistp256@openssh.com'],
  ])('%s is genuine', (file, algorithm) => {
    const signature = readSshSignature(new Uint8Array(readFileSync(join(folder, file))))
    expect(signature.algorithm).toBe(algorithm)
    expect(isGenuine(signature, recorded, 'git')).toBe(true)
    expect(isGenuine(signature, recorded.subarray(1), 'git')).toContain('does not belong')
  })
})

describe('armor', () => {
  const text = Buffer.from(container(good)).toString('latin1')
  test.each<[string, string]>([
    ['without its last line feed', text.trimEnd()],
    [
      'in lines of 76',
      `-----BEGIN SSH SIGNATURE-----\n${base64Of(text).replace(/.{76}/g, '$&\n')}\n-----END SSH SIGNATURE-----\n`,
    ],
    [
      'in one line',
      `-----BEGIN SSH SIGNATURE-----\n${base64Of(text)}\n-----END SSH SIGNATURE-----\n`,
    ],
  ])('%s is read', (_, armored) => {
    expect(judged(utf8(armored))).toBe(true)
  })

  test.each<[string, string]>([
    ['with text before it', `Signed:\n${text}`],
    ['with a blank before it', ` ${text}`],
    ['with text after it', `${text}more`],
    ['with two line feeds after it', `${text}\n`],
    ['twice', text + text],
    ['with carriage returns', text.replaceAll('\n', '\r\n')],
    ['with an empty line inside', text.replace('\n', '\n\n')],
    ['with blanks inside', text.replace('U1NIU', 'U1N IU')],
    [
      'in the URL alphabet',
      text.replace(/[+/]/g, (c) => (c === '+' ? '-' : '_')).replace('U1NIU', 'U1N_U'),
    ],
    ['with another kind of block', text.replaceAll('SSH SIGNATURE', 'PGP SIGNATURE')],
    ['without an end', text.replace('-----END SSH SIGNATURE-----\n', '')],
    ['of nothing', '-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n'],
    ['of no bytes', ''],
    [
      'of a megabyte',
      `-----BEGIN SSH SIGNATURE-----\n${'A'.repeat(1 << 20)}\n-----END SSH SIGNATURE-----\n`,
    ],
  ])('%s is malformed', (_, armored) => {
    expect(() => readSshSignature(utf8(armored))).toThrow(Malformed)
  })

  test('with stray bits in its last character is malformed', () => {
    const spellings = ['g', 'gi', 'git'].map((namespace) =>
      base64Of(Buffer.from(container({ ...good, namespace })).toString('latin1')),
    )
    const padded = spellings.find((each) => each.endsWith('=')) ?? ''
    const stray = padded.replace(/.(?==+$)/, (last) => alphabet[alphabet.indexOf(last) + 1] ?? '')
    expect(Buffer.from(stray, 'base64')).toEqual(Buffer.from(padded, 'base64'))
    const armored = `-----BEGIN SSH SIGNATURE-----\n${stray}\n-----END SSH SIGNATURE-----\n`
    expect(() => readSshSignature(utf8(armored))).toThrow('canonical base64')
  })
})

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function base64Of(text: string): string {
  return text.split('\n').slice(1, -2).join('')
}

describe.each(['ed25519', 'ecdsa'] as const)('a security key of kind %s', (kind) => {
  const key = securityKeyMaker(kind)

  test('signs', () => {
    expect(judged(container(key.sign(message, 'git')))).toBe(true)
  })

  test('that also verified its user signs', () => {
    expect(judged(container(key.sign(message, 'git', 0x05)))).toBe(true)
  })

  test('that nobody touched does not count', () => {
    expect(judged(container(key.sign(message, 'git', 0)))).toContain('nobody touched')
  })

  test('whose flags were changed afterwards does not count', () => {
    const parts = key.sign(message, 'git', 0)
    const flags = parts.value.length - 5
    expect(judged(container({ ...parts, value: parts.value.with(flags, 1) }))).toContain(
      'does not belong',
    )
  })

  test('whose counter was changed does not count', () => {
    const parts = key.sign(message, 'git')
    const last = parts.value.length - 1
    expect(judged(container({ ...parts, value: parts.value.with(last, 9) }))).toContain(
      'does not belong',
    )
  })

  test('made for another application is another key', () => {
    const parts = key.sign(message, 'git')
    const end = parts.key.length - 4
    const other = joined(parts.key.subarray(0, end), utf8('sshx'))
    expect(readSshKey(other).fingerprint).not.toBe(key.key.fingerprint)
    expect(judged(container({ ...parts, key: other }))).toContain('does not belong')
  })

  test('whose flags and counter are missing is malformed', () => {
    const parts = key.sign(message, 'git')
    expect(() =>
      readSshSignature(container({ ...parts, value: parts.value.slice(0, -5) })),
    ).toThrow('0 bytes left')
  })

  test('with an extension after the counter is malformed', () => {
    const parts = key.sign(message, 'git')
    expect(() =>
      readSshSignature(container({ ...parts, value: joined(parts.value, uint32(0)) })),
    ).toThrow('4 bytes after')
  })
})

describeWith(sshKeygenProbe, 'ssh-keygen', () => {
  const keygen = sshKeygen()
  const types: readonly (readonly [string, ...string[]])[] = [
    ['ed25519'],
    ['ecdsa', '-b', '256'],
    ['ecdsa', '-b', '384'],
    ['ecdsa', '-b', '521'],
    ['rsa', '-b', '2048'],
    ['rsa', '-b', '3072'],
  ]

  describe.each(types.map((options) => [options.join(' '), options] as const))(
    'with a key of %s',
    (_, [type, ...options]) => {
      const key = keygen.key(type, ...options)

      test.each(['sha256', 'sha512'])('signs over %s what we find genuine', (hash) => {
        const signature = keygen.sign(key, message, 'file', '-O', `hashalg=${hash}`)
        expect(readSshSignature(signature).hash).toBe(hash)
        expect(judged(signature, message, 'file')).toBe(true)
        expect(judged(signature, utf8('other'), 'file')).not.toBe(true)
      })

      test('makes a hundred signatures that we find genuine, whatever the lengths of their integers', () => {
        for (let count = 0; count < (type === 'ecdsa' ? 100 : 3); count++) {
          const each = utf8(`message ${count}`)
          expect(judged(keygen.sign(key, each, 'file'), each, 'file')).toBe(true)
        }
      })
    },
  )

  const refused = [
    ['rsa -b 1024', 'an RSA key of 1024 bits'],
    ['dsa', 'ssh-dss'],
  ] as const
  test.each(refused)('signs with %s, which we refuse', (options, observed) => {
    const [type = '', ...rest] = options.split(' ')
    const signature = keygen.sign(keygen.key(type, ...rest), message, 'file')
    expect(() => readSshSignature(signature)).toThrow(observed)
  })

  test('verifies what we sign', () => {
    for (let count = 0; count < 5; count++) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const armored = signSsh(privateKey, message, 'vouchsafe-approval@v1')
      const line = `signer ${sshKeyText(sshKeyOf(publicKey))}`
      const namespace = 'vouchsafe-approval@v1'
      expect(judged(utf8(armored), message, namespace)).toBe(true)
      expect(keygen.verifies({ line, armored, message, namespace })).toBe(true)
      expect(keygen.verifies({ line, armored, message, namespace: 'git' })).toBe(false)
      expect(keygen.verifies({ line, armored, message: utf8('x'), namespace })).toBe(false)
    }
  })

  test('writes byte for byte what we write', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const path = `${keygen.folder}/same`
    writeFileSync(path, openSshPrivateKey(privateKey, ''), { mode: 0o600 })
    const theirs = keygen.sign({ path, line: '', blob: new Uint8Array() }, message, 'git')
    expect(Buffer.from(theirs).toString()).toBe(signSsh(privateKey, message, 'git'))
  })

  test.each(['ed25519', 'ecdsa'] as const)(
    'verifies signatures of our made-up security key of kind %s',
    (kind) => {
      const { key, sign } = securityKeyMaker(kind)
      const line = `signer ${sshKeyText(key)}`
      const armored = container(sign(message, 'file'))
      expect(keygen.verifies({ line, armored, message, namespace: 'file' })).toBe(true)
      const forged = container(sign(utf8('other'), 'file'))
      expect(keygen.verifies({ line, armored: forged, message, namespace: 'file' })).toBe(false)
    },
  )
})
