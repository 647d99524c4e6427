/** The settings of a transit engine that holds the key-encryption key: what each does, and what is told of wrong ones. */
import { describe, expect, test } from 'vitest'
import { readConfig, readInForce } from '#src/config.ts'

const TOKEN = 'hvs.CAESIJ-planted-transit-token'
const PEM = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const files: Readonly<Record<string, string>> = {
  '/run/token': `${TOKEN}\n`,
  '/run/two-lines': `${TOKEN}\n${TOKEN}\n`,
  '/run/renewed': TOKEN,
  '/run/roots': PEM,
  '/run/kek': 'ab'.repeat(32),
}
const readText = (path: string) => {
  const text = files[path]
  if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`)
  return text
}
const good = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: 'a'.repeat(40),
  VOUCHSAFE_TRANSIT_URL: 'https://vault.example:8200',
  VOUCHSAFE_TRANSIT_KEY: 'vouchsafe',
  VOUCHSAFE_TRANSIT_TOKEN_FILE: '/run/token',
}
const sources = (change: Readonly<Record<string, string | undefined>>) => ({
  env: { ...good, ...change },
  readText,
})
const holder = (change: Readonly<Record<string, string>> = {}) => {
  const reading = readConfig(sources(change))
  if ('mistakes' in reading) throw new Error(reading.mistakes.join('\n'))
  return reading.secrets.keyEncryption
}

describe('a transit engine', () => {
  test('is named by address, key and token file; its mount is where it is by custom', () =>
    expect(holder()).toEqual({
      kind: 'transit',
      url: 'https://vault.example:8200',
      key: 'vouchsafe',
      tokenFile: '/run/token',
      mount: 'transit',
      namespace: undefined,
      authorities: undefined,
    }))

  test.each<[string, string, Record<string, unknown>]>([
    ['VOUCHSAFE_TRANSIT_URL', 'http://127.0.0.1:8200', { url: 'http://127.0.0.1:8200' }],
    ['VOUCHSAFE_TRANSIT_KEY', 'other.key-2', { key: 'other.key-2' }],
    ['VOUCHSAFE_TRANSIT_TOKEN_FILE', '/run/renewed', { tokenFile: '/run/renewed' }],
    ['VOUCHSAFE_TRANSIT_MOUNT', 'teams/a/transit', { mount: 'teams/a/transit' }],
    ['VOUCHSAFE_TRANSIT_NAMESPACE', 'team-a', { namespace: 'team-a' }],
    ['VOUCHSAFE_TRANSIT_AUTHORITIES_FILE', '/run/roots', { authorities: PEM }],
  ])('%s has an effect', (variable, value, effect) =>
    expect(holder({ [variable]: value })).toMatchObject(effect),
  )

  test.each<[string, Record<string, string | undefined>, string]>([
    ['without a key', { VOUCHSAFE_TRANSIT_KEY: undefined }, 'VOUCHSAFE_TRANSIT_KEY (transit.key)'],
    ['without a token', { VOUCHSAFE_TRANSIT_TOKEN_FILE: undefined }, '(transit.tokenFile)'],
    ['over plain http', { VOUCHSAFE_TRANSIT_URL: 'http://vault.example' }, 'an https address'],
    ['with a key that is a path', { VOUCHSAFE_TRANSIT_KEY: '../sys/seal' }, 'letters, digits'],
    ['with a mount upwards', { VOUCHSAFE_TRANSIT_MOUNT: 'a/../sys' }, 'must be a path of letters'],
    ['with two tokens', { VOUCHSAFE_TRANSIT_TOKEN_FILE: '/run/two-lines' }, 'must hold one line'],
    ['with no roots', { VOUCHSAFE_TRANSIT_AUTHORITIES_FILE: '/run/token' }, 'certificates in PEM'],
    ['beside a file', { VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek' }, 'are both given'],
    ['with its token as a value', { VOUCHSAFE_TRANSIT_TOKEN: TOKEN }, 'is not a setting'],
  ])('%s is a mistake that quotes no token', (_, change, sentence) => {
    const reading = readConfig(sources(change))
    expect(reading).toHaveProperty('mistakes')
    expect(JSON.stringify(reading)).toContain(sentence)
    expect(JSON.stringify(reading)).not.toContain(TOKEN)
  })

  test('is shown by `config print` with the name of the token’s file, and never the token', () => {
    const shown = JSON.stringify(readInForce(sources({})))
    expect(shown).toContain('"transit.tokenFile","value":"/run/token"')
    expect(shown).not.toContain(TOKEN)
  })
})
