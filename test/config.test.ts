/** Environment and file to configuration: what is accepted, and that every mistake is told at once. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { guardDefaults } from '#src/config/guard-settings.ts'
import { repositoryKind } from '#src/config/repository.ts'
import { settings } from '#src/config/settings.ts'
import { readConfig } from '#src/config.ts'

const KEY = '0123456789abcdef'.repeat(4)
const digest = (text: string) => createHash('sha256').update(text).digest('hex')
const operator = (role: string, name: string) => `${digest(name)} ${role} ${name}\n`
const PIN = 'c0ffee00'.repeat(5)
const good = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: PIN,
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
  test('four variables are enough; the rest is careful', () =>
    expect(read(good)).toEqual({
      config: {
        publicUrl: 'https://attest.example.com',
        host: '127.0.0.1',
        port: 8080,
        dataDirectory: '.vouchsafe',
        explainRefusals: false,
        logLevel: 'info',
        drainSeconds: 5,
        keyRotationDays: 30,
        logWitnesses: [],
        webhooks: [],
        traces: undefined,
        guard: guardDefaults,
        identityProvider: undefined,
        metrics: undefined,
        tenants: [
          {
            name: 'default',
            policy: {
              repository: '/srv/policy',
              branch: 'main',
              pin: { kind: 'commit', commit: PIN },
              pollSeconds: 30,
              credentials: undefined,
              authoritiesFile: undefined,
              opa: undefined,
            },
            simulatedRoots: undefined,
          },
        ],
        vendors: {
          offline: false,
          amdKds: 'https://kdsintf.amd.com',
          intelPcs: 'https://api.trustedservices.intel.com',
          intelRootCrl: 'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
          tcbUpdate: 'standard',
        },
      },
      secrets: {
        keyEncryption: {
          kind: 'secret',
          from: 'environment',
          secret: new Uint8Array(Buffer.from(KEY, 'hex')),
        },
        previousKeyEncryption: undefined,
        databaseUrl: undefined,
        tenants: new Map([['default', { webhookSecret: undefined, opaToken: undefined }]]),
        operators: [],
        webhooks: new Map(),
      },
    }))

  const overSsh = {
    VOUCHSAFE_POLICY: 'git@forge.example:team/policy.git',
    VOUCHSAFE_POLICY_SSH_KEY_FILE: '/run/ssh',
    VOUCHSAFE_POLICY_KNOWN_HOSTS_FILE: '/run/hosts',
  }
  const overHttps = { VOUCHSAFE_POLICY: 'https://forge.example/policy.git' }
  const opa = { VOUCHSAFE_OPA_URL: 'http://127.0.0.1:8181' }
  const provider = {
    VOUCHSAFE_OPERATORS_ISSUER: 'https://login.example.com/realm',
    VOUCHSAFE_OPERATORS_AUDIENCE: 'vouchsafe',
  }

  /** What the variable is set to, and what it needs beside it. */
  const effects: Readonly<Record<string, readonly [string, Record<string, string>?]>> = {
    VOUCHSAFE_PUBLIC_URL: ['https://other.example'],
    VOUCHSAFE_HOST: ['::1'],
    VOUCHSAFE_PORT: ['9000'],
    VOUCHSAFE_DATA: ['/elsewhere'],
    VOUCHSAFE_DATABASE_URL_FILE: ['/run/database'],
    VOUCHSAFE_LOG_LEVEL: ['warn'],
    VOUCHSAFE_DRAIN_SECONDS: ['0'],
    VOUCHSAFE_POLICY: ['file:///elsewhere'],
    VOUCHSAFE_POLICY_BRANCH: ['release/2026'],
    VOUCHSAFE_POLICY_PIN: [`sha256:${'ab'.repeat(32)}`],
    VOUCHSAFE_POLICY_POLL_SECONDS: ['5'],
    VOUCHSAFE_POLICY_TOKEN_FILE: ['/run/token', overHttps],
    VOUCHSAFE_POLICY_TOKEN_USER: [
      'x-token-auth',
      { ...overHttps, VOUCHSAFE_POLICY_TOKEN_FILE: '/run/token' },
    ],
    VOUCHSAFE_POLICY_AUTHORITIES_FILE: ['/run/other', overHttps],
    VOUCHSAFE_POLICY_SSH_KEY_FILE: ['/run/other', overSsh],
    VOUCHSAFE_POLICY_KNOWN_HOSTS_FILE: ['/run/other', overSsh],
    VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: ['/run/token'],
    VOUCHSAFE_OPA_URL: ['https://opa.example'],
    VOUCHSAFE_OPA_PATH: ['agents/allow', opa],
    VOUCHSAFE_OPA_TOKEN_FILE: ['/run/token', opa],
    VOUCHSAFE_SIMULATED_ROOTS: ['/elsewhere'],
    VOUCHSAFE_KBS: ['on'],
    VOUCHSAFE_KBS_SAMPLE: ['on', { VOUCHSAFE_KBS: 'on', VOUCHSAFE_SIMULATED_ROOTS: '/elsewhere' }],
    VOUCHSAFE_KBS_ATTESTATION_SERVICE: ['on'],
    VOUCHSAFE_EXPLAIN_REFUSALS: ['true'],
    VOUCHSAFE_OPERATORS_FILE: ['/run/operators'],
    VOUCHSAFE_OPERATORS_ISSUER: ['https://other.example', provider],
    VOUCHSAFE_OPERATORS_AUDIENCE: ['other', provider],
    VOUCHSAFE_OPERATORS_ROLE_CLAIM: ['realm_access.roles', provider],
    VOUCHSAFE_OPERATORS_ROLES: ['sre=operator,audit=auditor', provider],
    VOUCHSAFE_TRUSTED_PROXIES: ['10.0.0.0/8, 2001:db8::1'],
    VOUCHSAFE_RATE_LIMIT_CHALLENGES: ['off'],
    VOUCHSAFE_RATE_LIMIT_HANDSHAKES: ['3'],
    VOUCHSAFE_RATE_LIMIT_ATTESTATIONS: ['1'],
    VOUCHSAFE_RATE_LIMIT_RELEASES: ['7'],
    VOUCHSAFE_RATE_LIMIT_PUBLIC: ['10000000'],
    VOUCHSAFE_RATE_LIMIT_OPERATORS: ['5'],
    VOUCHSAFE_RATE_LIMIT_FAILED_OPERATORS: ['5'],
    VOUCHSAFE_RATE_LIMIT_TENANT: ['off'],
    VOUCHSAFE_RATE_LIMIT_SESSION: ['20'],
    VOUCHSAFE_RATE_LIMIT_TENANT_SESSIONS: ['off'],
    VOUCHSAFE_RATE_LIMIT_REFUSED_MESSAGES: ['50'],
    VOUCHSAFE_MOST_IN_FLIGHT: ['128'],
    VOUCHSAFE_MOST_WAITING: ['0'],
    VOUCHSAFE_MOST_LOOP_DELAY_MS: ['50'],
    VOUCHSAFE_MOST_CONNECTIONS: ['100'],
    VOUCHSAFE_METRICS_PORT: ['9464'],
    VOUCHSAFE_METRICS_HOST: ['::1', { VOUCHSAFE_METRICS_PORT: '9464' }],
    VOUCHSAFE_OFFLINE: ['true'],
    VOUCHSAFE_AMD_KDS: ['https://mirror.example/kds'],
    VOUCHSAFE_INTEL_PCS: ['https://mirror.example/pcs'],
    VOUCHSAFE_INTEL_ROOT_CRL: ['http://127.0.0.1:8081/sgx/certification/v4/rootcacrl'],
    VOUCHSAFE_TCB_UPDATE: ['early'],
    VOUCHSAFE_KEY_ROTATION_DAYS: ['7'],
    VOUCHSAFE_TRACES_URL: ['http://127.0.0.1:4318/'],
    VOUCHSAFE_TRACES_SAMPLED: ['0.25', { VOUCHSAFE_TRACES_URL: 'https://otel.example' }],
    VOUCHSAFE_WEBHOOKS: ['soc https://soc.example/hook /run/webhook'],
    VOUCHSAFE_LOG_WITNESSES: [`https://w.example w.example+0123abcd+B${'A'.repeat(43)}`],
  }
  const files = {
    '/run/token': 'a token, rather long\n'.replaceAll(/[ ,]/g, '-'),
    '/run/ssh': 'a key',
    '/run/webhook': `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    '/run/hosts': 'hosts',
    '/run/other': 'other',
    '/run/operators': operator('viewer', 'ann'),
    '/run/database': 'postgres://u:hunter2@db.example/vouchsafe\n',
  }

  test.each(
    settings
      .map(({ variable }) => variable)
      .filter((each) => !/_KEY_FILE$|_KEY_ENCRYPTION_(COMMAND|HANDLE)$|_TRANSIT_/.test(each)),
  )('%s has an effect', (variable) => {
    const [value, beside = {}] = effects[variable] ?? ['']
    const usual = read({ ...good, ...beside }, files)
    const changed = read({ ...good, ...beside, [variable]: value }, files)
    expect([usual, changed]).toEqual([
      expect.objectContaining({ config: expect.anything() }),
      expect.objectContaining({ config: expect.anything() }),
    ])
    expect(changed).not.toEqual(usual)
  })

  test('VOUCHSAFE_POLICY_SSH_KEY_FILE has an effect', () =>
    expect(read({ ...good, ...overSsh }, files)).toHaveProperty(
      'config.tenants.0.policy.credentials',
      { kind: 'ssh', keyFile: '/run/ssh', knownHostsFile: '/run/hosts' },
    ))

  test('a file with tenants; a variable wins over it', () => {
    const file = JSON.stringify({
      publicUrl: 'https://from-file.example',
      port: 1,
      keyEncryptionKeyFile: '/run/kek',
      tenants: [
        {
          name: 'acme',
          policy: {
            repository: 'https://forge.example/acme.git',
            pin: `sha256:${'ab'.repeat(32)}`,
            tokenFile: '/run/acme',
            webhookSecretFile: '/run/hook',
            opaUrl: 'https://opa.example',
          },
          simulatedRoots: '/srv/roots',
        },
      ],
      vendors: { offline: true },
    })
    const reading = read(
      { VOUCHSAFE_CONFIG: 'c.json', VOUCHSAFE_PORT: '2', VOUCHSAFE_TCB_UPDATE: 'early' },
      {
        'c.json': file,
        '/run/kek': `${Buffer.from(KEY, 'hex').toString('base64')}\n`,
        '/run/acme': 'glpat-0123\n',
        '/run/hook': 'feedface'.repeat(4),
      },
    )
    expect(reading).toMatchObject({
      config: {
        publicUrl: 'https://from-file.example',
        port: 2,
        tenants: [
          {
            name: 'acme',
            policy: {
              repository: 'https://forge.example/acme.git',
              pin: { kind: 'trust-digest', digest: `sha256:${'ab'.repeat(32)}` },
              credentials: {
                kind: 'basic',
                username: 'x-access-token',
                passwordFile: '/run/acme',
              },
              opa: { url: 'https://opa.example', path: 'vouchsafe/allow' },
            },
            simulatedRoots: '/srv/roots',
          },
        ],
        vendors: { offline: true, tcbUpdate: 'early' },
      },
      secrets: {
        keyEncryption: {
          kind: 'secret',
          from: 'file',
          secret: new Uint8Array(Buffer.from(KEY, 'hex')),
        },
        tenants: new Map([
          [
            'acme',
            {
              webhookSecret: 'feedface'.repeat(4),
              opaToken: undefined,
            },
          ],
        ]),
      },
    })
  })

  test.each([
    ['VOUCHSAFE_DATABASE_URL', {}],
    ['DATABASE_URL', {}],
    ['DATABASE_URL', { VOUCHSAFE_DATABASE_URL: 'postgresql://u:hunter2@db.example/vouchsafe' }],
  ])('%s names a PostgreSQL, and is a secret', (name, more) => {
    const url = 'postgresql://u:hunter2@db.example/vouchsafe'
    const reading = read({ ...good, ...more, [name]: url })
    expect(reading).toMatchObject({ secrets: { databaseUrl: url } })
    expect('config' in reading && JSON.stringify(reading.config)).not.toContain('hunter2')
  })

  test('an empty DATABASE_URL is none', () =>
    expect(read({ ...good, DATABASE_URL: '' })).toEqual(read(good)))

  test('secrets are no part of the configuration', () => {
    const reading = read(
      { ...good, VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: '/run/hook' },
      { '/run/hook': 'feedface'.repeat(4) },
    )
    const text = 'config' in reading && JSON.stringify(reading.config)
    expect(text).not.toContain(KEY)
    expect(text).not.toContain('feedface')
  })
})

describe('the operators’ file', () => {
  const readOperators = (text: string) =>
    read({ ...good, VOUCHSAFE_OPERATORS_FILE: '/run/o' }, { '/run/o': text })

  test('names each by the hash of a token, with a role', () =>
    expect(
      readOperators(`# who\n\n${operator('viewer', 'ann')}  ${operator('enforcer', 'host-1')}`),
    ).toMatchObject({
      secrets: {
        operators: [
          {
            name: 'ann',
            role: 'viewer',
            sha256: new Uint8Array(Buffer.from(digest('ann'), 'hex')),
          },
          { name: 'host-1', role: 'enforcer' },
        ],
      },
    }))

  test.each([
    ['a token and no hash', 'a-token-of-somebody viewer ann', ':1 must begin with the SHA-256'],
    ['the hash of nothing', `${digest('')} viewer ann`, 'must begin with the SHA-256'],
    ['capitals', `${digest('a').toUpperCase()} viewer ann`, 'must begin with the SHA-256'],
    [
      'an unknown role',
      `${digest('a')} root ann`,
      'viewer, auditor, operator, secret-admin, enforcer',
    ],
    ['no name', `${digest('a')} viewer`, 'must end with a name'],
    ['a name and more', `${digest('a')} viewer ann smith`, 'must end with a name'],
    [
      'one token for two',
      `${digest('a')} viewer ann\n\n${digest('a')} operator bob`,
      ':3 repeats the digest',
    ],
    [
      'one name for two',
      `${digest('a')} viewer ann\n${digest('b')} operator ann`,
      ':2 repeats the name',
    ],
  ])('with %s', (_, text, says) => {
    const reading = readOperators(text)
    expect('mistakes' in reading && reading.mistakes).toEqual([expect.stringContaining(says)])
    expect(JSON.stringify(reading)).not.toContain('a-token-of-somebody')
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
    ['a Key Broker face by halves', { VOUCHSAFE_KBS: 'yes' }, 'must be on or off'],
    [
      'sample evidence without simulated roots',
      { VOUCHSAFE_KBS: 'on', VOUCHSAFE_KBS_SAMPLE: 'on' },
      'VOUCHSAFE_SIMULATED_ROOTS (simulatedRoots) is missing',
    ],
    [
      'sample evidence for a face that is off',
      { VOUCHSAFE_KBS_SAMPLE: 'on', VOUCHSAFE_SIMULATED_ROOTS: '/srv/roots' },
      'VOUCHSAFE_KBS (keyBroker.on) is off',
    ],
    [
      'no policy',
      { VOUCHSAFE_POLICY: undefined, VOUCHSAFE_POLICY_PIN: undefined },
      'without a policy nothing is released',
    ],
    [
      'a pin and no policy',
      { VOUCHSAFE_POLICY: undefined },
      'VOUCHSAFE_POLICY (policy.repository) is missing',
    ],
    [
      'no pin',
      { VOUCHSAFE_POLICY_PIN: undefined },
      'VOUCHSAFE_POLICY_PIN (policy.pin) is missing: what is trusted to begin with: a full commit name, or the sha256:<hex> of its trust/ folder; `vouchsafe policy init` and `vouchsafe policy pin --repository REPOSITORY` print it',
    ],
    ['half a commit', { VOUCHSAFE_POLICY_PIN: PIN.slice(0, 12) }, 'must be a full commit name'],
    ['a branch for a pin', { VOUCHSAFE_POLICY_PIN: 'main' }, '`vouchsafe policy pin --repository'],
    ['a ref for a branch', { VOUCHSAFE_POLICY_BRANCH: 'refs/heads/main' }, 'without refs/heads/'],
    ['a range for a branch', { VOUCHSAFE_POLICY_BRANCH: 'a..b' }, 'must be the name of a branch'],
    ['an option for a branch', { VOUCHSAFE_POLICY_BRANCH: '--upload-pack=x' }, 'name of a branch'],
    ['no pause', { VOUCHSAFE_POLICY_POLL_SECONDS: '0' }, 'must be 1 to 3600'],
    ['a pause in words', { VOUCHSAFE_POLICY_POLL_SECONDS: '30s' }, 'must be a number of seconds'],
    [
      'a token for a path',
      { VOUCHSAFE_POLICY_TOKEN_FILE: '/run/hook' },
      'belongs to a repository over https, which is not',
    ],
    ['a user and no token', { VOUCHSAFE_POLICY_TOKEN_USER: 'x' }, 'belongs to a tokenFile'],
    [
      'an ssh key for a path',
      { VOUCHSAFE_POLICY_SSH_KEY_FILE: '/run/hook' },
      'belongs to a repository over ssh',
    ],
    [
      'ssh without known hosts',
      { VOUCHSAFE_POLICY: 'ssh://git@a.example/p', VOUCHSAFE_POLICY_SSH_KEY_FILE: '/run/hook' },
      'VOUCHSAFE_POLICY_KNOWN_HOSTS_FILE (policy.knownHostsFile) is missing, which a repository over ssh needs',
    ],
    [
      'a key that is not there',
      { VOUCHSAFE_POLICY: 'ssh://git@a.example/p', VOUCHSAFE_POLICY_SSH_KEY_FILE: '/nowhere' },
      'VOUCHSAFE_POLICY_SSH_KEY_FILE (policy.sshKeyFile): /nowhere cannot be read',
    ],
    ['a path and no OPA', { VOUCHSAFE_OPA_PATH: 'a/b' }, 'belongs to an opaUrl, which is not'],
    [
      'OPA over plain http',
      { VOUCHSAFE_OPA_URL: 'http://opa.example' },
      'VOUCHSAFE_OPA_URL (policy.opaUrl) is "http://opa.example", which must be an https address',
    ],
    [
      'a query for a decision',
      { VOUCHSAFE_OPA_URL: 'https://o.example', VOUCHSAFE_OPA_PATH: 'a/b?x' },
      'must be package and rule',
    ],
    [
      'a webhook secret that is short',
      { VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: '/run/short' },
      'one line of 16 to 4096 printable characters',
    ],
    [
      'operators that are not there',
      { VOUCHSAFE_OPERATORS_FILE: '/nowhere' },
      'VOUCHSAFE_OPERATORS_FILE (operatorsFile): /nowhere cannot be read',
    ],
    ['a level nobody knows', { VOUCHSAFE_LOG_LEVEL: 'loud' }, 'must be info, warn or error'],
    ['a long drain', { VOUCHSAFE_DRAIN_SECONDS: '301' }, 'must be 0 to 300'],
    ['another database', { DATABASE_URL: 'mysql://h/d' }, 'must be the address of a PostgreSQL'],
    ['no database in the address', { DATABASE_URL: 'postgres://h/' }, 'address of a PostgreSQL'],
    [
      'two databases',
      { DATABASE_URL: 'postgres://h/a', VOUCHSAFE_DATABASE_URL: 'postgres://h/b' },
      'VOUCHSAFE_DATABASE_URL and DATABASE_URL are both given and differ',
    ],
    [
      'a database in a file that is not there',
      { VOUCHSAFE_DATABASE_URL_FILE: '/nowhere' },
      'VOUCHSAFE_DATABASE_URL_FILE (databaseUrlFile): /nowhere cannot be read',
    ],
    ['a port for metrics in words', { VOUCHSAFE_METRICS_PORT: 'x' }, 'must be a port'],
    ['a mirror over plain http', { VOUCHSAFE_AMD_KDS: 'http://m.example' }, 'vendors.amdKds'],
    ['another update', { VOUCHSAFE_TCB_UPDATE: 'late' }, 'standard or early'],
    ['a short key', { VOUCHSAFE_KEY_ENCRYPTION_KEY: 'ab'.repeat(16) }, 'must be 32 bytes'],
    [
      'a key twice',
      { VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: '/run/kek' },
      'are both given: choose one',
    ],
    ['a file that is not there', { VOUCHSAFE_CONFIG: 'nowhere.json' }, 'cannot be read as JSON'],
  ])('%s', (_, change, says) =>
    expect(
      mistakes(
        { ...good, ...change },
        { '/run/hook': 'feedface'.repeat(4), '/run/short': 'short' },
      ).join('\n'),
    ).toContain(says),
  )

  test.each<[string, string | undefined]>([
    ['/srv/policy', 'local'],
    ['policy', 'local'],
    ['./a:b', 'local'],
    ['../policy repository', 'local'],
    ['file:///srv/policy', 'local'],
    ['https://forge.example/policy.git', 'http'],
    ['http://127.0.0.1:3000/policy.git', 'http'],
    ['http://[::1]:3000/policy.git', 'http'],
    ['ssh://git@forge.example:2222/policy.git', 'ssh'],
    ['ssh://forge.example/policy.git', 'ssh'],
    ['git@forge.example:team/policy.git', 'ssh'],
    ['http://forge.example/policy.git', undefined],
    ['http://127.0.0.1.example/policy.git', undefined],
    ['https://forge.example', undefined],
    ['https://forge.example/policy.git?x=1', undefined],
    ['https://user@forge.example/policy.git', undefined],
    ['https://user:password@forge.example/policy.git', undefined],
    ['ssh://git:password@forge.example/policy.git', undefined],
    ['ssh://-oProxyCommand=x/policy', undefined],
    ['git@-oProxyCommand=x:policy', undefined],
    ['git@forge.example:-policy', undefined],
    ['-oProxyCommand=x', undefined],
    ['--upload-pack=x', undefined],
    ['ext::sh -c x', undefined],
    ['git@host:ext::sh -c x', 'ssh'],
    ['git://forge.example/policy.git', undefined],
    ['ftp://forge.example/policy.git', undefined],
    ['file://forge.example/srv/policy', undefined],
    ['forge.example:policy', undefined],
    ['/srv/policy\n', undefined],
    ['', undefined],
  ])('%j is reached by: %s', (text, kind) => expect(repositoryKind(text)).toBe(kind))

  test('about an address never shows the password in it', () => {
    const [told] = mistakes({ ...good, VOUCHSAFE_POLICY: 'https://a:hunter2@forge.example/p' })
    expect(told).toContain('VOUCHSAFE_POLICY (policy.repository) is "https://…@forge.example/p"')
  })

  test.each<[string, unknown, string]>([
    ['a list', [], 'must hold a JSON object'],
    ['an unknown setting', { pubilcUrl: 'x' }, 'pubilcUrl is not a setting'],
    ['an unknown vendor setting', { vendors: { amd: 'x' } }, 'vendors.amd is not a setting'],
    [
      'a tenant twice',
      {
        tenants: [
          { name: 'a', policy: { repository: 'x', pin: PIN } },
          { name: 'a', policy: { repository: 'y', pin: PIN } },
        ],
      },
      'tenants: a appears twice',
    ],
    [
      'the tenant of the variables again',
      { tenants: [{ name: 'default', policy: { repository: 'x', pin: PIN } }] },
      'twice',
    ],
    ['a tenant without policy', { tenants: [{ name: 'a' }] }, 'tenants.0.policy is missing'],
    [
      'a tenant without pin',
      { tenants: [{ name: 'a', policy: { repository: 'x' } }] },
      'tenants.0.policy.pin is missing: what is trusted to begin with',
    ],
    [
      'a tenant’s token for a path',
      { tenants: [{ name: 'a', policy: { repository: 'x', pin: PIN, tokenFile: 'y' } }] },
      'tenants.0.policy.tokenFile is given',
    ],
    ['a path for a policy', { policy: 'x' }, 'policy is "x", which must be an object'],
    [
      'a policy setting nobody knows',
      { policy: { pinned: 'x' } },
      'policy.pinned is not a setting',
    ],
    ['a tenant with a path for a name', { tenants: [{ name: '../a' }] }, 'hyphens'],
    ['the key itself', { keyEncryptionKey: KEY }, 'keyEncryptionKey is not a setting'],
  ])('in the file: %s', (_, file, says) =>
    expect(
      mistakes({ ...good, VOUCHSAFE_CONFIG: 'c.json' }, { 'c.json': JSON.stringify(file) }).join(),
    ).toContain(says),
  )

  test('about a key never shows it', () => {
    const secret = 'deadbeef'.repeat(7)
    const told = mistakes(
      {
        ...good,
        VOUCHSAFE_KEY_ENCRYPTION_KEY: secret,
        VOUCHSAFE_POLICY_WEBHOOK_SECRET_FILE: '/run/hook',
        DATABASE_URL: 'postgresql:deadbeef@h',
      },
      { '/run/hook': 'deadbeef\ndeadbeef' },
    )
    expect(told).toHaveLength(3)
    expect(told.join()).not.toContain('deadbeef')
  })
})
