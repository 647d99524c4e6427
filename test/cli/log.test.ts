import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { tilePath } from '#src/log/tile-path.ts'
import { type RunningService, runService, tokens } from '../http/running-service.ts'
import { decide } from '../service/log-scene.ts'
import { folder, listeningWitness, log } from './log-commands.ts'

let service: RunningService
let key = ''
let issued = ''
let denied = ''
const store = memoryStore()

async function grow(count: number): Promise<void> {
  for (let n = 0; n < count; n++) issued = toHex((await decide(store)).leafHash)
  denied = toHex((await decide(store, 'refused')).leafHash)
  await service.chores('log')
}

beforeAll(async () => {
  service = await runService({ store })
  key = (await (await fetch(`${service.url}/v1/log/key`)).text()).trim()
  await grow(599)
})
afterAll(() => service.close())

describe('log verify', () => {
  test('reads a whole log and says what is in it', async () => {
    const { code, json, err } = await log(['verify', '--url', service.url, '--key', key, '--json'])
    expect(err).toContain('tile/entries/002')
    expect(json).toMatchObject({
      verified: true,
      reason: null,
      size: 600,
      since: 0,
      entries: 600,
      kinds: { issuance: 599, denials: 1 },
      denials: 1,
      key,
    })
    expect(code).toBe(0)
  })

  test('says so when nobody but the service vouches for the key', async () => {
    const { code, out } = await log(['verify', '--url', service.url])
    expect(out).toContain('Mind: the key came from the service itself')
    expect(code).toBe(0)
  })

  test('reads only what came since, and from a copy with nobody there', async () => {
    const directory = await folder()
    const state = join(directory, 'state.json')
    const copy = join(directory, 'copy')
    const first = ['verify', '--url', service.url, '--key', key, '--state', state, '--json']
    expect((await log([...first, '--copy', copy])).code).toBe(0)
    await grow(300)
    const again = await log(['verify', '--url', service.url, '--state', state, '--json'])
    expect(again.json).toMatchObject({ verified: true, since: 600, size: 901, entries: 301 })
    const offline = await log(['verify', '--directory', copy, '--key', key, '--json'])
    expect(offline.json).toMatchObject({ verified: true, size: 600, entries: 600 })
    // The copy is older than what was verified since.
    const back = await log(['verify', '--directory', copy, '--state', state, '--json'])
    expect(back.json).toMatchObject({ verified: false })
    expect(back.json.reason).toContain('it was rolled back')
    expect(back.code).toBe(2)
  })

  test.each([
    ['an entry', { level: 'entries', index: 1 }, 'does not have the hashes of the entries'],
    ['a hash', { level: 0, index: 1 }, 'does not have the hashes of the entries'],
    ['a hash of the last tile', { level: 0, index: -1 }, 'does not have the hashes'],
    ['a hash of an upper tile', { level: 1, index: 0 }, 'does not have the hashes'],
  ] as const)('refuses a copy in which %s was altered', async (_, { level, index: n }, reason) => {
    const copy = join(await folder(), 'copy')
    const made = await log(['verify', '--url', service.url, '--key', key, '--copy', copy, '--json'])
    const count = level === 1 ? Math.floor(Number(made.json.size) / 256) : Number(made.json.size)
    const index = n < 0 ? Math.floor(count / 256) : n
    const width = Math.min(256, count - index * 256)
    const file = join(copy, tilePath({ level, index, width }))
    const bytes = await readFile(file)
    bytes[bytes.length - 3] = (bytes.at(-3) ?? 0) ^ 1
    await writeFile(file, bytes)
    const { code, json } = await log(['verify', '--directory', copy, '--key', key, '--json'])
    expect(json.reason).toContain(reason)
    expect(code).toBe(2)
  })

  test('refuses an altered checkpoint, another key and a fork', async () => {
    const directory = await folder()
    const copy = join(directory, 'copy')
    const state = join(directory, 'state.json')
    await log(['verify', '--url', service.url, '--key', key, '--copy', copy, '--state', state])
    const altered = join(directory, 'altered')
    await cp(copy, altered, { recursive: true })
    const note = await readFile(join(copy, 'checkpoint'), 'utf8')
    await writeFile(
      join(altered, 'checkpoint'),
      note.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`),
    )
    const shorter = await log(['verify', '--directory', altered, '--key', key, '--json'])
    expect(shorter.json.reason).toContain('does not hold')
    expect(shorter.code).toBe(2)

    const other = await runService({ publicUrl: service.url, store: memoryStore() })
    try {
      const otherKey = (await (await fetch(`${other.address}/v1/log/key`)).text()).trim()
      const foreign = await log(['verify', '--directory', copy, '--key', otherKey, '--json'])
      expect(foreign.json.reason).toContain('bears no signature by')
      expect(foreign.code).toBe(2)
      const clash = await log(['verify', '--directory', copy, '--key', otherKey, '--state', state])
      expect(clash.code).toBe(1)
    } finally {
      await other.close()
    }
  })

  test.each([
    ['nothing to verify', []],
    ['two things to verify', ['--url', 'https://a.example', '--directory', '.']],
    ['an address that is not safe', ['--url', 'http://a.example']],
    ['a key that is none', ['--url', 'https://a.example', '--key', 'abc']],
    [
      'a folder without a log',
      ['--directory', '/nonexistent', '--key', `a+0123abcd+A${'A'.repeat(43)}`],
    ],
  ])('cannot tell with %s', async (_, args) => {
    const { code, err } = await log(['verify', ...args])
    expect(code).toBe(1)
    expect(err).toContain('What to do:')
  })
})

describe('log prove', () => {
  test.each(['an issuance', 'a denial'])('proves %s to whoever has the key', async (kind) => {
    const file = join(await folder(), 'proof.json')
    const leaf = kind === 'a denial' ? denied : issued
    const made = await log(['prove', leaf, '--url', service.url, '--key', key, '--out', file])
    expect(made).toMatchObject({ code: 0, err: '' })
    const { code, json } = await log(['verify', '--proof', file, '--key', key, '--json'])
    expect(json).toMatchObject({ verified: true, leaf })
    expect(code).toBe(0)
    const bundle = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...bundle, index: bundle.index - 1 }))
    expect((await log(['verify', '--proof', file, '--key', key])).code).toBe(2)
    await writeFile(file, '{}')
    expect((await log(['verify', '--proof', file, '--key', key])).code).toBe(2)
  })

  test('takes the leaf from a token, and shows what it is about to an auditor', async () => {
    const directory = await folder()
    const [token, access] = [join(directory, 'token'), join(directory, 'access')]
    const claims = Buffer.from(JSON.stringify({ att_log: { leaf: issued } })).toString('base64url')
    await writeFile(token, `e30.${claims}.c2ln\n`)
    await writeFile(access, tokens.auditor)
    const args = ['prove', token, '--url', service.url, '--key', key]
    const { code, json } = await log([...args, '--disclose', '--token-file', access])
    expect(code).toBe(0)
    expect(json).toMatchObject({ leaf: issued })
    const file = join(directory, 'proof.json')
    await writeFile(file, JSON.stringify(json))
    const shown = await log(['verify', '--proof', file, '--key', key, '--json'])
    expect(shown.json).toMatchObject({
      verified: true,
      record: { verdict: 'issued', tenant: 'acme' },
    })
  })

  test('waits for a leaf that is not numbered yet', async () => {
    const leaf = toHex((await decide(store)).leafHash)
    const { code, json } = await log(['prove', leaf, '--url', service.url, '--key', key], {
      wait: () => service.chores('log'),
    })
    expect(code).toBe(0)
    expect(json).toMatchObject({ leaf })
  })

  test('cannot tell of a leaf that nobody knows, or of an encrypted token', async () => {
    const file = join(await folder(), 'token')
    await writeFile(file, 'a.b.c.d.e')
    expect((await log(['prove', file, '--url', service.url, '--key', key])).err).toContain(
      'encrypted token',
    )
    const unknown = await log(['prove', '0'.repeat(64), '--url', service.url, '--key', key])
    expect(unknown).toMatchObject({ code: 1 })
    expect(unknown.err).toContain('answered 404')
  })
})

describe('log witness', () => {
  test('cosigns what continues what it cosigned, and refuses what does not', async () => {
    const directory = await folder()
    const [keyFile, state] = [join(directory, 'key'), join(directory, 'state')]
    const own = ['--key-file', keyFile, '--state', state]
    const unnamed = await log(['witness', '--url', service.url, ...own])
    expect(unnamed).toMatchObject({ code: 1 })
    const args = ['witness', '--url', service.url, ...own, '--json']
    const first = await log([...args, '--name', 'witness.example/w1'])
    expect(first.json).toMatchObject({ cosigned: true, reason: null })
    expect((await readFile(keyFile, 'utf8')).startsWith('PRIVATE+KEY+witness.example/w1+')).toBe(
      true,
    )
    await grow(5)
    expect((await log(args)).json).toMatchObject({ cosigned: true })
    // Again, of the same checkpoint: only the time is another.
    expect((await log(args)).json).toMatchObject({ cosigned: true })

    const copy = join(directory, 'copy')
    await log(['verify', '--url', service.url, '--key', key, '--copy', copy])
    const note = await readFile(join(copy, 'checkpoint'), 'utf8')
    await grow(1)
    await log(args)
    const rolledBack = await log(args, {
      fetch: async (address, init) =>
        `${address}`.endsWith('/checkpoint') ? new Response(note) : await fetch(address, init),
    })
    expect(rolledBack.code).toBe(2)
    expect(rolledBack.json.reason).toMatch(/leaves were cosigned last/)
  })

  test('keeps nothing and signs nothing where its state cannot be written', async () => {
    const directory = await folder()
    const own = ['--key-file', join(directory, 'key'), '--state', join(directory, 'state')]
    await log(['witness', '--url', service.url, ...own, '--name', 'w'])
    await grow(1)
    const full = await log(['witness', '--url', service.url, ...own, '--json'], {
      keepFile: async () => {
        throw new Error('no space left on device')
      },
    })
    expect(full.code).toBe(1)
    expect(full.out).not.toContain('cosignature"')
  })

  test('serves add-checkpoint with the statuses of C2SP tlog-witness', async () => {
    const directory = await folder()
    const witness = await listeningWitness([
      '--key',
      key,
      '--key-file',
      join(directory, 'key'),
      '--state',
      join(directory, 'state'),
      '--name',
      'w',
      '--url',
      service.url,
    ])
    const note = await (await fetch(`${service.url}/v1/log/checkpoint`)).text()
    const size = Number(note.split('\n')[1])
    const other = note.replace(/^[^\n]+/, 'other.example')
    const unsigned = note.replace(/(.)(.{3})\n$/, (_, a, b) => `${a === 'A' ? 'B' : 'A'}${b}\n`)
    const hash = 'A'.repeat(43)
    const cases: readonly (readonly [string, number, string?])[] = [
      [`old 1\n\n${note}`, 409, '0\n'],
      [`old 0\n${hash}=\n\n${note}`, 422],
      [`old ${size + 1}\n\n${note}`, 400],
      [`old 00\n\n${note}`, 400],
      ['', 400],
      [`old 0\n${`${hash}=\n`.repeat(64)}\n${note}`, 400],
      [`old 0\n\n${other}`, 404],
      [`old 0\n\n${unsigned}`, 403],
      [`old 0\n\n${note}`, 200],
      [`old 0\n\n${note}`, 409, `${size}\n`],
      [`old ${size}\n\n${note}`, 200],
      ['x'.repeat(70_000), 413],
    ]
    for (const [body, status, text] of cases) {
      const response = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body })
      expect([body.slice(0, 12), response.status]).toEqual([body.slice(0, 12), status])
      if (text === undefined) continue
      expect(response.headers.get('content-type')).toBe('text/x.tlog.size')
      expect(await response.text()).toBe(text)
    }
    expect((await fetch(`${witness.url}/add-checkpoint`)).status).toBe(405)
    expect((await fetch(`${witness.url}/`)).status).toBe(404)
    expect(await witness.stop()).toMatchObject({ code: 0 })
  })

  test('of ten submissions at once only those that continue each other are cosigned', async () => {
    const directory = await folder()
    const witness = await listeningWitness([
      '--key',
      key,
      '--key-file',
      join(directory, 'key'),
      '--state',
      join(directory, 'state'),
      '--name',
      'w',
      '--url',
      service.url,
    ])
    const note = await (await fetch(`${service.url}/v1/log/checkpoint`)).text()
    const racers = Array.from({ length: 10 }, () =>
      fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: `old 0\n\n${note}` }),
    )
    const statuses = (await Promise.all(racers)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 409)).toHaveLength(9)
    await witness.stop()
  })
})
