/** The names that a sealed model may have in it, and its manifest: what is refused whoever wrote it, the holder of the key included. */
import { createCipheriv, createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  beginFile,
  CHUNK_BYTES,
  chunkCount,
  chunkPlace,
  HEADER_BYTES,
  modelKeyOf,
  openChunk,
  readHeader,
  sealedChunkBytes,
  sealedFileBytes,
} from '#src/seal/model-chunk.ts'
import {
  MOST_FILES,
  openManifest,
  readManifest,
  type SealedFile,
  type SealedModel,
  writeManifest,
} from '#src/seal/model-manifest.ts'
import { byCodePoint, collisionAmong, faultOfPath } from '#src/seal/model-path.ts'
import { ModelRefused } from '#src/seal/model-refused.ts'
import { rootOf, sha256Of } from '#src/seal/oms-root.ts'
import { sealedChunk } from '../models/sealed-in-memory.ts'

const key = modelKeyOf(new Uint8Array(32).fill(7))

describe('a path', () => {
  test.each(['a', 'a/b.safetensors', '.hidden', 'ünïcode/模型.bin', 'a b', 'x'.repeat(255), '...'])(
    '%j may be in a model',
    (path) => expect(faultOfPath(path)).toBeUndefined(),
  )

  test.each([
    { path: '../a', says: 'the name ..' },
    { path: 'a/../b', says: 'the name ..' },
    { path: './a', says: 'the name .' },
    { path: '/etc/passwd', says: 'an empty name' },
    { path: 'a//b', says: 'an empty name' },
    { path: 'a/', says: 'an empty name' },
    { path: '', says: 'an empty name' },
    { path: 'a\\b', says: 'backslash' },
    { path: 'C:a', says: 'colon' },
    { path: 'a\0b', says: 'control' },
    { path: 'a\nb', says: 'control' },
    { path: 'a\u202eb', says: 'format character' },
    { path: 'a\ud800', says: 'lone surrogate' },
    { path: 'u\u0308', says: 'NFC' },
    { path: 'x'.repeat(256), says: 'more than 255 bytes' },
    { path: Array(17).fill('a').join('/'), says: 'more than 16 levels' },
    { path: `${'x'.repeat(200)}/`.repeat(3).slice(0, -1), says: 'more than 512 bytes' },
  ])('$path may not: $says', ({ path, says }) => expect(faultOfPath(path)).toContain(says))

  test.each([
    { paths: ['a', 'a'], what: 'the same' },
    { paths: ['Weights', 'weights'], what: 'another case' },
    { paths: ['straße', 'STRASSE'], what: 'a longer upper case' },
    { paths: ['a', 'a/b'], what: 'a folder where a file is' },
    { paths: ['a/b', 'a'], what: 'a file where a folder is' },
    { paths: ['A/b', 'a'], what: 'a file where a folder of another case is' },
    { paths: ['A/b', 'a/c'], what: 'one folder in two cases' },
  ])('collides with $what', ({ paths }) => expect(collisionAmong(paths)).toBeDefined())

  test('does not collide with its neighbours', () =>
    expect(collisionAmong(['a/b', 'a/c', 'ab', 'b/a', 'a.b'])).toBeUndefined())

  test('sorts by code point and not by UTF-16 unit', () =>
    expect(['\u{1f600}', '\uff5e', 'b', 'a/b', 'a.b'].toSorted(byCodePoint)).toEqual([
      'a.b',
      'a/b',
      'b',
      '\uff5e',
      '\u{1f600}',
    ]))
})

describe('a manifest', () => {
  const file = (path: string): SealedFile => ({
    path,
    bytes: 1,
    digest: sha256Of(Buffer.from(path)),
    sealed: sha256Of(),
  })
  const model = (files: readonly SealedFile[]): SealedModel => ({
    name: 'llama',
    version: 1,
    digest: rootOf(files.map(({ digest }) => digest)),
    files,
  })
  const good = model([file('a'), file('b/c')])

  test('opens to what was written', () =>
    expect(openManifest(writeManifest(good, key), key)).toEqual(good))

  test.each([
    ['a path that leads out', model([file('../a')])],
    ['two names of one file', model([file('a'), file('A')])],
    ['a root over other digests', { ...good, digest: sha256Of() }],
    ['a root over another order', { ...good, files: good.files.toReversed() }],
    ['a file that is left out', { ...good, files: good.files.slice(1) }],
    ['no files', model([])],
    [
      'more files than are allowed',
      model(Array.from({ length: MOST_FILES + 1 }, (_, i) => file(`${i}`))),
    ],
    ['a version of none', { ...good, version: 0 }],
    ['a name of none', { ...good, name: '../x' }],
    ['a size of none', model([{ ...file('a'), bytes: -1 }])],
    ['a size that no disk has', model([{ ...file('a'), bytes: 2 ** 45 }])],
    ['sizes that no disk has together', model([{ ...file('a'), bytes: 2 ** 44 }, file('b')])],
  ])('with %s is refused, though it was made with the key', (_, wrong) => {
    expect(() => openManifest(writeManifest(wrong, key), key)).toThrow(ModelRefused)
  })

  const text = Buffer.from(writeManifest(good, key)).toString()
  test.each([
    ['a member more', text.replace('"name"', '"more": 1,\n  "name"')],
    ['a member after the seal', text.replace('\n}\n', ',\n  "version": 9\n}\n')],
    ['two seals', text.replace('"name"', '"seal": "x",\n  "name"')],
    ['no seal', text.replace(/,\n {2}"seal".*/, '')],
    ['another version', text.replace('"version": 1', '"version": 2')],
    ['a byte order mark', `\ufeff${text}`],
    ['nothing', ''],
  ])('with %s is refused', (_, altered) => {
    expect(() => openManifest(Buffer.from(altered), key)).toThrow(ModelRefused)
  })

  test('of no JSON is refused by those who read it without a key', () =>
    expect(() => readManifest(Buffer.from('{'))).toThrow(ModelRefused))
})

describe('a file', () => {
  test.each([
    { bytes: 0, chunks: 1, stored: 64 + 16 },
    { bytes: 1, chunks: 1, stored: 64 + 17 },
    { bytes: CHUNK_BYTES, chunks: 1, stored: 64 + CHUNK_BYTES + 16 },
    { bytes: CHUNK_BYTES + 1, chunks: 2, stored: 64 + CHUNK_BYTES + 1 + 32 },
  ])('of $bytes bytes has $chunks chunks', ({ bytes, chunks, stored }) => {
    expect(chunkCount(bytes)).toBe(chunks)
    expect(sealedFileBytes(bytes)).toBe(stored)
    const sizes = Array.from({ length: chunks }, (_, i) => sealedChunkBytes(bytes, i))
    expect(sizes.reduce((sum, size) => sum + size, HEADER_BYTES)).toBe(stored)
    expect(chunkPlace(bytes, chunks - 1)).toEqual({ counter: chunks - 1, last: true })
  })

  test('is sealed otherwise each time, and each opens with its own header alone', () => {
    const place = { model: 'llama', version: 1, index: 0, path: 'a', bytes: 5 }
    const at = chunkPlace(5, 0)
    const [one, two] = [1, 2].map((salt) => {
      const { header, seal } = beginFile(key, place, new Uint8Array(32).fill(salt))
      return { header, sealed: sealedChunk(seal, at, Buffer.from('hello')) }
    })
    if (!one || !two) throw new Error('two were made')
    expect(one.sealed).not.toEqual(two.sealed)
    const opened = (header: Uint8Array, sealed: Uint8Array) =>
      openChunk(readHeader(key, place, header), at, new Uint8Array(sealed))
    expect(Buffer.from(opened(one.header, one.sealed) ?? []).toString()).toBe('hello')
    expect(opened(one.header, two.sealed)).toBeUndefined()
  })

  test.each([0, 1, 262_144, 1_000_003])(
    'a chunk of %i bytes is one AES-256-GCM message',
    (size) => {
      const place = { model: 'llama', version: 1, index: 0, path: 'a', bytes: size }
      const { seal } = beginFile(key, place, new Uint8Array(32))
      const plaintext = createHash('shake256', { outputLength: size }).update('a').digest()
      const sealed = sealedChunk(seal, chunkPlace(size, 0), plaintext)
      const cipher = createCipheriv('aes-256-gcm', seal.key, Buffer.from([...Array(11).fill(0), 1]))
      cipher.setAAD(seal.aad)
      const whole = [cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]
      expect(Buffer.compare(sealed, Buffer.concat(whole))).toBe(0)
      const opened = openChunk(seal, chunkPlace(size, 0), sealed)
      expect(opened && Buffer.compare(opened, plaintext)).toBe(0)
    },
  )

  test.each([0, 15])('chunk of %i bytes, less than a tag, does not open', (size) => {
    const place = { model: 'llama', version: 1, index: 0, path: 'a', bytes: 0 }
    const { seal } = beginFile(key, place, new Uint8Array(32))
    expect(openChunk(seal, chunkPlace(0, 0), new Uint8Array(size))).toBeUndefined()
  })

  test.each([
    { counter: 1, last: true },
    { counter: 0, last: false },
    { counter: 2 ** 32, last: true },
  ])('chunk that was sealed for the first and last place does not open at %o', (other) => {
    const place = { model: 'llama', version: 1, index: 0, path: 'a', bytes: 5 }
    const { seal } = beginFile(key, place, new Uint8Array(32))
    const sealed = sealedChunk(seal, chunkPlace(5, 0), Buffer.from('hello'))
    expect(openChunk(seal, chunkPlace(5, 0), new Uint8Array(sealed))).toBeDefined()
    expect(openChunk(seal, other, sealed)).toBeUndefined()
    expect(sealed, 'nothing of it is left').toEqual(new Uint8Array(sealed.length))
  })

  test.each([
    { member: 'model', other: { model: 'other' } },
    { member: 'version', other: { version: 2 } },
    { member: 'path', other: { path: 'b' } },
  ])('opens under no other $member', ({ other }) => {
    const place = { model: 'llama', version: 1, index: 0, path: 'a', bytes: 5 }
    const { header, seal } = beginFile(key, place, new Uint8Array(32))
    const sealed = sealedChunk(seal, chunkPlace(5, 0), Buffer.from('hello'))
    const elsewhere = readHeader(key, { ...place, ...other }, header)
    expect(openChunk(elsewhere, chunkPlace(5, 0), sealed)).toBeUndefined()
  })

  test.each([0, 16, 31, 33])('takes no key of %i bytes', (size) =>
    expect(() => modelKeyOf(new Uint8Array(size).fill(1))).toThrow(TypeError),
  )
})
