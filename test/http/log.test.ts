import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryStore } from '#src/adapters/memory-store.ts'
import { fromHex, toHex } from '#src/bytes/encoding.ts'
import { openCheckpoint } from '#src/log/checkpoint.ts'
import { isConsistent } from '#src/log/consistency.ts'
import { decodeEntries } from '#src/log/entry-bundle.ts'
import { parseLogProof, verifyLogProof } from '#src/log/log-proof.ts'
import { type NoteKey, parseVerifierKey } from '#src/log/note-key.ts'
import { leafHashOf } from '#src/log/tree-hash.ts'
import { naiveRoot } from '../log/naive-tree.ts'
import { decide } from '../service/log-scene.ts'
import { bearer, get, type RunningService, runService } from './running-service.ts'

let service: RunningService
let key: NoteKey
const store = memoryStore()
const leaves: string[] = []
let denied = ''

beforeAll(async () => {
  service = await runService({ store })
  const text = await (await fetch(`${service.url}/v1/log/key`)).text()
  key = parseVerifierKey(text)
  for (let n = 0; n < 300; n++) leaves.push(toHex((await decide(store)).leafHash))
  await service.chores('log')
  denied = toHex((await decide(store, 'refused')).leafHash)
  await service.chores('log')
})
afterAll(() => service.close())

const raw = (path: string) => fetch(`${service.url}/v1/log/${path}`)
const bytesOf = async (path: string) => new Uint8Array(await (await raw(path)).arrayBuffer())

async function checkpoint() {
  return openCheckpoint(await (await raw('checkpoint')).text(), { log: key })
}

test('the checkpoint is text that is not kept for long', async () => {
  const response = await raw('checkpoint')
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  expect(response.headers.get('cache-control')).toBe('public, max-age=1')
  expect(await checkpoint()).toMatchObject({
    origin: `${new URL(service.url).host}/v1/log`,
    size: 301,
  })
})

test('tiles and entries are bytes that may be kept for ever, and hash to each other', async () => {
  const full = await raw('tile/0/000')
  expect(full.headers.get('content-type')).toBe('application/octet-stream')
  expect(full.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  const hashes = [...(await bytesOf('tile/0/000')), ...(await bytesOf('tile/0/001.p/45'))]
  expect(toHex(Uint8Array.from(hashes)).slice(0, 300 * 64)).toBe(leaves.join(''))
  const entries = [
    ...decodeEntries(await bytesOf('tile/entries/000')),
    ...decodeEntries(await bytesOf('tile/entries/001.p/45')),
  ]
  expect(entries.map((entry) => toHex(leafHashOf(entry))).slice(0, 300)).toEqual(leaves)
  expect(await bytesOf('tile/1/000.p/1')).toHaveLength(32)
  // Of a smaller tree, for which there was a checkpoint too.
  expect(await bytesOf('tile/0/001.p/44')).toEqual((await bytesOf('tile/0/001.p/45')).slice(0, -32))
})

test.each([
  'tile/0/001',
  'tile/0/001.p/46',
  'tile/0/000.p/256',
  'tile/0/000.p/0',
  'tile/0/0',
  'tile/0/x000/000',
  'tile/0/x001/000/000',
  'tile/0/x001/x000/000.p/1',
  'tile/1/000',
  'tile/64/000',
  'tile/00/000',
  'tile/entries/001',
  'tile/entries/001.p/46',
  'tile/entries/x1/000',
  'tile/..%2f/000',
  'tile/0/x009/x007/x199/x254/740',
])('%s is no tile of this log', async (path) => {
  const { status, json, headers } = await get(`${service.url}/v1/log/${path}`)
  expect(status).toBe(404)
  expect(json.type).toContain('route-unknown')
  expect(headers.get('cache-control')).toBe('no-store')
})

test.each(['an issuance', 'a denial'])('%s is proven with the log’s key alone', async (kind) => {
  const leaf = kind === 'a denial' ? denied : (leaves[260] ?? '')
  const { status, json } = await get(`${service.url}/v1/log/proof?leaf=${leaf}`)
  expect(status).toBe(200)
  const proven = verifyLogProof(parseLogProof(json), { log: key })
  expect(proven).toMatchObject({ leaf, index: kind === 'a denial' ? 300 : 260 })
})

test('a leaf that waits is answered with when to ask again', async () => {
  const leaf = toHex((await decide(store)).leafHash)
  const { status, json, headers } = await get(`${service.url}/v1/log/proof?leaf=${leaf}`)
  expect([status, headers.get('retry-after')]).toEqual([404, '1'])
  expect(json.type).toContain('log-leaf-waiting')
})

test('consistency is proven between any two sizes', async () => {
  const newer = await checkpoint()
  const older = { size: 300, root: new Uint8Array() }
  const { json } = await get(`${service.url}/v1/log/consistency?from=300&to=${newer.size}`)
  const root = naiveRoot(leaves.map((leaf) => fromHex(leaf) ?? new Uint8Array()))
  const proof = json.proof.map((hash: string) => fromHex(hash) ?? new Uint8Array())
  expect(isConsistent({ ...older, root }, newer, proof)).toBe(true)
})

test.each([
  'proof',
  'proof?leaf=',
  'proof?leaf=ABCD',
  `proof?leaf=${'0'.repeat(64)}&leaf=${'0'.repeat(64)}`,
  'consistency?from=1',
  'consistency?from=3&to=2',
  'consistency?from=0&to=100000',
  'consistency?from=-1&to=2',
  'consistency?from=0&to=9007199254740993',
])('%s is refused as malformed', async (path) => {
  const { status, json } = await get(`${service.url}/v1/log/${path}`)
  expect(status).toBe(400)
  expect(json.type).toContain('request-malformed')
})

describe('the private body', () => {
  const path = () => `${service.url}/v1/log/entries/${leaves[3]}/body`

  test('is told to auditors, and is what the leaf covers', async () => {
    const { status, json } = await get(path(), bearer('auditor'))
    expect(status).toBe(200)
    const { json: proof } = await get(`${service.url}/v1/log/proof?leaf=${leaves[3]}`)
    const { entry, salt, record } = json
    const disclosed = parseLogProof({ ...proof, disclosed: { entry, salt, record } })
    const proven = verifyLogProof(disclosed, { log: key })
    expect(proven.record).toMatchObject({ verdict: 'issued', agent: 'invoice-bot', tenant: 'acme' })
    for (const change of [
      { salt: 'ff'.repeat(16) },
      { record: record.replace('issued', 'refused') },
      { entry: entry.replace('issuance', 'denial') },
    ])
      expect(() =>
        verifyLogProof(
          { ...disclosed, disclosed: { entry, salt, record, ...change } },
          { log: key },
        ),
      ).toThrow('that is shown is not')
  })

  test.each([
    ['nobody', 401],
    ['viewer', 403],
    ['operator', 403],
  ] as const)('is not told to %s', async (role, expected) => {
    const { status } = await get(path(), role === 'nobody' ? {} : bearer(role))
    expect(status).toBe(expected)
  })
})

test('what the log publishes names no tenant, agent, token or appraisal', async () => {
  const all = new TextDecoder().decode(await bytesOf('tile/entries/000'))
  for (const name of ['acme', 'invoice-bot', 'prod', '00000000-0000', 'kms.example'])
    expect(all).not.toContain(name)
  const entries = decodeEntries(await bytesOf('tile/entries/000')).map((entry) =>
    JSON.parse(new TextDecoder().decode(entry)),
  )
  for (const entry of entries) expect(Object.keys(entry)).toEqual(['at', 'kind', 'record', 'v'])
})

test('readiness fails when the log stands still, and says no more to strangers', async () => {
  const lost = await runService({ store: { ...memoryStore(), logHead: async () => undefined } })
  try {
    await lost.chores('log')
    const { status, json } = await get(`${lost.url}/readyz`)
    expect(status).toBe(503)
    expect(json.checks).toContainEqual({
      name: 'log',
      ok: false,
      detail: 'refuses to sign what the database holds',
    })
  } finally {
    await lost.close()
  }
})
