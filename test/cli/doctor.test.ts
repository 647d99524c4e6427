/** What `doctor` makes of what it finds: each state with its sentence, on probes that the test answers. */
import { describe, expect, test } from 'vitest'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { collateralExamination } from '#src/cli/doctor-collateral.ts'
import { databaseExaminations, type PostgresProbe } from '#src/cli/doctor-database.ts'
import {
  fileExamination,
  portExaminations,
  vendorClockExamination,
} from '#src/cli/doctor-machine.ts'
import { diagnose, groupText, worstOf } from '#src/cli/doctor-tree.ts'
import type { Examination } from '#src/cli/examination.ts'
import type { Config, Secrets } from '#src/config.ts'
import type { KeyEncryption, KeyEncryptions } from '#src/service/key-encryption.ts'
import { sealKey } from '#src/service/sealed-key.ts'
import type { SealedKey } from '#src/service/token-ports.ts'

const now = new Date('2026-06-01T00:00:00Z')
const later = (seconds: number) => new Date(now.getTime() + seconds * 1000)
const DAY = 24 * 3600
// Only what is read of a configuration that the test of src/config.ts covers.
const config = {
  host: '127.0.0.1',
  port: 8080,
  metrics: { host: '127.0.0.1', port: 9464 },
  keyRotationDays: 30,
  vendors: { offline: false },
} as Config
const found = async (examination: Examination | undefined) => {
  if (!examination) throw new Error('there is no such examination')
  const { state, detail } = await diagnose('group', examination)
  return `${state}: ${detail}`
}

describe('a PostgreSQL', () => {
  const well: PostgresProbe = {
    version: '17.2',
    aheadMs: 3,
    roundTripMs: 0.4,
    isReadOnly: false,
    isEncrypted: true,
    schema: 'current',
  }
  test.each<[Partial<PostgresProbe>, string]>([
    [{}, 'ok: PostgreSQL 17.2, answers in 0.4 ms, tables up to date'],
    [
      { schema: 'older' },
      'warning: PostgreSQL 17.2, answers in 0.4 ms\nits tables are of an older version: run `vouchsafe migrate`',
    ],
    [
      { schema: 'none' },
      'warning: PostgreSQL 17.2, answers in 0.4 ms\nit has no tables yet: run `vouchsafe migrate`',
    ],
    [
      { schema: 'newer' },
      'failure: its tables were made by a newer version of vouchsafe: run that one',
    ],
    [
      { isReadOnly: true },
      'failure: PostgreSQL 17.2 takes no writes: it is a standby; name the primary',
    ],
    [
      { aheadMs: 6_000 },
      'warning: PostgreSQL 17.2, answers in 0.4 ms\nits clock is 6.0 s ahead of this machine’s',
    ],
    [{ aheadMs: -90_000 }, 'failure: its clock is 90.0 s behind this machine’s'],
    [
      { roundTripMs: 45 },
      'warning: PostgreSQL 17.2, answers in 45.0 ms\na statement takes 45 ms, which every attestation waits for',
    ],
    [
      { isEncrypted: false },
      'warning: PostgreSQL 17.2, answers in 0.4 ms\nthe connection is not encrypted: add sslmode=verify-full',
    ],
  ])('%j', async (change, says) => {
    const [database] = databaseExaminations(
      {
        now: () => now,
        openStore: async () => undefined,
        keyEncryptionsOf: () => [keyEncryptionBySecret('file', new Uint8Array(32))],
        probePostgres: async () => ({ ...well, ...change }),
      },
      { config, secrets: { databaseUrl: 'postgres://h/d' } as Secrets },
    )
    expect(await found(database)).toBe(says)
  })
})

describe('keys', () => {
  const own = keyEncryptionBySecret('file', new Uint8Array(32).fill(1))
  const other = keyEncryptionBySecret('file', new Uint8Array(32).fill(2))
  const key = async (ageDays: number, encryption: KeyEncryption): Promise<SealedKey> => {
    const name = { kid: `k${ageDays}`, purpose: 'federation:https://a.example' as const }
    const random = { bytes: (size: number) => new Uint8Array(size).fill(7) }
    return {
      ...name,
      createdAt: later(-ageDays * DAY),
      activeFrom: later(-ageDays * DAY),
      revokedAt: undefined,
      sealed: await sealKey(name, new Uint8Array(8), { encryption, random }),
    }
  }
  const examined = async (key: SealedKey | undefined, encryptions: KeyEncryptions = [own]) => {
    const store = memoryStore()
    if (key) await store.keepFirstKey(key)
    const [, keys] = databaseExaminations(
      {
        now: () => now,
        openStore: async () => store,
        keyEncryptionsOf: () => encryptions,
        probePostgres: () => Promise.reject(new Error('none')),
      },
      { config, secrets: { databaseUrl: undefined } as Secrets },
    )
    return await found(keys)
  }
  test('none yet', async () => expect(await examined(undefined)).toMatch(/^ok: none yet/))
  test('that open, with the next rotation', async () =>
    expect(await examined(await key(10, own))).toBe(
      'ok: 1 key for 1 purpose open; the oldest in use for 10 days, the next rotation at 2026-06-21T00:00:00.000Z',
    ))
  test('that nobody rotates', async () =>
    expect(await examined(await key(40, own))).toBe(
      'warning: federation:https://a.example has been in use for 40 days',
    ))
  test('that nobody rewrapped yet, and no more once somebody has', async () => {
    expect(await examined(await key(1, other), [own, other])).toBe(
      'warning: 1 key is still sealed under the previous key-encryption key, file',
    )
    expect(await examined(await key(1, own), [own, other])).toMatch(/^ok: 1 key /)
  })
  test('that are sealed under another key', async () =>
    expect(await examined(await key(1, other))).toMatch(/^failure: key k1 .* does not open/))
})

describe('the clock against the vendors’', () => {
  test.each([
    [2, 'ok: agrees with kds'],
    [-60, 'warning: 60 s ahead of kds'],
    [600, 'failure: 600 s behind kds'],
  ])('%i s', async (seconds, says) => {
    const [clock] = vendorClockExamination(
      { ...machine(), vendorTime: async () => ({ by: 'kds', date: later(seconds) }) },
      config,
    )
    expect(await found(clock)).toBe(says)
  })
  test('where none answers', async () =>
    expect(await found(vendorClockExamination(machine(), config)[0])).toMatch(
      /^warning: no vendor/,
    ))
  test('where none may be asked', () =>
    expect(
      vendorClockExamination(machine(), {
        ...config,
        vendors: { ...config.vendors, offline: true },
      }),
    ).toEqual([]))
})

function machine() {
  return {
    now: () => now,
    vendorTime: () => Promise.reject(new Error('no way out')),
    probePort: async () => 'free' as const,
    modeOf: async () => undefined,
  }
}

test.each([
  ['free', 'ok: 127.0.0.1:8080 is free'],
  ['ours', 'ok: 127.0.0.1:8080 is taken, by a running vouchsafe'],
  ['taken', 'failure: 127.0.0.1:8080 is taken by another program'],
] as const)('a port that is %s', async (outcome, says) => {
  const ports = portExaminations({ ...machine(), probePort: async () => outcome }, config)
  expect(ports.map(({ name }) => name)).toEqual(['port', 'metrics port'])
  expect(await found(ports[0])).toBe(says)
})

test.each<[string, number | undefined, string]>([
  ['keyEncryptionKeyFile', 0o600, 'ok: 1 named, none open to others'],
  ['keyEncryptionKeyFile', 0o440, 'ok: 1 named, none open to others'],
  [
    'keyEncryptionKeyFile',
    0o644,
    'warning: /f (keyEncryptionKeyFile) has mode 644: everybody may read it',
  ],
  ['databaseUrlFile', 0o604, 'warning: /f (databaseUrlFile) has mode 604: everybody may read it'],
  [
    'tenants.3.policy.tokenFile',
    0o644,
    'warning: /f (tenants.3.policy.tokenFile) has mode 644: everybody may read it',
  ],
  [
    'policy.webhookSecretFile',
    0o666,
    'failure: /f (policy.webhookSecretFile) has mode 666: everybody on the machine may write it',
  ],
  ['operatorsFile', 0o644, 'ok: 1 named, none open to others'],
  ['operatorsFile', 0o664, 'warning: /f (operatorsFile) has mode 664: its group may write it'],
  [
    'operatorsFile',
    0o646,
    'failure: /f (operatorsFile) has mode 646: everybody on the machine may write it',
  ],
  ['keyEncryptionKeyFile', undefined, 'ok: none are named'],
  ['dataDirectory', 0o777, 'ok: none are named'],
])('the file of %s with mode %o', async (name, mode, says) => {
  const files = fileExamination({ ...machine(), modeOf: async () => mode }, [
    { name, value: '/f', origin: 'file', by: undefined },
  ])
  expect(await found(files)).toBe(says)
})

describe('collateral', () => {
  const held = (document: string, fetched: number, ends: number) => ({
    document,
    fetchedAt: later(fetched * DAY),
    notAfter: later(ends * DAY),
  })
  test.each<[string, ReturnType<typeof held>[], boolean, string]>([
    ['nothing yet', [], false, 'ok: nothing is held yet: what is needed is asked for'],
    [
      'nothing, offline',
      [],
      true,
      'warning: nothing is held, and no vendor is asked: evidence must bring its endorsements',
    ],
    ['fresh', [held('amd-crl', -0.25, 300)], false, 'ok: 1 document held, the oldest for 6 hours'],
    [
      'an old chain',
      [held('amd-cert-chain', -20, 300)],
      false,
      'ok: 1 document held, the oldest for 480 hours',
    ],
    [
      'an old list',
      [held('amd-crl', -3, 300)],
      false,
      'warning: 1 amd-crl was not renewed for two days or more',
    ],
    [
      'soon over',
      [held('intel-tcb-info', 0, 2)],
      false,
      'warning: 1 intel-tcb-info ends within three days',
    ],
    [
      'over',
      [held('intel-pck-crl', -1, -0.1)],
      false,
      'warning: 1 intel-pck-crl ended: evidence that needs it is refused',
    ],
  ])('%s', async (_, documents, offline, says) =>
    expect(
      await found(
        collateralExamination(
          { now: () => now, heldCollateral: async () => documents },
          { ...config, vendors: { ...config.vendors, offline } },
        ),
      ),
    ).toBe(says),
  )
})

test('a group is as well as the worst in it, and what was found steers no terminal', async () => {
  const own = await Promise.all([
    diagnose('g', { name: 'a', advice: 'x', examine: async () => 'fine' }),
    diagnose('g', {
      name: 'b',
      advice: 'mend b',
      examine: async () => ({ warning: '\u001b[31mred\nand more' }),
    }),
  ])
  expect(worstOf(own)).toBe('warning')
  expect(worstOf([])).toBe('ok')
  expect(groupText('g', own, { colour: false }).split('\n')).toEqual([
    '[warning]  g',
    `  [ok]       ${'a'.padEnd(22)} fine`,
    `  [warning]  ${'b'.padEnd(22)} \\u{1b}[31mred`,
    `${' '.repeat(36)}and more`,
    `${' '.repeat(36)}mend b`,
    '',
  ])
})
