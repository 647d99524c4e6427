/**
 * Whatever is done to a sealed model by whoever stores it: it is refused, and what was handed on before that are the right bytes at
 * the right place, and never a wrong one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ModelWorkers, openModelWorkers } from '#src/adapters/model-workers.ts'
import { sameBytes } from '#src/bytes/encoding.ts'
import { CHUNK_BYTES, HEADER_BYTES, TAG_BYTES } from '#src/seal/model-chunk.ts'
import { ModelRefused } from '#src/seal/model-refused.ts'
import {
  filled,
  type Opened,
  openRecording,
  type Plain,
  type Sealed,
  sealedInMemory,
} from '../models/sealed-in-memory.ts'

const small: readonly Plain[] = [
  { path: 'config.json', bytes: filled(40, 3) },
  { path: 'empty', bytes: new Uint8Array() },
  { path: 'weights/a.bin', bytes: filled(96, 4) },
]
const sealedSmall = sealedInMemory(small)

/** Three chunks, the last of one byte. */
const large: readonly Plain[] = [{ path: 'w.bin', bytes: filled(2 * CHUNK_BYTES + 1) }]
const sealedLarge = sealedInMemory(large)
const STORED = CHUNK_BYTES + TAG_BYTES

let workers: ModelWorkers
beforeAll(() => {
  workers = openModelWorkers()
})
afterAll(async () => await workers.close())

function expectRefused({ handedOn, finished, fault }: Opened, plain: readonly Plain[]): void {
  expect(fault).toBeInstanceOf(ModelRefused)
  for (const [path, bytes] of handedOn) {
    const right = plain.find((file) => file.path === path)?.bytes ?? new Uint8Array()
    expect(bytes.length).toBeLessThanOrEqual(right.length)
    expect(sameBytes(bytes, right.subarray(0, bytes.length))).toBe(true)
  }
  expect(finished.length).toBeLessThan(plain.length)
}

function withFile(sealed: Sealed, index: number, altered: Uint8Array): Sealed {
  return { ...sealed, files: sealed.files.toSpliced(index, 1, altered) }
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

/** The stored file as header and chunks with their tags. */
function partsOf(file: Uint8Array): readonly Uint8Array[] {
  const parts = [file.subarray(0, HEADER_BYTES)]
  for (let at = HEADER_BYTES; at < file.length; at += STORED)
    parts.push(file.subarray(at, Math.min(file.length, at + STORED)))
  return parts
}

function joined(parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => part ?? new Uint8Array())))
}

test('unaltered models open whole', async () => {
  for (const [sealed, plain] of [
    [sealedSmall, small],
    [sealedLarge, large],
  ] as const) {
    const { handedOn, finished, fault } = await openRecording(sealed, workers)
    expect(fault).toBeUndefined()
    expect(finished.length).toBe(plain.length)
    for (const { path, bytes } of plain)
      expect(sameBytes(handedOn.get(path) ?? new Uint8Array(1), bytes)).toBe(true)
  }
})

describe('an altered byte', () => {
  test.each(small.map(({ path }, index) => ({ path, index })))(
    'is refused, wherever in $path it is',
    async ({ index }) => {
      const file = sealedSmall.files[index] ?? new Uint8Array()
      for (let at = 0; at < file.length; at++)
        expectRefused(
          await openRecording(withFile(sealedSmall, index, flipped(file, at)), workers),
          small,
        )
    },
  )

  test('is refused, wherever in the manifest it is, before a file is touched', async () => {
    for (let at = 0; at < sealedSmall.manifest.length; at++) {
      const manifest = flipped(sealedSmall.manifest, at)
      const opened = await openRecording({ ...sealedSmall, manifest }, workers)
      expectRefused(opened, small)
      expect(opened.handedOn.size).toBe(0)
    }
  })

  test.each([
    { where: 'the first chunk', at: HEADER_BYTES, right: 0 },
    { where: 'the end of the first chunk', at: HEADER_BYTES + CHUNK_BYTES - 1, right: 0 },
    { where: 'its tag', at: HEADER_BYTES + CHUNK_BYTES, right: 0 },
    { where: 'the second chunk', at: HEADER_BYTES + STORED, right: CHUNK_BYTES },
    { where: 'the last chunk', at: HEADER_BYTES + 2 * STORED, right: 2 * CHUNK_BYTES },
    { where: 'the last tag', at: HEADER_BYTES + 2 * STORED + 1, right: 2 * CHUNK_BYTES },
  ])('in $where is refused after at most $right right bytes', async ({ at, right }) => {
    const file = sealedLarge.files[0] ?? new Uint8Array()
    const opened = await openRecording(withFile(sealedLarge, 0, flipped(file, at)), workers)
    expectRefused(opened, large)
    expect(opened.handedOn.get('w.bin')?.length).toBeLessThanOrEqual(right)
  })
})

describe('chunks', () => {
  const [header, first, second, last] = partsOf(sealedLarge.files[0] ?? new Uint8Array())

  test.each([
    { what: 'swapped', parts: [header, second, first, last] },
    { what: 'swapped at the end', parts: [header, first, last, second] },
    { what: 'dropped at the beginning', parts: [header, second, last] },
    { what: 'dropped in the middle', parts: [header, first, last] },
    { what: 'dropped at the end', parts: [header, first, second] },
    { what: 'given twice', parts: [header, first, first, second, last] },
    { what: 'given twice in place of another', parts: [header, first, first, last] },
    { what: 'given twice at the end', parts: [header, first, second, last, last] },
    { what: 'without a header', parts: [first, second, last] },
    { what: 'with nothing but a header', parts: [header] },
    { what: 'with nothing at all', parts: [] },
  ])('$what are refused', async ({ parts }) => {
    expectRefused(await openRecording(withFile(sealedLarge, 0, joined(parts)), workers), large)
  })

  const file = sealedLarge.files[0] ?? new Uint8Array()
  const boundaries = [0, HEADER_BYTES, HEADER_BYTES + STORED, HEADER_BYTES + 2 * STORED]
  test.each(
    [...boundaries, HEADER_BYTES + CHUNK_BYTES, file.length].flatMap((at) =>
      [at - 1, at, at + 1].filter((end) => end >= 0 && end < file.length),
    ),
  )('cut off after %i bytes are refused', async (end) => {
    expectRefused(await openRecording(withFile(sealedLarge, 0, file.slice(0, end)), workers), large)
  })

  test('followed by more are refused', async () => {
    const longer = joined([file, new Uint8Array(1)])
    expectRefused(await openRecording(withFile(sealedLarge, 0, longer), workers), large)
  })

  test('of a shorter file of the same content are refused', async () => {
    const shorter = sealedInMemory([{ path: 'w.bin', bytes: filled(2 * CHUNK_BYTES) }])
    expectRefused(
      await openRecording(withFile(sealedLarge, 0, shorter.files[0] ?? new Uint8Array()), workers),
      large,
    )
  })
})

describe('files', () => {
  const twin: readonly Plain[] = [
    { path: 'a.bin', bytes: filled(64, 5) },
    { path: 'b.bin', bytes: filled(64, 6) },
  ]
  const sealed = sealedInMemory(twin)

  test('swapped within a model are refused', async () => {
    const files = sealed.files.toReversed()
    expectRefused(await openRecording({ ...sealed, files }, workers), twin)
  })

  test.each([
    { what: 'of an older version', other: { version: 2 } },
    { what: 'of a newer version', other: { version: 4 } },
    { what: 'of a model of another name', other: { name: 'other' } },
    { what: 'sealed with another key', other: { key: new Uint8Array(32).fill(9) } },
  ])('$what, under the same paths and with the same content, are refused', async ({ other }) => {
    const { files } = sealedInMemory(twin, other)
    expectRefused(await openRecording({ ...sealed, files }, workers), twin)
  })

  test('of one key that stood at another path are refused', async () => {
    const [a, b] = twin
    const { files } = sealedInMemory([
      { path: 'c.bin', bytes: a?.bytes ?? new Uint8Array() },
      { path: 'b.bin', bytes: b?.bytes ?? new Uint8Array() },
    ])
    expectRefused(await openRecording({ ...sealed, files }, workers), twin)
  })

  test('with the header of another are refused', async () => {
    const [a, b] = sealed.files.map(partsOf)
    const mixed = joined([b?.[0], a?.[1]])
    expectRefused(await openRecording(withFile(sealed, 0, mixed), workers), twin)
  })

  test('with the salt of another are refused', async () => {
    const [a, b] = sealed.files.map((file) => new Uint8Array(file))
    a?.set(b?.subarray(0x20, 0x40) ?? [], 0x20)
    expectRefused(await openRecording(withFile(sealed, 0, a ?? new Uint8Array()), workers), twin)
  })

  test('under the manifest of another version are refused, though one key made both', async () => {
    const older = sealedInMemory(twin, { version: 2 })
    expectRefused(await openRecording({ ...sealed, manifest: older.manifest }, workers), twin)
  })
})

describe('a whole model that is authentic', () => {
  test.each([
    { what: 'of an older version', expected: { minimumVersion: 4 } },
    { what: 'of another name', expected: { name: 'other' } },
    {
      what: 'of another digest',
      expected: { digest: `sha256:${'0'.repeat(64)}` as const },
    },
  ])('$what than is expected is refused before a byte of it is read', async ({ expected }) => {
    const opened = await openRecording(sealedSmall, workers, { expected })
    expectRefused(opened, small)
    expect(opened.handedOn.size).toBe(0)
  })

  test('is refused by whoever has another key', async () => {
    const opened = await openRecording(sealedSmall, workers, { key: new Uint8Array(32).fill(1) })
    expectRefused(opened, small)
    expect(opened.handedOn.size).toBe(0)
  })
})

test('what was made by somebody who has the key, and is not what the digest goes over, is refused in the end', async () => {
  const forged = sealedInMemory([{ path: 'w.bin', bytes: filled(96, 8) }])
  const right = sealedInMemory([{ path: 'w.bin', bytes: filled(96, 7) }])
  const { fault, finished } = await openRecording({ ...right, files: forged.files }, workers)
  expect(fault).toMatchObject({ fault: { where: 'digest of w.bin' } })
  expect(finished).toEqual([])
})
