/** Who holds the key-encryption key, by the settings: one way, and the key itself never shown. */
import { describe, expect, test } from 'vitest'
import { readConfig } from '#src/config.ts'

const KEY = 'ab'.repeat(32)
const OTHER = 'cd'.repeat(32)
const good = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: 'a'.repeat(40),
}
const files: Readonly<Record<string, string>> = {
  '/run/kek': KEY,
  '/run/old': OTHER,
  '/run/bad': 'x',
}

function read(env: Readonly<Record<string, string>>) {
  return readConfig({
    env: { ...good, ...env },
    readText(path) {
      const text = files[path]
      if (text === undefined) throw new Error('no such file')
      return text
    },
  })
}

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

describe('what is accepted', () => {
  test.each<[string, Record<string, string>, unknown]>([
    [
      'a file',
      { VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek' },
      { kind: 'secret', from: 'file', secret: bytes(KEY) },
    ],
    [
      'a value',
      { VOUCHSAFE_KEY_ENCRYPTION_KEY: Buffer.from(KEY, 'hex').toString('base64') },
      { kind: 'secret', from: 'environment', secret: bytes(KEY) },
    ],
    [
      'a program and the name of its key',
      {
        VOUCHSAFE_KEY_ENCRYPTION_COMMAND: '/usr/local/bin/hsm',
        VOUCHSAFE_KEY_ENCRYPTION_HANDLE: 'pkcs11:object=kek',
      },
      { kind: 'command', program: '/usr/local/bin/hsm', handle: 'pkcs11:object=kek' },
    ],
  ])('%s', (_, env, keyEncryption) =>
    expect(read(env)).toMatchObject({
      config: { keyRotationDays: 30 },
      secrets: { keyEncryption, previousKeyEncryptionKey: undefined },
    }),
  )

  test('the one before, beside it', () =>
    expect(
      read({
        VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek',
        VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: '/run/old',
      }),
    ).toMatchObject({ secrets: { previousKeyEncryptionKey: bytes(OTHER) } }))
})

describe('what is a mistake', () => {
  const file = { VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek' }
  test.each<[string, Record<string, string>, string]>([
    ['none at all', {}, 'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE is missing'],
    ['two at once', { ...file, VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY }, 'both given'],
    [
      'a file and a program',
      { ...file, VOUCHSAFE_KEY_ENCRYPTION_COMMAND: '/bin/hsm' },
      'both given',
    ],
    [
      'a program without a name',
      { VOUCHSAFE_KEY_ENCRYPTION_COMMAND: '/bin/hsm' },
      'VOUCHSAFE_KEY_ENCRYPTION_HANDLE (keyEncryptionHandle) is missing',
    ],
    [
      'a program on the search path',
      { VOUCHSAFE_KEY_ENCRYPTION_COMMAND: 'hsm', VOUCHSAFE_KEY_ENCRYPTION_HANDLE: 'k' },
      'must be an absolute path',
    ],
    [
      'a name that is an option',
      { VOUCHSAFE_KEY_ENCRYPTION_COMMAND: '/bin/hsm', VOUCHSAFE_KEY_ENCRYPTION_HANDLE: '--help' },
      'not begin with a hyphen',
    ],
    [
      'a previous one that is no key',
      { ...file, VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: '/run/bad' },
      'must be 32 bytes',
    ],
    [
      'a previous one that is not there',
      { ...file, VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: '/run/gone' },
      'cannot be read',
    ],
    ['a rotation of no days', { ...file, VOUCHSAFE_KEY_ROTATION_DAYS: '0' }, '1 to 366'],
    ['a rotation of years', { ...file, VOUCHSAFE_KEY_ROTATION_DAYS: '367' }, '1 to 366'],
  ])('%s', (_, env, sentence) => {
    const reading = read(env)
    const told = 'mistakes' in reading ? reading.mistakes.join('\n') : ''
    expect(told).toContain(sentence)
    expect(told).not.toContain(KEY)
  })
})
