/** Environment and file to configuration: what is accepted, and that every mistake is told at once. */
import { describe, expect, test } from 'vitest'
import { readConfig, settings } from '#src/config.ts'

const KEY = '0123456789abcdef'.repeat(4)
const good = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_KEY_ENCRYPTION_KEY: KEY,
}

function read(
  env: Readonly<Record<string, string | undefined>>,
  files: Readonly<Record<string, string>> = {},
) {
  return readConfig({
    env: { PATH: '/usr/bin', ...env },
    readText(path) {
      const text = files[path]
      if (text === undefined) throw new Error('ENOENT')
      return text
    },
  })
}

const mistakes = (...args: Parameters<typeof read>) => {
  const reading = read(...args)
  return 'mistakes' in reading ? reading.mistakes : []
}

describe('what is accepted', () => {
  test('three variables are enough; the rest is careful', () =>
    expect(read(good)).toEqual({
      config: {
        publicUrl: 'https://attest.example.com',
        host: '127.0.0.1',
        port: 8080,
        dataDirectory: '.vouchsafe',
        explainRefusals: false,
        tenants: [{ name: 'default', policyRepository: '/srv/policy', simulatedRoots: undefined }],
        vendors: {
          offline: false,
          amdKds: 'https://kdsintf.amd.com',
          intelPcs: 'https://api.trustedservices.intel.com',
          intelRootCrl: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
          tcbUpdate: 'standard',
        },
      },
      secrets: { keyEncryptionKey: new Uint8Array(Buffer.from(KEY, 'hex')) },
    }))

  test('every variable has an effect', () => {
    const values: Readonly<Record<string, string>> = {
      VOUCHSAFE_PUBLIC_URL: 'https://other.example',
      VOUCHSAFE_PORT: '9000',
      VOUCHSAFE_EXPLAIN_REFUSALS: 'true',
      VOUCHSAFE_OFFLINE: 'true',
      VOUCHSAFE_AMD_KDS: 'https://mirror.example/kds',
      VOUCHSAFE_INTEL_PCS: 'https://mirror.example/pcs',
      VOUCHSAFE_INTEL_ROOT_CRL: 'http://127.0.0.1:8081/sgx/certification/v4/rootcacrl',
      VOUCHSAFE_TCB_UPDATE: 'early',
    }
    const usual = JSON.stringify(read(good))
    for (const { variable } of settings) {
      if (variable === 'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE') continue
      const changed = read({ ...good, [variable]: values[variable] ?? '/elsewhere' })
      expect(changed, variable).toHaveProperty('config')
      expect(JSON.stringify(changed), variable).not.toBe(usual)
    }
  })

  test('a file with tenants; a variable wins over it', () => {
    const file = JSON.stringify({
      publicUrl: 'https://from-file.example',
      port: 1,
      keyEncryptionKeyFile: '/run/kek',
      tenants: [{ name: 'acme', policy: '/srv/acme', simulatedRoots: '/srv/roots' }],
      vendors: { offline: true },
    })
    const reading = read(
      { VOUCHSAFE_CONFIG: 'c.json', VOUCHSAFE_PORT: '2', VOUCHSAFE_TCB_UPDATE: 'early' },
      { 'c.json': file, '/run/kek': `${Buffer.from(KEY, 'hex').toString('base64')}\n` },
    )
    expect(reading).toMatchObject({
      config: {
        publicUrl: 'https://from-file.example',
        port: 2,
        tenants: [{ name: 'acme', policyRepository: '/srv/acme', simulatedRoots: '/srv/roots' }],
        vendors: { offline: true, tcbUpdate: 'early' },
      },
      secrets: { keyEncryptionKey: new Uint8Array(Buffer.from(KEY, 'hex')) },
    })
  })

  test('secrets are no part of the configuration', () => {
    const reading = read(good)
    expect('config' in reading && JSON.stringify(reading.config)).not.toContain(KEY)
  })
})

describe('a mistake', () => {
  test('never comes alone: all are told', () =>
    expect(
      mistakes({
        VOUCHSAFE_PORT: '99999',
        VOUCHSAFE_EXPLAIN_REFUSALS: 'yes',
        VOUCHSAFE_SIMULATED_ROOTS: 'x',
        VOUCHSAFE_TYPO: '1',
      }),
    ).toEqual([
      'VOUCHSAFE_TYPO is not a setting; see `vouchsafe serve --help`',
      'VOUCHSAFE_PUBLIC_URL (publicUrl) is missing: address of the service, https',
      'VOUCHSAFE_PORT (port) is 99999, which must be 0 to 65535',
      'VOUCHSAFE_EXPLAIN_REFUSALS (explainRefusals) is "yes", which must be true or false',
      expect.stringContaining('VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE is missing'),
      expect.stringContaining('VOUCHSAFE_POLICY (or tenants in the file) is missing'),
      expect.stringContaining('VOUCHSAFE_SIMULATED_ROOTS belongs to the tenant'),
    ]))

  test.each<[string, Record<string, string | undefined>, string]>([
    ['no address', { VOUCHSAFE_PUBLIC_URL: 'attest.example.com' }, 'must be an https address'],
    ['plain http', { VOUCHSAFE_PUBLIC_URL: 'http://attest.example.com' }, 'https address'],
    ['a password', { VOUCHSAFE_PUBLIC_URL: 'https://a:b@x.example' }, 'without credentials'],
    ['a path', { VOUCHSAFE_PUBLIC_URL: 'https://x.example/a' }, 'must have no path'],
    ['an empty host', { VOUCHSAFE_HOST: '' }, 'VOUCHSAFE_HOST (host)'],
    ['a port in words', { VOUCHSAFE_PORT: 'http' }, 'must be a port'],
    ['no policy', { VOUCHSAFE_POLICY: undefined }, 'without a policy nothing is released'],
    ['a mirror over plain http', { VOUCHSAFE_AMD_KDS: 'http://m.example' }, 'vendors.amdKds'],
    ['another update', { VOUCHSAFE_TCB_UPDATE: 'late' }, 'standard or early'],
    ['a short key', { VOUCHSAFE_KEY_ENCRYPTION_KEY: 'ab'.repeat(16) }, 'must be 32 bytes'],
    [
      'a key twice',
      { VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek' },
      'are both given: choose one',
    ],
    ['a file that is not there', { VOUCHSAFE_CONFIG: 'nowhere.json' }, 'cannot be read as JSON'],
  ])('%s', (_, change, says) => expect(mistakes({ ...good, ...change }).join('\n')).toContain(says))

  test.each<[string, unknown, string]>([
    ['a list', [], 'must hold a JSON object'],
    ['an unknown setting', { pubilcUrl: 'x' }, 'pubilcUrl is not a setting'],
    ['an unknown vendor setting', { vendors: { amd: 'x' } }, 'vendors.amd is not a setting'],
    [
      'a tenant twice',
      {
        tenants: [
          { name: 'a', policy: 'x' },
          { name: 'a', policy: 'y' },
        ],
      },
      'tenants: a appears twice',
    ],
    ['the tenant of the variables again', { tenants: [{ name: 'default', policy: 'x' }] }, 'twice'],
    ['a tenant without policy', { tenants: [{ name: 'a' }] }, 'tenants.0.policy is missing'],
    ['a tenant with a path for a name', { tenants: [{ name: '../a', policy: 'x' }] }, 'hyphens'],
    ['the key itself', { keyEncryptionKey: KEY }, 'keyEncryptionKey is not a setting'],
  ])('in the file: %s', (_, file, says) =>
    expect(
      mistakes({ ...good, VOUCHSAFE_CONFIG: 'c.json' }, { 'c.json': JSON.stringify(file) }).join(),
    ).toContain(says),
  )

  test('about a key never shows it', () => {
    const secret = 'deadbeef'.repeat(7)
    expect(mistakes({ ...good, VOUCHSAFE_KEY_ENCRYPTION_KEY: secret }).join()).not.toContain(
      'deadbeef',
    )
  })
})
