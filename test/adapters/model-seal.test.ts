/** Sealing a folder: what may be in it, what is left when sealing is broken off, and how it goes on from there. */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openModel } from '#src/adapters/model-open.ts'
import { modelFolder } from '#src/adapters/model-output.ts'
import { type ModelSealing, sealModel } from '#src/adapters/model-seal.ts'
import { folderSource } from '#src/adapters/model-source.ts'
import { modelTree } from '#src/adapters/model-tree.ts'
import { type ModelWorkers, openModelWorkers } from '#src/adapters/model-workers.ts'
import { CHUNK_BYTES, modelKeyOf } from '#src/seal/model-chunk.ts'
import { filled, MODEL_KEY } from '../models/sealed-in-memory.ts'

let workers: ModelWorkers
let place: string
beforeAll(() => {
  workers = openModelWorkers()
})
afterAll(async () => await workers.close())
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-model-'))
  return () => rmSync(place, { recursive: true, force: true })
})

const files: Readonly<Record<string, Uint8Array>> = {
  'config.json': Buffer.from('{}'),
  empty: new Uint8Array(),
  'weights/a.bin': filled(CHUNK_BYTES + 5),
  'weights/b.bin': filled(300, 2),
}

function written(content = files): string {
  const folder = join(place, 'model')
  for (const [path, bytes] of Object.entries(content)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
  }
  return folder
}

function terms(folder: string, more: Partial<ModelSealing> = {}): ModelSealing {
  return {
    folder,
    out: join(place, 'sealed'),
    name: 'llama',
    version: 1,
    modelKey: modelKeyOf(MODEL_KEY),
    randomBytes: (size) => new Uint8Array(randomBytes(size)),
    workers,
    signature: { by: 'nobody' },
    told() {},
    ...more,
  }
}

async function opened(out = join(place, 'sealed')): Promise<string> {
  const target = join(place, `opened-${randomBytes(4).toString('hex')}`)
  const model = await openModel({
    source: folderSource(out),
    keyOf: async () => new Uint8Array(MODEL_KEY),
    expected: {},
    signedBy: undefined,
    workers,
    told() {},
  })
  const folder = await modelFolder(target)
  await model.files(folder.sinkOf)
  await folder.keep()
  return target
}

test('what was sealed opens to the same files, and nothing of it lies in clear', async () => {
  const folder = written()
  const { files: listed, digest } = await sealModel(terms(folder))
  const target = await opened()
  for (const [path, bytes] of Object.entries(files))
    expect(readFileSync(join(target, path)).equals(bytes)).toBe(true)
  expect(listed.map(({ path }) => path)).toEqual(Object.keys(files))
  const hash = createHash('sha256')
  for (const bytes of Object.values(files)) hash.update(createHash('sha256').update(bytes).digest())
  expect(digest).toBe(`sha256:${hash.digest('hex')}`)
  const weights = files['weights/b.bin'] ?? new Uint8Array()
  for (const name of readdirSync(join(place, 'sealed')))
    expect(
      readFileSync(join(place, 'sealed', name)).includes(Buffer.from(weights.subarray(0, 32))),
    ).toBe(false)
})

describe('a folder with', () => {
  test.each([
    {
      what: 'a symbolic link',
      add: (folder: string) => symlinkSync('/etc/passwd', join(folder, 'link')),
    },
    {
      what: 'a link to a folder',
      add: (folder: string) => symlinkSync('/etc', join(folder, 'link')),
    },
    {
      what: 'a pipe',
      add: (folder: string) => execFileSync('mkfifo', [join(folder, 'pipe')]),
    },
    {
      what: 'two names that differ in case alone',
      add: (folder: string) => writeFileSync(join(folder, 'CONFIG.json'), ''),
    },
    {
      what: 'a name that is not UTF-8',
      add: (folder: string) =>
        writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), ''),
    },
    {
      what: 'a name with a line feed',
      add: (folder: string) => writeFileSync(join(folder, 'a\nb'), ''),
    },
  ])('$what is refused', async ({ add }) => {
    const folder = written()
    add(folder)
    await expect(sealModel(terms(folder))).rejects.toMatchObject({ code: 'model-unusable' })
    expect(existsSync(join(place, 'sealed'))).toBe(false)
  })

  test('nothing in it is refused', async () => {
    mkdirSync(join(place, 'model'))
    await expect(sealModel(terms(join(place, 'model')))).rejects.toMatchObject({
      code: 'model-unusable',
    })
  })

  test('a repository in it is sealed without the repository', async () => {
    const folder = written({
      ...files,
      '.git/HEAD': Buffer.from('x'),
      'sub/.git': Buffer.from('y'),
    })
    expect((await modelTree(folder)).map(({ path }) => path)).toContain('sub/.git')
    expect((await modelTree(folder)).map(({ path }) => path)).not.toContain('.git/HEAD')
  })

  test('the place where it would be sealed is refused', async () => {
    const folder = written()
    await expect(sealModel(terms(folder, { out: join(folder, 'out') }))).rejects.toMatchObject({
      code: 'model-unusable',
    })
  })
})

describe('sealing that was broken off', () => {
  /** Stops before the file `at` is finished, as a crash would: what is on the disk is left as it is. */
  async function brokenOff(folder: string, at: string): Promise<void> {
    const told = ({ path }: { readonly path: string }) => {
      if (path === at) throw new Error('stop')
    }
    await expect(
      sealModel(terms(folder, { told, workers: { ...workers, count: 1 } })),
    ).rejects.toThrow('stop')
  }
  const stored = (index: number) => readFileSync(join(place, 'sealed', `0000${index}.sealed`))

  test('leaves nothing that looks like a model, and goes on with what is not finished', async () => {
    const folder = written()
    await brokenOff(folder, 'weights/b.bin')
    expect(existsSync(join(place, 'sealed', 'sealed-model.json'))).toBe(false)
    const before = stored(2)
    const salts: Uint8Array[] = []
    const randomBytesKept = (size: number) => {
      const salt = new Uint8Array(randomBytes(size))
      salts.push(salt)
      return salt
    }
    await sealModel(terms(folder, { randomBytes: randomBytesKept }))
    expect(salts.length).toBe(1)
    expect(stored(2).equals(before)).toBe(true)
    const target = await opened()
    expect(
      readFileSync(join(target, 'weights/b.bin')).equals(
        files['weights/b.bin'] ?? new Uint8Array(),
      ),
    ).toBe(true)
    expect(readdirSync(join(place, 'sealed')).toSorted()).toEqual([
      '00000.sealed',
      '00001.sealed',
      '00002.sealed',
      '00003.sealed',
      'sealed-model.json',
    ])
  })

  test.each([
    {
      what: 'was changed',
      change: (path: string) => writeFileSync(path, filled(CHUNK_BYTES + 5, 9)),
    },
    { what: 'was touched', change: (path: string) => utimesSync(path, 1, 1) },
  ])('seals a finished file again that $what, with another salt', async ({ change }) => {
    const folder = written()
    await brokenOff(folder, 'weights/b.bin')
    const before = stored(2)
    change(join(folder, 'weights/a.bin'))
    await sealModel(terms(folder))
    expect(stored(2).subarray(0x20, 0x40)).not.toEqual(before.subarray(0x20, 0x40))
    const target = await opened()
    expect(
      readFileSync(join(target, 'weights/a.bin')).equals(
        readFileSync(join(folder, 'weights/a.bin')),
      ),
    ).toBe(true)
  })

  test('seals again what lies there cut off', async () => {
    const folder = written()
    await brokenOff(folder, 'weights/b.bin')
    writeFileSync(join(place, 'sealed', '00002.sealed'), stored(2).subarray(0, 1000))
    await sealModel(terms(folder))
    await opened()
  })

  test('goes on though the last line of its journal was cut off', async () => {
    const folder = written()
    await brokenOff(folder, 'weights/b.bin')
    const journal = join(place, 'sealed', 'sealing.jsonl')
    writeFileSync(journal, readFileSync(journal).subarray(0, -20))
    await sealModel(terms(folder))
    await opened()
  })

  test('numbers the files anew when one was added before them', async () => {
    const folder = written()
    await brokenOff(folder, 'weights/b.bin')
    writeFileSync(join(folder, 'a-first'), 'x')
    await sealModel(terms(folder))
    const target = await opened()
    expect(readFileSync(join(target, 'a-first'), 'utf8')).toBe('x')
  })

  test.each([
    { what: 'key', other: { modelKey: modelKeyOf(new Uint8Array(32).fill(3)) } },
    { what: 'version', other: { version: 2 } },
    { what: 'name', other: { name: 'other' } },
  ])('does not go on with another $what', async ({ what, other }) => {
    const folder = written()
    await brokenOff(folder, 'weights/b.bin')
    await expect(sealModel(terms(folder, other))).rejects.toThrow(`another ${what}`)
  })

  test('does not write over a sealed model, nor into a folder with other files', async () => {
    const folder = written()
    await sealModel(terms(folder))
    await expect(sealModel(terms(folder))).rejects.toThrow('holds a sealed model already')
    mkdirSync(join(place, 'other'))
    writeFileSync(join(place, 'other', 'x'), '')
    await expect(sealModel(terms(folder, { out: join(place, 'other') }))).rejects.toThrow(
      'not empty',
    )
  })
})

test('a file that is written to while it is sealed is refused', async () => {
  const folder = written()
  const told = ({ path }: { readonly path: string }) => {
    if (path === 'weights/b.bin') writeFileSync(join(folder, path), filled(300, 9))
  }
  await expect(sealModel(terms(folder, { told }))).rejects.toThrow('changed meanwhile')
})
