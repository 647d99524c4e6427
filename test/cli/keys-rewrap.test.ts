/** `vouchsafe keys rewrap` from every holder of a key-encryption key to every other: what is stored opens before, meanwhile and after. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { systemClock, systemRandom } from '#src/adapters/system.ts'
import { keysCommand } from '#src/cli/keys.ts'
import { keyEncryptionsOf } from '#src/compose/key-encryption.ts'
import { storedKeys } from '#src/compose/keys.ts'
import { storedResources } from '#src/compose/resources.ts'
import { readConfig } from '#src/config.ts'
import { openChallengeKeys } from '#src/service/keys.ts'
import type { Store } from '#src/service/ports.ts'
import { openSealed } from '#src/service/sealed-resource.ts'
import { type TransitServer, transitServer } from '../adapters/transit-server.ts'
import { output } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-rewrap-'))
const file = (name: string, text: string, mode = 0o600) => {
  writeFileSync(join(folder, name), text, { mode })
  return join(folder, name)
}
/** Wraps with a key for each handle, and refuses what another handle wrapped. */
const program = file(
  'device',
  `#!${process.execPath}
const { createCipheriv, createDecipheriv, createHash } = require('node:crypto')
const [, , verb, handle] = process.argv
const input = require('node:fs').readFileSync(0)
const key = createHash('sha256').update('device ' + handle).digest()
const iv = Buffer.alloc(12)
const cipher = verb === '--wrap' ? createCipheriv('aes-256-gcm', key, iv) : createDecipheriv('aes-256-gcm', key, iv)
if (verb === '--unwrap') cipher.setAuthTag(input.subarray(0, 16))
const body = Buffer.concat([cipher.update(verb === '--wrap' ? input : input.subarray(16)), cipher.final()])
process.stdout.write(verb === '--wrap' ? Buffer.concat([cipher.getAuthTag(), body]) : body)
`,
  0o700,
)
const SECRETS = ['ab'.repeat(32), 'cd'.repeat(32), 'hvs.transit-token', 'hunter2']

let before: TransitServer
let after: TransitServer
beforeAll(async () => {
  ;[before, after] = await Promise.all([transitServer(), transitServer()])
  for (const { mood } of [before, after]) mood.keys = { old: [randomKey()], new: [randomKey()] }
})
afterAll(async () => {
  await Promise.all([before.close(), after.close()])
  rmSync(folder, { recursive: true })
})

const randomKey = () => Buffer.from(systemRandom.bytes(32))

/** Settings, without the beginning of their names. */
type Holder = (which: 'old' | 'new') => Record<string, string>
const holders: Readonly<Record<string, Holder>> = {
  'a file': (which) => ({
    KEY_ENCRYPTION_KEY_FILE: file(which, SECRETS[which === 'old' ? 0 : 1] ?? ''),
  }),
  'a program': (which) => ({
    KEY_ENCRYPTION_COMMAND: program,
    KEY_ENCRYPTION_HANDLE: `pkcs11:object=${which}`,
  }),
  'a transit engine': (which) => ({
    TRANSIT_URL: (which === 'old' ? before : after).url,
    TRANSIT_KEY: which,
    TRANSIT_TOKEN_FILE: file('token', 'hvs.transit-token'),
  }),
}
const pairs = Object.keys(holders).flatMap((from) =>
  Object.keys(holders).map((to) => [from, to] as const),
)

const named = (settings: Record<string, string>, prefix: 'VOUCHSAFE_' | 'VOUCHSAFE_PREVIOUS_') =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${prefix}${name}`, value]))

function reading(settings: Readonly<Record<string, string>>) {
  const repository = { repository: '/srv/policy', pin: 'a'.repeat(40) }
  const tenants = { tenants: [{ name: 'acme', policy: repository }], policy: repository }
  const read = readConfig({
    env: {
      VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
      VOUCHSAFE_CONFIG: file('config', JSON.stringify(tenants)),
      ...settings,
    },
    readText: (path) => readFileSync(path, 'utf8'),
  })
  if ('mistakes' in read) throw new Error(read.mistakes.join('\n'))
  return { ...read, env: { PATH: process.env.PATH } }
}
type Reading = ReturnType<typeof reading>

async function put(store: Store, made: Reading, tenant: string) {
  const secret = new TextEncoder().encode('hunter2')
  const put = { name: 'secret:db', settings: {}, secret, after: 0 }
  await storedResources(store, made).put(tenant, put)
}

/** What a service with these settings has of it; rejects where anything does not open. */
async function opened(store: Store, made: Reading) {
  const keyEncryption = keyEncryptionsOf(made.secrets, made.env)
  const room = { store, clock: systemClock, random: systemRandom, keyEncryption }
  const { keys } = await openChallengeKeys(room)
  const names = ['default', 'acme'].map((tenant) => ({ tenant, name: 'secret:db', version: 1 }))
  const secrets = []
  for (const name of names) {
    const kept = await store.sealedVersion(name.tenant, name.name, name.version)
    if (!kept) continue
    secrets.push(
      Buffer.from((await openSealed(name, kept.sealed, keyEncryption)).secret).toString(),
    )
  }
  return { challenge: Buffer.from(keys.issuing(systemClock.now()).id).toString('hex'), secrets }
}

async function run(store: Store, made: Reading, ...args: readonly string[]) {
  const { written, ...streams } = output()
  const ports = { ...streams, colour: false, files: localFiles, fetch }
  const code = await keysCommand(args, { ...ports, openKeys: async () => storedKeys(store, made) })
  for (const secret of SECRETS) expect(written.out + written.err).not.toContain(secret)
  return { code, ...written }
}

describe.each(pairs)('from %s to %s', (from, to) => {
  const [old, young] = [holders[from], holders[to]]
  if (!old || !young) throw new Error('no such holder')

  test('everything is moved, opens meanwhile, and is not moved twice', async () => {
    const store = memoryStore()
    const alone = reading(named(old('old'), 'VOUCHSAFE_'))
    const { challenge } = await opened(store, alone)
    await put(store, alone, 'default')

    // From here on its token may do no more than it must.
    before.mood.forbidden = ['encrypt/old', 'encrypt/new']
    const both = reading({
      ...named(young('new'), 'VOUCHSAFE_'),
      ...named(old('old'), 'VOUCHSAFE_PREVIOUS_'),
    })
    await put(store, both, 'acme')
    const everything = { challenge, secrets: ['hunter2', 'hunter2'] }
    expect(await opened(store, both)).toEqual(everything)
    await run(store, both, 'rotate')
    const listed = await run(store, both, 'list')
    expect(listed.out).toMatch(
      /^Sealed under the key-encryption keys [0-9a-f]{16} \(1\), [0-9a-f]{16} \(1\): /m,
    )

    const done = await run(store, both, 'rewrap')
    expect(done).toMatchObject({ code: 0, err: '' })
    expect(done.out).toMatch(
      /^1 key is sealed under the key-encryption key [0-9a-f]{16} now; 1 was before\.\n1 version of secrets and model keys too; 1 was before\.\n/,
    )
    const again = JSON.parse((await run(store, both, 'rewrap', '--json')).out)
    expect(again).toMatchObject({
      resealed: 0,
      already: 2,
      resources: { resealed: 0, already: 2 },
    })
    expect((await run(store, both, 'list')).out).not.toContain('Sealed under')

    before.mood.sealed = true
    expect(await opened(store, reading(named(young('new'), 'VOUCHSAFE_')))).toEqual(everything)
    before.mood.sealed = false
    before.mood.forbidden = []
    await expect(opened(store, alone)).rejects.toThrow('is sealed under the key-encryption key')
  })
})

test('what a previous transit engine does not open now is left as it was, and moved when it does', async () => {
  const store = memoryStore()
  const old = holders['a transit engine']?.('old') ?? {}
  const young = holders['a file']?.('new') ?? {}
  const alone = reading(named(old, 'VOUCHSAFE_'))
  const { challenge } = await opened(store, alone)
  await put(store, alone, 'default')
  const both = reading({ ...named(young, 'VOUCHSAFE_'), ...named(old, 'VOUCHSAFE_PREVIOUS_') })
  before.mood.sealed = true
  const cut = await run(store, both, 'rewrap')
  before.mood.sealed = false
  expect(cut.code).toBe(1)
  expect(cut.err).toContain('the transit engine answered 503: it is sealed')
  expect(await opened(store, alone)).toEqual({ challenge, secrets: ['hunter2'] })
  expect(await run(store, both, 'rewrap')).toMatchObject({ code: 0 })
  const after = reading(named(young, 'VOUCHSAFE_'))
  expect(await opened(store, after)).toEqual({ challenge, secrets: ['hunter2'] })
})
