import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import {
  openSshPrivateKey,
  ownSshPrivateKey,
  readSshKey,
  sshKeyOf,
  sshKeyText,
} from '../../src/policy/signatures/ssh-key.ts'
import { string } from '../../src/policy/signatures/ssh-wire.ts'
import { describeWith } from './external-tool.ts'
import { coordinates, joined, mpint, rsaMaker, utf8 } from './ssh-blobs.ts'
import { sshKeygen, sshKeygenProbe } from './ssh-keygen.ts'

const ed25519 = generateKeyPairSync('ed25519').publicKey
const p256 = coordinates(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
const point = coordinates(ed25519).x
const nist = (x: Uint8Array, y: Uint8Array, curve = 'nistp256', form = 4) =>
  joined(string('ecdsa-sha2-nistp256'), string(curve), string(joined(new Uint8Array([form]), x, y)))
const rsa = (exponent: Uint8Array, modulus: Uint8Array) =>
  joined(string('ssh-rsa'), exponent, modulus)
const modulus = (bytes: number) => mpint(new Uint8Array(bytes).fill(0xff))
const e65537 = mpint(new Uint8Array([1, 0, 1]))

describe('a key blob', () => {
  test.each<[string, Uint8Array, string]>([
    ['of no bytes', new Uint8Array(), '0 bytes left'],
    [
      'with bytes after its end',
      joined(sshKeyOf(ed25519).blob, new Uint8Array(1)),
      '1 bytes after',
    ],
    ['with a short point', joined(string('ssh-ed25519'), string(point.subarray(1))), '31 bytes'],
    ['with a long point', joined(string('ssh-ed25519'), string(joined(point, point))), '64 bytes'],
    ['of an unknown type', joined(string('ssh-ed448'), string(point)), 'ssh-ed448'],
    ['of DSA', joined(string('ssh-dss'), string(point)), 'ssh-dss'],
    [
      'that is a certificate',
      joined(string('ssh-ed25519-cert-v01@openssh.com'), string(point)),
      'cert-v01',
    ],
    [
      'with control characters in its type',
      joined(string('ssh-ed25519\n'), string(point)),
      'bytes',
    ],
    ['with a point off its curve', nist(p256.x, p256.x), 'no valid public key'],
    ['with a compressed point', nist(p256.x, new Uint8Array(), 'nistp256', 2), '33 bytes'],
    ['with another curve inside', nist(p256.x, p256.y, 'nistp384'), 'nistp384'],
    ['with a point in the hybrid form', nist(p256.x, p256.y, 'nistp256', 6), 'the first 6'],
    ['of RSA-2047', rsa(e65537, mpint(new Uint8Array(256).fill(0x7f))), '2047 bits'],
    ['of RSA beyond 16384 bits', rsa(e65537, modulus(2049)), '16392 bits'],
    ['with an even exponent', rsa(mpint(new Uint8Array([2])), modulus(256)), 'the exponent 02'],
    [
      'with the exponent 65536',
      rsa(mpint(new Uint8Array([1, 0, 0])), modulus(256)),
      'the exponent 010000',
    ],
    ['with the exponent 1', rsa(mpint(new Uint8Array([1])), modulus(256)), 'the exponent 01'],
    ['with a huge exponent', rsa(mpint(new Uint8Array(9).fill(1)), modulus(256)), 'the exponent'],
    ['with a zero exponent', rsa(string(''), modulus(256)), 'zero'],
    [
      'with needless zeros before an integer',
      rsa(string(new Uint8Array([0, 1, 0, 1])), modulus(256)),
      'needless zeros',
    ],
    ['with a negative modulus', rsa(e65537, string(new Uint8Array(256).fill(0xff))), 'negative'],
    [
      'that claims four gigabytes',
      joined(string('ssh-ed25519'), new Uint8Array(4).fill(0xff)),
      'left',
    ],
    ['that is too large', new Uint8Array(5000), '5000 bytes'],
  ])('%s is refused', (_, blob, observed) => {
    expect(() => readSshKey(blob)).toThrow(Malformed)
    expect(() => readSshKey(blob)).toThrow(observed)
  })

  test.each([2048, 3072, 4096])('of RSA-%i is read', (bits) => {
    const { blob } = rsaMaker(bits)
    expect(readSshKey(blob).publicKey.asymmetricKeyDetails?.modulusLength).toBe(bits)
  })
})

describe('a point of small order', () => {
  test.each([
    '0100000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000080',
    '0000000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  ])('%s is refused', (hex) => {
    const blob = joined(string('ssh-ed25519'), string(new Uint8Array(Buffer.from(hex, 'hex'))))
    expect(() => readSshKey(blob)).toThrow('small order')
    const sk = joined(
      string('sk-ssh-ed25519@openssh.com'),
      string(new Uint8Array(Buffer.from(hex, 'hex'))),
      string('ssh:'),
    )
    expect(() => readSshKey(sk)).toThrow('small order')
  })
})

test('only Ed25519 keys are written', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  expect(() => sshKeyOf(publicKey)).toThrow('only Ed25519')
  expect(() => openSshPrivateKey(privateKey, '')).toThrow('only Ed25519')
})

test('what is written is read again, and nothing else', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const text = openSshPrivateKey(privateKey, 'alice')
  expect(ownSshPrivateKey(text, 'alice')?.equals(privateKey)).toBe(true)
  const others = ['', 'alice', text.slice(1), `${text}\n`, text.replace('b3Blbn', 'b3Blbm')]
  for (const other of others) expect(ownSshPrivateKey(other, 'alice')).toBeUndefined()
  expect(ownSshPrivateKey(text, 'bob')).toBeUndefined()
})

describeWith(sshKeygenProbe, 'ssh-keygen', () => {
  const keygen = sshKeygen()
  const fingerprint = (file: string) =>
    execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' }).split(' ')[1]

  test.each([
    ['ed25519'],
    ['ecdsa', '-b', '256'],
    ['ecdsa', '-b', '384'],
    ['ecdsa', '-b', '521'],
    ['rsa', '-b', '2048'],
    ['rsa', '-b', '3072'],
  ])('has the same fingerprint for %s', (type, ...options) => {
    const { line, blob, path } = keygen.key(type, ...options)
    const key = readSshKey(blob)
    expect(key.fingerprint).toBe(fingerprint(`${path}.pub`))
    expect(line).toBe(`${sshKeyText(key)} a comment`)
  })

  test.each(['', 'a', 'alice@example.com', 'seven b'])(
    'reads the private key that is written with the comment "%s"',
    (comment) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const file = join(keygen.folder, `written-${comment.length}`)
      writeFileSync(file, openSshPrivateKey(privateKey, comment), { mode: 0o600 })
      const shown = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim()
      expect(shown).toBe(`${sshKeyText(sshKeyOf(publicKey))} ${comment}`.trim())
    },
  )

  test('signs with the private key that is written', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const path = join(keygen.folder, 'signing')
    writeFileSync(path, openSshPrivateKey(privateKey, 'x'), { mode: 0o600 })
    const line = sshKeyText(sshKeyOf(createPublicKey(privateKey)))
    const key = { path, line, blob: new Uint8Array() }
    const armored = keygen.sign(key, utf8('hello'), 'file')
    expect(
      keygen.verifies({
        line: `signer ${line}`,
        armored,
        message: utf8('hello'),
        namespace: 'file',
      }),
    ).toBe(true)
  })
})
