/** `vouchsafe keys`: asked of a running service, and of a database that no service holds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { systemClock, systemRandom } from '#src/adapters/system.ts'
import { keysCommand } from '#src/cli/keys.ts'
import type { KeysDeps } from '#src/cli/keys-deps.ts'
import { keyEncryptionsOf } from '#src/compose/key-encryption.ts'
import { openStoredKeys, storedKeys } from '#src/compose/keys.ts'
import { readConfig } from '#src/config.ts'
import { openChallengeKeys, openIssuer } from '#src/service/keys.ts'
import { type RunningService, runService, tokens } from '../http/running-service.ts'
import { output } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-keys-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, text: string) => {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
const tokenFile = file('token', `${tokens.operator}\n`)
const [OLD, NEW] = ['ab'.repeat(32), 'cd'.repeat(32)]
const oldKey = file('old', OLD)
const newKey = file('new', `${NEW}\n`)

const env = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: 'a'.repeat(40),
  VOUCHSAFE_DATA: join(folder, 'data'),
  VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: oldKey,
}
/** Throws for settings that are wrong. */
function usable(more: Readonly<Record<string, string>> = {}) {
  const read = reading(more)
  if ('mistakes' in read) throw new Error(read.mistakes.join('\n'))
  return read
}
const reading = (more: Readonly<Record<string, string>> = {}, flags = {}) =>
  readConfig({ env: { ...env, ...more }, flags, readText: (path) => readFileSync(path, 'utf8') })

async function runWith(
  args: readonly string[],
  { settings = {}, ...change }: Partial<KeysDeps> & { settings?: Record<string, string> } = {},
) {
  const { written, ...streams } = output()
  const code = await keysCommand(args, {
    ...streams,
    colour: false,
    files: localFiles,
    fetch,
    openKeys: (flags) => openStoredKeys(reading(settings, flags), { env: {} }),
    ...change,
  })
  return { code, ...written }
}

const run = runWith

describe('asked of a running service', () => {
  let service: RunningService
  beforeAll(async () => {
    service = await runService()
  })
  afterAll(() => service.close())
  const ask = async (...args: readonly string[]) =>
    await run([...args, '--url', service.url, '--token-file', tokenFile])

  test('list says of every key what it does', async () => {
    const { code, out } = await ask('list')
    expect(code).toBe(0)
    expect(out).toMatch(/^challenge \(HMAC-SHA-256\)\n {2}active {3}[0-9a-f]{4} /)
    expect(out).toContain(`federation:${service.url} (RS256)`)
    expect(out).toContain('signs since 2026-06-01T00:00:00.000Z')
  })

  test('list --json is what the service answers', async () => {
    const { out } = await ask('list', '--json')
    expect(JSON.parse(out).keys).toContainEqual(
      expect.objectContaining({ state: 'active', algorithm: 'ES256' }),
    )
  })

  test('rotate names each successor and when it signs, and twice is once', async () => {
    const purpose = `workload:${service.url}`
    const { code, out } = await ask('rotate', '--purpose', purpose)
    expect(code).toBe(0)
    expect(out).toMatch(/^workload:\S+: [\w-]{43} signs from 2026-06-01T00:15:00.000Z\nNothing:/)
    expect((await ask('rotate', '--purpose', purpose)).out).toBe(out)
    const listed = await ask('list')
    expect(listed.out).toContain('published, signs from 2026-06-01T00:15:00.000Z')
    expect(listed.out).toContain('signs since 2026-06-01T00:00:00.000Z, until 2026-06-01T00:15')
  })

  test('revoke ends a key and says who still goes by it', async () => {
    service.clock.at = new Date(service.clock.at.getTime() + 1000)
    const { hardware } = service.verifier.tenants.get('default')?.issuers ?? {}
    const kid = hardware?.signer('possession', service.clock.at).kid ?? ''
    const { code, out } = await ask('revoke', kid)
    expect(code).toBe(0)
    expect(out).toContain(`${kid} was revoked at`)
    expect(out).toContain(`${hardware?.signer('possession', service.clock.at).kid} signs from now`)
    expect(out).toContain('300 s')
    const again = await ask('revoke', kid)
    expect(again.code).toBe(1)
    expect(again.err).toContain('404 key-unknown')
    expect(again.err).toContain('vouchsafe keys list')
  })

  test('a viewer is told that this needs another role', async () => {
    const viewer = file('viewer', tokens.viewer)
    const { code, err } = await run(['list', '--url', service.url, '--token-file', viewer])
    expect(code).toBe(1)
    expect(err).toContain('operator-forbidden')
  })
})

describe('asked of a database', () => {
  const url = 'https://attest.example.com'

  test('that a running service holds, it says whom to ask instead', async () => {
    const store = await openPgliteStore(join(folder, 'data'))
    const held = await run(['list'])
    await store.close()
    expect(held.code).toBe(1)
    expect(held.err).toContain('A running service holds the data directory')
    expect(held.err).toContain('--url URL --token-file FILE')
  })

  test('that no service holds, it does all of it, up to another key-encryption key', async () => {
    const store = memoryStore()
    const made = usable()
    const keyEncryption = keyEncryptionsOf(made.secrets, {})
    const room = { store, clock: systemClock, random: systemRandom, keyEncryption }
    const none = await runWith(['list'], {
      openKeys: async () => storedKeys(store, { ...made, env: {} }),
    })
    expect([none.code, none.out]).toEqual([
      0,
      'There are no keys yet: the service makes them at its first start.\n',
    ])
    await openIssuer(room, { url, assurance: 'simulated' })
    await openChallengeKeys(room)
    const run = async (args: readonly string[], settings = {}) =>
      await runWith(args, {
        openKeys: async () => storedKeys(store, { ...usable(settings), env: {} }),
      })

    const { out } = await run(['list', '--json'])
    const [{ kid, sealedUnder }] = JSON.parse(out).keys
    expect((await run(['rotate'])).out.match(/ signs from /g)).toHaveLength(4)
    const revoked = await run(['revoke', kid, '--json'])
    expect(JSON.parse(revoked.out)).toMatchObject({ kid, replacement: { purpose: 'challenge' } })

    const rewrapped = await run(['rewrap', '--new-key-file', newKey])
    expect(rewrapped.code).toBe(0)
    expect(rewrapped.out).toMatch(
      /^9 keys are sealed under the key-encryption key [0-9a-f]{16} now; 0 were/,
    )
    expect(rewrapped.out).toContain(`VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE to ${newKey}`)
    const again = await run(['rewrap', '--new-key-file', newKey, '--json'])
    const { sealedUnder: now, ...rest } = JSON.parse(again.out)
    expect(rest).toEqual({
      resealed: 0,
      already: 9,
      resources: { resealed: 0, already: 0 },
    })
    expect(now).not.toBe(sealedUnder)

    // Whoever still has the old key alone is told which one is missing, and nothing changes.
    const refused = await run(['rewrap'])
    expect(refused.code).toBe(1)
    expect(refused.err).toContain(`sealed under the key-encryption key ${now}`)
    const both = {
      VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: newKey,
      VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE: oldKey,
    }
    const settled = await run(['rewrap'], both)
    expect(settled.out).toContain('0 keys are sealed')
    expect(settled.out).toContain('destroy the old key')
    for (const { out: told, err } of [rewrapped, again, refused, settled])
      for (const secret of [OLD, NEW]) expect(told + err).not.toContain(secret)
  })
})

describe('what is asked wrongly', () => {
  test.each<[string, readonly string[], string]>([
    ['nothing', [], 'What to do with the keys is missing'],
    ['an unknown verb', ['burn'], 'There is no `vouchsafe keys burn`'],
    ['a revocation of nothing', ['revoke'], 'KID is missing'],
    ['a stray argument', ['list', 'all'], 'takes no all'],
    ['a token without a service', ['list', '--token-file', tokenFile], 'goes with --url'],
    ['a key on the command line', ['rewrap', NEW], 'never write a key on a command line'],
    ['a new key that is none', ['rewrap', '--new-key-file', tokenFile], 'must be 32 bytes'],
    ['a new key that is not there', ['rewrap', '--new-key-file', '/nowhere'], '/nowhere'],
    ['an address that is not safe', ['list', '--url', 'http://a.example'], 'no https address'],
  ])('%s', async (_, args, sentence) => {
    const { code, out, err } = await run(args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(sentence)
    expect(err).toContain('What to do: ')
  })

  test.each([[], ['list'], ['rotate'], ['revoke'], ['rewrap']])(
    '%s --help explains',
    async (...verb) => {
      const { code, out } = await run([...verb, '--help'])
      expect(code).toBe(0)
      expect(out).toContain(`vouchsafe keys${verb.map((name) => ` ${name}`).join('')}`)
    },
  )

  test('settings that are wrong are told, with --json as an object', async () => {
    const { code, out } = await run(['list', '--json'], {
      settings: { VOUCHSAFE_KEY_ROTATION_DAYS: 'many' },
    })
    expect(code).toBe(1)
    expect(JSON.parse(out).error).toMatchObject({ code: 'configuration-invalid' })
  })
})
