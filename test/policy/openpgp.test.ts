import { describe, expect, test } from 'vitest'
import { Malformed } from '../../src/bytes/malformed.ts'
import { readOpenPgpKeys } from '../../src/policy/signatures/openpgp.ts'
import { armored, keyBody, openPgpKey, packet } from './openpgp-keys.ts'
import { joined, utf8 } from './ssh-blobs.ts'

const key = openPgpKey(1)
const body = keyBody(1)
const newFormat = (...length: readonly number[]) => joined(new Uint8Array([0xc6, ...length]), body)
const text = Buffer.from(key.armored).toString()

describe('OpenPGP keys', () => {
  test('are told apart by their fingerprints', () => {
    const other = openPgpKey(2)
    expect(readOpenPgpKeys(armored(joined(key.keyring, other.keyring)))).toEqual({
      keyring: joined(key.keyring, other.keyring),
      fingerprints: [key.fingerprint, other.fingerprint],
    })
  })

  test.each<[string, Uint8Array]>([
    ['with a checksum', armored(key.keyring, { checksum: '=AbC/\n' })],
    ['with headers', armored(key.keyring, { headers: 'Version: 1\nComment: x\n' })],
    ['in lines of Windows', utf8(text.replaceAll('\n', '\r\n'))],
    ['with a length of one octet in the new format', armored(newFormat(body.length))],
    ['with a length of five octets', armored(newFormat(255, 0, 0, 0, body.length))],
    [
      'with a length of four octets in the old format',
      armored(joined(new Uint8Array([0x9a, 0, 0, 0, body.length]), body)),
    ],
    ['with a subkey', armored(joined(key.keyring, packet(14, body)))],
  ])('%s are read', (_, file) => {
    expect(readOpenPgpKeys(file).fingerprints).toEqual([key.fingerprint])
  })

  test("of RFC 9580's Ed25519, whose point begins where RSA counts its bits, are read", () => {
    const raw = new Uint8Array([4, 0, 0, 0, 0, 27, ...new Uint8Array(32)])
    expect(readOpenPgpKeys(armored(packet(6, raw))).fingerprints).toHaveLength(1)
  })

  test('whose packet has a length of two octets are read', () => {
    const long = joined(body, new Uint8Array(200))
    const length = long.length - 192
    const header = new Uint8Array([0xc6, 192 + (length >> 8), length & 0xff])
    expect(readOpenPgpKeys(armored(joined(header, long))).fingerprints).toHaveLength(1)
  })

  test.each<[string, Uint8Array, string]>([
    ['of no bytes', new Uint8Array(), 'text that begins with'],
    ['without armor', key.keyring, 'text that begins with'],
    ['with text before', utf8(`my key\n${text}`), 'text that begins with my key'],
    ['of a private key', utf8(text.replaceAll('PUBLIC', 'PRIVATE')), 'PRIVATE KEY BLOCK'],
    [
      'that hide a secret key',
      armored(packet(5, body)),
      'a SECRET key (everyone can read it here: revoke it)',
    ],
    [
      'that hide a secret key behind a public one',
      armored(joined(key.keyring, packet(5, body))),
      'a SECRET key',
    ],
    ['that hide a secret subkey', armored(joined(key.keyring, packet(7, body))), 'a SECRET subkey'],
    ['that begin with a user', armored(packet(13, utf8('A'))), 'a packet of type 13'],
    [
      'with a message among them',
      armored(joined(key.keyring, packet(11, utf8('A')))),
      'a packet of type 11',
    ],
    ['of version 3', armored(packet(6, body.with(0, 3))), 'version 3'],
    ['of version 6', armored(packet(6, body.with(0, 6))), 'version 6'],
    ['of DSA', armored(packet(6, body.with(5, 17))), 'algorithm 17'],
    [
      'of RSA-1024',
      armored(packet(6, new Uint8Array([4, 0, 0, 0, 0, 1, 4, 0]))),
      'an RSA key of 1024 bits',
    ],
    [
      'with a subkey of RSA-1024',
      armored(joined(key.keyring, packet(14, new Uint8Array([4, 0, 0, 0, 0, 1, 4, 0])))),
      'an RSA key of 1024 bits',
    ],
    ['with an empty key', armored(packet(6, new Uint8Array())), 'version undefined'],
    ['that end early', armored(key.keyring.slice(0, 20)), 'bytes left'],
    [
      'with a packet that claims four gigabytes',
      armored(newFormat(255, 255, 255, 255, 255)),
      'bytes left',
    ],
    ['with a length in parts', armored(newFormat(224)), 'a length in parts'],
    [
      'with an open length',
      armored(joined(new Uint8Array([0x9b]), body)),
      'a packet without length',
    ],
    ['that are no packets', armored(utf8('hello')), 'the byte 104'],
    [
      'that are none',
      utf8('-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n'),
      '0 public keys',
    ],
    [
      'that are seventeen',
      armored(joined(...Array.from({ length: 17 }, (_, seed) => packet(6, keyBody(seed))))),
      '17 public keys',
    ],
    ['with blanks in base64', utf8(text.replace(/(\w{8})$/m, ' $1')), ''],
    ['in two blocks', utf8(text + text), 'canonical base64'],
    ['that are large', new Uint8Array(200_000), '200000 bytes'],
  ])('%s are malformed', (_, file, observed) => {
    expect(() => readOpenPgpKeys(file)).toThrow(Malformed)
    expect(() => readOpenPgpKeys(file)).toThrow(observed)
  })
})
