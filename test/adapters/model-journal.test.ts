/** Sealing that goes on in a folder which somebody else could write meanwhile: what is believed of it, and where it leads. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ModelSealing, sealModel } from '#src/adapters/model-seal.ts'
import { type ModelWorkers, openModelWorkers } from '#src/adapters/model-workers.ts'
import { modelKeyOf } from '#src/seal/model-chunk.ts'
import { openSignature } from '#src/seal/oms-bundle.ts'
import { rootOf, sha256Of } from '#src/seal/oms-root.ts'
import { MODEL_KEY } from '../models/sealed-in-memory.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const weights = { 'a.bin': 'what was trained', 'b.bin': 'what was tested!', 'c.bin': 'and more' }
const digests = Object.values(weights).map((text) => sha256Of(Buffer.from(text)))

let workers: ModelWorkers
let place: string
beforeAll(() => {
  workers = openModelWorkers()
})
afterAll(async () => await workers.close())
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-journal-'))
  mkdirSync(join(place, 'model'))
  for (const [name, text] of Object.entries(weights))
    writeFileSync(join(place, 'model', name), text)
  return () => rmSync(place, { recursive: true, force: true })
})

const out = (...names: string[]) => join(place, 'sealed', ...names)
const journal = () => out('sealing.jsonl')

const seal = async (more: Partial<ModelSealing> = {}) =>
  await sealModel({
    folder: join(place, 'model'),
    out: out(),
    name: 'llama',
    version: 1,
    modelKey: modelKeyOf(MODEL_KEY),
    randomBytes: (size) => new Uint8Array(randomBytes(size)),
    workers: { ...workers, count: 1 },
    signature: { by: 'key', privateKey },
    told() {},
    ...more,
  })

/** After the first two files. */
async function brokenOff(): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const told = ({ path }: { readonly path: string }) => {
    if (path === 'c.bin') throw new Error('stop')
  }
  await expect(seal({ told })).rejects.toThrow('stop')
  const lines = readFileSync(journal(), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

function rewritten(lines: readonly Readonly<Record<string, unknown>>[]): void {
  writeFileSync(journal(), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
}

describe('of a journal that somebody else wrote to', () => {
  const evil = sha256Of(Buffer.from('what was poisoned'))

  test.each([
    ['a digest', (line: object) => ({ ...line, digest: evil })],
    ['what a registry would call the file', (line: object) => ({ ...line, sealed: evil })],
    ['a line without a seal', ({ seal: _, ...line }: Record<string, unknown>) => line],
    ['a path that is no Unicode', (line: object) => ({ ...line, path: '\ud800' })],
  ])('%s is not believed: what is signed is what is there', async (_, change) => {
    const [first, one, ...rest] = await brokenOff()
    if (!first || !one) throw new Error('nothing was finished')
    rewritten([first, change(one), ...rest])
    const { digest, files } = await seal()
    expect(digest).toBe(rootOf(digests))
    expect(files[0]?.sealed).toBe(sha256Of(readFileSync(out('00000.sealed'))))
    expect(openSignature(readFileSync(out('model.sig')), publicKey).root).toBe(rootOf(digests))
  })

  test('a line of another place is not believed', async () => {
    const [first, one, two] = await brokenOff()
    if (!first || !one || !two) throw new Error('nothing was finished')
    const { index, path, bytes, modified } = one
    rewritten([first, { ...two, index, path, bytes, modified }, two])
    expect((await seal()).digest).toBe(rootOf(digests))
  })
})

describe('a link in the folder that leads elsewhere', () => {
  const precious = () => join(place, 'precious')
  beforeEach(() => writeFileSync(precious(), 'what must stay'))

  test('is not written through, where a file is to be sealed', async () => {
    await brokenOff()
    rmSync(out('00002.sealed.part'), { force: true })
    symlinkSync(precious(), out('00002.sealed.part'))
    await expect(seal()).rejects.toThrow()
    expect(readFileSync(precious(), 'utf8')).toBe('what must stay')
    expect(existsSync(out('sealed-model.json'))).toBe(false)
  })

  test('is not written through, where the journal is to be', async () => {
    await brokenOff()
    writeFileSync(precious(), readFileSync(journal()))
    const before = readFileSync(precious())
    rmSync(journal())
    symlinkSync(precious(), journal())
    await expect(seal()).rejects.toThrow()
    expect(readFileSync(precious()).equals(before)).toBe(true)
  })
})
