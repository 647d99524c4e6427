/** Does `vouchsafe collateral` fetch what it should, wait where that helps, and refuse what was not signed? */
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { replaceFile } from '../../src/adapters/endorsement-cache-file.ts'
import { localFiles } from '../../src/adapters/local-files.ts'
import { endorsementLibrary } from '../../src/adapters/offline-bundle.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { collateralCommand } from '../../src/cli/collateral.ts'
import { progress } from '../../src/cli/collateral-progress.ts'
import { movableClock, removeFolders, rig, temporaryFolder } from '../fakes/endorsement-rig.ts'
import {
  addresses,
  body,
  FMSPC,
  milanChip,
  status,
  turinChip,
  type VendorServer,
  vendorServer,
  vendors,
} from '../fakes/vendor-server.ts'

const now = new Date('2026-01-02T00:00:00Z')
const published = vendors(new Date('2026-01-01T00:00:00Z'))
let server: VendorServer
beforeAll(async () => {
  server = await vendorServer(published)
})
afterEach(() => {
  for (const address of [addresses.milanCrl, addresses.tdxTcb, addresses.milanVcek])
    server.answer(address, undefined)
})
afterAll(async () => {
  await server.close()
  await removeFolders()
})

async function shell({ terminal = false } = {}) {
  const clock = movableClock(now)
  const { cache } = await rig({
    base: server.base,
    clock,
    // So short that it would be waited for, if waiting could help.
    budget: { absent: { seconds: 30, most: 10 } },
    cache: { whenDiskFails: 'throw' },
  })
  const folder = await temporaryFolder()
  const waits: number[] = []
  const run = async (...args: readonly string[]) => {
    let out = ''
    let err = ''
    const code = await collateralCommand(args, {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
      files: localFiles,
      writeFile: replaceFile,
      library: () => Promise.resolve(endorsementLibrary(cache, clock)),
      wait(seconds) {
        waits.push(seconds)
        clock.advance(seconds)
        return Promise.resolve()
      },
      now: clock.now,
      terminal,
    })
    return { code, out, err }
  }
  const names = async () => {
    const { entries } = JSON.parse(
      (await run('export', join(folder, 'all'), '--key', keys.private, '--json')).out,
    )
    return entries.map(({ name }: { name: string }) => name)
  }
  return { run, names, folder, waits, clock }
}

const pair = generateKeyPairSync('ed25519')
const keys = { private: '', public: '', strange: '' }
beforeAll(async () => {
  const folder = await temporaryFolder()
  const stranger = generateKeyPairSync('ed25519')
  const pem = { format: 'pem' } as const
  for (const [name, text] of [
    ['private', pair.privateKey.export({ ...pem, type: 'pkcs8' })],
    ['public', pair.publicKey.export({ ...pem, type: 'spki' })],
    ['strange', stranger.publicKey.export({ ...pem, type: 'spki' })],
  ] as const) {
    keys[name] = join(folder, `${name}.pem`)
    await writeFile(keys[name], text)
  }
})

const amd = (product: string) =>
  ['cert_chain', 'crl'].flatMap((last) => [
    `amd/${product}/vcek/${last}`,
    `amd/${product}/vlek/${last}`,
  ])
const intel = [
  'intel/crl/root',
  'intel/crl/platform',
  'intel/crl/processor',
  'intel/sgx/qe/identity',
  'intel/tdx/qe/identity',
]
const milanId = toHex(milanChip.hwid)
const turinId = toHex(turinChip.hwid)

describe('fetch', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    [
      'without options takes all that names no machine',
      [],
      [...amd('Milan'), ...amd('Genoa'), ...amd('Turin'), ...intel],
    ],
    [
      'takes the products asked for',
      ['--product', 'Milan,Turin'],
      [...amd('Milan'), ...amd('Turin')],
    ],
    [
      'takes products given one by one, each once',
      ['--product', 'Milan', '--product', 'Genoa,Milan'],
      [...amd('Milan'), ...amd('Genoa')],
    ],
    [
      'takes what goes with a platform family',
      ['--fmspc', FMSPC.toUpperCase()],
      [...intel, `intel/sgx/tcb/${FMSPC}`, `intel/tdx/tcb/${FMSPC}`],
    ],
    [
      'takes what goes with a Turin chip, which its id tells',
      ['--vcek', `${turinId}:0102030400000054`],
      [...amd('Turin'), `amd/Turin/vcek/${turinId}/0102030400000054`],
    ],
    [
      'takes what goes with a chip whose product was said with it',
      ['--vcek', `milan:${milanId.toUpperCase()}:04000000000018DB`],
      [...amd('Milan'), `amd/Milan/vcek/${milanId}/04000000000018db`],
    ],
    [
      'takes what goes with a chip whose product was said beside it',
      ['--product', 'Milan,Turin', '--vcek', `${milanId}:04000000000018db`],
      [...amd('Milan'), ...amd('Turin'), `amd/Milan/vcek/${milanId}/04000000000018db`],
    ],
  ])('%s', async (_, args, expected) => {
    const { run, names } = await shell()
    const { code, out, err } = await run('fetch', ...args, '--json')
    const { fetched, failed } = JSON.parse(out)
    expect({ code, failed }).toEqual({ code: 0, failed: [] })
    expect(fetched.map(({ name }: { name: string }) => name).toSorted()).toEqual(
      expected.toSorted(),
    )
    expect(await names()).toEqual(expected.toSorted())
    expect(err.trimEnd().split('\n')).toHaveLength(expected.length)
  })

  test('says in words until when each document holds', async () => {
    const { run } = await shell()
    const { out } = await run('fetch', '--product', 'Milan')
    expect(out).toContain('amd/Milan/vcek/crl until 2027-01-01T00:00:00.000Z\n')
  })

  test('waits as long as the vendor says, and goes on', async () => {
    const { run, waits } = await shell()
    let asked = 0
    server.answer(addresses.milanCrl, (response, request) =>
      (asked++ < 2 ? status(429, { 'retry-after': '11' }) : body(published.amd.Milan.crl()))(
        response,
        request,
      ),
    )
    const { code, err } = await run('fetch', '--product', 'Milan')
    expect({ code, waits }).toEqual({ code: 0, waits: [11, 11] })
    expect(err).toContain('trying again in 11 s')
  })

  test('does not wait for an hour, and says what is missing', async () => {
    const { run, waits } = await shell()
    server.answer(addresses.milanCrl, status(503, { 'retry-after': '3000' }))
    const { code, out } = await run('fetch', '--product', 'Milan', '--json')
    expect({ code, waits }).toEqual({ code: 1, waits: [] })
    const { fetched, failed } = JSON.parse(out)
    expect(fetched.length + failed.length).toBe(4)
    expect(failed[0]).toMatchObject({
      name: 'amd/Milan/vcek/crl',
      code: 'collateral-unavailable',
      retryAfterSeconds: 3000,
    })
  })

  test('gives up on a vendor that goes on failing', async () => {
    const { run, waits } = await shell()
    server.answer(addresses.milanCrl, status(500))
    const { code, out } = await run('fetch', '--product', 'Milan')
    expect(code).toBe(1)
    // Four tries, and what is left of the last back-off before the next document.
    expect(waits).toEqual([1, 2, 4, 8])
    expect(out).toContain("not fetched: AMD's VCEK revocation list for Milan could not be had")
  })

  test('is content when Intel knows a platform family for one TEE only', async () => {
    const { run } = await shell()
    server.answer(addresses.tdxTcb, status(404))
    expect((await run('fetch', '--fmspc', FMSPC)).code).toBe(0)
  })

  test('is not when Intel fails for the other', async () => {
    const { run } = await shell()
    server.answer(addresses.tdxTcb, status(500))
    const { code, out } = await run('fetch', '--fmspc', FMSPC)
    expect(code).toBe(1)
    expect(out).toContain("not fetched: Intel's TDX TCB info")
  })

  test('is not when it knows it for none, or AMD has no such chip', async () => {
    const { run, waits } = await shell()
    expect((await run('fetch', '--fmspc', '00806f050000')).code).toBe(1)
    expect((await run('fetch', '--vcek', `${'ab'.repeat(8)}:0102030400000054`)).code).toBe(1)
    expect(waits).toEqual([])
  })
})

describe('a bundle', () => {
  test('is exported and imported elsewhere', async () => {
    const one = await shell()
    await one.run('fetch', '--product', 'Milan')
    const file = join(one.folder, 'bundle')
    const exported = await one.run('export', file, '--key', keys.private)
    expect(exported).toMatchObject({ code: 0, err: '' })
    expect(exported.out).toMatch(/bundle: 4 documents, \d+ bytes, signed by [0-9a-f]{64}\n$/)

    const two = await shell()
    const imported = await two.run('import', file, '--key', keys.public)
    expect(imported).toMatchObject({ code: 0, err: '' })
    expect(imported.out).toMatch(/^4 documents imported, bundle of 2026-01-02T00:00:00.000Z/)
    expect(await two.names()).toEqual(amd('Milan').toSorted())
  })

  test('that was changed, or signed by another, is refused with 2', async () => {
    const one = await shell()
    await one.run('fetch', '--product', 'Milan')
    const file = join(one.folder, 'bundle')
    await one.run('export', file, '--key', keys.private)
    const stranger = await one.run('import', file, '--key', keys.strange, '--json')
    expect({ ...stranger, out: JSON.parse(stranger.out) }).toMatchObject({
      code: 2,
      out: { refused: expect.stringContaining('not signed by the configured key') },
    })
    const bytes = await readFile(file)
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    await writeFile(file, bytes)
    const changed = await one.run('import', file, '--key', keys.public)
    expect(changed).toMatchObject({ code: 2, out: '' })
    expect(changed.err).toContain('nothing was imported')
  })

  test('that is older than what is held needs --allow-older', async () => {
    const one = await shell()
    await one.run('fetch', '--product', 'Milan')
    const file = join(one.folder, 'bundle')
    await one.run('export', file, '--key', keys.private)
    const thisUpdate = new Date('2026-01-01T12:00:00Z')
    server.answer(addresses.milanCrl, body(published.amd.Milan.crl({ thisUpdate })))
    await one.run('fetch', '--product', 'Milan')
    expect((await one.run('import', file, '--key', keys.public)).code).toBe(2)
    expect((await one.run('import', file, '--key', keys.public, '--allow-older')).code).toBe(0)
  })

  test('with documents that have ended is imported with a warning', async () => {
    const one = await shell()
    await one.run('fetch', '--fmspc', FMSPC)
    const file = join(one.folder, 'bundle')
    await one.run('export', file, '--key', keys.private)
    one.clock.advance(40 * 24 * 3600)
    const { code, err } = await one.run('import', file, '--key', keys.public)
    expect(code).toBe(0)
    expect(err).toContain('7 documents of it ended before now')
  })
})

describe('a mistake ends with 1 and says what to do:', () => {
  test.each<[string, readonly string[], string]>([
    ['nothing to do', [], 'Choose fetch, export or import'],
    ['an unknown verb', ['delete'], 'There is no `vouchsafe collateral delete`'],
    ['an unknown option', ['fetch', '--chips'], "Unknown option '--chips'"],
    ['a stray word', ['fetch', 'Milan'], 'takes no Milan'],
    ['an unknown product', ['fetch', '--product', 'Rome'], 'Choose among Milan, Genoa, Turin'],
    ['a misspelt product', ['fetch', '--product', 'milan'], 'spelled so'],
    ['a short FMSPC', ['fetch', '--fmspc', '0080'], '12 hex digits'],
    ['a chip without its TCB', ['fetch', '--vcek', turinId], '[PRODUCT:]CHIPID:TCB'],
    [
      'a chip of Milan or Genoa',
      ['fetch', '--vcek', `${milanId}:04000000000018db`],
      'name the product',
    ],
    [
      'a chip with two products',
      ['fetch', '--vcek', `Milan:Genoa:${milanId}:04000000000018db`],
      '[PRODUCT:]CHIPID:TCB',
    ],
    [
      'a TCB with reserved bytes',
      ['fetch', '--vcek', `${turinId}:0102030401000054`],
      'REPORTED_TCB',
    ],
    ['an export without FILE', ['export'], 'FILE is missing'],
    ['an export without a key', ['export', 'x'], '--key is missing'],
    ['an import without a key', ['import', 'x'], '--key is missing'],
    ['a key that is not there', ['import', 'x', '--key', '/nowhere'], 'there is no such file'],
    ['an option of another verb', ['fetch', '--allow-older'], 'takes no --allow-older'],
    ['two files', ['export', 'a', 'b', '--key', 'k'], 'One FILE is taken at a time'],
  ])('%s', async (_, args, says) => {
    const { run } = await shell()
    const { code, out, err } = await run(...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(says)
    expect(err).not.toContain('    at ')
  })

  test('an export of nothing, with a public key, or to nowhere', async () => {
    const { run } = await shell()
    expect((await run('export', 'x', '--key', keys.private)).err).toContain('nothing is held')
    await run('fetch', '--product', 'Milan')
    expect((await run('export', 'x', '--key', keys.public)).err).toContain('not a private key')
    expect(await run('export', '/nowhere/x', '--key', keys.private)).toMatchObject({ code: 1 })
  })

  test('--json has it as an object', async () => {
    const { run } = await shell()
    const { code, out, err } = await run('fetch', '--product', 'Rome', '--json')
    expect({ code, err }).toEqual({ code: 1, err: '' })
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'arguments-invalid' } })
  })
})

test('help goes to stdout and ends with 0', async () => {
  const { run } = await shell()
  expect(await run('--help')).toMatchObject({ code: 0, err: '' })
})

describe('progress', () => {
  const shown = (isTerminal: boolean) => {
    let text = ''
    const { step, note, end } = progress(2, {
      write: (piece) => {
        text += piece
      },
      isTerminal,
    })
    step('one')
    note('waiting')
    step('two\u001b[2J')
    end()
    return text
  }

  test('is a line for each step where nobody watches', () =>
    expect(shown(false)).toBe('1/2 one\n1/2 one: waiting\n2/2 two\\u{1b}[2J\n'))

  test('is a bar on one line at a terminal, which it leaves clean', () => {
    const erase = '\r\u001b[K'
    const [empty, half] = ['-'.repeat(24), `${'#'.repeat(12)}${'-'.repeat(12)}`]
    expect(shown(true)).toBe(
      `${erase}[${empty}] 1/2 one${erase}[${empty}] 1/2 one: waiting${erase}[${half}] 2/2 two\\u{1b}[2J${erase}`,
    )
  })
})
