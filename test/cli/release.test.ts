/** `vouchsafe release`: asked of a running service, and of a database that no service holds. No secret on a command line. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { keysCommand } from '#src/cli/keys.ts'
import { releaseCommand } from '#src/cli/release.ts'
import type { ReleaseDeps } from '#src/cli/release-deps.ts'
import { keyEncryptionsOf } from '#src/compose/key-encryption.ts'
import { storedKeys } from '#src/compose/keys.ts'
import { openStoredResources, storedResources } from '#src/compose/resources.ts'
import { readConfig } from '#src/config.ts'
import type { ReleaseApproval } from '#src/service/release-ports.ts'
import { openSealed } from '#src/service/sealed-resource.ts'
import { AT, type RunningService, runService, tokens } from '../http/running-service.ts'
import { output } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-release-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = (name: string, text: string | Uint8Array) => {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
const SECRET = 'hunter2-is-no-password'
const signingKey = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const secretFile = file('secret', SECRET)
const lineFile = file('line', `${SECRET}\n`)
const tokenFiles = {
  sara: file('sara', tokens['secret-admin']),
  theo: file('theo', tokens['other-secret-admin']),
  vera: file('vera', tokens.viewer),
}
const oldKey = file('old', 'ab'.repeat(32))
const newKey = file('new', 'cd'.repeat(32))

const env = {
  VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
  VOUCHSAFE_POLICY: '/srv/policy',
  VOUCHSAFE_POLICY_PIN: 'a'.repeat(40),
  VOUCHSAFE_DATA: join(folder, 'data'),
  VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: oldKey,
}
const reading = (flags: Readonly<Record<string, string>> = {}) =>
  readConfig({ env, flags, readText: (path) => readFileSync(path, 'utf8') })
function usable() {
  const read = reading()
  if ('mistakes' in read) throw new Error(read.mistakes.join('\n'))
  return read
}

async function run(args: readonly string[], change: Partial<ReleaseDeps> = {}) {
  const { written, ...streams } = output()
  const code = await releaseCommand(args, {
    ...streams,
    colour: false,
    files: localFiles,
    fetch,
    stdin: { isTerminal: true, read: () => pipe('') },
    openResources: (flags) => openStoredResources(reading(flags), { env: {} }),
    ...change,
  })
  return { code, ...written }
}

async function* pipe(...chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}
const piped = (...chunks: readonly string[]) => ({
  stdin: { isTerminal: false, read: () => pipe(...chunks) },
})

describe('asked of a running service', () => {
  let service: RunningService
  beforeAll(async () => {
    service = await runService()
  })
  afterAll(() => service.close())
  const as =
    (who: keyof typeof tokenFiles, change: Partial<ReleaseDeps> = {}) =>
    async (...args: readonly string[]) =>
      await run([...args, '--url', service.url, '--token-file', tokenFiles[who]], change)
  const opened = async (name: string, version: number) => {
    const kept = await service.verifier.store.sealedVersion('default', name, version)
    if (!kept) throw new Error('not kept')
    const place = { tenant: 'default', name, version }
    return Buffer.from(
      (await openSealed(place, kept.sealed, service.verifier.keyEncryption)).secret,
    ).toString()
  }

  test('put keeps what the file holds, and says what comes next', async () => {
    const { code, out, err } = await as('sara')('put', 'secret:db', '--file', secretFile)
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(
      `secret:db is kept as version 1
  released, no approval, lease 300 s
Name secret:db among the scopes of a release rule in the policy repository: until then no agent is given it.
`,
    )
    expect(await opened('secret:db', 1)).toBe(SECRET)
  })

  test('put takes a pipe, byte for byte, and says that a line feed belongs to it', async () => {
    const { out, err } = await as('sara', piped('hunter', '2\n'))('put', 'secret:piped', '--json')
    expect(JSON.parse(out)).toMatchObject({ name: 'secret:piped', version: 1, change: 'added' })
    expect(err).toContain('--strip-newline')
    expect(await opened('secret:piped', 1)).toBe('hunter2\n')
    const stripped = await as('sara')(
      ...['rotate', 'secret:piped', '--file', lineFile, '--strip-newline'],
    )
    expect([stripped.code, stripped.err]).toEqual([0, ''])
    expect(await opened('secret:piped', 2)).toBe(SECRET)
  })

  test('put has its settings from flags, and rotate changes some and keeps the rest', async () => {
    const flags = ['--use', 'sign', '--approvals', '2', '--lease', '60', '--rate', '10']
    const rest = ['--broker-path', 'default/key/1', '--session', 'required']
    const simulated = ['--simulated', 'accepted']
    const put = await as(
      'sara',
      piped(signingKey),
    )(...['put', 'model:m', ...flags, ...rest, ...simulated])
    expect(put.out).toContain(
      '  signs here and never leaves, 2 approvals of other operators, lease 60 s, at most 10 a minute, at default/key/1 of the Key Broker face, only inside a session, to simulated evidence too\n',
    )
    const changed = await as('theo')(
      ...['rotate', 'model:m', '--settings-only', '--rate', '5', '--broker-path', 'none'],
      ...['--simulated', 'refused', '--approvals', '3', '--json'],
    )
    expect(JSON.parse(changed.out)).toMatchObject({
      version: 2,
      change: 'changed',
      use: 'sign',
      approvals: 3,
      leaseSeconds: 60,
      releasesPerMinute: 5,
      brokerPath: null,
      requiresSession: true,
      acceptsSimulated: false,
    })
    expect(await opened('model:m', 2)).toBe(signingKey)
  })

  test.each<[string, readonly string[], string]>([
    ['its session', ['--session', 'optional'], 'only inside a session, and would be given'],
    ['its hardware', ['--simulated', 'accepted'], 'only to evidence of hardware, and would be'],
    ['its limit', ['--rate', 'off'], 'given out 5 times a minute, and no limit would be more'],
    ['its lease', ['--lease', '61'], 'leased for 60 s, and 61 s would be longer'],
    ['its path', ['--broker-path', 'a/b/c'], 'nowhere on the Key Broker face, and would be at a/b'],
  ])('rotate takes %s away from nobody, and says what to do instead', async (_, flags, says) => {
    const { code, err } = await as('theo')('rotate', 'model:m', '--settings-only', ...flags)
    expect(code).toBe(1)
    expect(err).toContain('409 resource-guarded')
    expect(err).toContain(says)
    expect(err).toContain('vouchsafe release revoke NAME --all')
  })

  test('put refuses what is there, and rotate what is not', async () => {
    const put = await as('sara')('put', 'secret:db', '--file', secretFile)
    expect(put.code).toBe(1)
    expect(put.err).toContain('resource-superseded')
    expect(put.err).toContain('rotate one that is there')
    const rotate = await as('sara')('rotate', 'secret:none', '--file', secretFile)
    expect(rotate.err).toContain('404 resource-unknown')
  })

  test('list shows who put what and when, and revoke ends it', async () => {
    await as('theo')('rotate', 'secret:db', '--file', secretFile)
    const revoked = await as('theo')('revoke', 'secret:db', '--version', '1')
    expect(revoked.out).toContain('secret:db: revoked 1\nNobody is given these versions')
    const { out } = await as('vera')('list', 'secret:db')
    expect(out).toBe(
      `secret:db: released, no approval, lease 300 s
  newest   2  by theo at ${AT.toISOString()}
  revoked  1  by sara at ${AT.toISOString()}, revoked at ${AT.toISOString()}
`,
    )
    const all = JSON.parse((await as('vera')('list', '--json')).out)
    expect(all.resources.map(({ name }: { name: string }) => name)).toEqual([
      'model:m',
      'secret:db',
      'secret:piped',
    ])
    expect((await as('sara')('revoke', 'secret:db', '--all')).out).toContain('revoked 2')
    expect((await as('sara')('revoke', 'secret:db', '--all')).out).toContain('nothing was left')
  })

  test('a viewer lists, and is told that the rest takes another role', async () => {
    const { code, err } = await as('vera')('revoke', 'secret:db', '--all')
    expect(code).toBe(1)
    expect(err).toContain('operator-forbidden')
  })

  test('approvals lists who waits, and approve agrees in the name of whose token it is', async () => {
    expect((await as('vera')('approvals')).out).toBe('Nobody waits for an approval.\n')
    const question: ReleaseApproval = {
      id: 'a1'.repeat(32),
      tenant: 'default',
      resource: 'secret:piped',
      version: 1,
      environment: 'prod',
      agent: 'invoice-bot',
      jkt: 'k'.repeat(43),
      requestedAt: AT,
      expiresAt: new Date(AT.getTime() + 3600_000),
      approvedBy: [],
    }
    await service.verifier.store.askApproval(question)
    const own = await as('sara')('approve', question.id)
    expect(own.err).toContain('approval-own-version')
    const other = await as('theo')('approve', question.id)
    expect(other.out).toMatch(/^You agree: prod\/invoice-bot may have secret:piped version 1\n/)
    const { out } = await as('vera')('approvals')
    expect(out).toContain(
      `secret:piped version 1 for prod/invoice-bot, key ${'k'.repeat(43)}\n  1 of 0 agreed: theo`,
    )
    const asJson = JSON.parse((await as('vera')('approvals', '--json')).out)
    expect(asJson.approvals[0]).toMatchObject({ id: question.id, needed: 0 })
  })

  test('a long list is read to its end', async () => {
    for (let n = 100; n < 201; n++)
      await as('sara', piped('x'))('put', `secret:n${n}`, '--tenant', 'acme')
    const { out } = await as('vera')('list', '--tenant', 'acme', '--json')
    expect(JSON.parse(out).resources).toHaveLength(101)
  })

  test('a service that never ends its list is left', async () => {
    const answer = { resources: [], after: 'secret:a' }
    const endless = await run(['list', '--url', service.url, '--token-file', tokenFiles.vera], {
      fetch: async () => new Response(JSON.stringify(answer)),
    })
    expect(endless.err).toContain('does not come to an end')
  })
})

describe('asked of a database', () => {
  test('that a running service holds, it says whom to ask instead', async () => {
    const held = await run(['list'], { openResources: async () => undefined })
    expect(held.code).toBe(1)
    expect(held.err).toContain('A running service holds the data directory')
  })

  test('that no service holds, it does all of it but approve', async () => {
    const store = memoryStore()
    const direct = async (args: readonly string[], change: Partial<ReleaseDeps> = {}) =>
      await run(args, {
        openResources: async () => storedResources(store, { ...usable(), env: {} }),
        ...change,
      })
    expect((await direct(['list'])).out).toContain('There are none yet')
    expect((await direct(['put', 'secret:db', '--file', secretFile])).code).toBe(0)
    expect((await direct(['put', 'secret:db', '--file', secretFile])).err).toContain('expected')
    expect((await direct(['rotate', 'secret:db'], piped('other'))).out).toContain('version 2')
    expect((await direct(['list'])).out).toContain('by the command line at')
    expect((await direct(['revoke', 'secret:db', '--version', '1'])).out).toContain('revoked 1')
    expect((await direct(['approvals'])).out).toContain('Nobody waits')
    expect((await direct(['list', '--tenant', 'other'])).err).toContain('no tenant other')
    const approve = await direct(['approve', 'a1'.repeat(32)])
    expect(approve.err).toContain('a database does not know who agrees')

    // And `vouchsafe keys rewrap` takes them along.
    const rewrap = async () => {
      const { written, ...streams } = output()
      const code = await keysCommand(['rewrap', '--new-key-file', newKey, '--json'], {
        ...streams,
        colour: false,
        files: localFiles,
        fetch,
        openKeys: async () => storedKeys(store, { ...usable(), env: {} }),
      })
      return { code, ...JSON.parse(written.out) }
    }
    // Of the version that was revoked nothing is left.
    expect(await rewrap()).toMatchObject({ code: 0, resources: { resealed: 1, already: 0 } })
    expect(await rewrap()).toMatchObject({ code: 0, resources: { resealed: 0, already: 1 } })
    const sealed = (await store.sealedVersion('default', 'secret:db', 2))?.sealed
    const place = { tenant: 'default', name: 'secret:db', version: 2 }
    const under = (keyFile: string) =>
      keyEncryptionsOf(
        {
          keyEncryption: {
            kind: 'secret',
            from: 'file',
            secret: Buffer.from(readFileSync(keyFile, 'utf8'), 'hex'),
          },
          previousKeyEncryption: undefined,
        },
        {},
      )
    expect(
      sealed && Buffer.from((await openSealed(place, sealed, under(newKey))).secret).toString(),
    ).toBe('other')
    await expect(openSealed(place, sealed ?? new Uint8Array(), under(oldKey))).rejects.toThrow(
      'version 2 of secret:db (tenant default) does not open',
    )
  })
})

describe('what is asked wrongly', () => {
  const large = file('large', new Uint8Array(65_537))
  test.each<[string, readonly string[], string]>([
    ['nothing', [], 'What to do is missing'],
    ['an unknown verb', [SECRET], 'There is no such verb'],
    ['no name', ['put'], 'NAME is missing'],
    ['a secret in place of a name', ['put', SECRET], 'no name of a resource'],
    ['a secret as argument', ['put', 'secret:db', SECRET], 'never a secret'],
    ['a secret after an equals sign', ['put', `secret:db=${SECRET}`], 'no name of a resource'],
    [
      'a secret as an option',
      ['put', 'secret:db', `--secret=${SECRET}`],
      "Unknown option '--secret'",
    ],
    ['a secret to approve with', ['approve', SECRET, '--url', 'https://a.example'], 'ID is no id'],
    ['a secret as a tenant', ['list', '--tenant', SECRET.toUpperCase()], '--tenant is no name'],
    ['a secret as a setting', ['put', 'secret:db', '--approvals', SECRET], '--approvals must be'],
    ['no secret at all', ['put', 'secret:db'], 'standard input is a terminal'],
    ['a file that is not there', ['put', 'secret:db', '--file', '/nowhere'], '/nowhere'],
    ['an empty file', ['put', 'secret:db', '--file', file('empty', '')], 'is empty'],
    ['a large file', ['put', 'secret:db', '--file', large], 'more than 65536 bytes'],
    ['both or neither', ['rotate', 'secret:db', '--settings-only', '--file', secretFile], 'Leave'],
    ['no version', ['revoke', 'secret:db'], 'What to revoke is missing'],
    ['all and one', ['revoke', 'secret:db', '--all', '--version', '1'], 'said twice'],
    ['a version in words', ['revoke', 'secret:db', '--version', 'one'], '--version must be'],
    ['a token without a service', ['list', '--token-file', tokenFiles.vera], 'goes with --url'],
    ['a lease of a second', ['put', 'secret:db', '--lease', '1'], '--lease must be 30 to 86400'],
    ['a use that there is not', ['put', 'secret:db', '--use', 'show'], '--use must be release or'],
    ['a guess', ['put', 'secret:db', '--simulated', 'yes'], '--simulated must be accepted or'],
    ['a short path', ['put', 'secret:db', '--broker-path', 'a/b'], 'three segments'],
  ])('%s', async (_, args, sentence) => {
    const { code, out, err } = await run(args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(sentence)
    expect(err).toContain('What to do: ')
    // A continuous-integration log would keep it.
    expect(err.toLowerCase()).not.toContain(SECRET)
  })

  test('a pipe without end is not read to its end', async () => {
    let read = 0
    async function* endless() {
      for (;;) {
        read += 16_384
        yield new Uint8Array(16_384).fill(97)
      }
    }
    const { err } = await run(['put', 'secret:db'], {
      stdin: { isTerminal: false, read: endless },
    })
    expect(err).toContain('more than 65536 bytes')
    expect(read).toBeLessThan(200_000)
  })

  test.each([[], ['put'], ['rotate'], ['list'], ['revoke'], ['approvals'], ['approve']])(
    '%s --help explains',
    async (...verb) => {
      const { code, out } = await run([...verb, '--help'])
      expect(code).toBe(0)
      expect(out).toContain(`vouchsafe release${verb.map((name) => ` ${name}`).join('')}`)
    },
  )
})
