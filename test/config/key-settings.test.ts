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
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const previousTransit = {
  VOUCHSAFE_PREVIOUS_TRANSIT_URL: 'https://vault.example',
  VOUCHSAFE_PREVIOUS_TRANSIT_KEY: 'old',
  VOUCHSAFE_PREVIOUS_TRANSIT_TOKEN_FILE: '/run/token',
}
const transit = {
  VOUCHSAFE_TRANSIT_URL: 'https://bao.example',
  VOUCHSAFE_TRANSIT_KEY: 'new',
  VOUCHSAFE_TRANSIT_TOKEN_FILE: '/run/token',
}
const files: Readonly<Record<string, string>> = {
  '/run/token': 'planted-transit-token',
  '/run/two-lines': 'planted-transit-token\nplanted-transit-token\n',
  '/run/roots': PEM,
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
      secrets: { keyEncryption, previousKeyEncryption: undefined },
    }),
  )

  test.each<[string, Record<string, string>, unknown]>([
    [
      'a file',
      { VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: '/run/old' },
      { kind: 'secret', from: 'file', secret: bytes(OTHER) },
    ],
    [
      'a program',
      {
        VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_COMMAND: '/usr/local/bin/hsm',
        VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_HANDLE: 'old',
      },
      { kind: 'command', program: '/usr/local/bin/hsm', handle: 'old' },
    ],
    [
      'a transit engine',
      previousTransit,
      {
        kind: 'transit',
        url: 'https://vault.example',
        mount: 'transit',
        key: 'old',
        namespace: undefined,
        tokenFile: '/run/token',
        authorities: undefined,
      },
    ],
    [
      'a transit engine elsewhere',
      {
        ...previousTransit,
        VOUCHSAFE_PREVIOUS_TRANSIT_MOUNT: 'keys/transit',
        VOUCHSAFE_PREVIOUS_TRANSIT_NAMESPACE: 'team-a',
        VOUCHSAFE_PREVIOUS_TRANSIT_AUTHORITIES_FILE: '/run/roots',
      },
      {
        kind: 'transit',
        url: 'https://vault.example',
        mount: 'keys/transit',
        key: 'old',
        namespace: 'team-a',
        tokenFile: '/run/token',
        authorities: PEM,
      },
    ],
  ])('%s before it', (_, env, previousKeyEncryption) =>
    expect(read({ VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek', ...env })).toMatchObject({
      secrets: { keyEncryption: { kind: 'secret', secret: bytes(KEY) }, previousKeyEncryption },
    }),
  )

  test('a transit key before another, whichever server each is on', () =>
    expect(read({ ...transit, ...previousTransit })).toMatchObject({
      secrets: { keyEncryption: { key: 'new' }, previousKeyEncryption: { key: 'old' } },
    }))
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
    [
      'two previous ones',
      { ...file, ...previousTransit, VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: '/run/old' },
      'previousKeyEncryptionKeyFile and previousTransit are both given',
    ],
    [
      'a previous program without a name',
      { ...file, VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_COMMAND: '/bin/hsm' },
      'VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_HANDLE (previousKeyEncryptionHandle) is missing',
    ],
    [
      'a previous name without a program',
      { ...file, VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_HANDLE: 'old' },
      'VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_COMMAND (previousKeyEncryptionCommand) is missing',
    ],
    [
      'a name beside a file',
      { ...file, VOUCHSAFE_KEY_ENCRYPTION_HANDLE: 'kek' },
      'VOUCHSAFE_KEY_ENCRYPTION_COMMAND (keyEncryptionCommand) is missing',
    ],
    [
      'a previous transit engine without an address',
      { ...file, VOUCHSAFE_PREVIOUS_TRANSIT_KEY: 'old' },
      'VOUCHSAFE_PREVIOUS_TRANSIT_URL (previousTransit.url) is missing',
    ],
    [
      'a previous transit engine with two tokens',
      { ...file, ...previousTransit, VOUCHSAFE_PREVIOUS_TRANSIT_TOKEN_FILE: '/run/two-lines' },
      'VOUCHSAFE_PREVIOUS_TRANSIT_TOKEN_FILE (previousTransit.tokenFile)',
    ],
    [
      'a previous transit engine with no roots',
      { ...file, ...previousTransit, VOUCHSAFE_PREVIOUS_TRANSIT_AUTHORITIES_FILE: '/run/token' },
      'VOUCHSAFE_PREVIOUS_TRANSIT_AUTHORITIES_FILE (previousTransit.authoritiesFile)',
    ],
    ['a previous one without a present one', previousTransit, 'KEY_FILE is missing'],
    [
      'the same key twice',
      { ...file, VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: '/run/kek' },
      'make another key',
    ],
    [
      'one handle of two programs',
      {
        VOUCHSAFE_KEY_ENCRYPTION_COMMAND: '/bin/new',
        VOUCHSAFE_KEY_ENCRYPTION_HANDLE: 'kek',
        VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_COMMAND: '/bin/old',
        VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_HANDLE: 'kek',
      },
      'the handle alone',
    ],
    [
      'one name on two servers',
      { ...transit, ...previousTransit, VOUCHSAFE_TRANSIT_KEY: 'old' },
      'give the new key another name',
    ],
    ['a rotation of no days', { ...file, VOUCHSAFE_KEY_ROTATION_DAYS: '0' }, '1 to 366'],
    ['a rotation of years', { ...file, VOUCHSAFE_KEY_ROTATION_DAYS: '367' }, '1 to 366'],
  ])('%s', (_, env, sentence) => {
    const reading = read(env)
    const told = 'mistakes' in reading ? reading.mistakes.join('\n') : ''
    expect(told).toContain(sentence)
    for (const secret of [KEY, OTHER, 'planted']) expect(told).not.toContain(secret)
  })
})
