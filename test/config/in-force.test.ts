/** Flag, environment, file, default: which one is in force, and what is said about it. */
import { describe, expect, test } from 'vitest'
import { flagOf, settings } from '#src/config/settings.ts'
import { configFileSchema, readConfig, readInForce } from '#src/config.ts'
import { flagsOf, settingOptions } from '../../src/cli/setting-options.ts'

const file = {
  $schema: './Configuration.json',
  publicUrl: 'https://file.example',
  host: 'file.example',
  port: 1,
  vendors: { offline: true },
  tenants: [{ name: 'acme', policy: { repository: '/srv/acme', pin: 'c0ffee00'.repeat(5) } }],
  keyEncryptionKeyFile: '/run/kek',
}
const KEY = '0123456789abcdef'.repeat(4)
const sources = {
  env: {
    VOUCHSAFE_CONFIG: 'c.json',
    VOUCHSAFE_HOST: 'env.example',
    VOUCHSAFE_PORT: '2',
    DATABASE_URL: 'postgres://u:hunter2@db.example/vouchsafe',
  },
  flags: { VOUCHSAFE_PORT: '3' },
  readText(path: string) {
    if (path === 'c.json') return JSON.stringify(file)
    if (path === '/run/kek') return KEY
    throw new Error('ENOENT')
  },
}

function inForce(name: string) {
  const reading = readInForce(sources)
  if ('mistakes' in reading) throw new Error(reading.mistakes.join('\n'))
  return reading.settings.find((each) => each.name === name)
}

test.each([
  ['port', { value: '3', origin: 'flag', by: '--port' }],
  ['host', { value: 'env.example', origin: 'environment', by: 'VOUCHSAFE_HOST' }],
  ['publicUrl', { value: 'https://file.example', origin: 'file', by: undefined }],
  ['vendors.offline', { value: true, origin: 'file', by: undefined }],
  ['vendors.tcbUpdate', { value: 'standard', origin: 'default', by: undefined }],
  ['metricsPort', { value: null, origin: 'not set', by: undefined }],
  ['tenants.0.policy.repository', { value: '/srv/acme', origin: 'file', by: undefined }],
  ['tenants.0.policy.pin', { value: 'c0ffee00'.repeat(5), origin: 'file', by: undefined }],
  ['tenants.0.policy.branch', { value: 'main', origin: 'default', by: undefined }],
  ['keyEncryptionKeyFile', { value: '/run/kek', origin: 'file', by: undefined }],
  ['DATABASE_URL', { value: '(set, and not shown)', origin: 'environment', by: 'DATABASE_URL' }],
])('%s is told with who said it', (name, told) => expect(inForce(name)).toEqual({ name, ...told }))

test('what is told is what the service goes by', () =>
  expect(readConfig(sources)).toMatchObject({
    config: { port: 3, host: 'env.example', publicUrl: 'https://file.example' },
    secrets: { databaseUrl: 'postgres://u:hunter2@db.example/vouchsafe' },
  }))

test('no secret is among it', () => {
  const told = JSON.stringify(
    readInForce({ ...sources, env: { ...sources.env, VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY } }),
  )
  expect(told).toContain('VOUCHSAFE_KEY_ENCRYPTION_KEY')
  expect(told).not.toContain(KEY)
  expect(told).not.toContain('hunter2')
})

test('the file may be named by a flag, which wins over the variable', () =>
  expect(readInForce({ ...sources, flags: { VOUCHSAFE_CONFIG: 'nowhere.json' } })).toHaveProperty(
    'mistakes.0',
    expect.stringContaining('nowhere.json cannot be read'),
  ))

describe('on the command line', () => {
  test('every setting has a flag of its own, and no secret has one', () => {
    const flags = settings.map(({ variable }) => flagOf(variable).slice(2))
    expect(new Set(flags).size).toBe(flags.length)
    expect(Object.keys(settingOptions)).toEqual(['config', ...flags])
    for (const secret of ['key-encryption-key', 'database-url'])
      expect(settingOptions).not.toHaveProperty(secret)
    for (const taken of ['json', 'help']) expect(settingOptions).not.toHaveProperty(taken)
  })

  test('a flag stands for its variable', () =>
    expect(flagsOf({ port: '1', 'policy-pin': 'x', config: 'c', json: true })).toEqual({
      VOUCHSAFE_PORT: '1',
      VOUCHSAFE_POLICY_PIN: 'x',
      VOUCHSAFE_CONFIG: 'c',
    }))
})

describe('the JSON Schema of the file', () => {
  const members = (schema: unknown, ...path: readonly string[]): Record<string, unknown> => {
    let at: unknown = schema
    for (const name of path)
      at =
        at && typeof at === 'object'
          ? Object.entries(at).find(([key]) => key === name)?.[1]
          : undefined
    return at as Record<string, unknown>
  }

  test('has every setting at its place, with what it says', () => {
    for (const {
      path: [first, second],
      says,
    } of settings)
      expect(
        members(
          configFileSchema,
          'properties',
          first,
          ...(second === undefined ? [] : ['properties', second]),
          'description',
        ),
      ).toBe(says)
  })

  test('takes nothing else, at any level', () => {
    expect(members(configFileSchema, 'additionalProperties')).toBe(false)
    expect(members(configFileSchema, 'properties', 'vendors', 'additionalProperties')).toBe(false)
    expect(
      members(configFileSchema, 'properties', 'tenants', 'items', 'additionalProperties'),
    ).toBe(false)
  })
})
