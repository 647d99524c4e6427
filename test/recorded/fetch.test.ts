/** Does `npm run fixtures:fetch` find evidence in whatever form its source has it, and write nothing but the right bytes? */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { download, PUBLIC_BASE } from '../../fixtures/download.ts'
import { findWithin, sha256Of } from '../../fixtures/extraction.ts'
import type { RecordedFile } from '../../fixtures/recorded-manifest.ts'

const evidence = Uint8Array.from({ length: 300 }, (_, index) => (index * 7 + 3) % 256)
const wanted = { bytes: evidence.length, sha256: sha256Of(evidence) }
const hex = Buffer.from(evidence).toString('hex')
const base64 = Buffer.from(evidence).toString('base64')
const pem = `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`

describe('evidence is found', () => {
  test.each<[string, string | Uint8Array]>([
    ['as a file of its own', evidence],
    ['before zero padding', Buffer.concat([evidence, Buffer.alloc(70)])],
    ['within a protocol buffer', Buffer.concat([Buffer.from('0a0b0c', 'hex'), evidence, evidence])],
    ['as hex', hex],
    [
      'as hex in upper case over several lines',
      `${hex.toUpperCase().slice(0, 100)}\n${hex.slice(100)}\n`,
    ],
    ['as hex within source text', `bytes memory quote = hex"${hex}";\nassert(add(1, 2) == 3);`],
    ['within a longer run of hex', `"ffff${hex}0000"`],
    ['as base64 within JSON', JSON.stringify({ version: 2, report: base64 })],
    ['as base64url', JSON.stringify({ report: Buffer.from(evidence).toString('base64url') })],
    ['as PEM', `subject: somebody\n${pem}`],
    [
      'as the second of two PEM blocks',
      `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${pem}`,
    ],
    ['as PEM within JSON', JSON.stringify({ certificates: { vcek: pem } })],
    ['as numbers within JSON', JSON.stringify({ a: [1, 2], report: [...evidence] }, null, 2)],
    ['as numbers behind a header', JSON.stringify([72, 67, 76, 65, ...evidence, 0, 0])],
  ])('%s', (_, file) => {
    const found = findWithin(typeof file === 'string' ? Buffer.from(file) : file, wanted)
    expect(found && Buffer.from(found).toString('hex')).toBe(hex)
  })

  test.each<[string, string]>([
    ['an empty file', ''],
    ['other text', 'not found'],
    ['one digit less', hex.slice(1)],
    ['another byte', `00${hex.slice(2)}`],
  ])('but not in %s', (_, file) => expect(findWithin(Buffer.from(file), wanted)).toBeUndefined())
})

const served = new Map<string, string | Uint8Array>()
let asked: string[] = []
let server: Server
let base: string
let folder: string

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const body = served.get(path)
    if (path === '/moved') response.writeHead(302, { location: '/repo/report.hex' }).end()
    else if (body === undefined) response.writeHead(404).end('no')
    else response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on a TCP port has such an address.
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => server.close())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vouchsafe-fetch-'))
  served.clear()
  asked = []
})
afterEach(() => rmSync(folder, { recursive: true }))

const entry = (changes: Partial<RecordedFile> = {}): RecordedFile => ({
  path: 'somebody/report.bin',
  kind: 'report',
  ...wanted,
  source: 'somebody/something report.hex',
  url: `${PUBLIC_BASE}/repo/report.hex`,
  licence: 'Apache-2.0',
  ...changes,
})

async function run(...files: readonly RecordedFile[]) {
  const lines: string[] = []
  const outcomes = await download({ files, folder, base, report: (line) => lines.push(line) })
  return { lines, outcomes: Object.fromEntries(outcomes) }
}

const present = () =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map(({ name }) => name)

describe('a download', () => {
  test('is written where tests look for it, and said', async () => {
    served.set('/repo/report.hex', hex)
    expect(await run(entry())).toEqual({
      lines: ['[1/1] somebody/report.bin: downloaded'],
      outcomes: { downloaded: 1 },
    })
    expect(sha256Of(readFileSync(join(folder, 'somebody/report.bin')))).toBe(wanted.sha256)
  })

  test('asks once for a source that holds two files, and not again for what is there', async () => {
    served.set('/repo/report.hex', hex)
    await run(entry(), entry({ path: 'somebody/again.bin' }))
    expect(asked).toEqual(['/repo/report.hex'])
    expect((await run(entry())).outcomes).toEqual({ 'there already': 1 })
    expect(asked).toHaveLength(1)
  })

  test('replaces a file that is not the right one', async () => {
    served.set('/repo/report.hex', hex)
    await run(entry())
    writeFileSync(join(folder, 'somebody/report.bin'), 'edited')
    expect((await run(entry())).outcomes).toEqual({ downloaded: 1 })
  })

  test.each<[string, string, Partial<RecordedFile>, RegExp]>([
    ['a source that has changed', 'other', {}, /failed \(nothing in .*report\.hex has SHA-256 /],
    ['a source that is gone', '', { url: `${PUBLIC_BASE}/gone` }, /\/gone answered 404\)/],
    ['a redirect', '', { url: `${PUBLIC_BASE}/moved` }, /failed \(.*\/moved: .*redirect/],
  ])('writes nothing for %s, and says why', async (_, body, changes, reason) => {
    served.set('/repo/report.hex', body)
    const { lines, outcomes } = await run(entry(changes))
    expect({ outcomes, present: present() }).toEqual({ outcomes: { failed: 1 }, present: [] })
    expect(lines[0]).toMatch(reason)
  })

  test('without a public address is no failure', async () => {
    const { lines, outcomes } = await run(entry({ url: null, note: 'it was computed' }))
    expect(outcomes).toEqual({ 'no public address': 1 })
    expect(lines[0]).toMatch(/no public address \(it was computed\)$/)
  })
})

describe('collateral', () => {
  const tcbInfo = '{"id":"TDX", "note":"a } and a \\" within","levels":[{"svn":1.0}]}'
  const whole = JSON.stringify(
    { tcb_info: tcbInfo, tcb_info_signature: 'aabb', pck_crl: '3001' },
    null,
    1,
  )
  const collateral = entry({
    path: 'put/together.json',
    url: null,
    parts: {
      tcb_info: `${PUBLIC_BASE}/pcs.json#json:tcbInfo`,
      tcb_info_signature: `${PUBLIC_BASE}/pcs.json#json:signature`,
      pck_crl: `${PUBLIC_BASE}/crl.der#hex`,
    },
    bytes: whole.length,
    sha256: sha256Of(Buffer.from(whole)),
  })

  test('is put together from the very text that was signed', async () => {
    served.set('/pcs.json', `{"tcbInfo":${tcbInfo},"signature":"aabb"}\n`)
    served.set('/crl.der', Buffer.from('3001', 'hex'))
    expect((await run(collateral)).outcomes).toEqual({ downloaded: 1 })
    expect(readFileSync(join(folder, 'put/together.json'), 'utf8')).toBe(whole)
    expect(asked).toEqual(['/pcs.json', '/crl.der'])
  })

  test.each<[string, string, RegExp]>([
    ['one part has changed', `{"tcbInfo":{},"signature":"aabb"}`, /its parts have changed/],
    ['one part is gone', `{"signature":"aabb"}`, /there is no tcbInfo/],
    ['a part is no JSON', '<html>', /not valid JSON/],
  ])('is not written when %s', async (_, pcs, reason) => {
    served.set('/pcs.json', pcs)
    served.set('/crl.der', Buffer.from('3001', 'hex'))
    const { lines, outcomes } = await run(collateral)
    expect({ outcomes, present: present() }).toEqual({ outcomes: { failed: 1 }, present: [] })
    expect(lines[0]).toMatch(reason)
  })
})

test('the command names every file, says how many are missing, and exits 1', async () => {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../fixtures/fetch.ts'), '--base', base, '--into', folder],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(code).toBe(1)
  expect(out).toMatch(/^\[1\/\d+\] .*answered 404\)\n\[2\/\d+\] /)
  expect(out).toMatch(/0 of \d+ files are in .*; \d+ have no public address/)
  expect(err).toMatch(/^\d+ could not be had; .*Run it again/)
  expect(asked.length).toBeGreaterThan(40)
})
